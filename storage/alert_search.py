"""Events as a list, the newest first, and the search in it: a part at a time, so that none takes longer than a page may.

Every statement here walks the primary key within bounds: a million events make none of them slower.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, func, select

from routing.alert import Level
from routing.facts import Context, Facts
from routing.notification import State
from routing.plan import Disposition
from routing.query import Query
from routing.sentry import UnreadableAlert, parse
from storage.canaries import RESOURCE as CANARY
from storage.events import EventState, event_of, is_yet
from storage.lists import LISTED, ListedEvent, Told, listed_event
from storage.narrowing import narrowed
from storage.tables import events, notifications

PAGE = 50
STRIDE = 5_000
"""So many numbers of events one statement goes back."""
AT_ONCE = 50
"""So many bodies one statement reads."""
RECENT = 1_000
"""The newest events, of which the list offers projects and environments to choose from."""
PATIENCE = timedelta(seconds=3)
"""So long a new event is waited for to be decided, before it is shown as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events are looked for; None: any."""

    project: str | None = None
    environment: str | None = None
    level: Level | None = None
    disposition: Disposition | None = None
    resource: str | None = None
    query: Query | None = None

    @property
    def columns(self) -> Mapping[str, str]:
        """What columns must hold, by their names."""
        names = ("project", "environment", "level", "disposition", "resource")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of what was found."""

    events: tuple[ListedEvent, ...]
    older_than: int | None
    """The number before which one goes on looking; None: there is nothing older."""
    is_cut: bool = False
    """It was looked for long enough before the page was full."""
    back_to: datetime | None = None
    """When the last event came that was looked at, if it is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What has come since somebody looked last."""

    events: tuple[ListedEvent, ...]
    up_to: int
    """The number of the last event that was looked at."""
    has_gap: bool
    """More came than is shown."""


@dataclass(slots=True)
class Budget:
    """What may be spent on a page: so many alerts read from their bodies, so much time."""

    events: int = 2_000
    seconds: float = 0.2
    _ends: float = field(init=False)

    def __post_init__(self) -> None:
        self._ends = time.monotonic() + self.seconds

    @property
    def is_spent(self) -> bool:
        """Whether it is time to say what was found so far."""
        return self.events <= 0 or time.monotonic() > self._ends


def search(
    engine: Engine, wanted: Wanted, now: datetime, *, before: int | None = None, limit: int = PAGE, budget: Budget | None = None
) -> Found:
    """A page of events, older than the one of this number; ages in the query are counted from now."""
    budget = budget or Budget()
    found: list[ListedEvent] = []
    with engine.connect() as connection:
        look = _Look(connection=connection, wanted=wanted, now=now, budget=budget)
        oldest, newest = connection.execute(select(func.min(events.c.id), func.max(events.c.id))).one()
        if newest is None:
            return Found(events=(), older_than=None)
        place = min(before, newest + 1) if before is not None else newest + 1
        while place > oldest and len(found) < limit and not budget.is_spent:
            part, place = look.below(place, limit - len(found))
            found += part
        is_cut = place > oldest and len(found) < limit
        return Found(
            events=_with_told(connection, found),
            older_than=place if place > oldest else None,
            is_cut=is_cut,
            back_to=_time_at(connection, place) if is_cut else None,
        )


def since(engine: Engine, wanted: Wanted, now: datetime, *, after: int, limit: int = PAGE) -> News:
    """What came after the event of this number; of more than so many events the newest ones."""
    with engine.connect() as connection:
        up_to = settled(connection, now)
        is_new = (events.c.id > max(after, up_to - limit), events.c.id <= up_to)
        statement = select(*LISTED, *_TO_READ).where(*is_new, events.c.resource != CANARY).order_by(events.c.id.desc())
        rows = connection.execute(statement).all()
        columns = wanted.columns.items()
        kept = (row for row in rows if all(getattr(row, name) == value for name, value in columns))
        found = [listed_event(row) for row in kept if wanted.query is None or _meets(row, wanted.query, now)]
        return News(events=_with_told(connection, found), up_to=max(after, up_to), has_gap=up_to - after > limit)


def newest_settled(engine: Engine, now: datetime) -> int:
    """The number up to which events are decided, or have waited for that long enough; 0 where there are none."""
    with engine.connect() as connection:
        return settled(connection, now)


def settled(connection: Connection, now: datetime) -> int:
    """The same."""
    waits = connection.execute(select(events.c.id, events.c.received_at).where(is_yet(EventState.WAITING)).order_by(events.c.id).limit(1))
    first = waits.first()
    if first and now - first.received_at < PATIENCE:
        return int(first.id) - 1
    return connection.execute(select(func.max(events.c.id))).scalar() or 0


def recent_places(engine: Engine) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Projects and environments that the newest events name, by name."""
    recent = select(events.c.project, events.c.environment).order_by(events.c.id.desc()).limit(RECENT).subquery()
    with engine.connect() as connection:
        rows = connection.execute(select(recent).distinct()).all()
    return tuple(sorted({row.project for row in rows if row.project})), tuple(sorted({row.environment for row in rows if row.environment}))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """A search that is under way."""

    connection: Connection
    wanted: Wanted
    now: datetime
    budget: Budget

    def below(self, place: int, limit: int) -> tuple[list[ListedEvent], int]:
        """What one statement finds below a number, and below which number the next one is to look."""
        floor, query = place - STRIDE, self.wanted.query
        at_most = AT_ONCE if query else limit
        statement = select(*LISTED, *(_TO_READ if query else ())).where(events.c.id < place, events.c.id >= floor)
        statement = statement.where(*_filters(self.connection, self.wanted)).order_by(events.c.id.desc()).limit(at_most)
        rows = self.connection.execute(statement).all()
        after = rows[-1].id if len(rows) == at_most else floor
        return ([listed_event(row) for row in rows], after) if query is None else self._read(rows, query, limit, after)

    def _read(self, rows: Sequence[Row[Any]], query: Query, limit: int, after: int) -> tuple[list[ListedEvent], int]:
        found: list[ListedEvent] = []
        for row in rows:
            if len(found) == limit or self.budget.is_spent:
                return found, row.id + 1
            self.budget.events -= 1
            if _meets(row, query, self.now):
                found.append(listed_event(row))
        return found, after


def _filters(connection: Connection, wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    yield events.c.resource != CANARY
    yield from (events.c[name] == value for name, value in wanted.columns.items())
    if wanted.query:
        yield from narrowed(wanted.query.tree, connection.dialect)


def _meets(row: Row[Any], query: Query, now: datetime) -> bool:
    """Whether the alert of an event meets a query; one that cannot be read meets none."""
    event = event_of(row, row.id)
    try:
        alert = parse(event.resource, event.body, event.received_at, findings=event.findings)
    except UnreadableAlert:
        return False
    return query.check(Facts(alert, Context(now=now))).matched


def _with_told(connection: Connection, found: Sequence[ListedEvent]) -> tuple[ListedEvent, ...]:
    told = _told(connection, [one.id for one in found]) if found else {}
    return tuple(replace(one, told=told[one.id]) if one.id in told else one for one in found)


def _told(connection: Connection, ids: Collection[int]) -> dict[int, Told]:
    """By event, through the index that begins with it (uq_notifications_event_receiver)."""
    columns = notifications.c
    counted = select(columns.event_id, columns.state, func.count().label("number")).where(columns.event_id.in_(ids))
    counts: dict[int, dict[str, int]] = {}
    for row in connection.execute(counted.group_by(columns.event_id, columns.state)):
        counts.setdefault(row.event_id, {})[row.state] = row.number
    return {
        event_id: Told(
            sent=by_state.get(State.SENT, 0),
            held=by_state.get(State.HELD, 0),
            dead=by_state.get(State.DEAD, 0),
            waiting=by_state.get(State.PLANNED, 0) + by_state.get(State.SENDING, 0),
        )
        for event_id, by_state in counts.items()
    }


def _time_at(connection: Connection, place: int) -> datetime | None:
    return connection.execute(select(events.c.received_at).where(events.c.id >= place).order_by(events.c.id).limit(1)).scalar()


_TO_READ: tuple[ColumnElement[Any], ...] = (events.c.body, events.c.findings)
