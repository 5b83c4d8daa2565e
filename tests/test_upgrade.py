"""An upgrade without a pause: the code of the commit before and this one work side by side on one database."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from routing.notification import State
from tests.factories import issue_webhook
from tests.service import ROOT, Service, end, environment
from tests.vendors import Vendors, critical_error

MIGRATIONS = "storage/migrations/versions"
EACH = 30
"""Alerts for each of the two, before and after the old worker has ended."""


def git(*arguments: str) -> bytes:
    """What git says of this clone."""
    program = shutil.which("git")
    if program is None or not (ROOT / ".git").exists():
        pytest.skip("there is no commit before this one to run beside it: the tests run in no clone of the repository")
    return subprocess.run([program, "-C", str(ROOT), *arguments], capture_output=True, check=True).stdout  # noqa: S603 - as above


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The code of the last commit, or, where nothing was changed since, of the one before that."""
    is_changed = bool(git("status", "--porcelain", "--untracked-files=no").strip())
    revision = "HEAD" if is_changed else "HEAD~1"
    if not is_changed and len(git("rev-list", "--max-count=2", "HEAD").split()) < 2:
        pytest.skip("there is no commit before this one to run beside it: the clone is a shallow one")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(git("archive", revision))) as archive:
        archive.extractall(folder, filter="data")
    yield folder
    shutil.rmtree(folder)


def test_a_migration_that_was_committed_is_never_edited(before: Path) -> None:
    for path in (before / MIGRATIONS).glob("*.py"):
        assert (ROOT / MIGRATIONS / path.name).read_bytes() == path.read_bytes(), path.name


def test_old_and_new_take_decide_and_tell_side_by_side(
    tmp_path: Path, before: Path, postgresql_url: str, redis_url: str, vendors: Vendors
) -> None:
    variables = environment(postgresql_url, redis_url, **vendors.environment())
    folders = tmp_path / "old", tmp_path / "new"
    for folder in folders:
        folder.mkdir()
    with (
        Service(environment=variables, folder=folders[0], root=before) as old,
        Service(environment=variables, folder=folders[1]) as new,
    ):
        old_worker, _ = old.start_worker(), new.start_worker()
        for each in (old, new):
            each.start_web()
        post(old, new, range(EACH))
        end(old_worker, signal.SIGTERM)
        post(old, new, range(EACH, 2 * EACH))
        new.until("all are told", lambda: new.states() == {State.SENT: 3 * 2 * EACH})
        for number in range(2 * EACH):
            (old, new)[number % 2].post(issue_webhook("resolved", id=str(7000 + number)))
        new.until("all ends are told", lambda: new.states() == {State.SENT: 6 * 2 * EACH})

    assert [alert.state for alert in vendors.pagerduty.app.alerts.values()] == ["resolved"] * 2 * EACH
    assert set(vendors.jira.app.states.values()) == {"Done"}
    assert len([one for one in vendors.slack.app.messages["C0ERRORS"] if "thread_ts" not in one]) == 2 * EACH


def post(old: Service, new: Service, numbers: range) -> None:
    """To each of the two in turn."""
    for number in numbers:
        status, _ = (old, new)[number % 2].post(critical_error(number))
        assert status == 202
