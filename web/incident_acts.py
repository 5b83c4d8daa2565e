"""What somebody does to an incident, from whichever page or program: kept, written down, and made known to the workers."""

from __future__ import annotations

from collections.abc import Callable

from routing.own_events import Change
from storage import incident_desk
from storage.queue import PLAN
from web.access import note, somebody
from web.desk import desk

CONSOLE, API = "the console", "the API"
"""Where it was done, as people call the place."""


def act_on(id_: int, what: Change, *, where: str, act: str, hours: int | None = None, detail: Callable[[str], str] = str) -> str | None:
    """Do it by whoever asks; the incident's key, None if it is not such that this can be done.

    Args:
        id_: the incident's number.
        what: what is done.
        where: `CONSOLE` or `API`.
        act: what it is called in the audit: `acknowledge`.
        hours: for how long, of what is done for a time.
        detail: what else the audit says, given the incident's key; that key if left out.
    """
    by = incident_desk.Somebody(name=somebody().name, where=where)
    key = incident_desk.change(desk().engine, str(id_), what, by, desk().clock(), hours=hours)
    if key is not None:
        note(f"incident.{act}", f"incident {id_}", detail(key))
        desk().ring(PLAN)
    return key
