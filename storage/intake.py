"""Takes webhooks in: durably, and those that come at the same time in one commit."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, TextClause, and_, bindparam, exists, insert, or_, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement

from storage.database import ANSWER_MILLISECONDS
from storage.events import EventState, is_yet, pack
from storage.tables import events, incidents

SAME_BYTES_WINDOW = timedelta(hours=1)
"""How long the same bytes count as said twice: published integrations send again for 15 minutes (sentry-webhooks, 3.5),
while an issue that is resolved, reopened and resolved again may well say the very same later."""

Written = TypeVar("Written")


class StorageError(Exception):
    """The event could not be stored; nothing is lost as long as the sender hears of it."""


class Stored(NamedTuple):
    """Where a webhook was put."""

    event_id: int
    is_new: bool
    """False if the same bytes were stored already; `event_id` is then the first one's."""


@dataclass(slots=True, eq=False)
class _Ticket:
    """A webhook on its way to the disk."""

    row: Mapping[str, object]
    stored: Stored | None = None
    leads: bool = False
    """Whether it is up to its thread to commit all that wait."""
    until: float = field(default_factory=lambda: time.monotonic() + ANSWER_MILLISECONDS / 1000)
    """On the monotonic clock: how long anybody waits for it."""
    called: threading.Lock = field(default_factory=threading.Lock)
    """Its thread waits here, until the webhook has been seen to or it leads. Lighter than an Event."""

    def __post_init__(self) -> None:
        self.called.acquire()


class Intake:
    """Keeps webhooks; one for each process, for any number of threads.

    One thread commits at a time, all that wait; those whose webhooks it takes along wait for it, and the first that comes meanwhile
    is the next. So a sync of the disk, which is what a commit costs, serves as many webhooks as came during the last one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # The engine may commit each statement by itself; what takes two needs a transaction.
        self._transactions = engine.execution_options(isolation_level=_ISOLATION[engine.dialect.name])
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._is_committing = False

    def store(self, *, resource: str, body: bytes, received_at: datetime) -> Stored:
        """Keep one webhook durably: when this returns, it is on the disk.

        The same bytes within `SAME_BYTES_WINDOW` are kept once.

        Raises:
            StorageError: it is not known to be stored.
        """
        ticket = _Ticket(_row(resource, body, received_at))
        self._queue_up(ticket)
        if not ticket.leads and not ticket.called.acquire(timeout=ANSWER_MILLISECONDS / 1000):
            self._leave(ticket)
        if ticket.leads:
            self._commit_all(ticket.until)
        if ticket.stored is None:
            raise StorageError("the event could not be stored: the database is busy, or the commit that had it failed")
        return ticket.stored

    def _queue_up(self, ticket: _Ticket) -> None:
        with self._lock:
            self._waiting.append(ticket)
            ticket.leads = not self._is_committing
            self._is_committing = True

    def _leave(self, ticket: _Ticket) -> None:
        """Wait no longer; unless the call to lead has just come, which must not be lost."""
        with self._lock:
            if not ticket.leads and ticket in self._waiting:
                self._waiting.remove(ticket)

    def _commit_all(self, until: float) -> None:
        with self._lock:
            tickets, self._waiting = self._waiting, []
        rows = [ticket.row for ticket in tickets]
        try:
            for ticket, stored in zip(tickets, self._insert_all(rows, until), strict=True):
                ticket.stored = stored
        except SQLAlchemyError as error:
            raise StorageError(f"the event could not be stored: {type(error).__name__}") from error
        finally:
            self._call_next()
            for ticket in tickets:
                if not ticket.leads:
                    ticket.called.release()

    def _call_next(self) -> None:
        with self._lock:
            self._is_committing = bool(self._waiting)
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].called.release()

    def _insert_all(self, rows: Sequence[Mapping[str, object]], until: float) -> list[Stored]:
        """In one statement, which is all or nothing; one by one if some of the bytes are there already.

        Only an insert that stored nothing is tried again: finding its own row, it could take that for a repetition that was meant.
        """
        try:
            return [Stored(event_id, is_new=True) for event_id in _when_possible(lambda: self._insert_new(rows, until), until)]
        except IntegrityError:
            if len(rows) == 1:
                return [_when_possible(lambda: self._found(rows[0]), until)]
        return [stored for row in rows for stored in self._insert_all([row], until)]

    def _insert_new(self, rows: Sequence[Mapping[str, object]], until: float) -> Sequence[int]:
        left = int(1000 * (until - time.monotonic()))
        if self._engine.dialect.name == "sqlite" or left > ANSWER_MILLISECONDS * 3 / 4:
            with self._engine.begin() as connection:
                return _insert(connection, rows)
        # Who has waited for another's commit has less time than the connection gives a statement.
        with self._transactions.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(left, 1)}")
            return _insert(connection, rows)

    def _found(self, row: Mapping[str, object]) -> Stored:
        """The same bytes are there: said twice, or said anew, because time has passed or the issue has changed in between."""
        same = events.c.body_hash == row["body_hash"]
        with self._transactions.begin() as connection:
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


def _when_possible(write: Callable[[], Written], until: float) -> Written:
    """Try again every two milliseconds while another process writes to SQLite, and once if the connection was broken.

    SQLite's own way of waiting sleeps up to a tenth of a second between two tries, and loses against a busy worker time and again.
    A connection breaks with each restart of PostgreSQL; what it had stored all the same is found by its bytes.
    """
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
    perhaps_changed = exists().where(is_yet(EventState.WAITING), later.c.resource == "issue", later.c.id > events.c.id)
    return or_(
        events.c.received_at < received_at - SAME_BYTES_WINDOW,
        # Who resolves an issue, reopens it and resolves it again makes Sentry say the same thing twice, and means it; not so what
        # is read in from a spool twice.
        and_(events.c.resource == "issue", events.c.received_at != received_at, or_(changed_since, perhaps_changed)),
    )


def _insert(connection: Connection, rows: Sequence[Mapping[str, object]]) -> Sequence[int]:
    """The new events' numbers, in the order of the rows.

    SQLite says only the last one, which is enough: it has one writer, so they follow each other. To fetch each would be to wait
    for the interpreter's lock as often, with all the other requests at it.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    values = {f"{column}_{number}": value for number, row in enumerate(rows) for column, value in row.items()}
    made = connection.execute(_statement(len(rows), returning=not is_sqlite), values)
    if is_sqlite:
        last: int = made.lastrowid
        return range(last - len(rows) + 1, last + 1)
    ids = {row.body_hash: row.id for row in made}
    return [ids[row["body_hash"]] for row in rows]


@lru_cache(maxsize=64)
def _statement(rows: int, *, returning: bool) -> TextClause:
    """As text: SQLAlchemy would put together an insert of several rows anew each time."""
    places = [{column: f"{column}_{number}" for column in _COLUMNS} for number in range(rows)]
    values = ", ".join("({})".format(", ".join(f":{name}" for name in place.values())) for place in places)
    insert_all = text(f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES {values}{' RETURNING id, body_hash' if returning else ''}")  # noqa: S608 - our own names
    typed = (bindparam(name, type_=events.c[column].type) for place in places for column, name in place.items())
    return insert_all.bindparams(*typed)


_ISOLATION: Mapping[str, Literal["SERIALIZABLE", "READ COMMITTED"]] = {"sqlite": "SERIALIZABLE", "postgresql": "READ COMMITTED"}
_COLUMNS = ("received_at", "resource", "body_hash", "body", "state")
