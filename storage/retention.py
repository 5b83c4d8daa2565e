"""Deletes what is old, a few rows at a time: nobody who writes waits long, and whoever is interrupted goes on where it stopped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.exc import OperationalError

from storage import counting, tallies
from storage.database import Lock, turn
from storage.prunable import KINDS, Prunable
from storage.tables import refusals
from storage.tallies import Tally, tally

BATCH = 100
"""Rows that go in one transaction: some milliseconds."""
STRIDE = 5_000
"""So many numbers of rows one statement looks through. It only reads."""
REST_SECONDS = 0.02
"""At least so long, and as long as a batch took, others go first."""
TRIES = 30
"""For a batch, a second or so each: a planner that is at work, or whoever else writes, goes first."""
REFUSALS = "refusals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept."""

    bodies: timedelta
    """What webhooks said, and the messages as they were sent."""
    events: timedelta
    """What became of them: with their notifications, attempts and traces, and incidents that are over."""
    records: timedelta
    """Who has changed what, what was wrong and is over, and how many requests were refused by day."""

    def before(self, kind: Prunable, now: datetime) -> datetime:
        """What came before it may go."""
        ages = {"bodies": self.bodies, "events": self.events, "records": self.records}
        return now - ages[kind.age]


class Size(NamedTuple):
    """How much something is."""

    rows: int
    about_bytes: int


class BusyError(Exception):
    """The database had no turn for it. What is gone is gone; the next time goes on with the rest."""


def would_prune(engine: Engine, keep: Retention, now: datetime) -> dict[str, Size]:
    """By kind what would go, at least: what goes may free more. Only reads."""
    found = {}
    for kind in KINDS:
        before = keep.before(kind, now)
        parts = [_size(engine, kind, before, first, last) for first, last in _strides(engine, kind, before)]
        found[kind.name] = Size(rows=sum(one.rows for one in parts), about_bytes=sum(one.about_bytes for one in parts))
    with engine.connect() as connection:
        old = select(func.count()).select_from(refusals).where(refusals.c.day < (now - keep.records).date())
        return {**found, REFUSALS: Size(rows=connection.execute(old).scalar_one(), about_bytes=0)}


def prune(engine: Engine, keep: Retention, clock: Callable[[], datetime], *, rest: Callable[[float], None] = time.sleep) -> Counter[str]:
    """Delete what may go; says how many rows, by kind.

    Raises:
        BusyError: the database had no turn for it.
    """
    gone: Counter[str] = Counter()
    now = clock()
    for kind in KINDS:
        for ids in _found(engine, kind, keep.before(kind, now)):
            began = time.monotonic()
            gone[kind.name] += _in_turn(engine, partial(_remove, kind, ids, keep, now), rest)
            rest(max(REST_SECONDS, time.monotonic() - began))
    gone[REFUSALS] += _in_turn(engine, partial(_fold_refusals, now - keep.records), rest)
    return gone


def _found(engine: Engine, kind: Prunable, before: datetime) -> Iterator[Sequence[int]]:
    """What may go by now, in portions."""
    id_ = kind.table.c.id
    for first, last in _strides(engine, kind, before):
        which = select(id_).where(id_.between(first, last), kind.may_go).order_by(id_.desc())
        with engine.connect() as connection:
            ids = connection.execute(which, {"before": before}).scalars().all()
        for begin in range(0, len(ids), BATCH):
            yield ids[begin : begin + BATCH]


def _strides(engine: Engine, kind: Prunable, before: datetime) -> Iterator[tuple[int, int]]:
    """Numbers that may be old enough, the newest first: what names another row came after it, and frees it."""
    id_ = kind.table.c.id
    newest = select(id_).order_by(id_.desc()).limit(1)
    if kind.is_in_time:
        newest = select(id_).where(kind.at < before).order_by(kind.at.desc(), id_.desc()).limit(1)
    with engine.connect() as connection:
        oldest, last = connection.execute(select(func.min(id_))).scalar(), connection.execute(newest).scalar()
    while oldest is not None and last is not None and last >= oldest:
        yield max(oldest, last - STRIDE + 1), last
        last -= STRIDE


def _size(engine: Engine, kind: Prunable, before: datetime, first: int, last: int) -> Size:
    query = select(func.count(), func.coalesce(func.sum(kind.takes), 0)).select_from(kind.table)
    with engine.connect() as connection:
        rows, about = connection.execute(query.where(kind.table.c.id.between(first, last), kind.may_go), {"before": before}).one()
    return Size(rows=rows, about_bytes=int(about))


def _remove(kind: Prunable, ids: Sequence[int], keep: Retention, now: datetime, connection: Connection) -> int:
    """Those of them that may still go."""
    id_ = kind.table.c.id
    # What an operator sends again at this moment is left to him; SQLite has locked all of itself.
    still = select(id_).where(id_.in_(ids), kind.may_go).with_for_update(of=kind.table, skip_locked=True)
    found = connection.execute(still, {"before": keep.before(kind, now)}).scalars().all()
    if found:
        kind.remove(connection, found, now)
    return len(found)


def _fold_refusals(before: datetime, connection: Connection) -> int:
    """What was counted by day is kept as one count: metrics never fall."""
    columns = (refusals.c.path, refusals.c.status, refusals.c.count.label("number"))
    rows = connection.execute(delete(refusals).where(refusals.c.day < before.date()).returning(*columns)).all()
    counts: Counter[Tally] = Counter()
    for row in rows:
        counts[tally(counting.REFUSED, path=row.path, status=str(row.status))] += row.number
    tallies.add(connection, counts)
    return len(rows)


def _in_turn(engine: Engine, do: Callable[[Connection], int], rest: Callable[[float], None]) -> int:
    """Alone among those who plan: what it looks at, they do not change meanwhile."""
    for _ in range(TRIES):
        try:
            with turn(engine, Lock.PLANNER) as connection:
                if connection is not None:
                    with _transaction(connection):
                        return do(connection)
        except OperationalError:  # somebody else writes for longer than the database waits
            rest(REST_SECONDS)
    raise BusyError("the database is busy: nothing more was pruned now, the next time goes on")


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    with connection.begin():
        if connection.dialect.name == "sqlite":
            # What is read here is still so when it is written.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
