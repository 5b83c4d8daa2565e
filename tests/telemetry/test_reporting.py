"""The guide's functions, held to what a collector of Sentry's envelopes gets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentry_sdk
import structlog
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import create_engine, text

import telemetry
from storage.queue import Listener
from tests.stand_ins.sentry import Intake
from tests.stand_ins.server import Server
from tests.telemetry.reports import configure, dsn, member, members, reported, told

ROOT = Path(__file__).parents[2]

log = structlog.get_logger()


def fail() -> None:
    raise ValueError("no such currency")


def error() -> ValueError:
    raised = ValueError()
    try:
        fail()
    except ValueError as caught:
        raised = caught
    return raised


def test_an_exception_is_reported_with_its_level_user_and_data(intake: Server[Intake]) -> None:
    number = telemetry.capture_exception(error(), level="fatal", user_id=7, extra_data={"event_id": 41})

    [event] = reported(intake)
    assert told(event) == ("ValueError", "no such currency")
    assert event["event_id"] == number
    assert event["level"] == "fatal"
    assert member(event, "user", "id") == "7"
    assert member(event, "contexts", "extra_data", "event_id") == 41
    assert (event["environment"], event["platform"]) == ("test", "python")


def test_a_message_is_reported_with_its_level_user_and_data(intake: Server[Intake]) -> None:
    telemetry.capture_message("the canary is late", level="warning", user_id="ann", extra_data={"minutes": 5})

    [event] = reported(intake)
    assert event["message"] == "the canary is late"
    assert (event["level"], member(event, "user", "id"), member(event, "contexts", "extra_data", "minutes")) == ("warning", "ann", 5)


def test_what_is_said_for_one_report_is_not_said_of_the_next(intake: Server[Intake]) -> None:
    telemetry.capture_message("first", level="fatal", user_id=7, extra_data={"minutes": 5})
    telemetry.capture_message("second")

    _, second = reported(intake)
    assert (second["level"], second.get("user")) == ("info", None)
    assert "extra_data" not in str(second["contexts"])


@pytest.fixture
def scope() -> Iterator[None]:
    with sentry_sdk.isolation_scope():
        yield


@pytest.mark.usefixtures("scope")
def test_a_report_says_who_by_number_and_role_with_tags_and_the_steps_before_it(intake: Server[Intake]) -> None:
    telemetry.attach_user_context(7, email="ann@example.com", role="operator", metadata={"origin": "local"})
    telemetry.attach_session("5f2a", "203.0.113.77")
    telemetry.set_error_tag("lane", "critical")
    telemetry.add_breadcrumb("claimed", category="delivery", level="info", data={"notification_id": 5})

    telemetry.capture_exception(error())

    [event] = reported(intake)
    assert event["user"] == {"id": "7", "role": "operator", "origin": "local"}
    assert member(event, "tags", "session") == "5f2a"
    assert member(event, "tags", "lane") == "critical"
    assert member(event, "contexts", "client", "address") == "203.0.113.0"
    crumb = members(event, "breadcrumbs", "values")[-1]
    assert (crumb["message"], crumb["category"], crumb["level"], crumb["data"]) == ("claimed", "delivery", "info", {"notification_id": 5})


@pytest.mark.usefixtures("scope")
def test_people_are_named_only_where_that_is_allowed() -> None:
    with Server(Intake()) as server:
        configure(SENTRY_DSN=dsn(server), TELEMETRY_NAMES_PEOPLE="true", SENTRY_PROFILES_SAMPLE_RATE="0")
        telemetry.attach_user_context(7, email="ann@example.com")
        telemetry.attach_session("5f2a", "203.0.113.77")

        telemetry.capture_exception(error())

        [event] = reported(server)
        assert member(event, "user", "email") == "ann@example.com"
        assert member(event, "contexts", "client", "address") == "203.0.113.77"


@pytest.mark.usefixtures("scope")
def test_who_has_been_cleared_is_not_said(intake: Server[Intake]) -> None:
    telemetry.attach_user_context(7, role="admin")
    telemetry.attach_session("5f2a", "203.0.113.77")
    telemetry.clear_user_context()

    telemetry.capture_exception(error())

    [event] = reported(intake)
    assert event.get("user") in ({}, None)
    assert "5f2a" not in str(event)
    assert "203.0.113" not in str(event)


def test_what_is_measured_is_a_span_of_the_trace_whether_a_block_or_a_function(intake: Server[Intake]) -> None:
    @telemetry.measure("read a body")
    def read() -> int:
        return 5

    with telemetry.piece_of_work("queue.process", "plan", event_id=41), telemetry.measure("plan a batch"):
        assert read() == 5
        with telemetry.start_span("rules", "ask"):
            pass

    [trace] = reported(intake, "transaction")
    assert trace["transaction"] == "plan"
    assert member(trace, "tags", "event_id") == "41"
    assert [(span["op"], span["description"]) for span in members(trace, "spans")] == [
        ("function", "plan a batch"),
        ("function", "read a body"),
        ("rules", "ask"),
    ]


def test_pieces_of_work_know_nothing_of_each_other(intake: Server[Intake]) -> None:
    with telemetry.piece_of_work("queue.process", "deliver", notification_id=1, receiver="chat"):
        telemetry.add_breadcrumb("claimed", data={"notification_id": 1})
    with telemetry.piece_of_work("queue.process", "deliver", notification_id=2, receiver=None):
        telemetry.capture_exception(error())

    [event] = reported(intake)
    assert (member(event, "tags", "notification_id"), member(event, "tags").get("alert_router.receiver")) == ("2", None)  # type: ignore[union-attr]
    assert "claimed" not in str(event.get("breadcrumbs"))


def test_a_statement_is_a_span_without_its_values(intake: Server[Intake], redis_url: str) -> None:
    engine = create_engine("sqlite://")
    with telemetry.piece_of_work("queue.process", "look"), engine.connect() as connection, Redis.from_url(redis_url) as redis:
        connection.execute(text("SELECT :wanted"), {"wanted": "Ann Lee"})
        redis.set("greeting", "hello Ann Lee")

    [trace] = reported(intake, "transaction")
    spans = {span["op"]: span["description"] for span in members(trace, "spans")}
    assert spans["db"] == "SELECT ?"
    assert "greeting" in str(spans["db.redis"])
    assert "Ann Lee" not in str(trace)
    engine.dispose()


def test_a_job_of_rqs_is_a_trace_and_its_fault_a_report_by_its_name(intake: Server[Intake], redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        queue = Queue(connection=redis, serializer=JSONSerializer)
        queue.enqueue("operator.truediv", 1, 0)

        Listener([queue], connection=redis, serializer=JSONSerializer).work(burst=True, logging_level="WARNING")

    [event] = reported(intake)
    [trace] = [one for one in reported(intake, "transaction") if one["transaction"] == "operator.truediv"]
    assert told(event)[0] == "ZeroDivisionError"
    assert event["transaction"] == "operator.truediv"
    assert member(trace, "contexts", "trace", "op") == "queue.task.rq"
    assert member(trace, "contexts", "trace", "trace_id") == member(event, "contexts", "trace", "trace_id")


def test_a_release_and_an_environment_are_said() -> None:
    with Server(Intake()) as server:
        configure(SENTRY_DSN=dsn(server), SENTRY_ENVIRONMENT="staging", SENTRY_RELEASE="router@1.4.0", SENTRY_PROFILES_SAMPLE_RATE="0")

        telemetry.capture_exception(error())

        [event] = reported(server)
        assert (event["environment"], event["release"]) == ("staging", "router@1.4.0")


@pytest.mark.parametrize(
    ("environment", "traces", "profiles"), [("development", 1.0, 1.0), ("staging", 0.5, 0.1), ("production", 0.1, 0.01)]
)
def test_shares_of_traces_and_profiles_are_those_of_the_environment(environment: str, traces: float, profiles: float) -> None:
    with Server(Intake()) as server:
        configure(SENTRY_DSN=dsn(server), SENTRY_ENVIRONMENT=environment)
        options = sentry_sdk.get_client().options

        assert (options["traces_sample_rate"], options["profile_session_sample_rate"]) == (traces, profiles)


def test_a_share_can_be_chosen(intake: Server[Intake]) -> None:
    configure(SENTRY_DSN=dsn(intake), SENTRY_TRACES_SAMPLE_RATE="0", SENTRY_PROFILES_SAMPLE_RATE="0")

    with telemetry.piece_of_work("queue.process", "plan"):
        pass

    assert reported(intake, "transaction") == []


def test_integrations_of_all_that_the_service_is_made_of_are_in_force(intake: Server[Intake]) -> None:
    assert intake.app.raw == []
    assert {"flask", "rq", "redis", "sqlalchemy", "threading", "excepthook"} <= set(sentry_sdk.get_client().integrations)
    assert not {"stdlib", "argv", "logging"} & set(sentry_sdk.get_client().integrations)


def test_a_receiver_that_fails_is_reported_once_in_a_while_by_its_name(intake: Server[Intake]) -> None:
    for receiver in ("chat", "chat", "mail"):
        log.error("notification_dead", notification_id=5, receiver=receiver, said="channel_not_found: ask Ann Lee")

    first, second = reported(intake)
    assert first["message"] == "notification_dead: chat"
    assert first["fingerprint"] == ["notification_dead", "chat"]
    assert member(first, "tags", "alert_router.receiver") == "chat"
    assert member(second, "tags", "alert_router.receiver") == "mail"
    assert member(first, "contexts", "log", "notification_id") == 5
    assert "Ann Lee" not in str(first)


WITHOUT_DSN = """
import sys, telemetry
from settings import Settings
telemetry.configure(Settings.from_variables({"SENTRY_ENVIRONMENT": "test", "SENTRY_CLIENT_SECRETS": "x"}))
telemetry.init_sentry(Settings.from_variables({"SENTRY_CLIENT_SECRETS": "x"}))
telemetry.attach_user_context(7, email="a@example.com", role="admin", metadata={"a": 1})
telemetry.attach_session("a", None)
telemetry.set_error_tag("a", "b")
telemetry.add_breadcrumb("a", category="b", level="info", data={"c": 1})
telemetry.clear_user_context()
assert telemetry.capture_exception(ValueError(), level="error", user_id=1, extra_data={}) is None
assert telemetry.capture_message("a", level="info", user_id=1, extra_data={}) is None
telemetry.report(ValueError(), "a", {})
with telemetry.measure("a"), telemetry.start_span("a", "b"), telemetry.piece_of_work("a", "b", event_id=1):
    pass
assert not telemetry.is_sentry_enabled()
assert not [name for name in sys.modules if name.startswith("sentry_sdk")]
"""


def test_without_a_dsn_all_of_it_does_nothing_and_loads_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_DSN], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own

    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_to_be_ignored_is_not_reported_and_counted(intake: Server[Intake]) -> None:
    configure(SENTRY_DSN=dsn(intake), SENTRY_IGNORE_ERRORS="LookupError, quota .* exceeded", SENTRY_PROFILES_SAMPLE_RATE="0")
    before = telemetry.dropped().get("SENTRY_IGNORE_ERRORS: LookupError", 0)

    telemetry.capture_exception(KeyError("a kind of LookupError"))
    telemetry.capture_exception(RuntimeError("quota of mails exceeded"))
    telemetry.capture_message("quota of calls exceeded")
    telemetry.capture_exception(RuntimeError("another"))

    assert [told(event)[1] for event in reported(intake)] == ["another"]
    assert telemetry.dropped()["SENTRY_IGNORE_ERRORS: LookupError"] == before + 1
