"""What is listed page by page, the newest first: a page begins where the one before it ended, so the last costs no more than the first."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine, literal, select, tuple_

from routing.alert import Status
from routing.notification import State
from routing.plan import Disposition
from storage import inspection
from storage.events import EventState, is_yet
from storage.incident_desk import ListedIncident
from storage.inspection import Listed
from storage.tables import Id, UtcDateTime, events, incidents


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


class LastAlert(NamedTuple):
    """By what incidents are in order: when their last alert came, and their number."""

    at: datetime
    id: int


def events_before(
    engine: Engine, before: int | None, *, state: EventState | None = None, incident_id: int | None = None, limit: int
) -> tuple[ListedEvent, ...]:
    """Events older than the one of this number: by the primary key, or the index of the incident's, or of those that are not planned."""
    query = select(*_EVENT).order_by(events.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(events.c.id < before)
    if state is not None:
        query = query.where(events.c.state == state if state is EventState.PLANNED else is_yet(state))
    if incident_id is not None:
        query = query.where(events.c.incident_id == incident_id)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return tuple(
        ListedEvent(
            **{
                **row._asdict(),
                "state": EventState(row.state),
                "disposition": Disposition(row.disposition) if row.disposition else None,
            }
        )
        for row in rows
    )


def incidents_before(engine: Engine, before: LastAlert | None, *, status: Status | None = None, limit: int) -> tuple[ListedIncident, ...]:
    """Incidents whose last alert came earlier: by the index of that, of all or of one status."""
    order = (incidents.c.last_alert_at, incidents.c.id)
    query = select(*_INCIDENT).order_by(*(column.desc() for column in order)).limit(limit)
    if before is not None:
        query = query.where(tuple_(*order) < tuple_(literal(before.at, UtcDateTime()), literal(before.id, Id)))
    if status is not None:
        query = query.where(incidents.c.status == status)
    with engine.connect() as connection:
        return tuple(ListedIncident(**{**row._asdict(), "status": Status(row.status)}) for row in connection.execute(query))


def notifications_before(
    engine: Engine,
    before: int | None,
    *,
    state: State | None = None,
    receiver: str | None = None,
    event_id: int | None = None,
    incident_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
) -> tuple[Listed, ...]:
    """Notifications older than the one of this number.

    Of one receiver each state is asked by itself: its index has them in order of their numbers only within a state.
    """
    states = [*State] if receiver is not None and state is None else [state]
    found = [
        one
        for each in states
        for one in inspection.listed(
            engine,
            before=before,
            state=each,
            receiver=receiver,
            event_id=event_id,
            incident_id=incident_id,
            since=since,
            until=until,
            limit=limit,
        )
    ]
    return tuple(sorted(found, key=lambda one: one.id, reverse=True)[:limit])


_EVENT = tuple(events.c[field.name] for field in fields(ListedEvent))
_INCIDENT = tuple(incidents.c[field.name] for field in fields(ListedIncident))
