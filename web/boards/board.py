"""What all dashboards consist of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from storage.dashboard_figures import Key, Value, edges
from storage.dashboards import Looked, Named
from web.personal import visible_title
from web.sheets import Badge, Cell, Link, Sheet, address_of_incident

MOST_ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A picture, whose numbers are in one of the tables."""

    title: str
    picture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What one dashboard shows."""

    sheets: tuple[Sheet, ...]
    charts: tuple[Chart, ...]


def labels(looked: Looked) -> list[str]:
    """Of the parts of a time every fourth has one: more would stand upon each other."""
    form = "%H:%M" if looked.until - looked.since <= timedelta(days=1) else "%m-%d"
    return [f"{end:{form}}" if number % 4 == 0 else "" for number, end in enumerate(edges(looked.since, looked.until))]


def first(found: Mapping[Key, Value]) -> dict[Key, Value]:
    """As many as a table shows."""
    return dict([*found.items()][:MOST_ROWS])


def incident_cells(names: Mapping[int, Named], id_: int) -> tuple[Cell, ...]:
    """Title, state and project of an incident."""
    if id_ not in names:
        return (f"incident {id_}", None, None)
    one = names[id_]
    return (Link(visible_title(one.title), address_of_incident(id_)), Badge(one.status), one.project)
