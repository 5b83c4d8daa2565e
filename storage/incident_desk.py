"""Incidents as operators see them, and what they do to them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Engine, or_, select, update

from routing.alert import Status
from storage.tables import incidents


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedIncident:
    """An incident as operators see it."""

    id: int
    key: str
    status: Status
    acknowledged: bool
    assigned: bool
    title: str
    project: str | None
    alert_count: int
    first_alert_at: datetime
    last_alert_at: datetime

    @property
    def state(self) -> str:
        """What it has come to, in a word."""
        return "acknowledged" if self.acknowledged and self.status is Status.FIRING else self.status.value


def listed(engine: Engine, *, status: Status | None, limit: int) -> tuple[ListedIncident, ...]:
    """Incidents, those with the latest alert first."""
    query = select(*_COLUMNS).order_by(incidents.c.last_alert_at.desc(), incidents.c.id.desc()).limit(limit)
    if status:
        query = query.where(incidents.c.status == status)
    with engine.connect() as connection:
        return tuple(ListedIncident(**{**row._asdict(), "status": Status(row.status)}) for row in connection.execute(query))


def acknowledge(engine: Engine, name: str) -> str | None:
    """Note that somebody has taken an incident on, by its number or key; its key, None if none of that name fires.

    Reminders and escalations that ask for it stop; its end, or its next beginning, takes the acknowledgement away.
    """
    is_it = or_(incidents.c.key == name, incidents.c.id == int(name)) if name.isdecimal() and len(name) < 19 else incidents.c.key == name
    change = update(incidents).where(is_it, incidents.c.status == Status.FIRING).values(acknowledged=True).returning(incidents.c.key)
    with engine.begin() as connection:
        return connection.execute(change).scalars().first()


_COLUMNS = tuple(incidents.c[field.name] for field in fields(ListedIncident))
