"""Takes webhooks in: durably, and those that come at the same time in one commit."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine, and_, exists, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement

from storage.database import ANSWER_MILLISECONDS
from storage.events import EventState, pack
from storage.tables import events, incidents

SAME_BYTES_WINDOW = timedelta(hours=1)
"""How long the same bytes count as said twice: published integrations send again for 15 minutes (sentry-webhooks, 3.5),
while an issue that is resolved, reopened and resolved again may well say the very same later."""


class StorageError(Exception):
    """The event could not be stored; nothing is lost as long as the sender hears of it."""


class Stored(NamedTuple):
    """Where a webhook was put."""

    event_id: int
    is_new: bool
    """Not if the same bytes were there already: then it is the first one's number."""


@dataclass(slots=True, eq=False)
class _Ticket:
    """A webhook that waits for somebody to commit it."""

    row: Mapping[str, object]
    is_taken: bool = False
    stored: Stored | None = None


class Intake:
    """Keeps webhooks; one for each process, for any number of threads.

    Who brings a webhook waits until it is its turn to commit, and then commits all that wait; mostly another has done it by then.
    So a sync of the disk, which is what a commit costs, serves as many webhooks as came during the last one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # One statement is a transaction by itself, and begin and commit would be two more round trips.
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._insert = _INSERT[engine.dialect.name]
        self._waiting: list[_Ticket] = []
        self._adding, self._committing = threading.Lock(), threading.Lock()

    def store(self, *, resource: str, body: bytes, received_at: datetime) -> Stored:
        """Keep one webhook durably: when this returns, it is on the disk.

        The same bytes within `SAME_BYTES_WINDOW` are kept once.

        Raises:
            StorageError: it is not known to be stored.
        """
        ticket = _Ticket(_row(resource, body, received_at))
        with self._adding:
            self._waiting.append(ticket)
        try:
            self._see_to(ticket)
        except SQLAlchemyError as error:
            raise StorageError(f"the event could not be stored: {type(error).__name__}") from error
        if ticket.stored is None:
            raise StorageError("the event could not be stored: the database is busy, or failed another one with it")
        return ticket.stored

    def _see_to(self, ticket: _Ticket) -> None:
        if not self._committing.acquire(timeout=ANSWER_MILLISECONDS / 1000):
            return
        try:
            if not ticket.is_taken:
                self._commit_all()
        finally:
            self._committing.release()

    def _commit_all(self) -> None:
        with self._adding:
            tickets, self._waiting = self._waiting, []
        for ticket in tickets:
            ticket.is_taken = True
        rows = [ticket.row for ticket in tickets]
        for ticket, stored in zip(tickets, _when_possible(lambda: self._insert_all(rows)), strict=True):
            ticket.stored = stored

    def _insert_all(self, rows: Sequence[Mapping[str, object]]) -> list[Stored]:
        with self._autocommit.connect() as connection:
            made = connection.execute(self._insert, rows if len(rows) > 1 else rows[0])
            new: dict[object, Stored] = {row.body_hash: Stored(row.id, is_new=True) for row in made}
        # Of the same bytes twice in one commit only the first is new.
        return [new.pop(digest) if (digest := row["body_hash"]) in new else self._found(row) for row in rows]

    def _found(self, row: Mapping[str, object]) -> Stored:
        """The same bytes are there: said twice, or said anew, because time has passed or the issue has changed in between."""
        same = events.c.body_hash == row["body_hash"]
        with self._engine.begin() as connection:
            if connection.execute(update(events).where(same, _is_meant(row)).values(body_hash=None)).rowcount:
                return Stored(connection.execute(insert(events).returning(events.c.id), row).scalar_one(), is_new=True)
            return Stored(connection.execute(select(events.c.id).where(same)).scalar_one(), is_new=False)


def _row(resource: str, body: bytes, received_at: datetime) -> Mapping[str, object]:
    return {
        "received_at": received_at,
        "resource": resource,
        "body_hash": hashlib.sha256(resource.encode() + b"\0" + body).digest(),
        "body": pack(body),
        "state": EventState.WAITING,
    }


def _when_possible(write: Callable[[], list[Stored]]) -> list[Stored]:
    """Try again every two milliseconds while another process writes to SQLite, and once if the connection was broken.

    SQLite's own way of waiting sleeps up to a tenth of a second between two tries, and loses against a busy worker time and again.
    A connection breaks with each restart of PostgreSQL; what it had stored all the same is found by its bytes.
    """
    until = time.monotonic() + ANSWER_MILLISECONDS / 1000
    was_broken = False
    while True:
        try:
            return write()
        except DBAPIError as error:
            is_locked = "locked" in str(error.orig)
            may_pass = is_locked or (error.connection_invalidated and not was_broken)
            if not may_pass or time.monotonic() > until:
                raise
            was_broken = not is_locked
        time.sleep(0.002)


def _is_meant(row: Mapping[str, object]) -> ColumnElement[bool]:
    """Of an event with the same bytes as this row: whether the row says something new all the same."""
    received_at = row["received_at"]
    assert isinstance(received_at, datetime)  # noqa: S101 - the row is ours; mypy cannot know
    later = events.alias("later")
    changed_since = exists().where(incidents.c.id == events.c.incident_id, incidents.c.last_change != events.c.content_key)
    # Of what still waits nobody knows which issue it is about: then the planner says whether it was meant.
    perhaps_changed = exists().where(events.c.state == EventState.WAITING, later.c.resource == "issue", later.c.id > events.c.id)
    return or_(
        events.c.received_at < received_at - SAME_BYTES_WINDOW,
        # Who resolves an issue, reopens it and resolves it again makes Sentry say the same thing twice, and means it.
        and_(events.c.resource == "issue", or_(changed_since, perhaps_changed)),
    )


_INSERT = {
    dialect.__name__.rpartition(".")[2]: dialect.insert(events)
    .on_conflict_do_nothing(index_elements=["body_hash"])
    .returning(events.c.id, events.c.body_hash)
    for dialect in (sqlite, postgresql)
}
