"""What is logged, what it costs nobody, and which faults reach the service's own Sentry project."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import pytest
import sentry_sdk
import structlog
from flask import Flask
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from structlog.testing import capture_logs

import telemetry
from notifiers.errors import DeliveryError
from notifiers.http import Network
from routing.alert import Json
from settings import Settings
from storage.queue import Listener
from telemetry import FaultReporter
from telemetry.faults import REPORTED_AGAIN_AFTER_SECONDS
from tests.stand_ins.faults import FaultServer, answer
from tests.stand_ins.sentry import KEY, Intake
from tests.stand_ins.server import Server

# Not beside the code that fails: Sentry gets the lines around that.
SECRETS = ("a-token-of-ours", "somebody's body", "hunter2")
HOOK_PATH = "/services/T0/B0/hG7fD5sA3qW1eR9t"
CARD = "4242 4242"

Fact: TypeAlias = "Mapping[str, Json]"

ROOT = Path(__file__).parents[1]

log = structlog.get_logger()


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    configured = structlog.get_config()["processors"]
    before = configured.copy()
    yield
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)
    configured[:] = before


@pytest.fixture
def intake() -> Iterator[Server[Intake]]:
    with Server(Intake()) as server:
        configure(
            SENTRY_DSN=f"http://{KEY}@{server.url.removeprefix('http://')}/7",
            SENTRY_TRACES_SAMPLE_RATE="1",
            # Its profiler asks CPython for the frames of all threads, which has hung a test process that had hundreds of them.
            SENTRY_PROFILES_SAMPLE_RATE="0",
        )
        yield server
        sentry_sdk.flush()


def configure(**variables: str) -> None:
    telemetry.configure(Settings.from_variables({"SENTRY_ENVIRONMENT": "test", "SENTRY_CLIENT_SECRETS": "x", **variables}))


def reported(intake: Server[Intake], kind: str = "event") -> list[dict[str, Json]]:
    sentry_sdk.flush()
    return intake.app.items(kind)


def told(event: Fact) -> tuple[Json, Json]:
    """Type and text of the exception."""
    exceptions = event["exception"]
    assert isinstance(exceptions, Mapping)
    values = exceptions["values"]
    assert isinstance(values, list)
    assert isinstance(values[-1], Mapping)
    return values[-1]["type"], values[-1]["value"]


def fail(message: str = "boom") -> None:
    raise KeyError(message)


def log_exception() -> None:
    try:
        fail()
    except KeyError:
        log.exception("sweep_failed", effect="tried again")


def log_error_while_one_is_handled() -> None:
    try:
        fail()
    except KeyError as error:
        log.error("sweep_failed", error=type(error).__name__, effect="tried again")


def log_error_with_one() -> None:
    try:
        fail()
    except KeyError as error:
        fault = error
    log.error("sweep_failed", exc_info=fault, effect="tried again")


@pytest.mark.parametrize("write", [log_exception, log_error_while_one_is_handled, log_error_with_one])
def test_a_fault_that_is_caught_and_logged_reaches_sentry_once(intake: Server[Intake], write: Callable[[], None]) -> None:
    write()

    [event] = reported(intake)
    tags, contexts = event["tags"], event["contexts"]
    assert told(event) == ("KeyError", "'boom'")
    assert isinstance(tags, Mapping)
    assert tags["log_event"] == "sweep_failed"
    assert isinstance(contexts, Mapping)
    assert isinstance(contexts["log"], Mapping)
    assert contexts["log"]["effect"] == "tried again"


def test_what_is_no_fault_of_ours_does_not_reach_sentry(intake: Server[Intake]) -> None:
    with suppress(KeyError):
        fail()
    log.error("notification_dead", said="the vendor refused")
    try:
        fail()
    except KeyError:
        log.warning("redis_away")

    assert reported(intake) == []


def test_a_fault_that_is_logged_on_its_way_up_reaches_sentry_once(intake: Server[Intake]) -> None:
    app = Flask("a web process")

    @app.get("/")
    def look() -> str:
        try:
            fail()
        except KeyError:
            log.exception("seen")
            raise
        return ""

    status = app.test_client().get("/").status_code

    assert status == 500
    assert [told(event) for event in reported(intake)] == [("KeyError", "'boom'")]


def test_a_fault_in_a_job_of_rqs_reaches_sentry_once(intake: Server[Intake], redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        queue = Queue(connection=redis, serializer=JSONSerializer)
        queue.enqueue("operator.truediv", 1, 0)

        Listener([queue], connection=redis, serializer=JSONSerializer).work(burst=True, logging_level="CRITICAL")

    assert [told(event)[0] for event in reported(intake)] == ["ZeroDivisionError"]


def test_sentry_learns_nothing_of_what_people_wrote_into_the_database(intake: Server[Intake]) -> None:
    try:
        with create_engine("sqlite://").connect() as connection:
            connection.execute(text("SELECT :said FROM nowhere"), {"said": CARD})
    except SQLAlchemyError:
        log.exception("sweep_failed")

    [event] = reported(intake)
    assert told(event) == ("OperationalError", "(sqlite3.OperationalError) no such table: nowhere")
    assert CARD.encode() not in b"".join(intake.app.raw)


def test_sentry_learns_no_address_that_was_called_and_nobody_who_was_called_learns_of_sentry(intake: Server[Intake]) -> None:
    with FaultServer(answer(500)) as vendor, sentry_sdk.start_transaction(name="deliver"), suppress(DeliveryError):
        Network().post(f"{vendor.url}{HOOK_PATH}", body=b"{}", headers={})
    log_exception()

    assert len(reported(intake)) == len(reported(intake, "transaction")) == 1
    assert HOOK_PATH.encode() not in b"".join(intake.app.raw)
    assert b"sentry-trace" not in vendor.requests[0].lower()


def test_sentry_learns_no_token_of_an_unsigned_webhook(intake: Server[Intake]) -> None:
    app = Flask("a web process")

    @app.post("/webhooks/sentry/legacy/<token>")
    def take(token: str) -> str:
        raise KeyError(len(token))

    app.test_client().post(f"/webhooks/sentry/legacy/{SECRETS[0]}", data=SECRETS[1], headers={"Authorization": SECRETS[2]})

    assert len(reported(intake)) == len(reported(intake, "transaction")) == 1
    sent = b"".join(intake.app.raw).decode()
    assert not [secret for secret in SECRETS if secret in sent]
    assert "/webhooks/sentry/legacy/[token]" in sent


def test_a_fault_in_a_loop_is_reported_again_only_after_a_minute() -> None:
    seconds = iter((0.0, 1.0, REPORTED_AGAIN_AFTER_SECONDS - 0.1, 2.0, 3.0, REPORTED_AGAIN_AFTER_SECONDS))
    reports: list[str] = []
    reporter = FaultReporter(lambda fault, event, _facts: reports.append(f"{event}: {fault}"), clock=lambda: next(seconds))

    def say(event: str, fault: Exception) -> None:
        reporter(None, "error", {"event": event, "exc_info": fault})

    for _ in range(3):
        say("sweep_failed", KeyError("away"))
    say("sweep_failed", ValueError("another kind"))
    say("lane_fault", KeyError("another place"))
    say("sweep_failed", KeyError("still away"))

    assert reports == ["sweep_failed: 'away'", "sweep_failed: another kind", "lane_fault: 'another place'", "sweep_failed: 'still away'"]


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

    log_exception()

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
