"""Canaries among the events: whether one is decided, and that it is gone when it is."""

from __future__ import annotations

from sqlalchemy import Engine, delete, select

from storage.events import EventState
from storage.tables import events

MARK = "canary:"
"""How the mark of a receiver's last canary begins."""


def is_decided(engine: Engine, event_id: int) -> bool:
    """Whether the planner has seen it; one that is gone was."""
    with engine.connect() as connection:
        state = connection.execute(select(events.c.state).where(events.c.id == event_id)).scalar()
    return state is None or state == EventState.PLANNED


def forget(engine: Engine, event_id: int) -> None:
    """Nobody is to find it among alerts."""
    with engine.begin() as connection:
        connection.execute(delete(events).where(events.c.id == event_id))
