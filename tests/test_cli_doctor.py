"""`flask doctor`, as an operator types it: what it says, its status, and that nothing stops it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask.testing import FlaskCliRunner

from cli import doctors_app, is_doctor_called
from cli.doctor import GROUPS
from cli.doctor_layout import as_lines, summary
from storage import rules_versions, workers
from storage.database import open_database
from storage.workers import steady
from tests.factories import SECRET
from tests.notifiers.golden import Goldens
from tests.redis_servers import redis_servers
from tests.service import free_port
from tests.stand_ins import jira, slack
from tests.stand_ins.jira import CustomField
from tests.vendors import Vendors
from tests.watch.doctor import RULES, utc_now
from watch.doctor import examination
from watch.doctor.finding import Finding, State
from watch.doctor.patient import described_by

ROOT = Path(__file__).parents[1]
SECRETS = ("geheim", "xoxb-1", SECRET, slack.TOKEN, jira.TOKEN)
BROKEN = {
    "SENTRY_CLIENT_SECRETS": "",
    "SENTRY_ENVIRONMENT": "production",
    "WORKER_THREADS": "many",
    "SLACK_BOT_TOEKN": "xoxb-1",
    "DATABASE_URL": "postgresql://u:geheim@127.0.0.1:1/x",
    "REDIS_URL": "redis://:geheim@127.0.0.1:1/0",
    "SENTRY_BASE_URL": "http://127.0.0.1:1",
    "RULES_FILE": "broken.yaml",
}


@pytest.fixture
def goldens(request: pytest.FixtureRequest) -> Goldens:
    return Goldens(updating=bool(request.config.getoption("--update-goldens")))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with rules that are right and rules that are not, in which the command is given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text(RULES.replace("when:", "whn:"), encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    return tmp_path


@pytest.fixture
def fine(sqlite_url: str, redis_url: str) -> Iterator[dict[str, str]]:
    """Of a service in which all groups but those about others are well."""
    engine = open_database(sqlite_url)
    workers.say_alive(engine, "one", steady())
    Path(sqlite_url.removeprefix("sqlite:///")).chmod(0o640)
    yield {"SENTRY_CLIENT_SECRETS": "a" * 64, "DATABASE_URL": sqlite_url, "REDIS_URL": redis_url}
    engine.dispose()


def doctor(variables: dict[str, str], *arguments: str) -> Result:
    runner: FlaskCliRunner = doctors_app(variables).test_cli_runner()
    return runner.invoke(args=["doctor", *arguments])


def steadied(said: str) -> str:
    """Without what differs from run to run."""
    said = re.sub(r"[0-9]+ of [0-9]+ are set", "6 of 60 are set", said)
    said = re.sub(r"; [0-9.]+ s$", "; 0.1 s", said.rstrip("\n"), flags=re.MULTILINE)
    return re.sub(r"127\.0\.0\.1:[0-9]{4,5}", "127.0.0.1:6379", said)


@pytest.mark.usefixtures("here")
def test_everything_broken_is_said_with_its_way_out(goldens: Goldens) -> None:
    result = doctor(BROKEN)

    assert result.exit_code == 2
    goldens.check("doctor/broken.txt", steadied(result.output))


@pytest.mark.usefixtures("here")
def test_receivers_with_faults_are_said_beside_those_that_are_well(goldens: Goldens, vendors: Vendors, tmp_path: Path) -> None:
    vendors.slack.app.archived = {"CERRORS", "C0ERRORS"}
    vendors.slack.app.without_bot = {"C0PAYMENTS"}
    vendors.pagerduty.app.is_revoked = True
    vendors.jira.app.custom["customfield_10042"] = CustomField(name="Root cause", is_required=True)
    vendors.mail.refusals = {"team@thebot.local": "550 5.1.1 no such user"}
    known = {"SENTRY_CLIENT_SECRETS": SECRET, "RULES_FILE": str(ROOT / "rules.yaml"), "DATA_DIR": str(tmp_path)}

    result = doctor({**known, **vendors.environment()}, "--only", "receivers")

    assert result.exit_code == 2
    goldens.check("doctor/receivers.txt", steadied(result.output))


@pytest.mark.usefixtures("here")
def test_what_is_well_is_said_so(fine: dict[str, str]) -> None:
    engine = open_database(fine["DATABASE_URL"])
    file = described_by(fine, utc_now).rules
    assert file is not None
    rules_versions.remember(engine, file.rules.version, file.texts, utc_now())

    result = doctor(fine, "--only", "settings,secrets,database,redis,workers,rules,receivers")

    assert result.exit_code == 0, result.output
    assert "no faults, no warnings" in result.output


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("arguments", "status"), [((), 0), (("--strict",), 1)])
def test_warnings_decide_the_status_only_where_asked(fine: dict[str, str], arguments: tuple[str, ...], status: int) -> None:
    (Path.cwd() / "rules.yaml").write_text(RULES.replace("{kind: preview}", '{kind: slack, channel: "#errors"}'), encoding="utf-8")

    assert doctor(fine, "--only", "receivers", *arguments).exit_code == status


@pytest.mark.usefixtures("here")
def test_programs_are_given_each_finding() -> None:
    result = doctor(BROKEN, "--json")

    said = json.loads(result.output)
    assert result.exit_code == 2
    assert set(said) == {"seconds", "counts", "findings"}
    assert set(said["findings"][0]) == {"group", "name", "state", "seen", "way_out"}
    assert said["counts"]["fault"] == sum(one["state"] == "fault" for one in said["findings"]) > 0
    assert [one for one in said["findings"] if one["state"] != "ok" and not one["way_out"]] == []


@pytest.mark.usefixtures("here")
def test_no_secret_is_shown() -> None:
    for arguments in ((), ("--json",)):
        output = doctor({**BROKEN, "JIRA_TOKEN": "geheim-jira", "SMTP_URL": "smtp://u:geheim@127.0.0.1:1"}, *arguments).output

        assert [secret for secret in SECRETS if secret in output] == []


def test_a_group_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    result = doctor({}, "--only", "reddis")

    assert result.exit_code == 2
    assert "there is no group reddis; there are settings, secrets" in result.output


def test_the_command_names_the_groups_that_there_are() -> None:
    assert tuple(examination.LOOKS) == GROUPS


@pytest.mark.usefixtures("here")
def test_what_hangs_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        web = dict.fromkeys(("SENTRY_BASE_URL", "SLACK_API_URL"), f"http://127.0.0.1:{port}")
        variables = {**BROKEN, **web, "REDIS_URL": f"redis://127.0.0.1:{port}/0", "DATABASE_URL": f"postgresql://u:p@127.0.0.1:{port}/x"}
        variables |= {"SENTRY_API_TOKEN": "a" * 64, "SENTRY_ORG": "acme", "SLACK_BOT_TOKEN": "xoxb-1"}
        patient = described_by(variables, utc_now)
        began = time.monotonic()
        found = examination.examine(patient, within_seconds=0.5)

    assert time.monotonic() - began < 1.5
    assert {one.group for one in found if one.name == "time"} >= {"redis", "sentry"}


@pytest.mark.usefixtures("here")
def test_settings_that_stop_the_service_do_not_stop_the_command() -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **BROKEN}
    command = [sys.executable, "-m", "flask", "--app", str(ROOT / "app.py"), "doctor", "--only", "settings"]

    said = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - our own

    assert (said.returncode, said.stderr) == (2, "")
    assert "SENTRY_CLIENT_SECRETS" in said.stdout


@pytest.mark.parametrize(
    "argv", [["flask", "db", "upgrade"], ["flask", "run"], ["granian", "app:serve"], ["worker.py"], ["flask", "shell", "doctor"]]
)
def test_nothing_else_is_given_an_application_that_overlooks_what_is_wrong(argv: list[str]) -> None:
    assert not is_doctor_called(argv)


def test_what_vendors_say_reaches_no_terminal_as_a_command() -> None:
    hostile = Finding(group="receivers", name="a\x1b[2J", state=State.FAULT, seen="\x1b]0;title\x07 said\nmore", way_out="\x1b[31mred")

    lines = "\n".join(as_lines((hostile,)))

    assert [part for part in ("\x1b[2J", "\x1b]0", "\x07", "\x1b[31mred") if part in lines] == []


def test_the_summary_counts() -> None:
    one = Finding(group="redis", name="x", state=State.WARNING, seen="s", way_out="w")

    assert summary((one, one), 1.04).endswith("no faults, 2 warnings, 0 ok, 0 not checked; 1.0 s\x1b[0m")


def test_a_redis_that_is_full_is_told_within_the_command(tmp_path: Path) -> None:
    port = free_port()
    with redis_servers(tmp_path / "r", {"port": str(port), "maxmemory": "1"}):
        result = doctor({"SENTRY_CLIENT_SECRETS": SECRET, "REDIS_URL": f"redis://127.0.0.1:{port}/0"}, "--only", "redis")

    assert result.exit_code == 2
    assert "it takes nothing" in result.output


def names() -> set[tuple[str, str]]:
    """Every group and name that the code of the doctor gives a finding."""
    found = set()
    for path in sorted((ROOT / "watch" / "doctor").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        groups = dict(re.findall(r'(\w+)(?:, \w+)? = Says\(group="(\w+)"\)', source))
        groups |= {f"{second}": group for second, group in re.findall(r'\w+, (\w+) = Says\(group="\w+"\), Says\(group="(\w+)"\)', source)}
        for says, name in re.findall(r'(\w+)\.(?:ok|warning|fault|unchecked)\(\s*"([^"]+)"', source):
            found.add((groups[says], name))
    return found


def test_every_check_is_in_its_documentation() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")[1:]}

    assert tuple(sections) == GROUPS
    assert len(names()) > 40
    assert [(group, name) for group, name in sorted(names()) if f"`{name}`" not in sections[group]] == []
