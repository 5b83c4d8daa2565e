"""Lists that go on: every row once, the newest first, whatever comes meanwhile."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from routing.alert import Status
from routing.notification import State
from storage import incident_desk, inspection, lists
from storage.events import EventState
from tests.factories import NOW
from tests.storage.planned import issue, make_many, plan_all, store


def test_events_go_on_below_the_last_one(engine: Engine) -> None:
    numbers = [store(engine, issue(number)) for number in range(1, 6)]

    first = lists.events_before(engine, None, limit=3)
    store(engine, issue(6))
    second = lists.events_before(engine, first[-1].id, limit=3)

    assert [one.id for one in (*first, *second)] == numbers[::-1]


def test_events_are_found_by_state_and_incident(engine: Engine) -> None:
    store(engine, issue(1))
    plan_all(engine)
    waiting = store(engine, issue(2))

    [planned] = lists.events_before(engine, None, state=EventState.PLANNED, limit=9)

    assert [one.id for one in lists.events_before(engine, None, state=EventState.WAITING, limit=9)] == [waiting]
    assert lists.events_before(engine, None, incident_id=planned.incident_id, limit=9) == (planned,)


def test_incidents_of_one_moment_go_on_by_their_numbers(engine: Engine) -> None:
    make_many(engine, 1, 2, 3)
    store(engine, issue(4), at=NOW + timedelta(minutes=1))
    plan_all(engine, at=NOW + timedelta(minutes=1))

    found, before = [], None
    while page := incident_desk.listed(engine, status=Status.FIRING, limit=1, before=before):
        found += [one.id for one in page]
        before = page[-1].last_alert_at, page[-1].id

    assert len(found) == 4
    assert found == sorted(found, reverse=True)


def test_notifications_of_a_receiver_are_in_one_order_whatever_their_state(engine: Engine) -> None:
    make_many(engine, 1, 2, 3)
    everything = inspection.listed(engine, limit=99)

    of_chat = inspection.listed(engine, receiver="chat", limit=99)
    rest = inspection.listed(engine, before=of_chat[0].id, receiver="chat", limit=99)

    assert of_chat == tuple(one for one in everything if one.receiver == "chat")
    assert rest == of_chat[1:]
    assert inspection.listed(engine, state=State.DEAD, limit=99) == ()
