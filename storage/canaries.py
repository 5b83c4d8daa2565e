"""Canaries among the events: whether one is decided, and that it is gone when it is."""

from __future__ import annotations

from sqlalchemy import Engine, and_, delete, func, select

from storage.events import EventState
from storage.tables import events

RESOURCE = "alert-router-canary"
"""As Sentry names what a webhook is about. It is signed, so nobody else makes one; no rule is asked of it, and no list shows it."""
MARK = "canary:"
"""How the mark of a receiver's last canary begins."""


def is_decided(engine: Engine, event_id: int) -> bool:
    """Whether the planner has seen it; one that is gone was."""
    with engine.connect() as connection:
        state = connection.execute(select(events.c.state).where(events.c.id == event_id)).scalar()
    return state is None or state == EventState.PLANNED


def forget(engine: Engine) -> None:
    """Delete those that are decided, but for one that is the newest event: SQLite would give its number to the next webhook."""
    newest = select(func.max(events.c.id)).scalar_subquery()
    over = and_(events.c.resource == RESOURCE, events.c.state == EventState.PLANNED, events.c.id < newest)
    with engine.begin() as connection:
        connection.execute(delete(events).where(over))
