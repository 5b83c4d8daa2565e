"""The newest events: what became of them, and when they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select

from routing.notification import State
from routing.plan import Disposition
from storage.tables import events, notifications


@dataclass(frozen=True, slots=True, kw_only=True)
class LastEvents:
    """So many of them."""

    ids: tuple[int, ...]
    """Newest first."""
    came_at: datetime | None
    """The newest one from outside; None: none came lately."""
    planned_at: datetime | None
    """When the newest one was decided that is."""
    dispositions: Mapping[str, int]
    """How many had which."""
    unrouted: int | None
    """The newest one that met no rule."""


def last_events(engine: Engine, limit: int) -> LastEvents:
    """The newest ones, by their numbers: however many are stored, no more are looked at."""
    columns = (events.c.id, events.c.received_at, events.c.disposition, events.c.planned_at, events.c.resource)
    with engine.connect() as connection:
        rows = connection.execute(select(*columns).order_by(events.c.id.desc()).limit(limit)).all()
    return LastEvents(
        ids=tuple(row.id for row in rows),
        came_at=next((row.received_at for row in rows if ":" not in row.resource), None),
        planned_at=max((row.planned_at for row in rows if row.planned_at), default=None),
        dispositions=Counter(str(row.disposition) for row in rows if row.disposition),
        unrouted=next((row.id for row in rows if row.disposition == Disposition.UNROUTED), None),
    )


def told_since(engine: Engine, since: datetime) -> Mapping[State, int]:
    """By state how many messages were planned since then."""
    columns = notifications.c
    query = select(columns.state, func.count()).where(columns.created_at > since).group_by(columns.state)
    with engine.connect() as connection:
        return {State(state): count for state, count in connection.execute(query)}
