"""The planner: every stored event gets its decision, in order, once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from secrets import token_hex

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import StatementError

from routing import sentry
from routing.alert import Alert, Json, Status
from routing.findings import Findings
from routing.notification import Lane, Reason, Severity, State
from routing.plan import Disposition, RuleTrace, plan
from routing.rules import RuleSet
from storage import events, inspection, tables
from storage.events import EventState, unpack, unpack_inputs, unpack_trace
from storage.inspection import Shown
from storage.planning import Decided, Planned, plan_batch
from storage.tables import incidents
from tests.factories import (
    NOW,
    activity_alert_webhook,
    comment_webhook,
    error_webhook,
    event_alert_webhook,
    fixture,
    glitchtip_body,
    installation_webhook,
    issue_webhook,
    legacy_body,
    metric_alert_webhook,
    signed,
    transaction_webhook,
    wire,
)
from tests.routing.story import rules_of
from tests.storage.planned import claim, in_threads, incident_rows, issue, make_rules, plan_all, store, stumbling

AFTER_ITS_END: dict[str, Json] = {"datetime": "2026-03-04T11:30:00.000000Z", "timestamp": 1772623800.0}
"""When an event happens that `issue_webhook("resolved")` does not know of."""
EVERYTHING = make_rules('{version: 1, receivers: {chat: {kind: preview}}, rules: [{name: all, when: "", notify: [chat]}]}')


def decided(engine: Engine) -> list[tuple[Disposition | None, int | None]]:
    """Of every event what became of it, and whose duplicate it is."""
    return [(event.disposition, event.duplicate_of) for event in all_events(engine)]


def all_events(engine: Engine) -> list[Shown]:
    with engine.connect() as connection:
        ids = connection.execute(select(tables.events.c.id).order_by(tables.events.c.id)).scalars().all()
    return [inspection.find_event(engine, event_id) for event_id in ids]


def stumbling_rules(over: str, error: Exception) -> RuleSet:
    return replace(EVERYTHING, rules=(replace(EVERYTHING.rules[0], when=stumbling(over, error)),))


def test_an_event_is_decided_with_all_that_follows_from_it(engine: Engine) -> None:
    event_id = store(engine, event_alert_webhook())

    (planned,) = plan_all(engine)

    decided = Decided(event_id, 1, Disposition.MATCHED, to_send=2, held=0)
    assert planned == Planned(events=1, lanes=frozenset({Lane.CRITICAL}), until=NOW, decided=(decided,))
    event = inspection.find_event(engine, event_id)
    assert (event.state, event.disposition, event.error, event.project) == (EventState.PLANNED, Disposition.MATCHED, None, "shop-api")
    assert event.trace[0] == RuleTrace(rule="critical", matched=True, why='tags.critical is "true"')
    pager, chat = reversed(inspection.listed(engine))
    assert (pager.receiver, pager.rules, pager.severity, pager.state) == ("pager", ("critical",), Severity.CRITICAL, State.PLANNED)
    assert (chat.receiver, chat.rules, chat.reason, chat.created_at) == ("chat", ("critical", "payment"), Reason.FIRST, NOW)
    assert {chat.incident, pager.incident} == {"issue:5300000123"}


def test_each_lane_that_has_something_to_send_is_named(engine: Engine) -> None:
    store(engine, issue(1, tags=[["critical", "true"]]))
    store(engine, issue(2))

    (planned,) = plan_all(engine)

    assert planned.lanes == {Lane.CRITICAL, Lane.NORMAL}


def test_events_are_decided_in_the_order_in_which_they_were_stored_whatever_the_batch(engine: Engine) -> None:
    stored = [store(engine, issue(7, event)) for event in range(5)]

    batches = plan_all(engine, limit=2)

    assert [batch.events for batch in batches] == [2, 2, 1]
    listed = list(reversed(inspection.listed(engine)))
    assert [one.event_id for one in listed] == stored
    assert [one.reason for one in listed] == [Reason.FIRST] + [Reason.COOLDOWN] * 4


def test_nothing_waiting_is_nothing_planned(engine: Engine) -> None:
    assert plan_batch(engine, make_rules(), lambda: NOW).events == 0


@pytest.mark.parametrize(("minutes", "reason"), [(29, Reason.COOLDOWN), (30, Reason.REPEAT)])
def test_a_cooldown_is_remembered_from_batch_to_batch(engine: Engine, minutes: int, reason: Reason) -> None:
    store(engine, issue(7, 1))
    plan_all(engine)
    later = NOW + timedelta(minutes=minutes)

    store(engine, issue(7, 2), at=later)
    plan_all(engine, at=later)

    assert inspection.listed(engine)[0].reason is reason


def test_a_repeat_begins_the_cooldown_anew(engine: Engine) -> None:
    for event, minutes in enumerate((0, 40, 60, 70)):
        at = NOW + timedelta(minutes=minutes)
        store(engine, issue(7, event), at=at)
        plan_all(engine, at=at)

    reasons = [one.reason for one in reversed(inspection.listed(engine))]

    assert reasons == [Reason.FIRST, Reason.REPEAT, Reason.COOLDOWN, Reason.REPEAT]


def test_a_metric_alert_that_comes_back_under_another_number_is_the_incident_of_its_rule(engine: Engine) -> None:
    for number, action in enumerate(("critical", "resolved", "critical")):
        at = NOW + timedelta(hours=number)
        text = f"0.07{number} failure_rate() in the last 5 minutes"
        store(engine, metric_alert_webhook(action, text, identifier=str(number), date_started=at.isoformat()), at=at)
        plan_all(engine, EVERYTHING, at=at)

    assert incident_rows(engine, incidents.c.key, incidents.c.status) == [("metric-rule:77", Status.FIRING)]


@pytest.mark.parametrize("limit", [1, 100], ids=["in many batches", "in one batch"])
def test_what_begins_again_after_its_end_is_held_by_no_cooldown(engine: Engine, limit: int) -> None:
    before = [issue(5300000123, number) for number in (1, 2)]
    after = [issue(5300000123, number, **AFTER_ITS_END) for number in (3, 4)]
    for webhook in (*before, issue_webhook("resolved"), *after):
        store(engine, webhook)

    plan_all(engine, limit=limit)

    reasons = [one.reason for one in reversed(inspection.listed(engine))]
    # What was not sent yet when the end came is not sent any more.
    assert reasons == [Reason.ENDED, Reason.COOLDOWN, Reason.RESOLVED, Reason.FIRST, Reason.COOLDOWN]


def test_events_that_are_planned_late_get_the_decisions_that_they_would_have_had_in_time(engine: Engine) -> None:
    for event, minutes in enumerate((0, 20, 40, 60, 75)):
        store(engine, issue(7, event), at=NOW + timedelta(minutes=minutes))

    plan_all(engine, at=NOW + timedelta(hours=5))

    reasons = [one.reason for one in reversed(inspection.listed(engine))]
    assert reasons == [Reason.FIRST, Reason.COOLDOWN, Reason.REPEAT, Reason.COOLDOWN, Reason.REPEAT]


def test_large_events_are_taken_a_few_at_a_time(engine: Engine) -> None:
    for number in range(3):
        store(engine, issue(number, extra={"noise": token_hex(1_200_000)}))

    batches = plan_all(engine, EVERYTHING)

    assert [batch.events for batch in batches] == [1, 1, 1]
    assert len(inspection.listed(engine)) == 3


class TestWhatIsSaidTwice:
    @pytest.mark.parametrize("limit", [1, 100], ids=["in two batches", "in one batch"])
    def test_in_other_bytes_is_a_duplicate_of_the_first(self, engine: Engine, limit: int) -> None:
        first = store(engine, event_alert_webhook())
        store(engine, event_alert_webhook(sdk={"name": "other"}))
        store(engine, event_alert_webhook(sdk={"name": "another"}))

        plan_all(engine, limit=limit)

        assert decided(engine) == [(Disposition.MATCHED, None), (Disposition.DUPLICATE, first), (Disposition.DUPLICATE, first)]
        assert {one.event_id for one in inspection.listed(engine)} == {first}
        assert incident_rows(engine, incidents.c.alert_count) == [(1,)]

    @pytest.mark.parametrize("limit", [1, 100], ids=["in two batches", "in one batch"])
    def test_by_two_rules_of_sentry_is_no_duplicate(self, engine: Engine, limit: int) -> None:
        store(engine, event_alert_webhook("one rule"))
        store(engine, event_alert_webhook("another rule"))

        plan_all(engine, limit=limit)

        assert [disposition for disposition, _ in decided(engine)] == [Disposition.MATCHED] * 2

    @pytest.mark.parametrize("plan_between", [True, False], ids=["each planned at once", "all planned late"])
    def test_because_an_issue_was_reopened_in_between_is_meant(self, engine: Engine, *, plan_between: bool) -> None:
        for number, action in enumerate(("created", "resolved", "unresolved", "resolved", "unresolved", "resolved")):
            store(engine, issue_webhook(action, lastSeen="2026-03-04T10:00:00Z"), at=NOW + timedelta(seconds=number))
            if plan_between:
                plan_all(engine)

        plan_all(engine)

        fires, noted = (Disposition.MATCHED, None), (Disposition.NOTED, None)
        assert decided(engine) == [fires, noted, fires, noted, fires, noted]
        assert incident_rows(engine, incidents.c.status) == [(Status.RESOLVED,)]

    def test_of_an_issue_without_a_change_in_between_is_a_duplicate(self, engine: Engine) -> None:
        store(engine, issue_webhook("created"))
        resolved = store(engine, issue_webhook("resolved"))
        store(engine, issue_webhook("assigned"))
        again = {"data": json.loads(issue_webhook("resolved").body)["data"], "action": "resolved", "sent": "again"}
        store(engine, signed("issue", wire({**json.loads(issue_webhook("resolved").body), **again})))

        plan_all(engine)

        assert decided(engine)[3] == (Disposition.DUPLICATE, resolved)

    def test_while_the_first_could_not_be_planned_does_not_take_its_place(self, engine: Engine) -> None:
        first = store(engine, event_alert_webhook())
        plan_all(engine, stumbling_rules("PaymentError", ValueError("broken")))
        store(engine, event_alert_webhook(sdk={"name": "other"}))
        plan_all(engine, EVERYTHING)

        events.retry_failed(engine)
        plan_all(engine, EVERYTHING)

        assert decided(engine) == [(Disposition.MATCHED, None), (Disposition.DUPLICATE, first)]
        assert len(inspection.listed(engine)) == 1


class TestWhatDoesNotFire:
    @pytest.mark.parametrize(
        ("action", "known"),
        [("resolved", [Status.RESOLVED]), ("archived", [Status.ARCHIVED]), ("ignored", [Status.ARCHIVED]), ("assigned", [])],
    )
    def test_begins_nothing_that_fires(self, engine: Engine, action: str, known: list[Status]) -> None:
        store(engine, issue_webhook(action))

        plan_all(engine, EVERYTHING)

        assert decided(engine) == [(Disposition.NOTED, None)]
        assert incident_rows(engine, incidents.c.status) == [(status,) for status in known]
        assert inspection.listed(engine) == ()

    @pytest.mark.parametrize(
        ("action", "status"),
        [("resolved", Status.RESOLVED), ("archived", Status.ARCHIVED), ("assigned", Status.FIRING), ("unresolved", Status.FIRING)],
    )
    def test_changes_the_incident_that_is_there(self, engine: Engine, action: str, status: Status) -> None:
        store(engine, event_alert_webhook())
        store(engine, issue_webhook(action, id="5300000123"))

        plan_all(engine, EVERYTHING)

        assert incident_rows(engine, incidents.c.key, incidents.c.status, incidents.c.alert_count) == [("issue:5300000123", status, 2)]

    def test_leaves_an_incident_known_so_that_it_is_not_new_again(self, engine: Engine) -> None:
        rules = make_rules('{version: 1, receivers: {chat: {kind: preview}}, rules: [{name: new, when: "is:new", notify: [chat]}]}')
        for webhook in (issue(5300000123, 1), issue_webhook("resolved"), issue(5300000123, 2, **AFTER_ITS_END)):
            store(engine, webhook)

        plan_all(engine, rules)

        assert [disposition for disposition, _ in decided(engine)] == [Disposition.MATCHED, Disposition.NOTED, Disposition.UNROUTED]


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a": 1e999999}x'])
def test_what_cannot_be_read_is_kept_with_the_reason_and_is_final(engine: Engine, body: bytes) -> None:
    event_id = store(engine, signed("event_alert", body))

    (planned,) = plan_all(engine)

    event = inspection.find_event(engine, event_id)
    assert (event.state, event.disposition) == (EventState.PLANNED, Disposition.UNREADABLE)
    assert event.error
    assert planned.failures == ()
    assert events.retry_failed(engine) == 0


@pytest.mark.parametrize("resource", ["never-heard-of", "", "EVENT ALERT", "a" * 64])
def test_a_resource_that_is_not_known_is_kept_as_such(engine: Engine, resource: str) -> None:
    event_id = store(engine, signed(resource, b'{"action": "triggered", "data": {}}'))

    plan_all(engine, EVERYTHING)

    event = inspection.find_event(engine, event_id)
    assert (event.state, event.disposition, event.trace) == (EventState.PLANNED, Disposition.UNKNOWN, ())
    assert inspection.listed(engine) == ()


class TestAnEventThatCannotBePlanned:
    def test_keeps_its_error_and_does_not_stop_those_behind_it(self, engine: Engine) -> None:
        stored = [store(engine, issue(number, title=title)) for number, title in enumerate(("one", "boom", "three"))]

        (planned,) = plan_all(engine, stumbling_rules("boom", ValueError("no such thing")))

        assert planned.failures == ((stored[1], "plan: ValueError: no such thing"),)
        broken = inspection.find_event(engine, stored[1])
        assert (broken.state, broken.disposition, broken.error) == (EventState.FAILED, None, "plan: ValueError: no such thing")
        assert [event.state for event in all_events(engine)] == [EventState.PLANNED, EventState.FAILED, EventState.PLANNED]
        assert {one.event_id for one in inspection.listed(engine)} == {stored[0], stored[2]}

    def test_is_not_tried_again_by_itself(self, engine: Engine) -> None:
        store(engine, issue(1, title="boom"))
        plan_all(engine, stumbling_rules("boom", ValueError("no")))

        assert plan_all(engine, EVERYTHING) == []
        assert not events.is_waiting(engine)

    def test_is_planned_after_a_change(self, engine: Engine) -> None:
        event_id = store(engine, issue(1, title="boom"))
        plan_all(engine, stumbling_rules("boom", ValueError("no")))

        retried = events.retry_failed(engine)
        plan_all(engine, EVERYTHING)

        assert retried == 1
        event = inspection.find_event(engine, event_id)
        assert (event.state, event.disposition, event.error) == (EventState.PLANNED, Disposition.MATCHED, None)
        assert len(inspection.listed(engine)) == 1

    @pytest.mark.parametrize("text", ["\0", "\ud800", "x" * 300_000, "\0" * 10 + "é" * 300_000], ids=["null", "surrogate", "long", "all"])
    def test_keeps_whatever_its_error_says(self, engine: Engine, text: str) -> None:
        event_id = store(engine, issue(1, title="boom"))

        plan_all(engine, stumbling_rules("boom", ValueError(text)))

        error = inspection.find_event(engine, event_id).error
        assert error is not None
        assert error.startswith("plan: ValueError: ")
        assert len(error) <= 500


def test_two_planners_at_once_plan_every_event_once(engine: Engine) -> None:
    stored = [store(engine, issue(number % 4, number)) for number in range(40)]

    in_threads(2, lambda: plan_all(engine, EVERYTHING, limit=3))

    listed = list(reversed(inspection.listed(engine)))
    assert [one.event_id for one in listed] == stored
    assert [one.state for one in listed].count(State.PLANNED) == 4
    assert incident_rows(engine, incidents.c.alert_count) == [(10,)] * 4


def test_a_batch_that_cannot_be_stored_leaves_nothing_behind(engine: Engine) -> None:
    store(engine)
    no_time_zone_when_it_stores = iter([NOW, NOW.replace(tzinfo=None)])

    with pytest.raises(StatementError, match="must be aware"):
        plan_batch(engine, EVERYTHING, lambda: next(no_time_zone_when_it_stores))

    assert events.is_waiting(engine)
    assert incident_rows(engine, incidents.c.id) == []
    assert len(plan_all(engine, EVERYTHING)) == 1


HOSTILE = {"null": "\0", "surrogate": "\ud800", "long": "x" * 30_000, "all at once": "\0\ud800" + "é" * 10_000}
WEBHOOKS = (
    event_alert_webhook(),
    transaction_webhook(),
    error_webhook(),
    issue_webhook(),
    metric_alert_webhook(),
    comment_webhook(),
    activity_alert_webhook(),
    installation_webhook(),
    signed("legacy", legacy_body()),
    signed("glitchtip", glitchtip_body()),
)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_in_a_webhook_stops_the_planner(engine: Engine, text: str) -> None:
    for webhook in WEBHOOKS:
        store(engine, replace(webhook, body=json.dumps(with_text(json.loads(webhook.body), text)).encode()))
    store(engine, issue(1))

    plan_all(engine, EVERYTHING, limit=4)

    shown = all_events(engine)
    assert [(event.state, event.error) for event in shown] == [(EventState.PLANNED, None)] * (len(WEBHOOKS) + 1)
    assert shown[-1].disposition is Disposition.MATCHED


def with_text(content: object, text: str) -> object:
    """Every key and every value with this text behind it, but for what makes the webhook what it is."""
    match content:
        case dict():
            told = {key: value if key == "action" else with_text(value, text) for key, value in content.items()}
            return {**told, f"key{text}": text}
        case list():
            return [with_text(part, text) for part in content]
        case str():
            return content + text
    return content


def test_figures_are_over_what_came_in_earlier_batches_too(engine: Engine) -> None:
    rules = rules_of("rules: [{name: many, when: 'count():>2', window: 5m, over: project, notify: [chat], cooldown: 0s}]")

    for number in range(4):
        store(engine, issue(number), at=NOW + timedelta(minutes=number))
        plan_all(engine, rules, at=NOW + timedelta(minutes=number))

    assert [listed.why for listed in reversed(inspection.listed(engine))] == ["count() is 3 (> 2)", "count() is 4 (> 2)"]


def test_a_backlog_is_decided_by_the_figures_of_its_own_time(engine: Engine) -> None:
    rules = rules_of("rules: [{name: many, when: 'count():>2', window: 5m, over: project, notify: [chat], cooldown: 0s}]")
    for number in range(4):
        store(engine, issue(number), at=NOW + timedelta(minutes=number))

    plan_all(engine, rules, at=NOW + timedelta(days=2), limit=1)

    assert [listed.why for listed in reversed(inspection.listed(engine))] == ["count() is 3 (> 2)", "count() is 4 (> 2)"]


def test_what_was_looked_at_is_kept_with_the_trace(engine: Engine) -> None:
    rules = make_rules()
    for number in (1, 2):
        store(engine, issue(1, number), at=NOW + timedelta(minutes=number))
        plan_all(engine, rules)

    with engine.connect() as connection:
        row = connection.execute(
            select(tables.events.c.trace, tables.events.c.body, tables.events.c.received_at).where(tables.events.c.id == 2)
        ).one()
    alert = sentry.parse("event_alert", unpack(row.body), row.received_at)
    again = plan(alert, rules, unpack_inputs(row.trace), row.received_at)

    assert again.trace == unpack_trace(row.trace)
    assert [one.reason.value for one in again.notifications] == [inspection.listed(engine, event_id=2)[0].reason.value] == ["cooldown"]


def test_issues_of_one_fingerprint_are_one_incident_that_ends_with_the_last(engine: Engine) -> None:
    rules = rules_of("fingerprints: [{when: 'error.type:PaymentError', key: 'payment'}]\nrules: [{name: all, when: '', notify: [chat]}]")
    for number in (5300000123, 2):
        store(engine, issue(number))
        plan_all(engine, rules)
    store(engine, signed("issue", fixture("issue.resolved")))
    plan_all(engine, rules)

    assert incident_rows(engine, incidents.c.key, incidents.c.status, incidents.c.alert_count) == [
        ("fingerprint:shop-api:payment", Status.FIRING, 3)
    ]
    assert [listed.reason.value for listed in inspection.listed(engine)] == ["cooldown", "first"]

    plan_all(engine, make_rules())
    store(engine, issue(2, 2), at=NOW + timedelta(hours=1))
    plan_all(engine, make_rules(), at=NOW + timedelta(hours=1))

    assert incident_rows(engine, incidents.c.alert_count) == [(4,)]


@pytest.mark.parametrize("release", ["4.2\0", "é" * 500, "\ud800", " "], ids=["null", "long", "surrogate", "blank"])
def test_no_release_hinders_what_comes_after_it(engine: Engine, release: str) -> None:
    rules = rules_of("rules: [{name: new, when: 'is:new', per: release, notify: [chat], group_by: [release], group_wait: 1s}]")

    for number in (1, 2, 3):
        store(engine, issue(1, number, release=release))
        plan_all(engine, rules)

    assert incident_rows(engine, incidents.c.alert_count) == [(3,)]
    assert len(inspection.listed(engine)) == 1


class TestFindings:
    """What others say of an alert is asked before it is decided, and kept: the same event is decided the same."""

    RULES = make_rules(
        '{version: 1, receivers: {chat: {kind: preview}}, rules: [{name: critical, when: "tags.critical:true", notify: [chat]}]}'
    )
    TAGGED = Findings(tags=(("critical", "true"), ("environment", "staging")))

    def test_rules_see_what_was_found_out(self, engine: Engine) -> None:
        event_id = store(engine, issue_webhook("created"))

        plan_all(engine, self.RULES, inquire=lambda alerts, _: [self.TAGGED] * len(alerts))

        event = inspection.find_event(engine, event_id)
        assert (event.disposition, event.environment) == (Disposition.MATCHED, "staging")

    def test_without_anybody_to_ask_it_is_decided_by_what_it_says(self, engine: Engine) -> None:
        event_id = store(engine, issue_webhook("created"))

        plan_all(engine, self.RULES)

        assert inspection.find_event(engine, event_id).disposition is Disposition.UNROUTED

    def test_they_are_asked_once_although_the_event_is_planned_twice(self, engine: Engine) -> None:
        event_id = store(engine, issue_webhook("created"))
        asked: list[int] = []

        def inquire(alerts: Sequence[Alert], _: RuleSet) -> list[Findings | None]:
            asked.append(len(alerts))
            return [self.TAGGED] * len(alerts)

        plan_all(engine, stumbling_rules("PaymentError", ZeroDivisionError()), inquire=inquire)
        failed = inspection.find_event(engine, event_id).state
        events.retry_failed(engine)
        plan_all(engine, self.RULES, inquire=inquire)

        assert (failed, asked) == (EventState.FAILED, [1])
        assert inspection.find_event(engine, event_id).disposition is Disposition.MATCHED

    def test_whoever_delivers_reads_them_with_the_event(self, engine: Engine) -> None:
        store(engine, issue_webhook("created"))
        plan_all(engine, self.RULES, inquire=lambda alerts, _: [self.TAGGED] * len(alerts))

        (claimed,) = claim(engine, Lane.NORMAL)

        assert claimed.event.findings == self.TAGGED
