"""Events: in which order they wait, and how they are found."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from storage import events, inspection
from storage.events import EventState
from storage.inspection import NoSuchEventError
from storage.intake import Intake
from storage.tables import events as table
from tests.storage.planned import plan_all

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def store(engine: Engine, body: bytes = b"{}") -> int:
    return Intake(engine).store(resource="issue", body=body, received_at=NOON).event_id


def test_a_stored_event_waits_with_its_bytes_as_they_came(engine: Engine) -> None:
    body = bytes(range(256)) * 100

    event_id = store(engine, body)

    with engine.connect() as connection:
        (waiting,) = events.waiting(connection, limit=10).events
    assert (waiting.id, waiting.resource, waiting.received_at, waiting.body) == (event_id, "issue", NOON, body)


def test_events_wait_in_the_order_in_which_they_were_stored(engine: Engine) -> None:
    stored = [store(engine, b"%d" % number) for number in range(5)]

    with engine.connect() as connection:
        found = [events.waiting(connection, limit=limit) for limit in (3, 5, 6)]

    assert [event.id for event in found[0].events] == stored[:3]
    assert [one.are_all for one in found] == [False, False, True]


def test_large_events_are_read_a_few_at_a_time_however_well_they_pack(engine: Engine) -> None:
    stored = [store(engine, b"%d" % number + bytes(events.MAX_PLAIN_BYTES // 2)) for number in range(3)]
    alone = store(engine, bytes(events.MAX_PLAIN_BYTES + 1))

    with engine.begin() as connection:
        first = events.waiting(connection, limit=10)
        connection.execute(table.update().where(table.c.id < alone).values(state=EventState.PLANNED))
        last = events.waiting(connection, limit=10)

    assert ([event.id for event in first.events], first.are_all) == (stored[:1], False)
    assert ([event.id for event in last.events], last.are_all) == ([alone], True)


def test_what_a_disk_has_damaged_holds_up_nothing_that_comes_after_it(engine: Engine) -> None:
    damaged, whole = store(engine, b'{"a": 1}'), store(engine, b'{"a": 2}')
    with engine.begin() as connection:
        connection.execute(table.update().where(table.c.id == damaged).values(body=b"no zlib"))

    plan_all(engine)

    assert [inspection.find_event(engine, id_).state for id_ in (damaged, whole)] == [EventState.PLANNED] * 2
    assert inspection.find_event(engine, damaged).disposition == "unreadable"


def test_an_event_can_be_found_by_its_number(engine: Engine) -> None:
    event_id = store(engine)

    found = inspection.find_event(engine, event_id)

    assert (found.id, found.state, found.disposition, found.trace) == (event_id, EventState.WAITING, None, ())
    with pytest.raises(NoSuchEventError, match="there is no event 999"):
        inspection.find_event(engine, 999)
