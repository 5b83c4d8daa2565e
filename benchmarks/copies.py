"""Large databases in little time: what is stored is copied, each copy with numbers and names of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, Integer, Select, String, Table, Text, cast, func, insert, literal, select, text

from storage.database import open_database
from storage.tables import announcements, attempts, cooldowns, events, incident_turns, incidents, last_changes, notifications, sightings

ALL = (incidents, events, notifications, attempts, announcements, cooldowns, sightings, incident_turns, last_changes)
NUMBERS = {"incident_id": incidents, "event_id": events, "notification_id": notifications, "duplicate_of": events, "ends": notifications}
NAMES = {(incidents, "key"), (events, "content_key"), (notifications, "subject"), (announcements, "subject"), (last_changes, "issue_key")}
"""What is another in each copy."""

Change: TypeAlias = "Callable[[Connection, Column[Any], ColumnElement[int]], ColumnElement[Any] | None]"
"""Of a column and the number of a copy, from 1, what stands there in the copy; None: what it would be anyway."""


def add_copies(url: str, copies: int, change: Change, *, tables: Sequence[Table] = ALL) -> None:
    """Copy all that is stored so often."""
    engine = open_database(url)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Copies refer to copies: to look each of them up would take longer than to write them.
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        tops = {table: connection.execute(select(func.max(table.c.id))).scalar_one() or 0 for table in tables if "id" in table.c}
        for table in tables:
            copied = _copies(connection, table, tops, copies, change)
            connection.execute(insert(table).from_select([one.name for one in table.c], copied))
        for table in tops if connection.dialect.name == "postgresql" else ():
            connection.execute(
                select(func.setval(func.pg_get_serial_sequence(table.name, "id"), select(func.max(table.c.id)).scalar_subquery()))
            )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


def _copies(connection: Connection, table: Table, tops: Mapping[Table, int], copies: int, change: Change) -> Select[Any]:
    first = select(literal(1, Integer).label("k")).cte("copies", recursive=True)
    numbers = first.union_all(select(first.c.k + 1).where(first.c.k < copies))
    return select(*_columns(connection, table, tops, numbers.c.k, change)).select_from(table.join(numbers, literal(value=True)))


def _columns(
    connection: Connection, table: Table, tops: Mapping[Table, int], k: ColumnElement[int], change: Change
) -> Iterator[ColumnElement[Any]]:
    for one in table.c:
        of = table if one.name == "id" else NUMBERS.get(one.name)
        changed = change(connection, one, k)
        if changed is not None:
            yield changed
        elif of is not None:
            yield one + k * tops[of]
        elif (table, one.name) in NAMES:
            yield one.concat("-").concat(cast(k, String))
        elif one is events.c.body_hash:
            is_sqlite = connection.dialect.name == "sqlite"
            yield func.randomblob(32) if is_sqlite else func.sha256(one.concat(func.convert_to(cast(k, Text), "UTF8")))
        else:
            yield one
