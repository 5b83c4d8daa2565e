"""The commands, as an operator types them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask.testing import FlaskCliRunner
from sqlalchemy import Engine, text

from app import create_app
from routing.notification import Attempt, Lane, Outcome, State
from settings import Settings
from storage import claims, inspection, outcomes
from storage.database import REVISION, current_revision, open_database
from storage.refusals import RefusalCounter
from tests.factories import NOW, SECRET
from tests.storage.planned import ended, issue, plan_all, store
from tests.storage.test_refusals import eventually

ROOT = Path(__file__).parents[1]
NO_REDIS = "redis://127.0.0.1:1/0"
RULES = """\
version: 1
receivers:
  slack-errors: {kind: slack, channel: "#errors"}
  pager: {kind: pagerduty, routing_key: "${PAGER_KEY}"}
  somebody: {kind: preview}
rules:
  - {name: errors, when: "level:error", notify: [slack-errors, pager, somebody]}
"""


@pytest.fixture
def engine(sqlite_url: str) -> Engine:
    return open_database(sqlite_url)


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


def runner(database_url: str, **variables: str) -> FlaskCliRunner:
    settings = {"SENTRY_CLIENT_SECRETS": SECRET, "DATABASE_URL": database_url, "REDIS_URL": NO_REDIS, **variables}
    return create_app(Settings.from_variables(settings)).test_cli_runner()


@pytest.fixture
def flask(sqlite_url: str, rules_file: Path) -> FlaskCliRunner:
    return runner(sqlite_url, RULES_FILE=str(rules_file))


def run(flask: FlaskCliRunner, *arguments: str, status: int = 0) -> str:
    """What a command says on the standard output; on the other one if it must fail."""
    result: Result = flask.invoke(args=arguments)
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.stdout if status == 0 else result.stderr


def notify(engine: Engine, number: int, *attempts: Attempt) -> int:
    """A notification about an issue of its own, after these attempts."""
    store(engine, issue(number))
    plan_all(engine)
    id_ = inspection.listed(engine)[0].id
    for hours, attempt in enumerate(attempts, 1):
        now = NOW + timedelta(hours=hours)
        claims.claim(engine, Lane.NORMAL, worker="test", now=now, limit=1)
        outcomes.record(engine, [(id_, replace(attempt, ended_at=now + timedelta(seconds=1)))])
    return id_


class TestDatabaseUpgrade:
    def test_makes_the_tables_and_says_at_which_revision_they_are(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/new/router.db"

        said = run(runner(url), "db", "upgrade")

        assert said == f"the database is at revision {REVISION}\n"
        assert current_revision(open_database(url)) == REVISION

    def test_may_be_run_again(self, flask: FlaskCliRunner) -> None:
        assert run(flask, "db", "upgrade") == run(flask, "db", "upgrade") == f"the database is at revision {REVISION}\n"

    def test_does_not_touch_a_database_of_newer_code(self, flask: FlaskCliRunner, engine: Engine) -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

        said = run(flask, "db", "upgrade", status=1)

        assert said == "Error: the database is at revision 9999, which is newer than this code: run the newer code\n"
        assert current_revision(engine) == "9999"


class TestRulesCheck:
    def test_says_what_is_in_force_and_which_receivers_only_preview(self, flask: FlaskCliRunner, rules_file: Path) -> None:
        lines = run(flask, "rules", "check").splitlines()

        assert re.fullmatch(rf"{rules_file}: 1 rules, 3 receivers, version [0-9a-f]{{12}}", lines[0])
        assert lines[1:] == [
            f"{rules_file}: receivers.slack-errors: SLACK_BOT_TOKEN is not set, so it only previews",
            f"{rules_file}: receivers.pager: PAGER_KEY is not set, so it only previews",
        ]

    def test_names_every_fault_with_file_and_line(self, flask: FlaskCliRunner, tmp_path: Path) -> None:
        path = tmp_path / "bad.yaml"
        path.write_text(RULES.replace("level:error", "level:").replace("kind: preview", "kind: previw"), encoding="utf-8")

        said = run(flask, "rules", "check", str(path), status=1)

        unknown, unfinished = said.splitlines()[:2]
        assert unknown == f'Error: {path}:5:20: receivers.somebody.kind: "previw" is no kind of receiver; did you mean "preview"?'
        assert unfinished.startswith(f"{path}:7:26: rules.errors.when: character 6: level: has no value")

    def test_refuses_missing_credentials_in_production(self, sqlite_url: str, rules_file: Path) -> None:
        flask = runner(sqlite_url, RULES_FILE=str(rules_file), SENTRY_ENVIRONMENT="production")

        said = run(flask, "rules", "check", status=1)

        assert "SLACK_BOT_TOKEN is not set" in said
        assert "PAGER_KEY is not set" in said

    def test_needs_no_database(self, rules_file: Path) -> None:
        flask = runner("postgresql://nobody@127.0.0.1:1/none", RULES_FILE=str(rules_file))

        assert "1 rules" in run(flask, "rules", "check")

    def test_of_a_file_that_is_not_there_says_so(self, flask: FlaskCliRunner) -> None:
        assert "File 'nowhere.yaml' does not exist" in run(flask, "rules", "check", "nowhere.yaml", status=2)

    def test_takes_the_shipped_file(self, flask: FlaskCliRunner) -> None:
        assert run(flask, "rules", "check", str(ROOT / "rules.yaml")).startswith(f"{ROOT / 'rules.yaml'}: 6 rules, 12 receivers")


class TestAlertsRefused:
    def test_counts_by_day_path_and_status(self, flask: FlaskCliRunner, engine: Engine) -> None:
        counter = RefusalCounter(engine, lambda: NOW)
        for path, status in (("sentry", 401), ("other", 404), ("sentry", 401)):
            counter.count(path, status)

        eventually(lambda: run(flask, "alerts", "refused") == "2026-03-04  other      404  1\n2026-03-04  sentry     401  2\n")

    def test_of_none_says_so(self, flask: FlaskCliRunner) -> None:
        assert run(flask, "alerts", "refused") == "none refused\n"


class TestNotificationsList:
    def test_shows_the_newest_first_with_what_their_last_attempt_said(self, flask: FlaskCliRunner, engine: Engine) -> None:
        notify(engine, 1, ended(excerpt="HTTP 200\nok"))
        notify(engine, 2, ended(outcome=Outcome.REFUSED, excerpt="channel_not_found"))

        assert run(flask, "notifications", "list").splitlines() == [
            "2  2026-03-04 10:15:32  dead      chat  payment  first  attempts=1  channel_not_found",
            "1  2026-03-04 10:15:32  sent      chat  payment  first  attempts=1  HTTP 200 ok",
            "2 notifications",
        ]

    @pytest.mark.parametrize(
        ("options", "count"),
        [
            (["--state", "dead"], 1),
            (["--state", "held"], 0),
            (["--receiver", "chat"], 2),
            (["--receiver", "x"], 0),
            (["--limit", "1"], 1),
            (["--since", "1h"], 0),
            (["--until", "1h"], 2),
        ],
    )
    def test_shows_only_what_is_asked_for(self, flask: FlaskCliRunner, engine: Engine, options: list[str], count: int) -> None:
        notify(engine, 1, ended())
        notify(engine, 2, ended(outcome=Outcome.REFUSED))

        last_line = run(flask, "notifications", "list", *options).splitlines()[-1]

        assert last_line == (f"{count} notifications" if count else "no notifications")

    @pytest.mark.parametrize("options", [["--state", "lost"], ["--limit", "0"], ["--limit", "-1"], ["--limit", "many"]])
    def test_refuses_what_cannot_be_asked_for(self, flask: FlaskCliRunner, options: list[str]) -> None:
        assert "Invalid value" in run(flask, "notifications", "list", *options, status=2)


class TestNotificationsShow:
    def test_shows_each_attempt_and_the_exact_payload(self, flask: FlaskCliRunner, engine: Engine) -> None:
        retry = ended(outcome=Outcome.RETRY, retry_after=timedelta(seconds=5), status_code=503, excerpt="busy")
        notify(engine, 1, retry, ended(2, status_code=200, excerpt="ok", payload='{\n  "text": "оплата"\n}'))

        lines = run(flask, "notifications", "show", "1").splitlines()

        assert lines == [
            "1  2026-03-04 10:15:32  sent      chat  payment  first  attempts=2  ok",
            "event 1, incident issue:1",
            'why: text has "payment"',
            "  attempt 1  11:15:32  1000 ms  retry  status 503  busy",
            "  attempt 2  12:15:32  1000 ms  delivered  status 200  ok",
            "{",
            '  "text": "оплата"',
            "}",
        ]

    def test_of_one_that_was_not_tried_says_only_why_it_is_there(self, flask: FlaskCliRunner, engine: Engine) -> None:
        notify(engine, 1)

        assert run(flask, "notifications", "show", "1").splitlines()[1:] == ["event 1, incident issue:1", 'why: text has "payment"']

    def test_of_a_wrong_number_says_so(self, flask: FlaskCliRunner) -> None:
        assert run(flask, "notifications", "show", "7", status=1) == "Error: there is no notification 7\n"


class TestNotificationsRequeue:
    def test_sends_dead_ones_again_and_says_which_were_not(self, flask: FlaskCliRunner, engine: Engine) -> None:
        dead, sent = notify(engine, 1, ended(outcome=Outcome.REFUSED)), notify(engine, 2, ended())

        result = flask.invoke(args=["notifications", "requeue", str(dead), str(sent), "999"])

        assert result.exit_code == 0
        assert result.stdout == "1 requeued\n"
        assert (
            f"{sent}: neither dead nor a preview, or over; left alone\n999: neither dead nor a preview, or over; left alone\n"
            in result.stderr
        )
        assert inspection.count_by_state(engine) == {State.PLANNED: 1, State.SENT: 1}

    def test_may_take_all_dead_ones(self, flask: FlaskCliRunner, engine: Engine) -> None:
        for number in (1, 2, 3):
            notify(engine, number, ended(outcome=Outcome.REFUSED))

        assert run(flask, "notifications", "requeue", "--all-dead") == "3 requeued\n"
        assert run(flask, "notifications", "requeue", "--all-dead") == "0 requeued\n"

    def test_may_take_all_that_was_only_previewed(self, flask: FlaskCliRunner, engine: Engine) -> None:
        notify(engine, 1, ended(outcome=Outcome.REFUSED))
        notify(engine, 2, ended(outcome=Outcome.PREVIEWED))

        assert run(flask, "notifications", "requeue", "--all-previews") == "1 requeued\n"
        assert inspection.count_by_state(engine) == {State.DEAD: 1, State.PLANNED: 1}

    @pytest.mark.parametrize(
        ("options", "count"),
        [
            (["--receiver", "chat"], 2),
            (["--receiver", "mail"], 0),
            (["--since", "2026-03-04T10:15"], 2),
            (["--since", "2h"], 0),
            (["--until", "2h"], 2),
            (["--until", "2026-03-04T10:15"], 0),
        ],
    )
    def test_may_take_those_of_a_receiver_or_of_a_time(self, flask: FlaskCliRunner, engine: Engine, options: list[str], count: int) -> None:
        for number in (1, 2):
            notify(engine, number, ended(outcome=Outcome.REFUSED))

        assert run(flask, "notifications", "requeue", "--all-dead", *options) == f"{count} requeued\n"

    def test_can_say_what_it_would_send_and_send_nothing(self, flask: FlaskCliRunner, engine: Engine) -> None:
        notify(engine, 1, ended(outcome=Outcome.REFUSED, excerpt="channel_not_found"))

        said = run(flask, "notifications", "requeue", "--all-dead", "--dry-run").splitlines()

        assert said == [
            "1  2026-03-04 10:15:32  dead      chat  payment  first  attempts=1  channel_not_found",
            "1 would be requeued",
        ]
        assert inspection.count_by_state(engine) == {State.DEAD: 1}

    def test_takes_a_number_as_it_is(self, flask: FlaskCliRunner) -> None:
        assert "ids need no narrowing" in run(flask, "notifications", "requeue", "1", "--since", "2h", status=2)

    def test_rings_so_that_a_worker_sends_at_once(self, sqlite_url: str, engine: Engine, redis_url: str) -> None:
        from redis import Redis  # noqa: PLC0415 - only this test asks it

        dead = notify(engine, 1, ended(outcome=Outcome.REFUSED))

        run(runner(sqlite_url, REDIS_URL=redis_url), "notifications", "requeue", str(dead))

        with Redis.from_url(redis_url) as redis:
            assert redis.llen("rq:queue:alert-router") == len(Lane)

    @pytest.mark.parametrize("arguments", [[], ["1", "--all-dead"], ["--all-dead", "--all-previews"]], ids=["neither", "both", "two alls"])
    def test_wants_numbers_or_all_of_them(self, flask: FlaskCliRunner, arguments: list[str]) -> None:
        assert "name the ids, or say --all-dead or --all-previews" in run(flask, "notifications", "requeue", *arguments, status=2)


COMMANDS = {
    ("db",): ("upgrade  Bring the tables to this version.",),
    ("rules",): ("check  Say everything that is wrong with a rules file.",),
    ("incidents",): ("acknowledge  Say that somebody has taken incidents on.",),
    ("alerts",): (
        "explain  Say what each rule said to an event, and what followed.",
        "ignored  Say how many events each entry of `ignore` has kept from the rules.",
        "refused  Say how many webhooks were refused.",
    ),
    ("notifications",): (
        "list  List notifications, newest first.",
        "requeue  Send dead notifications again, and previews now.",
        "show  Show a notification with each attempt.",
    ),
    ("rules", "check"): ("[PATH]", "PATH is the file of RULES_FILE if left out."),
    ("alerts", "explain"): ("EVENT",),
    ("alerts", "refused"): ("401 is a wrong signature", "[default: 50"),
    ("notifications", "list"): ("--state [planned|sending|sent|held|dead]", "[default: 50"),
    ("notifications", "show"): ("ID", "the exact payload"),
    ("notifications", "requeue"): ("ID...", "--all-dead", "--all-previews", "--dry-run", "--since TIME"),
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_whole_and_needs_no_database(command: tuple[str, ...]) -> None:
    said = run(runner("postgresql://nobody@127.0.0.1:1/none"), *command, "--help")

    assert "..." not in said.replace("[ARGS]...", "").replace("ID...", "")
    assert [words for words in COMMANDS[command] if words not in re.sub(r"(?<=\w) {2,}(?=\w)", "  ", said)] == []


QUESTIONS = (
    ("incidents", "list"),
    ("alerts", "ignored"),
    ("notifications", "list"),
    ("notifications", "requeue", "1"),
    ("alerts", "explain", "1"),
    ("alerts", "refused"),
)


@pytest.mark.parametrize("arguments", QUESTIONS, ids=" ".join)
class TestADatabaseThatCannotBeUsed:
    def test_without_tables_says_what_to_run(self, tmp_path: Path, arguments: tuple[str, ...]) -> None:
        said = run(runner(f"sqlite:///{tmp_path}/new.db"), *arguments, status=1)

        assert said == f"Error: the database is at revision none, this code needs {REVISION}: run `flask db upgrade`\n"

    def test_out_of_reach_says_so_without_the_password(self, arguments: tuple[str, ...]) -> None:
        said = run(runner("postgresql://user:correct-horse@127.0.0.1:1/none"), *arguments, status=1)

        assert said.startswith("Error: the database cannot be opened: ")
        assert "Connection refused" in said
        assert "correct-horse" not in said

    def test_that_is_none_says_so(self, tmp_path: Path, arguments: tuple[str, ...]) -> None:
        path = tmp_path / "router.db"
        path.write_text("a text", encoding="utf-8")

        assert run(runner(f"sqlite:///{path}"), *arguments, status=1) == "Error: the database cannot be opened: file is not a database\n"


class TestTheProgramItself:
    """What a newcomer sees who has set nothing, or something wrong: a sentence, and no trace."""

    def flask(self, folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
        environment = {"PATH": os.environ["PATH"], "FLASK_APP": str(ROOT / "app.py"), **variables}
        command = [sys.executable, "-m", "flask", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - ours
        return done.returncode, done.stdout + done.stderr

    @pytest.mark.parametrize("arguments", [("--help",), ("db", "upgrade"), ("rules", "check")], ids=" ".join)
    def test_without_settings_says_what_is_missing(self, tmp_path: Path, arguments: tuple[str, ...]) -> None:
        status, said = self.flask(tmp_path, *arguments)

        assert status == 1
        assert said.startswith("the command cannot run:\nSENTRY_CLIENT_SECRETS: missing; copy the Client Secret")
        assert len(said.splitlines()) == 2

    def test_with_wrong_settings_names_them_all(self, tmp_path: Path) -> None:
        wrong = {"PORT": "eighty", "DATABASE_URL": "postgresql://u:p:w@h:x/y"}

        status, said = self.flask(tmp_path, "db", "upgrade", SENTRY_CLIENT_SECRETS=SECRET, **wrong)

        assert status == 1
        assert [line.partition(":")[0] for line in said.splitlines()] == ["the command cannot run", "PORT", "DATABASE_URL"]

    def test_with_a_folder_that_cannot_be_made_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        status, said = self.flask(tmp_path, "db", "upgrade", SENTRY_CLIENT_SECRETS=SECRET, DATA_DIR=f"{tmp_path}/file/var")

        assert status == 1
        assert f"the folder {tmp_path}/file/var of the database cannot be made: Not a directory" in said

    def test_with_settings_works(self, tmp_path: Path) -> None:
        settings = {"SENTRY_CLIENT_SECRETS": SECRET, "DATA_DIR": str(tmp_path)}

        assert self.flask(tmp_path, "db", "upgrade", **settings) == (0, f"the database is at revision {REVISION}\n")
