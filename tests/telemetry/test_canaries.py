"""Secrets and people's data are put wherever a report could take them from, and looked for in every byte that leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import sentry_sdk
import structlog
from flask import Flask, request
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

import telemetry
from storage.queue import Listener
from tests.stand_ins.sentry import Intake
from tests.stand_ins.server import Server
from tests.telemetry.reports import configure, dsn, reported, sent
from watch import steps


def whole(*parts: str) -> str:
    """The lines of code around a fault are sent, too: no canary stands in one piece in any of them."""
    return "".join(parts)


OWN = whole("canary-own-", "secret-4711")
ROUTING_KEY = whole("c4nary00", "c4nary00", "c4nary00", "c4nary00")
OWN_PASSWORD = whole("canary", "Password")
MAIL = whole("ann.canary", "@example.com")
PHONE = whole("+49 170", " 5550123")
CARD = whole("4242 4242", " 4242 4242")
TOKEN = whole("xox", "b-11111-canary")
NAME = whole("Ann", " Canary")
ALL = (OWN, ROUTING_KEY, OWN_PASSWORD, MAIL, PHONE, CARD, TOKEN)
WORDS = " / ".join(ALL)

log = structlog.get_logger()


@pytest.fixture
def intake() -> Iterator[Server[Intake]]:
    with Server(Intake()) as server, sentry_sdk.isolation_scope():
        configure(
            SENTRY_DSN=dsn(server),
            SENTRY_CLIENT_SECRETS=OWN,
            PAGERDUTY_CRITICAL_KEY=ROUTING_KEY,
            DATABASE_URL=f"postgresql://router:{OWN_PASSWORD}@db/x",
            SENTRY_TRACES_SAMPLE_RATE="1",
            SENTRY_PROFILES_SAMPLE_RATE="0",
        )
        yield server
        sentry_sdk.flush()


def left(intake: Server[Intake], canaries: Sequence[str] = ALL) -> list[str]:
    """Those that are in what left."""
    everything = sent(intake)
    assert everything
    return [canary for canary in canaries if canary in everything]


def fail(local: str) -> None:
    held = {"local": local}
    raise RuntimeError(held["local"])


def report_failure() -> None:
    try:
        fail(WORDS)
    except RuntimeError as error:
        telemetry.capture_exception(error, extra_data={"said": WORDS, "deep": [{"er": [WORDS]}]})


def test_in_what_an_exception_says_its_causes_its_variables_and_its_data(intake: Server[Intake]) -> None:
    try:
        try:
            fail(WORDS)
        except RuntimeError as error:
            raise ValueError(WORDS) from error
    except ValueError as error:
        telemetry.capture_exception(error, extra_data={"said": WORDS, "deep": [{"er": [WORDS]}], WORDS: 1, "password": "x"})

    assert len(reported(intake)) == 1
    assert left(intake) == []


def test_in_messages_tags_breadcrumbs_and_what_is_known_of_who_asks(intake: Server[Intake]) -> None:
    telemetry.attach_user_context(7, email=MAIL, role="admin", metadata={"note": WORDS, "username": NAME, "ip_address": "203.0.113.77"})
    telemetry.attach_session("5f2a", "203.0.113.77")
    telemetry.set_error_tag("note", WORDS)
    telemetry.add_breadcrumb(WORDS, category=WORDS, data={"note": WORDS, WORDS: 1})
    telemetry.capture_message(WORDS)

    assert len(reported(intake)) == 1
    assert left(intake, (*ALL, NAME, "203.0.113.77")) == []


def test_in_a_line_of_the_log(intake: Server[Intake], capsys: pytest.CaptureFixture[str]) -> None:
    log.error("notification_dead", notification_id=5, receiver="chat", said=f"{WORDS} {NAME}")
    try:
        fail(WORDS)
    except RuntimeError:
        log.exception("sweep_failed", problems=[WORDS], deep={"er": {"secret": "x", "note": WORDS}}, detail=NAME)

    written = capsys.readouterr().err
    assert len(reported(intake)) == 2
    assert left(intake, (*ALL, NAME)) == []
    assert [canary for canary in ALL if canary in written] == []
    assert written.count("\n") == 2


def test_in_what_is_written_into_the_database_and_into_redis(intake: Server[Intake], redis_url: str) -> None:
    engine = create_engine("sqlite://")
    with telemetry.piece_of_work("queue.process", "look"), engine.connect() as connection, Redis.from_url(redis_url) as redis:
        connection.execute(text("CREATE TABLE notes (note TEXT)"))
        connection.execute(text("INSERT INTO notes VALUES (:note)"), [{"note": WORDS}, {"note": NAME}])
        redis.set("note", f"{WORDS} {NAME}")
        redis.pipeline().set("other", f"{WORDS} {NAME}").execute()
        try:
            connection.execute(text("INSERT INTO nowhere VALUES (:note)"), {"note": f"{WORDS} {NAME}"})
        except SQLAlchemyError:
            log.exception("sweep_failed")
    engine.dispose()

    assert len(reported(intake)) == len(reported(intake, "transaction")) == 1
    assert left(intake, (*ALL, NAME)) == []


def test_in_requests_of_the_console_and_of_webhooks(intake: Server[Intake]) -> None:
    app = Flask("a web process")

    @app.post("/webhooks/jira/<token>")
    def take(token: str) -> str:
        read = f"{token} {request.headers} {request.args} {request.cookies}"
        raise KeyError(len(read))

    browser = app.test_client()
    browser.set_cookie("alert-router", WORDS)
    browser.post(
        f"/webhooks/jira/{NAME}",
        query_string={"note": WORDS, "name": NAME},
        data={"password": WORDS, "name": NAME},
        headers={"Authorization": OWN, "X-Note": f"{WORDS} {NAME}", "User-Agent": WORDS, "X-Forwarded-For": "203.0.113.77"},
    )

    assert len(reported(intake)) == len(reported(intake, "transaction")) == 1
    assert left(intake, (*ALL, NAME, NAME.replace(" ", "%20"), NAME.replace(" ", "+"), "203.0.113.77")) == []


def test_in_jobs_of_rqs(intake: Server[Intake], redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        queue = Queue(connection=redis, serializer=JSONSerializer)
        queue.enqueue("operator.truediv", WORDS, NAME, meta={"note": f"{WORDS} {NAME}"}, description=f"{WORDS} {NAME}")

        Listener([queue], connection=redis, serializer=JSONSerializer).work(burst=True, logging_level="WARNING")

    assert len(reported(intake)) == 1
    assert left(intake, (*ALL, NAME)) == []


def test_in_the_names_of_spans_and_of_traces(intake: Server[Intake]) -> None:
    with telemetry.piece_of_work("queue.process", WORDS, receiver=WORDS), telemetry.measure(WORDS), telemetry.start_span("a", WORDS):
        pass

    assert len(reported(intake, "transaction")) == 1
    assert left(intake) == []


def test_in_a_fault_while_an_alert_was_in_hand_of_which_only_kind_and_place_are_told(intake: Server[Intake]) -> None:
    onlooker = steps.of_planning()
    try:
        fail(NAME)
    except RuntimeError as error:
        onlooker.fault(41, error)

    [event] = reported(intake)
    assert "RuntimeError" in str(event["exception"])
    assert left(intake, (NAME,)) == []


def test_in_the_arguments_of_a_command(intake: Server[Intake], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["flask", "users", "add", NAME, "--password", OWN_PASSWORD])

    report_failure()

    assert len(reported(intake)) == 1
    assert left(intake, (*ALL, NAME)) == []


def test_that_they_would_be_found_if_they_left(intake: Server[Intake]) -> None:
    telemetry.capture_message(f"greetings to {NAME}")

    assert left(intake, (*ALL, NAME)) == [NAME]
