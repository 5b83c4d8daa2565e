"""What the tests of the doctor share: a service described by variables, and what is found about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from tests.factories import SECRET
from watch.doctor.examination import LOOKS
from watch.doctor.finding import Finding, State
from watch.doctor.patient import Patient, described_by

NO_REDIS = "redis://127.0.0.1:1/0"
RULES = """\
version: 1
receivers:
  chat: {kind: preview}
rules:
  - {name: critical, when: "tags.critical:true", severity: warning, notify: [chat]}
"""


def utc_now() -> datetime:
    return datetime.now(UTC)


def patient(variables: Mapping[str, str], *, clock: Callable[[], datetime] = utc_now, event: int | None = None) -> Patient:
    """A service with these variables, and beside them what each needs."""
    return described_by({"SENTRY_CLIENT_SECRETS": SECRET, "DATABASE_URL": "sqlite://", "REDIS_URL": NO_REDIS, **variables}, clock, event)


def looked(group: str, at: Patient) -> dict[str, Finding]:
    """By name what one group finds, the last of each name; every finding that is not ok has a way out."""
    found = tuple(LOOKS[group](at))
    assert_mendable(found)
    return {one.name: one for one in found}


def assert_mendable(found: Iterable[Finding]) -> None:
    assert [one for one in found if one.state is not State.OK and not one.way_out] == []
