from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, create_engine

from storage import events, inspection
from storage.events import EventState, StorageError
from storage.inspection import NoSuchEventError

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def store(engine: Engine, body: bytes = b"{}", *, resource: str = "issue", at: datetime = NOON) -> tuple[int, bool]:
    return events.store(engine, resource=resource, body=body, received_at=at)


def test_a_stored_event_waits_with_its_bytes_as_they_came(engine: Engine) -> None:
    body = bytes(range(256)) * 100

    event_id, is_new = store(engine, body)

    with engine.connect() as connection:
        (waiting,) = events.waiting(connection, limit=10)
    assert is_new
    assert (waiting.id, waiting.resource, waiting.received_at, waiting.body) == (event_id, "issue", NOON, body)


def test_the_same_bytes_are_one_event(engine: Engine) -> None:
    first, _ = store(engine)

    second, is_new = store(engine, at=NOON + timedelta(minutes=15))

    assert (second, is_new) == (first, False)


def test_the_same_bytes_of_another_resource_are_another_event(engine: Engine) -> None:
    first, _ = store(engine, resource="issue")

    second, is_new = store(engine, resource="error")

    assert is_new
    assert second != first


def test_the_same_bytes_after_the_window_are_said_anew(engine: Engine) -> None:
    first, _ = store(engine)
    later = NOON + events.SAME_BYTES_WINDOW + timedelta(seconds=1)

    second, is_new = store(engine, at=later)
    third, is_new_again = store(engine, at=later + timedelta(minutes=1))

    assert is_new
    assert second != first
    assert (third, is_new_again) == (second, False)


def test_events_wait_in_the_order_in_which_they_were_stored(engine: Engine) -> None:
    stored = [store(engine, b"%d" % number)[0] for number in range(5)]

    with engine.connect() as connection:
        waiting = events.waiting(connection, limit=3)

    assert [event.id for event in waiting] == stored[:3]


def test_an_event_can_be_found_by_its_number(engine: Engine) -> None:
    event_id, _ = store(engine)

    found = inspection.find_event(engine, event_id)

    assert (found.id, found.state, found.disposition, found.trace) == (event_id, EventState.WAITING, None, ())
    with pytest.raises(NoSuchEventError, match="there is no event 999"):
        inspection.find_event(engine, 999)


def test_what_cannot_be_stored_is_said_to_be_unstored() -> None:
    nowhere = create_engine("sqlite:////nonexistent/folder/router.db")

    with pytest.raises(StorageError, match="could not be stored"):
        store(nowhere)
