"""One statement for many rows, each with values of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from sqlalchemy import Connection, TextClause, bindparam, text
from sqlalchemy.types import TypeEngine

MOST_AT_ONCE = 64


class UpdateEach:
    """An UPDATE whose text reads rows from `each`: `… FROM each WHERE t.id = each.id`.

    Run for row after row, it would hand on the interpreter with each, and wait for it with all other threads. As text: SQLAlchemy would
    put together so many values anew each time. By powers of two: a statement for each number of rows would be 20 MB of statements.
    """

    def __init__(self, sql: str, columns: Mapping[str, TypeEngine[object]]) -> None:
        self._sql, self._columns = sql, columns
        self._statement = lru_cache(self._of_length)

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Update by these rows, of which each names all columns; no two may mean the same."""
        while rows:
            size = min(1 << len(rows).bit_length() - 1, MOST_AT_ONCE)
            values = {f"{name}_{number}": row[name] for number, row in enumerate(rows[:size]) for name in self._columns}
            connection.execute(self._statement(size), values)
            rows = rows[size:]

    def _of_length(self, rows: int) -> TextClause:
        listed = ", ".join("({})".format(", ".join(f":{name}_{number}" for name in self._columns)) for number in range(rows))
        statement = text(f"WITH each({', '.join(self._columns)}) AS (VALUES {listed}) {self._sql}")
        typed = (bindparam(f"{name}_{number}", type_=type_) for name, type_ in self._columns.items() for number in range(rows))
        return statement.bindparams(*typed)
