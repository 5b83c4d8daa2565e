"""Large databases in little time: what is stored is copied, each copy with numbers and names of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, Table, Text, func, insert, literal, select, text

from storage.database import open_database
from storage.tables import announcements, attempts, cooldowns, events, incident_turns, incidents, last_changes, notifications, sightings

ALL = (incidents, events, notifications, attempts, announcements, cooldowns, sightings, incident_turns, last_changes)
NUMBERS = {"incident_id": incidents, "event_id": events, "notification_id": notifications, "duplicate_of": events, "ends": notifications}
NAMES = {(incidents, "key"), (events, "content_key"), (notifications, "subject"), (announcements, "subject"), (last_changes, "issue_key")}
"""What is another in each copy."""

Change: TypeAlias = "Callable[[Connection, Column[Any], int], ColumnElement[Any] | None]"
"""Of a column and the number of a copy, from 1, what stands there in the copy; None: what it would be anyway."""


def add_copies(url: str, copies: int, change: Change, *, tables: Sequence[Table] = ALL) -> None:
    """Copy all that is stored so often, one copy after the other, as rows lie that came one after the other."""
    engine = open_database(url)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Copies refer to copies: to look each of them up would take longer than to write them.
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        tops = {table: connection.execute(select(func.max(table.c.id))).scalar_one() or 0 for table in tables if "id" in table.c}
        for number in range(1, copies + 1):
            for table in tables:
                columns = _columns(connection, table, tops, number, change)
                source = select(*columns).where(_is_of_the_first(table, tops))
                connection.execute(insert(table).from_select([one.name for one in table.c], source))
        for table in tops if connection.dialect.name == "postgresql" else ():
            connection.execute(
                select(func.setval(func.pg_get_serial_sequence(table.name, "id"), select(func.max(table.c.id)).scalar_subquery()))
            )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


def _is_of_the_first(table: Table, tops: Mapping[Table, int]) -> ColumnElement[bool]:
    """Whether a row was there before there were copies."""
    if table in tops:
        return table.c.id <= tops[table]
    name, other = next((name, NUMBERS[name]) for name in NUMBERS if name in table.c)
    return table.c[name] <= tops[other]


def _columns(connection: Connection, table: Table, tops: Mapping[Table, int], number: int, change: Change) -> Iterator[ColumnElement[Any]]:
    for one in table.c:
        of = table if one.name == "id" else NUMBERS.get(one.name)
        changed = change(connection, one, number)
        if changed is not None:
            yield changed
        elif of is not None:
            yield one + number * tops[of]
        elif (table, one.name) in NAMES:
            yield one.concat(f"-{number}")
        elif one is events.c.body_hash:
            is_sqlite = connection.dialect.name == "sqlite"
            yield func.randomblob(32) if is_sqlite else func.sha256(one.concat(func.convert_to(literal(str(number), Text), "UTF8")))
        else:
            yield one
