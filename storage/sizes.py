"""How much is stored, by kind, and how much room is left: measured now and then by one worker, for whoever asks in between."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Column, Connection, Engine, Table, func, select, text
from sqlalchemy.exc import DBAPIError

from storage import marks
from storage.tables import (
    announcements,
    attempts,
    audit,
    cooldowns,
    events,
    explanations,
    incident_issues,
    incident_turns,
    incidents,
    last_changes,
    notifications,
    refusals,
    sample_scopes,
    samples,
    sightings,
    timers,
)

MARK = "sizes"
MOST_TO_READ = 4 * 2**30
"""Of SQLite every page is read to tell what is in it; of a file larger than so many bytes only how large it is."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one kind with what hangs on them."""

    name: str
    rows: int
    bytes: int | None
    """With their indexes; None: nobody knows."""
    oldest: datetime | None


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    at: datetime
    """When it was measured."""
    kinds: tuple[Kept, ...]
    total_bytes: int | None
    """Of the whole database, with what is free in it again."""
    free_bytes: int | None
    """On its disk; None: it is on another machine."""


def measure(engine: Engine, now: datetime) -> Sizes:
    """Measure, and keep what was found."""
    with engine.connect() as connection:
        total = _total(connection)
        of_tables = _of_tables(connection, total)
        kinds = tuple(_kept(connection, name, tables, at, of_tables) for name, (tables, at) in _KINDS.items())
    found = Sizes(at=now, kinds=kinds, total_bytes=total, free_bytes=_free(engine))
    marks.write(engine, MARK, msgspec.json.encode(found).decode(), now)
    return found


def last_measured(engine: Engine) -> Sizes | None:
    """What was found last; None: nobody has measured yet."""
    stored = marks.read(engine, MARK)
    return msgspec.json.decode(stored, type=Sizes) if stored else None


def _kept(connection: Connection, name: str, tables: Sequence[Table], at: Column[datetime], of_tables: Mapping[str, int] | None) -> Kept:
    first = select(at).order_by(at if at is not audit.c.at else audit.c.id).limit(1)
    return Kept(
        name=name,
        rows=connection.execute(select(func.count()).select_from(tables[0])).scalar_one(),
        bytes=None if of_tables is None else sum(of_tables.get(table.name, 0) for table in tables),
        oldest=connection.execute(first).scalar(),
    )


def _total(connection: Connection) -> int | None:
    if connection.dialect.name == "postgresql":
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    pages, size = (connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size"))
    return int(pages * size)


def _of_tables(connection: Connection, total: int | None) -> Mapping[str, int] | None:
    """With their indexes."""
    if connection.dialect.name == "postgresql":
        rows = connection.execute(text("SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r'"))
        return {name: int(size) for name, size in rows}
    if total is None or total > MOST_TO_READ:
        return None
    try:
        rows = connection.execute(text(_DBSTAT))
    except DBAPIError:  # this SQLite was built without that table: https://www.sqlite.org/dbstat.html
        return None
    found: Counter[str] = Counter()
    for name, size in rows:
        found[name] += int(size)
    return found


def _free(engine: Engine) -> int | None:
    if engine.dialect.name != "sqlite":
        return None
    return shutil.disk_usage(Path(engine.url.database or ".").resolve().parent).free


_DBSTAT = """SELECT sqlite_master.tbl_name, sum(dbstat.pgsize) FROM dbstat('main', 1) AS dbstat
JOIN sqlite_master ON sqlite_master.name = dbstat.name GROUP BY sqlite_master.tbl_name"""
_OF_INCIDENTS = (cooldowns, timers, sightings, incident_issues, last_changes, announcements, incident_turns, explanations)
_KINDS: Mapping[str, tuple[Sequence[Table], Column[datetime]]] = {
    "events": ((events, samples, sample_scopes), events.c.received_at),
    "notifications": ((notifications, attempts), notifications.c.created_at),
    "incidents": ((incidents, *_OF_INCIDENTS), incidents.c.first_alert_at),
    "audit": ((audit, refusals), audit.c.at),
}
"""By name the tables, the one whose rows are counted first, and when those came."""
