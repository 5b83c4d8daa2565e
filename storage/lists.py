"""Events page by page, the newest first: a page begins where the one before it ended, so the last costs no more than the first."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, select

from routing.plan import Disposition
from storage.canaries import RESOURCE as CANARY
from storage.events import EventState, is_yet
from storage.tables import events


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of the notifications of an event."""

    sent: int = 0
    held: int = 0
    dead: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvent:
    """An event in a line."""

    id: int
    received_at: datetime
    resource: str
    action: str | None
    project: str | None
    environment: str | None
    level: str | None
    title: str | None
    state: EventState
    disposition: Disposition | None
    incident_id: int | None
    told: Told = field(default_factory=Told)


def events_before(
    engine: Engine, before: int | None, *, state: EventState | None = None, incident_id: int | None = None, limit: int
) -> tuple[ListedEvent, ...]:
    """Events older than the one of this number: by the primary key, or the index of the incident's, or of those that are not planned."""
    query = select(*LISTED).where(events.c.resource != CANARY).order_by(events.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(events.c.id < before)
    if state is not None:
        query = query.where(events.c.state == state if state is EventState.PLANNED else is_yet(state))
    if incident_id is not None:
        query = query.where(events.c.incident_id == incident_id)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return tuple(map(listed_event, rows))


def listed_event(row: Row[Any]) -> ListedEvent:
    """The event of a row that has `LISTED`; whom it told is not in it."""
    known = {name: getattr(row, name) for name in _NAMES}
    disposition = Disposition(row.disposition) if row.disposition else None
    return ListedEvent(**{**known, "state": EventState(row.state), "disposition": disposition})


_NAMES = tuple(one.name for one in fields(ListedEvent) if one.name != "told")
LISTED: tuple[ColumnElement[Any], ...] = tuple(events.c[name] for name in _NAMES)
"""What a line has of its event."""
