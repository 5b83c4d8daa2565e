"""What is answered to those who ask why an incident was told."""

from __future__ import annotations

from sqlalchemy import Connection, select

from routing.answering import Decided, Told, why_told
from routing.notification import Reason, State
from routing.plan import Disposition
from storage.events import unpack_trace
from storage.tables import events, incidents, notifications


def answer(connection: Connection, incident: str) -> str:
    """Why an incident was told, by its key: what was decided of its last alert that met any rule."""
    of_incident = events.c.incident_id == select(incidents.c.id).where(incidents.c.key == incident).scalar_subquery()
    columns = (events.c.id, events.c.received_at, events.c.rules_version, events.c.trace)
    last = select(*columns).where(of_incident, events.c.disposition == Disposition.MATCHED).order_by(events.c.id.desc()).limit(1)
    event = connection.execute(last).first()
    if event is None:
        return why_told(None)
    told = select(*(notifications.c[name] for name in Told._fields)).where(notifications.c.event_id == event.id)
    rows = connection.execute(told.where(notifications.c.occasion == "").order_by(notifications.c.id))
    return why_told(
        Decided(
            event=event.id,
            received_at=event.received_at,
            rules_version=event.rules_version or "",
            trace=unpack_trace(event.trace),
            told=[Told(row.receiver, State(row.state), Reason(row.reason), row.why) for row in rows],
        )
    )
