"""Incidents: one for each Sentry issue or metric alert, whatever the rules, and when each rule last spoke of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, case, delete, insert, select, update

from routing.alert import Alert, Status
from storage.tables import cooldowns, incidents


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What is known of an incident before the next alert."""

    id: int
    last_change: str | None = None
    """The content key of what changed its status last."""
    notified_at: Mapping[str, datetime] = field(default_factory=dict)
    """By rule: when it last spoke of it."""


def by_key(connection: Connection, keys: Sequence[str]) -> dict[str, Incident]:
    """The incidents that exist among these keys."""
    columns = (incidents.c.id, incidents.c.key, incidents.c.last_change)
    found = connection.execute(select(*columns).where(incidents.c.key.in_(keys))).all()
    notified: dict[int, dict[str, datetime]] = {row.id: {} for row in found}
    spoken = select(cooldowns.c.incident_id, cooldowns.c.rule, cooldowns.c.notified_at).where(cooldowns.c.incident_id.in_(notified))
    for row in connection.execute(spoken):
        notified[row.incident_id][row.rule] = row.notified_at
    return {row.key: Incident(id=row.id, last_change=row.last_change, notified_at=notified[row.id]) for row in found}


def open_incident(connection: Connection, key: str, alert: Alert) -> Incident:
    """Make the incident of an alert that is the first of its key."""
    row = {
        "key": key,
        "status": alert.status,
        "title": alert.title[:1000],
        "project": alert.project and alert.project[:200],
        "link": alert.link,
        "alert_count": 0,
        "first_alert_at": alert.occurred_at,
        "last_alert_at": alert.occurred_at,
    }
    return Incident(id=connection.execute(insert(incidents).returning(incidents.c.id), row).scalar_one())


def record_alerts(connection: Connection, said: Mapping[int, Sequence[tuple[Alert, str | None]]]) -> None:
    """Count what was said of each incident, by its id: the alerts in the order of arrival, each with its content key."""
    if said:
        connection.execute(_COUNT, [_tally(incident_id, alerts) for incident_id, alerts in said.items()])
    changes = [_change(incident_id, alerts) for incident_id, alerts in said.items()]
    if changed := [change for change in changes if change]:
        connection.execute(_CHANGE, changed)


def end_cooldowns(connection: Connection, ids: Iterable[int]) -> None:
    """Let every rule speak anew of incidents that have ended."""
    if ids := tuple(ids):
        connection.execute(delete(cooldowns).where(cooldowns.c.incident_id.in_(ids)))


def record_spoken(connection: Connection, spoken: Mapping[tuple[int, str], datetime], *, known: frozenset[tuple[int, str]]) -> None:
    """Begin the cooldown of each (incident, rule); `known` are those that spoke before."""
    fresh = [{"incident_id": pair[0], "rule": pair[1], "notified_at": at} for pair, at in spoken.items() if pair not in known]
    again = [{"b_incident": pair[0], "b_rule": pair[1], "notified_at": at} for pair, at in spoken.items() if pair in known]
    if fresh:
        connection.execute(insert(cooldowns), fresh)
    if again:
        connection.execute(_SPOKE_AGAIN, again)


def _tally(incident_id: int, said: Sequence[tuple[Alert, str | None]]) -> dict[str, object]:
    return {"b_id": incident_id, "more": len(said), "last_alert_at": max(alert.occurred_at for alert, _ in said)}


def _change(incident_id: int, said: Sequence[tuple[Alert, str | None]]) -> dict[str, object] | None:
    """The last change of status among these, if any."""
    changes = [(alert.status, content_key) for alert, content_key in said if alert.status is not Status.UNCHANGED]
    if not changes:
        return None
    status, content_key = changes[-1]
    return {"b_id": incident_id, "status": status, "last_change": content_key}


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
