"""What is logged, in which form, and what it costs nobody."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from tests.telemetry.reports import configure

ROOT = Path(__file__).parents[2]

log = structlog.get_logger()


@pytest.mark.parametrize(
    ("fact", "written"),
    [
        ("оплата 💳", "оплата 💳"),
        ("a\nb\x1b[31m", "a\nb\x1b[31m"),
        ("half \ud83d", "half \ud83d"),
        (float("nan"), None),
        (Path("x"), "PosixPath('x')"),
        (10**400, 10**400),
        ({1: {"a": (2, 3)}}, {"1": {"a": [2, 3]}}),
    ],
    ids=["any language", "control characters", "half a surrogate pair", "no number", "a thing of ours", "a long number", "nested"],
)
def test_a_line_is_json_whatever_its_facts_hold(fact: object, written: object, capsys: pytest.CaptureFixture[str]) -> None:
    configure()

    log.info("said", fact=fact)

    [line] = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["fact"]) == ("said", "info", written)
    assert entry["timestamp"].endswith("Z")


def test_an_exceptions_trace_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure()

    try:
        _ = dict[str, str]()["boom"]
    except KeyError:
        log.exception("sweep_failed")

    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["exception"].endswith("KeyError: 'boom'")


def test_people_read_words_in_development(capsys: pytest.CaptureFixture[str]) -> None:
    configure(SENTRY_ENVIRONMENT="development")

    log.info("worker_started", rules="abc")

    assert "worker_started" in capsys.readouterr().err


def test_a_logger_that_has_been_used_hears_of_a_new_configuration_and_of_who_listens(capsys: pytest.CaptureFixture[str]) -> None:
    used = structlog.get_logger()
    configure()
    used.info("first")
    configure(SENTRY_ENVIRONMENT="development")

    with capture_logs() as logs:
        used.info("second", number=2)
    used.info("third")

    assert logs == [{"event": "second", "number": 2, "log_level": "info"}]
    first, third = capsys.readouterr().err.splitlines()
    assert json.loads(first)["event"] == "first"
    assert "third" in third
    assert not third.startswith("{")


@pytest.mark.parametrize("name", ["rq.scheduler", "urllib3.connectionpool", "slack_sdk.web", "_granian", "sqlalchemy.pool"])
def test_what_a_library_logs_is_a_line_like_ours_without_what_ours_have_not(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure()

    logging.getLogger(name).warning("no answer of %s", "https://hooks.example.com/in?token=abc")

    [line] = [json.loads(one) for one in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["level"], line["library"]) == ("library_said", "warning", name)
    assert line["said"] == "no answer of https://hooks.example.com/in?token=[secret]"


def test_what_a_library_says_again_and_again_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure()

    for number in range(3):
        logging.getLogger("rq.scheduler").error("could not connect, try %s", number)
    logging.getLogger("rq.scheduler").error("something else")

    said = [json.loads(one)["said"] for one in capsys.readouterr().err.splitlines()]
    assert said == ["could not connect, try 0", "something else"]


def test_below_a_warning_libraries_are_not_heard_for_they_tell_addresses_and_contents(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LOG_LEVEL="debug")
    logging.getLogger("urllib3").setLevel(logging.DEBUG)

    logging.getLogger("urllib3").debug("POST /services/T0/B0/xyz")
    logging.getLogger("urllib3").info("a new connection")
    logging.getLogger("urllib3").setLevel(logging.NOTSET)

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_least_level_is_chosen(level: str, said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    configure(LOG_LEVEL=level)
    own = structlog.get_logger()

    own.debug("one_step")
    own.info("one_step")
    own.warning("one_step")
    own.error("one_step")
    logging.getLogger("rq.scheduler").error("so it is")

    written = [json.loads(one) for one in capsys.readouterr().err.splitlines()]
    assert [one["level"] for one in written] == [*said, "error"]


def test_a_line_holds_no_secret_and_names_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    configure(SENTRY_CLIENT_SECRETS="own-secret-42")

    log.info(
        "sign_in_refused",
        address="203.0.113.77",
        detail="own-secret-42 of ann@example.com",
        facts={"password": "x", "a": ["+49 170 5550123"]},
    )

    line = json.loads(capsys.readouterr().err)
    assert (line["address"], line["detail"]) == ("203.0.113.0", "[secret] of [e-mail]")
    assert line["facts"] == {"password": "[secret]", "a": ["[phone]"]}


def test_it_names_people_where_that_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    configure(SENTRY_CLIENT_SECRETS="own-secret-42", TELEMETRY_NAMES_PEOPLE="true")

    log.info("sign_in_refused", address="203.0.113.77", detail="own-secret-42 of ann@example.com")

    line = json.loads(capsys.readouterr().err)
    assert (line["address"], line["detail"]) == ("203.0.113.77", "[secret] of ann@example.com")


def test_the_link_by_which_the_first_admin_is_made_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    configure()

    log.warning("console_has_no_admin", link="http://127.0.0.1:8000/first-admin/0f1e2d3c4b5a69788796a5b4c3d2e1f0")

    assert json.loads(capsys.readouterr().err)["link"].endswith("/0f1e2d3c4b5a69788796a5b4c3d2e1f0")


BEHIND = """
import os, structlog, telemetry
from settings import Settings
telemetry.configure(Settings.from_variables({"SENTRY_ENVIRONMENT": "test", "SENTRY_CLIENT_SECRETS": "x"}))
telemetry.write_behind()
log = structlog.get_logger()
log.info("first")
log.error("second")
log.info("third")
"""


@pytest.mark.parametrize("end", ["", "telemetry.write_all(); os._exit(0)"])
def test_lines_that_are_written_behind_keep_their_order_and_are_out_when_the_process_ends(end: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", BEHIND + end], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["first", "second", "third"]


def test_lines_that_are_written_behind_come_while_the_process_lives() -> None:
    script = f"{BEHIND}import time; time.sleep(60)"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own interpreter
        assert process.stderr is not None
        events = [json.loads(process.stderr.readline())["event"] for _ in range(3)]
        process.kill()

    assert events == ["first", "second", "third"]


def test_a_disk_that_is_full_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    configure()

    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        log.info("said")
        monkeypatch.undo()
        with suppress(OSError):
            full.close()
