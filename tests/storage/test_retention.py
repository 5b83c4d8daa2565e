"""What is old goes, what is needed stays, and nobody who writes waits for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from threading import Event as Flag
from threading import Thread

import pytest
from sqlalchemy import Engine, Table, func, insert, select

from routing.notification import Outcome, Reason, State
from routing.sentry import UnreadableAlert, parse
from storage import audit, dry_run, inspection, notifications, outcomes, refusals, retention, rules_edits
from storage.database import Lock, turn
from storage.figures import figures
from storage.prunable import KINDS
from storage.refusals import Refusal
from storage.retention import Retention, prune, would_prune
from storage.tables import (
    announcements,
    attempts,
    events,
    incident_turns,
    incidents,
    metadata,
    timers,
)
from storage.tables import notifications as notifications_table
from storage.tables import refusals as refusals_table
from tests.factories import NOW, event_alert_webhook, issue_webhook
from tests.storage.planned import claim, ended, issue, make_many, make_rules, notified, only, plan_all, store

DAY = timedelta(days=1)
KEEP = Retention(bodies=30 * DAY, events=90 * DAY, records=365 * DAY)


def rows(engine: Engine, table: Table) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def pruned(engine: Engine, *, after: timedelta) -> Counter[str]:
    """What goes when so much time has passed."""
    return +prune(engine, KEEP, lambda: NOW + after, rest=lambda _: None)


def tell(engine: Engine, outcome: Outcome = Outcome.DELIVERED, **changes: object) -> list[int]:
    claimed = claim(engine, after=DAY)
    outcomes.record(engine, [(one.id, replace(ended(outcome=outcome), **changes)) for one in claimed])  # type: ignore[arg-type]  # any field
    return [one.id for one in claimed]


def live_and_die(engine: Engine, number: int = 1) -> int:
    """An alert that is told, and its end that is told; the number of the event."""
    event = store(engine, issue(number))
    plan_all(engine)
    tell(engine, payload="hello", reference={"ts": "1"}, place="there")
    store(engine, issue_webhook("resolved", id=str(number)), at=NOW + timedelta(minutes=1))
    plan_all(engine, at=NOW + timedelta(minutes=1))
    tell(engine, payload="bye", place="there")
    return event


def test_what_is_over_goes_with_all_that_hangs_on_it(engine: Engine) -> None:
    live_and_die(engine)
    assert [one.reason for one in inspection.listed(engine)] == [Reason.RESOLVED, Reason.FIRST]

    gone = pruned(engine, after=91 * DAY)

    assert gone == {"payloads": 2, "bodies": 2, "notifications": 2, "histories": 1, "events": 2, "incidents": 1}
    kept = {table.name for table in metadata.sorted_tables if rows(engine, table)}
    assert kept <= {"tallies", "gates", "alembic_version"}


def test_bodies_and_messages_go_before_what_became_of_them(engine: Engine) -> None:
    event = live_and_die(engine)

    assert pruned(engine, after=31 * DAY) == {"payloads": 2, "bodies": 2}

    shown = inspection.find_event(engine, event)
    assert shown.pruned_at == NOW + 31 * DAY
    assert shown.trace
    assert [one.last_payload for one in inspection.listed(engine)] == ["", ""]
    event_then = dry_run.find(engine, event)
    with pytest.raises(UnreadableAlert, match="pruned at 2026-04-04 10:15:32 UTC"):
        parse(event_then.resource, event_then.body, event_then.received_at)


def test_nothing_goes_that_is_young(engine: Engine) -> None:
    live_and_die(engine)
    make_many(engine, 2, 3)

    assert pruned(engine, after=29 * DAY) == {}


def test_what_an_open_incident_was_announced_by_is_kept_with_its_body(engine: Engine) -> None:
    event = store(engine, issue(1))
    plan_all(engine)
    tell(engine, reference={"ts": "1"}, place="there")

    gone = pruned(engine, after=400 * DAY)

    assert gone == {}
    assert b"pruned" not in dry_run.find(engine, event).body[:10]
    store(engine, issue_webhook("resolved", id="1"), at=NOW + 400 * DAY)
    plan_all(engine, at=NOW + 400 * DAY)
    (end,) = claim(engine, after=401 * DAY)
    assert end.reason is Reason.RESOLVED
    assert end.told
    assert end.told.reference == {"ts": "1"}


def test_of_what_an_open_incident_was_told_the_last_message_is_kept(engine: Engine) -> None:
    rules = make_rules('{version: 1, receivers: {chat: {kind: preview}}, rules: [{name: all, when: "", notify: [chat], cooldown: 0s}]}')
    for day in range(5):
        store(engine, issue(1, day), at=NOW + day * DAY)
        plan_all(engine, rules, at=NOW + day * DAY)
        claimed = claim(engine, after=day * DAY)
        outcomes.record(engine, [(one.id, ended(reference={"ts": f"{day}"}, place="there")) for one in claimed])

    gone = pruned(engine, after=200 * DAY)

    assert gone["notifications"] == 4
    store(engine, issue_webhook("resolved", id="1"), at=NOW + 200 * DAY)
    plan_all(engine, rules, at=NOW + 200 * DAY)
    (end,) = claim(engine, after=201 * DAY)
    assert end.told
    assert end.told.reference == {"ts": "4"}


def test_of_an_open_incident_what_was_held_goes(engine: Engine) -> None:
    store(engine, issue(1))
    plan_all(engine)
    tell(engine, reference={"ts": "1"}, place="there")
    store(engine, issue(1, 2), at=NOW + timedelta(seconds=1))
    plan_all(engine)
    assert [one.reason for one in inspection.listed(engine, state=State.HELD)] == [Reason.COOLDOWN]

    gone = pruned(engine, after=91 * DAY)

    assert gone == {"bodies": 1, "notifications": 1, "events": 1}
    assert rows(engine, announcements) == rows(engine, incidents) == 1


@pytest.mark.parametrize("state", [State.PLANNED, State.SENDING])
def test_what_still_waits_is_kept_with_its_body(engine: Engine, state: State) -> None:
    planned = notified(engine)
    if state is State.SENDING:
        claim(engine)
    with engine.begin() as connection:
        connection.execute(announcements.delete())

    pruned(engine, after=500 * DAY)

    assert only(engine, planned.id).state is state
    assert inspection.find_event(engine, planned.event_id).pruned_at is None


def test_an_end_that_was_given_up_can_be_sent_whenever_somebody_looks(engine: Engine) -> None:
    store(engine, issue(1))
    plan_all(engine)
    tell(engine, reference={"ts": "1"}, place="there")
    store(engine, issue_webhook("resolved", id="1"), at=NOW)
    plan_all(engine)
    (end,) = tell(engine, Outcome.REFUSED)

    pruned(engine, after=400 * DAY)

    assert notifications.requeue(engine, ids=[end], now=NOW + 400 * DAY) == (end,)
    (claimed,) = claim(engine, after=401 * DAY)
    assert claimed.told
    assert claimed.told.reference == {"ts": "1"}
    assert b"pruned" not in claimed.event.body[:10]


def test_events_that_could_not_be_decided_or_were_not_yet_are_kept(engine: Engine) -> None:
    store(engine, issue(1))

    assert pruned(engine, after=1000 * DAY) == {}


def test_an_event_goes_after_those_that_repeat_it(engine: Engine) -> None:
    first = store(engine, event_alert_webhook())
    second = store(engine, event_alert_webhook(again=True))
    plan_all(engine)
    with engine.begin() as connection:
        connection.execute(events.update().where(events.c.id == second).values(duplicate_of=first, received_at=NOW + 50 * DAY))
        for table in (announcements, timers, attempts, notifications_table, incident_turns):
            connection.execute(table.delete())

    assert pruned(engine, after=100 * DAY)["events"] == 0
    assert pruned(engine, after=141 * DAY)["events"] == 1
    assert pruned(engine, after=141 * DAY)["events"] == 1


def test_records_go_after_a_year_but_for_what_is_said_of_the_rules(engine: Engine) -> None:
    audit.record(engine, at=NOW, who="ann", origin="x", action="silence.add", subject="1")
    rules_edits.take(engine, file="rules.yaml", version="1", by="w", now=NOW)
    rules_edits.refuse(engine, file="rules.yaml", problems="no", by="w", now=NOW)

    assert pruned(engine, after=366 * DAY) == {"audit": 2}
    assert rules_edits.last_refused(engine)


def test_what_was_refused_is_counted_for_ever(engine: Engine) -> None:
    with engine.begin() as connection:
        for days, count in ((0, 3), (1, 4), (400, 5)):
            row = Refusal((NOW + days * DAY).date(), "sentry", 401)._asdict()
            connection.execute(insert(refusals_table), {**row, "count": count})
    before = figures(engine, NOW).refused

    assert pruned(engine, after=400 * DAY)["refusals"] == 2

    assert figures(engine, NOW).refused == before == {("sentry", 401): 12}
    assert len(refusals.counted(engine, limit=10)) == 1


def test_a_rehearsal_says_what_would_go_and_takes_nothing(engine: Engine) -> None:
    live_and_die(engine)

    said = would_prune(engine, KEEP, NOW + 91 * DAY)

    assert {name: size.rows for name, size in said.items() if size.rows} == {
        "payloads": 2,
        "bodies": 2,
        "notifications": 2,
        "histories": 1,
    }
    assert said["bodies"].about_bytes > 500
    assert said.keys() == {*(kind.name for kind in KINDS), "refusals"}
    assert rows(engine, events) == 2


def test_whoever_was_interrupted_goes_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    for number in range(3):
        live_and_die(engine, number)
    rests = 0

    def stop(_seconds: float) -> None:
        nonlocal rests
        rests += 1
        if rests == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(engine, KEEP, lambda: NOW + 91 * DAY, rest=stop)
    assert rows(engine, events) == 6

    pruned(engine, after=91 * DAY)
    assert rows(engine, events) == rows(engine, incidents) == 0


def test_it_waits_for_a_planner_that_is_at_work(engine: Engine) -> None:
    live_and_die(engine)
    is_planning, may_end = Flag(), Flag()

    def plan() -> None:
        with turn(engine, Lock.PLANNER):
            is_planning.set()
            may_end.wait(10)

    planner = Thread(target=plan)
    planner.start()
    is_planning.wait(10)
    pruning = Thread(target=pruned, args=(engine,), kwargs={"after": 91 * DAY})
    pruning.start()
    pruning.join(0.3)
    assert rows(engine, attempts) == 2
    may_end.set()
    planner.join()
    pruning.join()

    assert rows(engine, attempts) == 0


def test_an_incident_that_is_over_is_kept_while_something_lately_was_of_it(engine: Engine) -> None:
    live_and_die(engine)
    store(engine, issue_webhook("assigned", id="1"), at=NOW + 80 * DAY)
    plan_all(engine, at=NOW + 80 * DAY)

    pruned(engine, after=91 * DAY)

    assert rows(engine, incidents) == rows(engine, events) == 1
