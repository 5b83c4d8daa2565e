"""Events of the router itself, which go the way of every alert: rules decide who is told of them."""

from __future__ import annotations

from datetime import datetime

from routing.alert import Alert, Category, Level, Status
from routing.payload import Object, sequence, text

SILENCE = "router:silence"
"""A reminder of a silence. No webhook has such a resource: app.py takes no colon in one."""

RESOURCES = frozenset({"silence"})
"""As rules ask for them: `resource:silence`."""


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
