"""Which faults reach the service's own Sentry project, and how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest
import sentry_sdk
import structlog
from flask import Flask
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from notifiers.errors import DeliveryError
from notifiers.http import Network
from storage.queue import Listener
from telemetry.faults import REPORTED_AGAIN_AFTER_SECONDS, FaultReporter
from tests.stand_ins.faults import FaultServer, answer
from tests.stand_ins.sentry import Intake
from tests.stand_ins.server import Server
from tests.telemetry.reports import reported, told

# Not beside the code that fails: Sentry gets the lines around that.
SECRETS = ("a-token-of-ours", "somebody's body", "hunter2")
HOOK_PATH = "/services/T0/B0/hG7fD5sA3qW1eR9t"
CARD = "4242 4242"

log = structlog.get_logger()


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
