"""What operators look at: events with their traces, notifications with their attempts. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, CompoundSelect, Engine, Row, and_, func, select, union_all

from routing.notification import Outcome, Reason, Severity, State
from routing.plan import Disposition, RuleTrace
from storage.events import EventState, unpack_trace
from storage.notifications import planned_between
from storage.tables import attempts, events, incidents, notifications


class NoSuchEventError(LookupError):
    """No event has this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An event as operators see it."""

    id: int
    received_at: datetime
    resource: str
    action: str | None
    project: str | None
    environment: str | None
    title: str | None
    state: EventState
    disposition: Disposition | None
    duplicate_of: int | None
    ignored_by: str | None
    """The entry of `ignore` that it met, and by what."""
    error: str | None
    rules_version: str | None
    trace: tuple[RuleTrace, ...]
    pruned_at: datetime | None
    """When its body was deleted for its age."""

    @property
    def is_decided(self) -> bool:
        """Whether the planner has looked at it."""
        return self.state is not EventState.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A notification as operators see it."""

    id: int
    event_id: int
    incident_id: int
    incident: str
    """Its key."""
    receiver: str
    kind: str
    rules: tuple[str, ...]
    severity: Severity
    reason: Reason
    why: str
    state: State
    created_at: datetime
    next_attempt_at: datetime
    finished_at: datetime | None
    attempts: int
    link: str | None
    """Where people see it at the vendor, as that has said."""
    last_excerpt: str
    last_payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An attempt as operators see it."""

    number: int
    began_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    """None while it is under way."""
    status_code: int | None
    excerpt: str
    payload: str


def find_event(engine: Engine, event_id: int) -> Shown:
    """One event with its trace.

    Raises:
        NoSuchEventError: there is none of this number.
    """
    with engine.connect() as connection:
        row = connection.execute(select(*_SHOWN).where(events.c.id == event_id)).first()
    if row is None:
        raise NoSuchEventError(f"there is no event {event_id}")
    disposition = Disposition(row.disposition) if row.disposition else None
    return Shown(**{**row._asdict(), "state": EventState(row.state), "disposition": disposition, "trace": unpack_trace(row.trace)})


def newest(engine: Engine, limit: int) -> Mapping[int, str]:
    """The titles of the events that came last, by number; those of which nothing could be read are left out."""
    query = select(events.c.id, events.c.title).order_by(events.c.id.desc()).limit(limit)
    with engine.connect() as connection:
        return {row.id: row.title for row in connection.execute(query) if row.title}


def listed(
    engine: Engine,
    *,
    id: int | None = None,  # noqa: A002 - the name that a notification's number has everywhere
    state: State | None = None,
    event_id: int | None = None,
    incident_id: int | None = None,
    receiver: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
    oldest_first: bool = False,
) -> tuple[Listed, ...]:
    """Notifications, newest first, with the end of their last attempt; `since` and `until` are about when they were planned.

    With `before`: those that come after the one of this number.
    """
    last = and_(attempts.c.notification_id == notifications.c.id, attempts.c.number == notifications.c.attempts)
    query = (
        select(notifications, incidents.c.key, attempts.c.excerpt, attempts.c.payload)
        .join(incidents, incidents.c.id == notifications.c.incident_id)
        .outerjoin(attempts, last)
        .order_by(notifications.c.id.asc() if oldest_first else notifications.c.id.desc())
        .limit(limit)
    )
    columns = notifications.c
    about = ((columns.event_id, event_id), (columns.incident_id, incident_id), (columns.receiver, receiver))
    wanted = ((columns.id, id), (columns.state, state), *about)
    query = query.where(*(column == value for column, value in wanted if value is not None), *planned_between(since, until))
    query = query.where(*_numbered_between(since, until), *([columns.id < before] if before is not None else []))
    if receiver is not None and state is None:
        # The index of a receiver has them by state: of each the newest, for there may be a million.
        query = query.where(columns.id.in_(_newest_of_each_state(receiver, before, limit, since, until)))
    with engine.connect() as connection:
        return tuple(_listed(row) for row in connection.execute(query))


def ignored(engine: Engine) -> Mapping[str, int]:
    """By entry of `ignore` how many events met it, the most first."""
    with engine.connect() as connection:
        rows = connection.execute(
            select(events.c.ignored_by, func.count()).where(events.c.disposition == Disposition.IGNORED).group_by(events.c.ignored_by)
        )
        counts: Counter[str] = Counter()
        for ignored_by, count in rows:
            counts[str(ignored_by).partition(":")[0]] += count
    return dict(counts.most_common())


def tried(engine: Engine, notification_id: int) -> tuple[Tried, ...]:
    """The attempts to deliver a notification, the first one first."""
    query = select(attempts).where(attempts.c.notification_id == notification_id).order_by(attempts.c.number)
    with engine.connect() as connection:
        return tuple(_tried(row) for row in connection.execute(query))


def tried_each(engine: Engine, notification_ids: Collection[int]) -> Mapping[int, tuple[Tried, ...]]:
    """The same of several notifications, by their numbers."""
    query = select(attempts).where(attempts.c.notification_id.in_(notification_ids))
    found: dict[int, list[Tried]] = {}
    with engine.connect() as connection:
        for row in connection.execute(query.order_by(attempts.c.notification_id, attempts.c.number)):
            found.setdefault(row.notification_id, []).append(_tried(row))
    return {id_: tuple(some) for id_, some in found.items()}


def count_by_state(engine: Engine) -> Mapping[State, int]:
    """How many notifications are in each state."""
    with engine.connect() as connection:
        rows = connection.execute(select(notifications.c.state, func.count()).group_by(notifications.c.state))
        return {State(state): count for state, count in rows}


def _newest_of_each_state(
    receiver: str, before: int | None, limit: int, since: datetime | None, until: datetime | None
) -> CompoundSelect[int]:
    columns = notifications.c
    narrowed = [*planned_between(since, until), *_numbered_between(since, until), *([columns.id < before] if before is not None else [])]
    newest = [
        select(columns.id).where(columns.receiver == receiver, columns.state == state, *narrowed).order_by(columns.id.desc()).limit(limit)
        for state in State
    ]
    return union_all(*(select(one.subquery().c.id) for one in newest))


def _numbered_between(since: datetime | None, until: datetime | None) -> Iterator[ColumnElement[bool]]:
    """They are numbered in the order in which they are planned: whoever wants those of a time need not look at all later ones.

    Only a clock that was put back makes numbers and times disagree, and then about a few at the edges.
    """
    columns = notifications.c
    if since is not None:
        first = select(columns.id).where(columns.created_at >= since).order_by(columns.created_at, columns.id).limit(1)
        yield columns.id >= first.scalar_subquery()
    if until is not None:
        last = select(columns.id).where(columns.created_at < until).order_by(columns.created_at.desc(), columns.id.desc()).limit(1)
        yield columns.id <= last.scalar_subquery()


def _listed(row: Row[tuple[object, ...]]) -> Listed:
    return Listed(
        id=row.id,
        event_id=row.event_id,
        incident_id=row.incident_id,
        incident=row.key,
        receiver=row.receiver,
        kind=row.kind,
        rules=tuple(msgspec.json.decode(row.rules, type=list[str])),
        severity=Severity(row.severity),
        reason=Reason(row.reason),
        why=row.why,
        state=State(row.state),
        created_at=row.created_at,
        next_attempt_at=row.next_attempt_at,
        finished_at=row.finished_at,
        attempts=row.attempts,
        link=row.link,
        last_excerpt=row.excerpt or "",
        last_payload=row.payload or "",
    )


def _tried(row: Row[tuple[object, ...]]) -> Tried:
    return Tried(
        number=row.number,
        began_at=row.began_at,
        ended_at=row.ended_at,
        outcome=Outcome(row.outcome) if row.outcome else None,
        status_code=row.status_code,
        excerpt=row.excerpt or "",
        payload=row.payload or "",
    )


_SHOWN = tuple(events.c[field.name] for field in fields(Shown))
