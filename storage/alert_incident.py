"""The incident that an event belongs to, in short."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, select

from routing.alert import Status
from storage.tables import events, incidents


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertIncident:
    """What the page of an alert says of it."""

    id: int
    status: Status
    acknowledged_by: str | None
    title: str
    alert_count: int
    event_count: int | None
    """As Sentry counts."""
    user_count: int | None

    @property
    def state(self) -> str:
        """What it has come to, in a word."""
        return "acknowledged" if self.acknowledged_by and self.fires else self.status.value

    @property
    def fires(self) -> bool:
        """Whether there is anything to acknowledge or to resolve."""
        return self.status is Status.FIRING


def incident_of(engine: Engine, event_id: int) -> AlertIncident | None:
    """That of an event; None if it belongs to none, or is not decided yet."""
    columns = (incidents.c[name] for name in AlertIncident.__dataclass_fields__)
    query = select(*columns).join(events, events.c.incident_id == incidents.c.id).where(events.c.id == event_id)
    with engine.connect() as connection:
        row = connection.execute(query).first()
    return AlertIncident(**{**row._asdict(), "status": Status(row.status)}) if row else None
