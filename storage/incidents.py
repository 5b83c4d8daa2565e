"""Incidents: one for each Sentry issue or metric alert, whatever the rules, and when each rule last spoke of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Executable, bindparam, case, delete, insert, select, update

from routing.alert import Alert, Status
from storage.tables import cooldowns, incidents


@dataclass(slots=True, kw_only=True)
class Incident:
    """An incident as the planner knows it: what was stored of it, and what it has heard since."""

    key: str
    id: int | None = None
    """None until it is stored."""
    last_change: str | None = None
    """The content key of what changed its status last."""
    notified_at: dict[str, datetime] = field(default_factory=dict)
    """By rule: when it last spoke of it."""
    cooldowns: Mapping[str, datetime] = field(default_factory=dict)
    """The same as it is stored."""
    alerts: list[Alert] = field(default_factory=list)
    """Heard since, in their order."""
    status: Status | None = None
    """What it has come to since, None if that did not change."""
    has_ended: bool = False

    def hear(self, alert: Alert, content_key: str | None, *, speaking: Iterable[str], at: datetime) -> None:
        """Take in an alert, and which rules speak of it."""
        self.alerts.append(alert)
        if alert.status is not Status.UNCHANGED:
            self.status, self.last_change = alert.status, content_key
        if alert.status is Status.RESOLVED:
            # What begins again after its end is news: no cooldown of the old trouble holds it.
            self.has_ended = True
            self.notified_at.clear()
        self.notified_at.update(dict.fromkeys(speaking, at))


def by_key(connection: Connection, keys: Sequence[str]) -> dict[str, Incident]:
    """The incidents that exist among these keys."""
    columns = (incidents.c.id, incidents.c.key, incidents.c.last_change)
    found = connection.execute(select(*columns).where(incidents.c.key.in_(keys))).all()
    notified: dict[int, dict[str, datetime]] = {row.id: {} for row in found}
    spoken = select(cooldowns.c.incident_id, cooldowns.c.rule, cooldowns.c.notified_at).where(cooldowns.c.incident_id.in_(notified))
    for row in connection.execute(spoken):
        notified[row.incident_id][row.rule] = row.notified_at
    return {
        row.key: Incident(
            key=row.key, id=row.id, last_change=row.last_change, notified_at=notified[row.id], cooldowns=dict(notified[row.id])
        )
        for row in found
    }


def save(connection: Connection, known: Iterable[Incident]) -> None:
    """Store what these incidents have heard, and the new ones, which have an id from then on."""
    heard = [incident for incident in known if incident.alerts]
    new = [incident for incident in heard if incident.id is None]
    if new:
        made = connection.execute(_MAKE, [_row(incident) for incident in new])
        ids = {row.key: row.id for row in made}
        for incident in new:
            incident.id = ids[incident.key]
    _many(connection, _COUNT, map(_tally, heard))
    _many(connection, _CHANGE, ({"b_id": one.id, "status": one.status, "last_change": one.last_change} for one in heard if one.status))
    _save_cooldowns(connection, heard)


def _save_cooldowns(connection: Connection, heard: Sequence[Incident]) -> None:
    if ended := [incident.id for incident in heard if incident.has_ended and incident.cooldowns]:
        connection.execute(delete(cooldowns).where(cooldowns.c.incident_id.in_(ended)))
    fresh, again = [], []
    for incident in heard:
        stored = {} if incident.has_ended else incident.cooldowns
        for rule, at in incident.notified_at.items():
            if rule not in stored:
                fresh.append({"incident_id": incident.id, "rule": rule, "notified_at": at})
            elif stored[rule] != at:
                again.append({"b_incident": incident.id, "b_rule": rule, "notified_at": at})
    _many(connection, insert(cooldowns), fresh)
    _many(connection, _SPOKE_AGAIN, again)


def _many(connection: Connection, statement: Executable, rows: Iterable[Mapping[str, object]]) -> None:
    if rows := list(rows):
        connection.execute(statement, rows)


def _row(incident: Incident) -> dict[str, object]:
    """A new incident as its first alert has it; what it heard is counted as for any other."""
    first = incident.alerts[0]
    return {
        "key": incident.key,
        "status": first.status,
        "title": first.title[:1000],
        "project": first.project and first.project[:200],
        "link": first.link,
        "alert_count": 0,
        "first_alert_at": first.occurred_at,
        "last_alert_at": first.occurred_at,
    }


def _tally(incident: Incident) -> dict[str, object]:
    return {"b_id": incident.id, "more": len(incident.alerts), "last_alert_at": max(alert.occurred_at for alert in incident.alerts)}


_MAKE = insert(incidents).returning(incidents.c.id, incidents.c.key)
_COUNT = (
    update(incidents)
    .where(incidents.c.id == bindparam("b_id"))
    .values(
        alert_count=incidents.c.alert_count + bindparam("more"),
        # Webhooks overtake each other (sentry-webhooks, 3.4).
        last_alert_at=case(
            (incidents.c.last_alert_at < bindparam("last_alert_at"), bindparam("last_alert_at")), else_=incidents.c.last_alert_at
        ),
    )
)
_CHANGE = (
    update(incidents).where(incidents.c.id == bindparam("b_id")).values(status=bindparam("status"), last_change=bindparam("last_change"))
)
_SPOKE_AGAIN = (
    update(cooldowns)
    .where(cooldowns.c.incident_id == bindparam("b_incident"), cooldowns.c.rule == bindparam("b_rule"))
    .values(notified_at=bindparam("notified_at"))
)
