"""What events say by themselves, and what is known of them besides before anything is decided: whom they are about, what others say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from routing import sentry
from routing.alert import Alert
from routing.announcement import GROUP
from routing.echo import is_echo
from routing.findings import Findings, enriched
from routing.fingerprint import content_key, incident_key
from routing.own_events import of_member
from routing.plan import Disposition
from routing.rules import RuleSet
from storage.answers import answer
from storage.events import Event
from storage.told import Standing, known_as, members

Inquire: TypeAlias = Callable[[Sequence[Alert], RuleSet], Sequence[Findings | None]]
"""For each alert what others say of it; None: nobody has to be asked. Raises nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an event says by itself; without an alert, or with a disposition, why it is not to be decided."""

    event: Event
    alert: Alert | None = None
    incident_key: str = ""
    content_key: str | None = None
    disposition: Disposition | None = None
    error: str | None = None
    follows: tuple[Event, ...] = ()
    """What it says of each incident of a group; none of them has a number yet."""


def read(event: Event) -> Reading:
    """What an event says. Raises nothing."""
    try:
        alert = sentry.parse(event.resource, event.body, event.received_at, findings=event.findings)
        return Reading(event=event, alert=alert, incident_key=incident_key(alert), content_key=content_key(alert))
    except sentry.UnreadableAlert as error:
        return Reading(event=event, disposition=Disposition.UNREADABLE, error=str(error))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the events behind this one
        return Reading(event=event, error=in_words("parse", error))


def recognize(connection: Connection, readings: Sequence[Reading]) -> list[Reading]:
    """With what is stored of those they are about: the incidents that a vendor calls by its own names, and the answers to who asks."""
    names = {one.event.id: (one.alert.resource, one.alert.reference or "") for one in readings if one.alert and _is_of_vendor(one.alert)}
    standing = known_as(connection, tuple(names.values())) if names else {}
    return [_known(connection, one, standing.get(names[one.event.id]) if one.event.id in names else None) for one in readings]


def find_out(readings: Sequence[Reading], inquire: Inquire, rules: RuleSet) -> list[Reading]:
    """With what others say of the alerts that do not say it themselves. They are asked once: the same decides the same."""
    open_ = [one for one in readings if one.alert and one.disposition is None and one.event.findings is None]
    findings = inquire([one.alert for one in open_ if one.alert], rules) if open_ else ()
    found = {one.event.id: said for one, said in zip(open_, findings, strict=True) if said}
    return [_with(one, found[one.event.id]) if one.event.id in found else one for one in readings]


def in_words(step: str, error: Exception) -> str:
    """What went wrong, as it is kept with the event."""
    return f"{step}: {type(error).__name__}: {error}"[:500]


def _is_of_vendor(alert: Alert) -> bool:
    """Whether the incident has to be known by what a vendor calls it."""
    return not alert.is_of_sentry and alert.incident is None


def _known(connection: Connection, reading: Reading, standing: Standing | None) -> Reading:
    try:
        is_of_vendor = reading.alert is not None and _is_of_vendor(reading.alert)
        return _answered(connection, _recognized(connection, reading, standing) if is_of_vendor else reading)
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the events behind this one
        return replace(reading, alert=None, error=in_words("recognize", error))


def _recognized(connection: Connection, reading: Reading, standing: Standing | None) -> Reading:
    alert = reading.alert
    if alert is None or standing is None:
        return replace(reading, disposition=Disposition.NOTED)
    if is_echo(alert, standing.told):
        return replace(reading, disposition=Disposition.ECHO)
    if standing.subject.startswith(GROUP):
        event = reading.event
        bodies = (of_member(event.body, key, standing.place) for key in members(connection, standing))
        return replace(reading, disposition=Disposition.NOTED, follows=tuple(replace(event, id=0, body=body) for body in bodies))
    return replace(reading, alert=replace(alert, incident=standing.incident, place=standing.place), incident_key=standing.incident)


def _answered(connection: Connection, reading: Reading) -> Reading:
    alert = reading.alert
    if alert is None or not alert.asks or alert.incident is None:
        return reading
    return replace(reading, alert=replace(alert, text=answer(connection, alert.incident)))


def _with(reading: Reading, findings: Findings) -> Reading:
    alert = enriched(reading.alert, findings) if reading.alert else None
    return replace(reading, alert=alert, event=replace(reading.event, findings=findings))
