"""Claims: what one worker, and nobody else, is to send now; recorded with every attempt before and after it was made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import NamedTuple, ParamSpec, TypeVar

import msgspec
from sqlalchemy import Engine, Row, bindparam, case, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from routing.alert import Alert, Status
from routing.destinations import Changes
from routing.gate import Limit
from routing.notification import (
    Lane,
    Link,
    Mention,
    Notification,
    Numbers,
    Reason,
    Severity,
    State,
    Tries,
)
from routing.shares import Shares
from storage import due, ends, gates, opt_outs
from storage.events import Event, event_of
from storage.incidents import numbers_of
from storage.tables import UtcDateTime, attempts, events, incidents, notifications
from storage.told import WAS_AMBIGUOUS, Lost, Told, last_told, links_beside, lost, told_before

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """One notification that this worker, and nobody else, is to send now."""

    id: int
    event: Event
    tries: Tries
    incident: str
    incident_id: int | None
    """Its number; None: the notification is of none."""
    receiver: str
    kind: str
    place: str
    """Its destination, as it was when this was planned."""
    rules: tuple[str, ...]
    severity: Severity
    reason: Reason
    why: str
    created_at: datetime
    others: tuple[Mention, ...] = ()
    then: str = ""
    """Who is told next if nobody acts."""
    changes: Changes = field(default_factory=dict)
    """Options of the receiver that hang on the alert."""
    told: Told | None = None
    """What was told there before; None: nothing."""
    acknowledged_by: str | None = None
    """Who has taken the incident on by now."""
    numbers: Numbers | None = None
    """What is known of the incident by now."""
    links: tuple[Link, ...] = ()
    """Where else it stands by now."""
    lost: Lost | None = None
    """What helps to find it, where an earlier attempt may have gone out."""
    fires: bool = True
    """Whether the incident does, by now."""
    began_at: datetime | None = None
    """When the incident has begun, or has begun again."""
    opted_out_at: datetime | None = None
    """Since when whoever is there wants to hear nothing."""
    so_far: Mapping[str, str] = field(default_factory=dict)
    """What earlier attempts have done of it."""
    tried_under: str | None = None
    """The rules in force at the attempt that may have gone out."""

    def notification(self, alert: Alert) -> Notification:
        """What is to be said, once its event has been read."""
        return Notification(
            id=self.id,
            incident=self.incident,
            receiver=self.receiver,
            rules=self.rules,
            severity=self.severity,
            reason=self.reason,
            why=self.why,
            created_at=self.created_at,
            alert=alert,
            others=self.others,
            then=self.then,
            reference=self.told.reference if self.told else {},
            so_far=self.so_far,
            of_others=self.lost.of_others if self.lost else frozenset(),
            tried_until=self.lost.until if self.lost else None,
            acknowledged_by=self.acknowledged_by,
            fires=self.fires,
            numbers=self.numbers,
            links=self.links,
            closed_at=self.told.at if self.told and self.told.reason is Reason.RESOLVED else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a worker may claim."""

    limits: Mapping[str, Limit] = field(default_factory=dict)
    """The vendors', by kind of receiver."""
    threads: int = 1 << 16
    """Those of the lane."""


class Claims(NamedTuple):
    """What was claimed at once."""

    taken: tuple[Claimed, ...]
    are_all: bool
    """Whether nothing else was due, so that nobody needs to look again before something happens."""


ANY_PACE = Pace()


def _again_if_taken(claim: Callable[_P, _T]) -> Callable[_P, _T]:
    """Of what is about to go out at the same moment in two lanes, the database lets one go (`uq_notifications_on_its_way`)."""

    @wraps(claim)
    def claim_again(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return claim(*args, **kwargs)
        except IntegrityError:
            return claim(*args, **kwargs)  # by now the other one is seen

    return claim_again


@_again_if_taken
def claim(
    engine: Engine,
    lane: Lane,
    *,
    worker: str,
    now: datetime,
    limit: int,
    rules_version: str | None = None,
    pace: Pace = ANY_PACE,
    under_way: Sequence[Claimed] = (),
) -> Claims:
    """Take what is due in a lane, oldest first, at most one at a time of each destination and subject, so that order is kept.

    The attempt is on record, open, before it is made: whoever finds it open later knows that it may have gone out, and under which
    rules. Skipped are destinations whose gate is closed; kinds and destinations that already use their share of the lane's threads; and,
    where only so many messages may go, destinations for which a critical one waits.
    """
    shares = Shares(pace.threads, [(one.kind, one.place) for one in under_way])
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # It locks no rows, only itself: nobody else claims between what is read here and what is written.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yields = connection.execute(due.WANTED, {"lane": Lane.CRITICAL, **due.at(now)}).scalars().all() if lane is Lane.NORMAL else ()
        passed_over = {"full": shares.full, "yields": yields}
        found = connection.execute(_DUE_WITH_DETAILS, {"lane": lane, "limit": limit, **due.at(now), **passed_over}).all()
        fair = [row for row in _one_of_each(found) if shares.take(row.kind, row.place)]
        rows = gates.let_pass(connection, fair, pace.limits, now)
        if rows:
            ends.part(connection, [row.id for row in rows if row.reason == Reason.RESOLVED], now)
            ids = [row.id for row in rows]
            connection.execute(_TAKE, {"ids": ids, "worker": worker, "under": rules_version})
            connection.execute(_OPEN_ATTEMPTS, {"ids": ids, "now": now})
        known = _Known(
            told=told_before(connection, rows),
            links=links_beside(connection, rows),
            lost=lost(connection, rows),
            opted_out=opt_outs.since(connection, {row.place for row in rows}),
        )
    events_by_id: dict[int, Event] = {}
    return Claims(tuple(_claimed(row, events_by_id, known) for row in rows), are_all=len(found) < limit)


def due_lanes(engine: Engine, now: datetime) -> frozenset[Lane]:
    """The lanes in which something could be sent now."""
    with engine.connect() as connection:
        return frozenset(lane for lane in Lane if connection.execute(_DUE, {"lane": lane, "limit": 1, **due.at(now)}).first())


class _Known(NamedTuple):
    """What is known beside what is claimed."""

    told: Mapping[int, Told]
    """By number."""
    links: Mapping[int, tuple[Link, ...]]
    """By number."""
    lost: Mapping[int, Lost]
    """By number."""
    opted_out: Mapping[str, datetime]
    """By destination."""


def _one_of_each(rows: Sequence[Row[tuple[object, ...]]]) -> Iterable[Row[tuple[object, ...]]]:
    """The first of each destination and subject."""
    return reversed({(row.subject, row.place): row for row in reversed(rows)}.values())


def _claimed(row: Row[tuple[object, ...]], events_by_id: dict[int, Event], known: _Known) -> Claimed:
    event = events_by_id.get(row.event_id)
    if event is None:
        event = events_by_id[row.event_id] = event_of(row, row.event_id)
    return Claimed(
        id=row.id,
        event=event,
        tries=Tries(number=row.attempts + 1, failures=row.failures, planned_at=row.created_at, may_be_there=bool(row.may_be_there)),
        incident=row.subject,
        incident_id=row.incident_id,
        receiver=row.receiver,
        kind=row.kind,
        place=row.place,
        rules=tuple(msgspec.json.decode(row.rules, type=list[str])),
        severity=Severity(row.severity),
        reason=Reason(row.reason),
        why=row.why,
        created_at=row.created_at,
        others=tuple(msgspec.json.decode(row.others, type=list[Mention])) if row.others else (),
        then=row.next_step or "",
        changes=msgspec.json.decode(row.changes, type=dict[str, str | list[str]]) if row.changes else {},
        told=known.told.get(row.id),
        acknowledged_by=row.acknowledged_by,
        fires=row.status == Status.FIRING,
        tried_under=row.rules_version if row.may_be_there else None,
        numbers=numbers_of(row),
        links=known.links.get(row.id, ()),
        lost=known.lost.get(row.id),
        began_at=row.began_at,
        opted_out_at=known.opted_out.get(row.place),
        so_far=msgspec.json.decode(row.reference, type=dict[str, str]) if row.reference else {},
    )


_DUE = due.select_due()
_DETAILS = (
    "event_id incident_id"
    " receiver kind rules severity reason why created_at attempts failures subject place others next_step changes rules_version"
    " reference ends"
)
_OF_INCIDENT = "status began_at acknowledged_by event_count user_count first_seen last_seen assignee trend links"
_DUE_WITH_DETAILS = (
    due.select_due(
        *(notifications.c[name] for name in _DETAILS.split()),
        *(incidents.c[name] for name in _OF_INCIDENT.split()),
        events.c.resource,
        events.c.received_at,
        events.c.body,
        events.c.findings,
        WAS_AMBIGUOUS.label("may_be_there"),
        last_told().label("told_id"),
        last_told(has_reference=True).label("reference_id"),
    )
    .join(events, events.c.id == notifications.c.event_id)
    .join(incidents, incidents.c.id == notifications.c.incident_id)
    # What another worker is about to take counts as taken; SQLite leaves this out.
    .with_for_update(of=notifications, skip_locked=True)
)
_AMONG = notifications.c.id.in_(bindparam("ids", expanding=True))
# Each by one statement for all: on SQLite every row that a statement is run for, or gives, is a turn in which other threads go first.
_TAKE = (
    update(notifications)
    .where(_AMONG)
    .values(
        state=State.SENDING,
        claimed_by=bindparam("worker"),
        attempts=notifications.c.attempts + 1,
        # What may have gone out is looked for where that was.
        rules_version=case(
            (WAS_AMBIGUOUS, notifications.c.rules_version), else_=func.coalesce(bindparam("under"), notifications.c.rules_version)
        ),
    )
)
_OPEN_ATTEMPTS = insert(attempts).from_select(
    ["notification_id", "number", "began_at"],
    select(notifications.c.id, notifications.c.attempts, bindparam("now", type_=UtcDateTime())).where(_AMONG),
)
