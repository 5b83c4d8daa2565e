"""How values read on a page."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask
from markupsafe import Markup

from web.alert_masking import visible_reason
from web.drawn import drawn
from web.personal import visible_answer, visible_title

COLOURS = {
    "critical": "danger",
    "warning": "warning",
    "info": "info",
    "firing": "danger",
    "acknowledged": "warning",
    "resolved": "success",
    "archived": "secondary",
    "sent": "success",
    "held": "secondary",
    "dead": "danger",
    "planned": "info",
    "sending": "primary",
    "waiting": "info",
    "failed": "danger",
    "fatal": "danger",
    "error": "danger",
    "debug": "secondary",
    "active": "success",
    "pending": "info",
    "expired": "secondary",
    "admin": "primary",
    "operator": "info",
    "viewer": "secondary",
}
"""Bootstrap's, by what is said; what is not here is grey."""
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def add_wording(app: Flask) -> None:
    """Give templates filters: how values read, and what of them whoever asks may see."""
    app.template_filter("at")(at)
    app.template_filter("ago")(ago)
    app.template_filter("badge")(badge)
    app.template_filter("number")(number)
    app.template_filter("in_bytes")(in_bytes)
    app.template_filter("why")(visible_reason)
    app.template_filter("visible_title")(visible_title)
    app.template_filter("visible_answer")(visible_answer)
    app.template_filter("drawn")(lambda payload, kind: drawn(kind, payload))


def at(moment: datetime | None) -> Markup:
    """A time in UTC, which scripts show in the reader's own zone as a tooltip."""
    if moment is None:
        return Markup('<span class="text-body-secondary">never</span>')
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(timespec="seconds"), f"{utc:%Y-%m-%d %H:%M:%S}")


def ago(moment: datetime | None, now: datetime) -> Markup:
    """How long ago that was, or how long until it is."""
    if moment is None:
        return at(None)
    utc = moment.astimezone(UTC)
    words = span((now - moment).total_seconds())
    said = f"{words} ago" if now >= moment else f"in {words}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        utc.isoformat(timespec="seconds"), f"{utc:%Y-%m-%d %H:%M:%S} UTC", said
    )


def span(seconds: float) -> str:
    """A duration in its largest unit."""
    size = abs(seconds)
    return next((f"{size / unit:.0f} {name}" for unit, name in _UNITS if size >= unit), f"{size:.0f} s")


def badge(word: object) -> Markup:
    """A word in its colour."""
    text = str(word)
    return Markup('<span class="badge text-bg-{}">{}</span>').format(COLOURS.get(text, "secondary"), text)


def number(value: float | None) -> str:
    """A number with its thousands apart."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:,.1f}"


def in_bytes(value: int | None) -> str:
    """In the largest unit of which it has one; what nobody knows is `unknown`."""
    if value is None:
        return "unknown"
    for unit, size in _SIZES:
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value} bytes"


_SIZES = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
