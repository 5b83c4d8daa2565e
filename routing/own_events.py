"""Events of the router itself, which go the way of every alert: rules decide who is told of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from routing.alert import Alert, Category, Level, Status
from routing.payload import Object, sequence, text

SILENCE = "router:silence"
"""A reminder of a silence. No webhook has such a resource: app.py takes no colon in one."""
CHANGE = "router:change"
"""What somebody did to an incident in a place other than Sentry."""

RESOURCES = frozenset({"silence", "change"})
"""As rules ask for them: `resource:silence`."""


class Change(StrEnum):
    """What people do to incidents."""

    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    """Given back, or forgotten for too long."""
    RESOLVED = "resolved"


def read(resource: str, content: Object, received_at: datetime) -> Alert | None:
    """An event of ours; None if it is none."""
    match resource:
        case "router:silence":
            return read_silence(content, received_at)
        case "router:change":
            return read_change(content, received_at)
    return None


def read_change(content: Object, received_at: datetime) -> Alert:
    """What somebody did to an incident, as storage/incident_desk.py writes it."""
    action = text(content.get("change")) or ""
    acknowledged = {Change.ACKNOWLEDGED: True, Change.UNACKNOWLEDGED: False}
    return Alert(
        resource="change",
        action=action,
        status=Status.RESOLVED if action == Change.RESOLVED else Status.UNCHANGED,
        category=Category.OTHER,
        level=Level.INFO,
        title=(text(content.get("title")) or "(no title)")[:1000],
        received_at=received_at,
        occurred_at=received_at,
        project=text(content.get("project")),
        link=text(content.get("link")),
        actor=text(content.get("who")),
        incident=text(content.get("incident")),
        origin=text(content.get("where")) or "somewhere",
        place=text(content.get("place")),
        acknowledged=next((truth for change, truth in acknowledged.items() if change == action), None),
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
