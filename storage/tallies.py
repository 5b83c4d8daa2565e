"""Counts that only rise, kept beside what they count.

In the same transaction, so that they are right however many processes there are; and they stay when rows are deleted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from storage.tables import tallies

MOST_OF_A_NAME = 200
"""So many sets of labels of one name are told apart; a project with more environments than that is no reason for as many rows."""
OTHER = "other"
MAX_LABEL = 60
"""In characters."""


class Tally(NamedTuple):
    """What is counted together."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()


def tally(name: str, **labels: str | None) -> Tally:
    """One of this name; a label that nobody knows is `unknown`."""
    return Tally(name, tuple(sorted((key, (value or "unknown")[:MAX_LABEL]) for key, value in labels.items())))


def add(connection: Connection, counts: Mapping[Tally, float]) -> None:
    """Count so much more of each."""
    if not counts:
        return
    known = select(tallies.c.name, tallies.c.labels).where(tallies.c.name.in_({one.name for one in counts}))
    room = _Room({Tally(row.name, labels_of(row.labels)) for row in connection.execute(known)})
    summed: Counter[Tally] = Counter()
    for one, value in counts.items():
        summed[room.place(one)] += value  # type: ignore[assignment]  # seconds are no whole numbers
    # In one order, or two workers could wait for each other's rows.
    rows = [{"name": one.name, "labels": _write(one.labels), "value": value} for one, value in sorted(summed.items())]
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    new = dialect.insert(tallies).values(rows)
    connection.execute(new.on_conflict_do_update(index_elements=["name", "labels"], set_={"value": tallies.c.value + new.excluded.value}))


def read(engine: Engine) -> dict[Tally, float]:
    """All of them."""
    with engine.connect() as connection:
        return {Tally(row.name, labels_of(row.labels)): row.value for row in connection.execute(select(tallies))}


class _Room:
    """Which sets of labels there are, and whether there is room for another."""

    def __init__(self, known: set[Tally]) -> None:
        self._known = known
        self._counts = Counter(one.name for one in known)

    def place(self, one: Tally) -> Tally:
        if one in self._known:
            return one
        if self._counts[one.name] >= MOST_OF_A_NAME:
            return Tally(one.name, tuple((key, OTHER) for key, _ in one.labels))
        self._known.add(one)
        self._counts[one.name] += 1
        return one


def _write(labels: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(labels, separators=(",", ":"))


def labels_of(labels: str) -> tuple[tuple[str, str], ...]:
    """As a row has them."""
    return tuple((key, value) for key, value in json.loads(labels))
