"""Incidents: which there are."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, abort, render_template, request

from routing.alert import Status
from routing.durations import read_moment
from storage import incident_desk
from storage.incident_desk import ListedIncident
from storage.users import Role
from web.access import needs
from web.asked import here, page_of
from web.desk import desk

PAGE = 50
ALL = "all"
STATES = (Status.FIRING.value, Status.RESOLVED.value, Status.ARCHIVED.value, ALL)


def add_incidents(console: Blueprint) -> None:
    """The list."""

    @console.get("/incidents")
    @needs(Role.VIEWER)
    def incidents() -> str:
        wanted = request.args.get("status", Status.FIRING.value)
        if wanted not in STATES:
            abort(400, f"status is one of {', '.join(STATES)}")
        status = None if wanted == ALL else Status(wanted)
        found = incident_desk.listed(desk().engine, status=status, limit=PAGE + 1, before=_before())
        shown, following = page_of(found, PAGE, _cursor)
        filters = [(one, here(status=one, before=None), one == wanted) for one in STATES]
        return render_template("incidents.html", incidents=shown, following=following, filters=filters, wanted=wanted)


def _cursor(one: ListedIncident) -> str:
    return f"{one.last_alert_at.isoformat()}_{one.id}"


def _before() -> tuple[datetime, int] | None:
    """After which incident the list goes on."""
    text = request.args.get("before", "")
    if not text:
        return None
    at, _, number = text.partition("_")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        abort(400, "before is a time and the number of an incident")
    try:
        return read_moment(at), int(number)
    except ValueError as error:
        abort(400, f"before is {error}")
