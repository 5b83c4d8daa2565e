"""What goes on now, in numbers: what fires, what the last hour brought, how each receiver does, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, bindparam, case, func, literal, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from routing.alert import Status
from routing.notification import Reason, Severity, State
from storage import fallbacks, gates, incident_desk, rules_versions, workers
from storage.events import EventState, is_yet
from storage.gates import Closed
from storage.incident_desk import ListedIncident
from storage.tables import UtcDateTime, announcements, events, incidents, notifications
from storage.tables import workers as workers_table
from storage.workers import steady

MOST_FIRING = 10_000
"""So many of what fires are counted, the newest."""
LATELY = 20_000
"""Among so many of the newest messages it is looked first for the last one of each receiver."""
LATEST = 10
"""So many of what fires are named."""
STEPS = 12
"""Parts of the time that is looked at."""
_RANKS = {severity: severity.rank for severity in Severity}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How many there were in each part of a time, the oldest first."""

    events: tuple[int, ...]
    sent: tuple[int, ...]
    held: tuple[int, ...]
    dead: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a receiver does."""

    receiver: str
    last_sent_at: datetime | None
    last_dead_at: datetime | None
    waiting: int
    oldest: datetime | None
    """Since when the first of those waits."""
    closed: Closed | None
    """That it is told nothing for now, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All of it, as it was at one moment."""

    firing: Mapping[Severity | None, int]
    """The newest incidents by the worst severity under which they were announced; None: announced to nobody."""
    latest: tuple[ListedIncident, ...]
    course: Course
    receivers: tuple[Health, ...]
    workers: int
    """How many live."""
    waiting_since: datetime | None
    """When the oldest event came that is not planned."""
    failed: int
    """Events that could not be planned."""
    dead: int
    """Notifications of the last day that were given up, and told nobody else instead."""
    rules_version: str | None
    rules_at: datetime | None


def overview(engine: Engine, receivers: Sequence[str], now: datetime, *, span: timedelta = timedelta(hours=1)) -> Overview:
    """As it is now, with these receivers beside those that were told anything lately."""
    with engine.connect() as connection:
        rules = next(iter(rules_versions.listed(engine, limit=1)), None)
        return Overview(
            firing=_firing(connection),
            latest=incident_desk.listed(engine, status=Status.FIRING, limit=LATEST),
            course=_course(connection, now, span),
            receivers=health(engine, receivers, now),
            workers=connection.execute(
                select(func.count()).select_from(workers_table).where(workers.lives(engine, workers_table.c.id, steady()))
            ).scalar_one(),
            waiting_since=connection.execute(_WAITING).scalar(),
            failed=connection.execute(select(func.count()).select_from(events).where(is_yet(EventState.FAILED))).scalar_one(),
            dead=connection.execute(_dead_since(now - timedelta(days=1))).scalar_one(),
            rules_version=rules.version if rules else None,
            rules_at=rules.in_force_at if rules else None,
        )


def _firing(connection: Connection) -> dict[Severity | None, int]:
    newest = incidents.c.last_alert_at.desc(), incidents.c.id.desc()
    firing = select(incidents.c.id).where(incidents.c.status == Status.FIRING).order_by(*newest).limit(MOST_FIRING).subquery()
    worst = (
        select(firing.c.id, func.min(case(_RANKS, value=announcements.c.severity)).label("rank"))
        .outerjoin(announcements, announcements.c.incident_id == firing.c.id)
        .group_by(firing.c.id)
        .subquery()
    )
    found = {row.rank: row.number for row in connection.execute(select(worst.c.rank, func.count().label("number")).group_by(worst.c.rank))}
    return {**{severity: found.get(severity.rank, 0) for severity in Severity}, None: found.get(None, 0)}


def _course(connection: Connection, now: datetime, span: timedelta) -> Course:
    came = _counts(connection, events.c.received_at, now, span)
    states = ((notifications.c.state == State.SENT), (notifications.c.state == State.HELD), (notifications.c.state == State.DEAD))
    sent, held, dead = (_counts(connection, notifications.c.created_at, now, span, state) for state in states)
    return Course(events=came, sent=sent, held=held, dead=dead)


def _counts(
    connection: Connection, at: ColumnElement[datetime], now: datetime, span: timedelta, *which: ColumnElement[bool]
) -> tuple[int, ...]:
    edges = [now - span + span / STEPS * number for number in range(STEPS + 1)]
    parts = [func.sum(case((and_(at > begin, at <= end), 1), else_=0)) for begin, end in pairwise(edges)]
    row = connection.execute(select(*parts).where(at > edges[0], at <= now, *which)).one()
    return tuple(int(count or 0) for count in row)


def health(engine: Engine, receivers: Sequence[str], now: datetime, *, lately: int = LATELY) -> tuple[Health, ...]:
    """How these receivers do, and those for which something waits or that are closed. `lately` only says where it is looked first."""
    closed = {one.receiver: one for one in gates.closed(engine, now)}
    with engine.connect() as connection:
        waiting = {row.receiver: row for row in connection.execute(_QUEUES)}
        names = list(dict.fromkeys((*receivers, *waiting, *closed)))
        last = _last(connection, names, lately)
    return tuple(
        Health(
            receiver=name,
            last_sent_at=last[name, State.SENT],
            last_dead_at=last[name, State.DEAD],
            waiting=waiting[name].number if name in waiting else 0,
            oldest=waiting[name].oldest if name in waiting else None,
            closed=closed.get(name),
        )
        for name in names
    )


def _last(connection: Connection, names: Sequence[str], lately: int) -> dict[tuple[str, State], datetime | None]:
    """By receiver and state when the last message came to it: of most receivers that is among the newest messages of all.

    To ask for the newest of one receiver has PostgreSQL go back through all messages until it meets one, and there may be none.
    """
    found: dict[tuple[str, State], datetime | None] = {
        (row.receiver, State(row.state)): row.at for row in connection.execute(_LATELY, {"lately": lately}) if row.state in _ENDED
    }
    rest = [(name, state) for name in names for state in _ENDED if (name, state) not in found]
    if rest:
        rows = connection.execute(union_all(*(_ever(name, state) for name, state in rest)))
        found |= {(row.receiver, State(row.state)): row.at for row in rows}
    return found


def _ever(name: str, state: State) -> Select[str, str, Any]:
    of_it = (notifications.c.receiver == name, notifications.c.state == state)
    last = func.max(notifications.c.finished_at, type_=UtcDateTime()).label("at")
    return select(literal(name).label("receiver"), literal(state.value).label("state"), last).where(*of_it)


def _dead_since(since: datetime) -> Select[int]:
    return select(func.count()).select_from(notifications).where(fallbacks.told_nobody(), notifications.c.created_at > since)


_ENDED = (State.SENT, State.DEAD)
_NEWEST = (
    select(notifications.c.receiver, notifications.c.state, notifications.c.finished_at)
    .order_by(notifications.c.id.desc())
    .limit(bindparam("lately"))
    .subquery()
)
_LATELY = select(_NEWEST.c.receiver, _NEWEST.c.state, func.max(_NEWEST.c.finished_at, type_=UtcDateTime()).label("at")).group_by(
    _NEWEST.c.receiver, _NEWEST.c.state
)
_WAITING = select(events.c.received_at).where(is_yet(EventState.WAITING)).order_by(events.c.id).limit(1)
_QUEUES = (
    select(notifications.c.receiver, func.count().label("number"), func.min(notifications.c.created_at).label("oldest"))
    .where(notifications.c.state.in_((State.PLANNED, State.SENDING)), notifications.c.reason != Reason.UPDATED)
    .group_by(notifications.c.receiver)
)
