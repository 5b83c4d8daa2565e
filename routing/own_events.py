"""Events that do not come from Sentry, and go the way of every alert: the router's own, and what people do in other places."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from routing import jira_webhooks, pagerduty_webhooks
from routing.alert import UNTIL_ITS_END, Alert, Category, Level, Status
from routing.payload import Object, decode, encode, mapping, sequence, text, whole

SILENCE = "router:silence"
"""A reminder of a silence. No webhook has such a resource: app.py takes no colon in one."""
CHANGE = "router:change"
"""What somebody did to an incident in a place other than Sentry."""

_INCIDENT, _PLACE = "router:incident", "router:place"
"""Where the body of a vendor's event was made to say which incident of a group it is about."""

MAX_HOURS = 24 * 366

RESOURCES = frozenset({"silence", "change", "pagerduty", "jira"})
"""As rules ask for them: `resource:silence`."""


class Change(StrEnum):
    """What people do to incidents."""

    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    """Given back, or forgotten for too long."""
    SILENCED = "silenced"
    """Nothing is told of it for some hours, or until its end."""
    RESOLVED = "resolved"
    REOPENED = "reopened"
    """Somebody wants it back that is over; Sentry is asked, and tells of it when it is."""
    ASSIGNED = "assigned"
    """Somebody wants it for himself, in Sentry."""
    ASKED = "asked"
    """Somebody wants to know why it was told. It changes nothing."""


def of_member(body: bytes, incident: str, place: str) -> bytes:
    """What a vendor said of a group, as what it says of one of its incidents."""
    return encode({**mapping(decode(body)), _INCIDENT: incident, _PLACE: place})


def read(resource: str, content: Object, received_at: datetime) -> Alert | None:
    """An event of ours; None if it is none."""
    alert = _read(resource, content, received_at)
    if alert is None or not (incident := text(content.get(_INCIDENT))):
        return alert
    return replace(alert, incident=incident, place=text(content.get(_PLACE)))


def _read(resource: str, content: Object, received_at: datetime) -> Alert | None:
    match resource:
        case "router:silence":
            return read_silence(content, received_at)
        case "router:change":
            return read_change(content, received_at)
        case pagerduty_webhooks.RESOURCE:
            return pagerduty_webhooks.read(content, received_at)
        case jira_webhooks.RESOURCE:
            return jira_webhooks.read(content, received_at)
    return None


def read_change(content: Object, received_at: datetime) -> Alert:
    """What somebody did to an incident, as storage/incident_desk.py writes it."""
    action = text(content.get("change")) or ""
    who, where = text(content.get("who")), text(content.get("where")) or "a place without a name"
    acknowledged = {Change.ACKNOWLEDGED: True, Change.UNACKNOWLEDGED: False}
    return Alert(
        resource="change",
        action=action,
        status=Status.RESOLVED if action == Change.RESOLVED else Status.UNCHANGED,
        category=Category.OTHER,
        level=Level.INFO,
        title=f"{action.capitalize() or 'Changed'} by {who or 'somebody'} in {where}"[:1000],
        received_at=received_at,
        occurred_at=received_at,
        actor=who,
        incident=text(content.get("incident")),
        origin=where,
        silenced_until=_silenced_until(content, received_at) if action == Change.SILENCED else None,
        place=text(content.get("place")),
        assigns_to=who if action == Change.ASSIGNED else None,
        acknowledged=next((truth for change, truth in acknowledged.items() if change == action), None),
        reopens=action == Change.REOPENED,
        asks=action == Change.ASKED,
        payload=content,
    )


def read_silence(content: Object, received_at: datetime) -> Alert:
    """A reminder of a silence, as storage/silences.py writes it. All of one silence belong to one incident."""
    name, author = content.get("silence"), text(content.get("author")) or "somebody"
    comment, words = (text(content.get(key)) or "" for key in ("comment", "words"))
    return Alert(
        resource="silence",
        action="reminder",
        status=Status.FIRING,
        category=Category.OTHER,
        level=Level.INFO,
        title=f"Silence {name} by {author}: {comment}"[:1000],
        text=f"It {words}",
        culprit=" OR ".join(matcher for matcher in map(text, sequence(content.get("matchers"))) if matcher)[:200] or None,
        received_at=received_at,
        occurred_at=received_at,
        payload=content,
    )


def _silenced_until(content: Object, received_at: datetime) -> datetime:
    hours = whole(content.get("hours"))
    return UNTIL_ITS_END if hours is None else received_at + timedelta(hours=min(max(hours, 0), MAX_HOURS))
