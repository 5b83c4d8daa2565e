"""Incidents as operators see them, and what they do to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

import msgspec
from sqlalchemy import Engine, and_, insert, or_, select
from sqlalchemy.sql.elements import ColumnElement

from routing.alert import Status
from routing.announcement import Quiet
from routing.incident import Timer, Turn
from routing.notification import Mention, Numbers
from routing.own_events import CHANGE, Change
from storage import incidents as incidents_
from storage.events import EventState, pack
from storage.tables import events, incident_turns, incidents, notifications


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """Who does something, and where."""

    name: str | None
    where: str
    """As people call the place: `Slack`."""
    place: str | None = None
    """The destination of ours at which it was done, as `Receiver.place` spells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedIncident:
    """An incident as operators see it."""

    id: int
    key: str
    status: Status
    acknowledged_by: str | None
    assigned: bool
    title: str
    project: str | None
    alert_count: int
    first_alert_at: datetime
    last_alert_at: datetime

    @property
    def state(self) -> str:
        """What it has come to, in a word."""
        return "acknowledged" if self.acknowledged_by and self.status is Status.FIRING else self.status.value


@dataclass(frozen=True, slots=True, kw_only=True)
class LivedTurn:
    """Something that became of an incident."""

    turn: Turn
    how: str
    """In what way, as far as Sentry says it."""
    at: datetime
    who: str | None
    origin: str
    """Where it happened, as people call the place."""
    event_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that is known of an incident."""

    incident: ListedIncident
    turns: tuple[LivedTurn, ...]
    """Oldest first."""
    numbers: Numbers
    seen_in: tuple[str, ...]
    """Releases and environments, as `release:4.2.0`."""
    announced_to: tuple[str, ...]
    """The receivers that are told how it ends."""
    links: Mapping[str, str]
    """By the place where it is seen, too."""
    quiet: Quiet | None
    """That somebody wants to hear nothing of it for a time."""
    timers: tuple[Timer, ...]
    """When rules come back to it by themselves, the next one first."""


def listed(engine: Engine, *, status: Status | None, limit: int, before: tuple[datetime, int] | None = None) -> tuple[ListedIncident, ...]:
    """Incidents, those with the latest alert first; those that come after one, by its latest alert and number."""
    query = select(*_COLUMNS).order_by(incidents.c.last_alert_at.desc(), incidents.c.id.desc()).limit(limit)
    if status:
        query = query.where(incidents.c.status == status)
    if before:
        at, id_ = before
        # The first half by itself is what the indexes of this order are good for.
        query = query.where(incidents.c.last_alert_at <= at, or_(incidents.c.last_alert_at < at, incidents.c.id < id_))
    with engine.connect() as connection:
        return tuple(ListedIncident(**{**row._asdict(), "status": Status(row.status)}) for row in connection.execute(query))


def told_beside(engine: Engine, notification_id: int) -> tuple[ListedIncident, ...]:
    """The further incidents of which a notification tells, in its order, as they are now."""
    with engine.connect() as connection:
        others = connection.execute(select(notifications.c.others).where(notifications.c.id == notification_id)).scalar()
        keys = [one.incident for one in msgspec.json.decode(others, type=list[Mention])] if others else []
        rows = connection.execute(select(*_COLUMNS).where(incidents.c.key.in_(keys))) if keys else ()
        found = {row.key: ListedIncident(**{**row._asdict(), "status": Status(row.status)}) for row in rows}
    return tuple(found[key] for key in keys if key in found)


def life(engine: Engine, name: str) -> Life | None:
    """An incident by its number or key, with all that is known of it; None if there is none."""
    with engine.connect() as connection:
        found = connection.execute(select(*_COLUMNS).where(_is_it(name))).first()
        if found is None:
            return None
        turns = select(*_COLUMNS_OF_TURNS).where(incident_turns.c.incident_id == found.id).order_by(incident_turns.c.id)
        lived = tuple(LivedTurn(**{**row._asdict(), "turn": Turn(row.turn)}) for row in connection.execute(turns))
        [kept] = incidents_.by_id(connection, [found.id]).values()
    known = kept.incident
    return Life(
        incident=ListedIncident(**{**found._asdict(), "status": Status(found.status)}),
        turns=lived,
        numbers=known.numbers,
        seen_in=tuple(sorted(known.seen_in)),
        announced_to=tuple(sorted(one.receiver for one in known.announced.values())),
        links=known.links,
        quiet=known.quiet,
        timers=tuple(sorted(known.timers.values(), key=lambda one: (one.due_at, one.rule, one.step))),
    )


def change(engine: Engine, name: str, what: Change, by: Somebody, now: datetime, *, hours: int | None = None) -> str | None:
    """Take in what somebody did to an incident that fires, by its number or key; its key, None if no such incident fires.

    It is an event like any other: durable from here on, decided in its order, and told where it is shown. Only what is over is
    reopened. Of `SILENCED` the hours say for how long; None: until its end.
    """
    fires = incidents.c.status == Status.FIRING
    with engine.begin() as connection:
        is_fit = ~fires if what is Change.REOPENED else fires
        key = connection.execute(select(incidents.c.key).where(and_(_is_it(name), is_fit))).scalar()
        if key is None:
            return None
        body = {"change": what, "incident": key, "who": by.name, "where": by.where, "place": by.place, "hours": hours}
        row = {"received_at": now, "resource": CHANGE, "body": pack(msgspec.json.encode(body)), "state": EventState.WAITING}
        connection.execute(insert(events), row)
    return str(key)


def _is_it(name: str) -> ColumnElement[bool]:
    if name.isdecimal() and len(name) < 19:
        return or_(incidents.c.key == name, incidents.c.id == int(name))
    return incidents.c.key == name


_COLUMNS_OF_TURNS = tuple(incident_turns.c[field.name] for field in fields(LivedTurn))
_COLUMNS = tuple(incidents.c[field.name] for field in fields(ListedIncident))
