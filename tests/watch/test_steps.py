"""The steps of planning and sending, as they are reported where there is a DSN."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

import telemetry
from notifiers.delivery import NOBODY, Onlooker, RetryPolicy, attempt
from routing.notification import Attempt, Notification, Outcome
from storage import planning
from storage.claims import Claimed
from storage.planner import Planner
from tests.factories import NOW, make_notification
from tests.stand_ins.sentry import Intake
from tests.stand_ins.server import Server
from tests.storage.planned import claim, ended, issue, make_rules, notified, store, stumbling
from tests.telemetry.reports import Fact, as_before, configure, dsn, member, members, reported, told
from watch import steps

SAID = "Ann Canary's card"


@pytest.fixture
def intake() -> Iterator[Server[Intake]]:
    with as_before(), Server(Intake()) as server:
        configure(SENTRY_DSN=dsn(server), SENTRY_TRACES_SAMPLE_RATE="1", SENTRY_PROFILES_SAMPLE_RATE="0")
        yield server


@pytest.fixture
def claimed(engine: Engine) -> Claimed:
    notified(engine)
    (one,) = claim(engine)
    return one


class Broken:
    """A notifier with a fault that is ours."""

    def send(self, notification: Notification) -> None:
        raise KeyError(f"{notification.id}: {SAID}")


def deliver(claimed: Claimed, onlooker: Onlooker) -> Attempt:
    broken = Broken()
    return attempt(
        make_notification,
        lambda: broken,  # type: ignore[arg-type, return-value]  # that is what is wrong with it
        tries=claimed.tries,
        policy=RetryPolicy(),
        clock=lambda: NOW,
        jitter=lambda: 0.5,
        onlooker=onlooker,
    )


def crumbs(event: Fact, category: str) -> list[object]:
    return [one["message"] for one in members(event, "breadcrumbs", "values") if one["category"] == category]


def test_a_fault_of_ours_in_a_delivery_is_reported_with_its_steps_and_its_place_and_without_its_words(
    intake: Server[Intake], claimed: Claimed
) -> None:
    done = steps.watched(deliver)(claimed)

    [event] = reported(intake)
    [trace] = [one for one in reported(intake, "transaction") if one["transaction"] == "deliver preview"]
    assert done.outcome is Outcome.AMBIGUOUS
    assert told(event) == ("KeyError", "[not sent: it may quote an alert]")
    assert "test_steps.py" in str(event["exception"])
    assert crumbs(event, "delivery") == ["claimed", "read", "opened"]
    assert (member(event, "tags", "alert_router.receiver"), member(event, "tags", "notification_id")) == ("chat", str(claimed.id))
    assert member(trace, "tags", "event_id") == str(claimed.event.id)
    assert SAID not in str(event)


def test_it_is_logged_without_its_words_where_nothing_is_reported(claimed: Claimed) -> None:
    with capture_logs() as logs:
        steps.watched(deliver)(claimed)

    [line] = logs
    assert (line["event"], line["error"], line["notification_id"]) == ("delivery_fault", "KeyError", claimed.id)
    assert SAID not in str(line)


def test_what_is_dead_is_logged_and_reported_with_all_of_its_numbers(intake: Server[Intake], claimed: Claimed) -> None:
    steps.say_attempt(claimed, ended(1, Outcome.RETRY, retry_after=timedelta(seconds=5)))
    steps.say_attempt(claimed, ended(1, Outcome.REFUSED, excerpt="channel_not_found"))

    [event] = reported(intake)
    assert crumbs(event, "delivery") == ["claimed", "refused", "recorded"]
    log = member(event, "contexts", "log")
    assert {name: member(log, name) for name in ("event_id", "incident_id", "notification_id")} == {
        "event_id": claimed.event.id,
        "incident_id": claimed.incident_id,
        "notification_id": claimed.id,
    }


def test_the_steps_of_a_batch_are_breadcrumbs_with_numbers_only(intake: Server[Intake], engine: Engine) -> None:
    store(engine)
    planner = Planner(engine, make_rules, lambda: NOW, lambda _: None, onlooker=steps.of_planning())

    with telemetry.piece_of_work("queue.task.rq", "worker.plan_events"):
        planner.plan_for(1)
        telemetry.capture_message("after it")

    [event] = reported(intake)
    taken = [one for one in members(event, "breadcrumbs", "values") if one["category"] == "planning"]
    assert [one["message"] for one in taken] == ["read", "decided", "stored"]
    assert {str(one["data"]) for one in taken} == {str({"first_event_id": 1, "last_event_id": 1, "count": 1})}


def test_without_a_dsn_nobody_looks_on() -> None:
    assert steps.of_planning() is planning.NOBODY
    assert type(NOBODY).step(NOBODY, "sent") is None


def test_each_event_that_is_decided_is_a_line_with_its_numbers(engine: Engine) -> None:
    store(engine)

    with capture_logs() as logs:
        Planner(engine, make_rules, lambda: NOW, lambda _: None).plan_for(1)

    assert [(one["event"], one["event_id"], one["incident_id"], one["disposition"], one["to_send"], one["held"]) for one in logs] == [
        ("event_planned", 1, 1, "matched", 2, 0)
    ]


def test_an_event_that_cannot_be_decided_is_reported_by_kind_and_place_and_logged_without_its_words(
    intake: Server[Intake], engine: Engine
) -> None:
    store(engine, issue(1, title=SAID))
    rules = make_rules()
    rules = replace(rules, rules=(replace(rules.rules[0], when=stumbling(SAID, KeyError(SAID))),))

    with capture_logs() as logs:
        Planner(engine, lambda: rules, lambda: NOW, lambda _: None, onlooker=steps.of_planning()).plan_for(1)

    [event] = reported(intake)
    assert told(event) == ("KeyError", "[not sent: it may quote an alert]")
    assert (member(event, "tags", "log_event"), member(event, "contexts", "log")) == ("event_not_planned", {"event_id": 1})
    assert [(one["event"], one["error"]) for one in logs] == [("event_not_planned", "plan: KeyError")]
    assert SAID not in f"{event} {logs}"
