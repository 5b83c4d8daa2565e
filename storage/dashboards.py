"""What dashboards are made of: the newest alerts of a time, and what became of incidents in it. Counts nothing itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine, func, null, select

from routing.alert import Category, Status
from routing.incident import Turn
from routing.plan import Disposition
from storage.tables import events, incident_turns, incidents

MOST = 10_000
"""So many of the newest events of a time are looked at, and turns of incidents, however many there are."""
_COUNTED = (Disposition.MATCHED, Disposition.UNROUTED)
"""Alerts that fire: no noise, no duplicates, nothing that only says how an incident went on."""

COUNTED_BY = ("incident_id", "category", "error_type", "person", "release", "endpoint", "duration_ms", "database_ms")
"""What may be wanted of an alert, as `Happened` has it."""


class Happened(NamedTuple):
    """An alert, by what dashboards count."""

    id: int
    at: datetime
    counts: bool | None
    """Whether it fires, and is no noise and no duplicate."""
    environment: str | None
    incident_id: int | None
    category: str | None
    error_type: str | None
    person: str | None
    """Whom it happened to."""
    release: str | None
    endpoint: str | None
    duration_ms: float | None
    database_ms: float | None

    @property
    def is_error(self) -> bool:
        """As opposed to a slow transaction, or a number that was too high."""
        return self.category == Category.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was looked at."""

    alerts: tuple[Happened, ...]
    """Newest first."""
    environments: tuple[str, ...]
    """Of all that was looked at."""
    since: datetime
    """When the oldest event that was looked at came, if there were more; else since when was asked."""
    until: datetime
    are_all: bool


class Turned(NamedTuple):
    """Something became of an incident."""

    at: datetime
    turn: Turn


class Named(NamedTuple):
    """An incident, for a line of a table."""

    title: str
    status: Status
    project: str | None


def look(
    engine: Engine, since: datetime, until: datetime, environment: str | None = None, *, wanted: Collection[str] = COUNTED_BY
) -> Looked:
    """The alerts of a time, in an environment or in all, among the newest events.

    Of what dashboards count by only what is wanted is read, because twenty thousand texts of each take their time; the rest is None.
    """
    # By ix_events_received_at from its end, and never more rows than that: what is wanted of them is sorted out here, because
    # a database that looked for a rare environment would look through all that ever came.
    query = (
        select(*_ALWAYS, *(events.c[name] if name in wanted else null() for name in COUNTED_BY))
        .where(events.c.received_at > since, events.c.received_at <= until)
        .order_by(events.c.received_at.desc(), events.c.id.desc())
        .limit(MOST + 1)
    )
    with engine.connect() as connection:
        # All at once: one by one they take twice as long.
        rows = [Happened._make(row) for row in connection.execute(query).all()]
    are_all, rows = len(rows) <= MOST, rows[:MOST]
    counted = [one for one in rows if one.counts]
    return Looked(
        alerts=tuple(one for one in counted if not environment or one.environment == environment),
        environments=tuple(sorted({one.environment for one in counted if one.environment})),
        since=since if are_all else rows[-1].at,
        until=until,
        are_all=are_all,
    )


def turned(engine: Engine, since: datetime) -> tuple[Turned, ...]:
    """What became of incidents since then, among the newest turns; newest first."""
    # By the primary key: turns are stored in the order in which they are decided.
    newest = select(incident_turns.c.at, incident_turns.c.turn).order_by(incident_turns.c.id.desc()).limit(MOST).subquery()
    with engine.connect() as connection:
        rows = connection.execute(select(newest.c.at, newest.c.turn).where(newest.c.at > since).order_by(newest.c.at.desc()))
        return tuple(Turned(at, _TURNS[turn]) for at, turn in rows.all())


def firing(engine: Engine) -> int:
    """How many incidents fire now."""
    with engine.connect() as connection:
        query = select(func.count()).select_from(incidents).where(incidents.c.status == Status.FIRING)
        return connection.execute(query).scalar_one()


def begun(engine: Engine, since: datetime) -> frozenset[int]:
    """The incidents that had their first alert since then, among those with the newest alerts."""
    # By ix_incidents_last_alert_at: whatever has begun since then has had its last alert since then, too.
    query = (
        select(incidents.c.id, incidents.c.first_alert_at)
        .where(incidents.c.last_alert_at > since)
        .order_by(incidents.c.last_alert_at.desc(), incidents.c.id.desc())
        .limit(MOST)
    )
    with engine.connect() as connection:
        return frozenset(row.id for row in connection.execute(query) if row.first_alert_at > since)


def named(engine: Engine, ids: Iterable[int]) -> Mapping[int, Named]:
    """The incidents of a few numbers."""
    wanted = list(ids)
    query = select(incidents.c.id, incidents.c.title, incidents.c.status, incidents.c.project).where(incidents.c.id.in_(wanted))
    with engine.connect() as connection:
        return {row.id: Named(row.title, Status(row.status), row.project) for row in connection.execute(query)} if wanted else {}


def person_of(engine: Engine, event_id: int) -> str | None:
    """Whom an event happened to: so no address of a page has to name anybody."""
    with engine.connect() as connection:
        return connection.execute(select(events.c.person).where(events.c.id == event_id)).scalar()


def titles(engine: Engine, ids: Iterable[int]) -> Mapping[int, str]:
    """Those of a few events, by number."""
    wanted = list(ids)
    with engine.connect() as connection:
        rows = connection.execute(select(events.c.id, events.c.title).where(events.c.id.in_(wanted))) if wanted else ()
        return {row.id: row.title or "" for row in rows}


_TURNS = {turn.value: turn for turn in Turn}
_ALWAYS = (events.c.id, events.c.received_at, events.c.disposition.in_(_COUNTED), events.c.environment)
