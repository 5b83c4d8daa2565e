"""Overflow: what would wait too long for its turn is told in summaries. Nothing is left out: each message is sent, or told in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import (
    Connection,
    Engine,
    Row,
    String,
    Text,
    bindparam,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from routing.durations import spell_duration
from routing.gate import Limit, gate_of
from routing.notification import Lane, Mention, Reason, Severity, State
from routing.rules import RuleSet
from routing.summary import SUMMED_UP, Queue, Rate, Summary, Waiting, overflowing, summaries
from storage import counting, tallies
from storage.database import Lock, turn
from storage.tables import UtcDateTime, announcements, incidents, notifications, slots
from storage.told import went_out


def sum_up(engine: Engine, rules: RuleSet, limits: Mapping[str, Limit], clock: Callable[[], datetime]) -> frozenset[Lane]:
    """Where the last message would wait longer than `max_delay` of its receiver, tell what waits in summaries; the lanes that have some."""
    rates = {
        name: Rate(vendor=limits.get(one.kind), max_per_minute=one.max_per_minute, max_delay=one.max_delay)
        for name, one in rules.receivers.items()
        if one.kind in limits or one.max_per_minute
    }
    if not rates or not _overflowing(engine, rates, clock()):
        return frozenset()
    with turn(engine, Lock.PLANNER) as connection:
        if connection is None:
            return frozenset()
        with connection.begin():
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # what is read here is still so when it is written
            now = clock()
            told = [
                _tell(connection, summary, rates[receiver], now)
                for receiver, lane in sorted(overflowing(_queues(connection, rates, now), rates))
                for summary in summaries(_waiting(connection, receiver, lane))
            ]
    return frozenset(told)


def _overflowing(engine: Engine, rates: Mapping[str, Rate], now: datetime) -> bool:
    with engine.connect() as connection:
        return bool(overflowing(_queues(connection, rates, now), rates))


def _queues(connection: Connection, rates: Mapping[str, Rate], now: datetime) -> list[Queue]:
    """What waits for its turn, and not for the time of another try."""
    columns = (notifications.c.receiver, notifications.c.kind, notifications.c.place, notifications.c.lane)
    query = (
        select(*columns, func.count().label("waiting"))
        .where(notifications.c.state == State.PLANNED, notifications.c.receiver.in_(rates), notifications.c.reason != Reason.UPDATED)
        .where(or_(notifications.c.attempts == 0, notifications.c.next_attempt_at <= now))
        .group_by(*columns)
    )
    return [
        Queue(row.receiver, gate_of(row.kind, Reason.FIRST, row.place), Lane(row.lane), row.waiting) for row in connection.execute(query)
    ]


def _waiting(connection: Connection, receiver: str, lane: Lane) -> list[Waiting]:
    names = "id receiver place lane rules severity changes others next_attempt_at"
    columns = [
        *(notifications.c[name] for name in names.split()),
        incidents.c.key,
        incidents.c.title,
        incidents.c.project,
        incidents.c.link,
    ]
    query = (
        select(*columns)
        .join(incidents, incidents.c.id == notifications.c.incident_id)
        .where(notifications.c.receiver == receiver, notifications.c.lane == lane, notifications.c.reason.in_(SUMMED_UP))
        .where(notifications.c.state == State.PLANNED, notifications.c.attempts == 0)
        .order_by(notifications.c.id)
        # What a worker takes at this moment is left to it.
        .with_for_update(of=notifications, skip_locked=True)
    )
    return [_one_waiting(row) for row in connection.execute(query)]


def _one_waiting(row: Row[tuple[object, ...]]) -> Waiting:
    others = msgspec.json.decode(row.others, type=tuple[Mention, ...]) if row.others else ()
    return Waiting(
        id=row.id,
        receiver=row.receiver,
        place=row.place,
        lane=Lane(row.lane),
        rule=msgspec.json.decode(row.rules, type=list[str])[0],
        severity=Severity(row.severity),
        at=row.next_attempt_at,
        changes=row.changes,
        mentions=(Mention(title=row.title, project=row.project, link=row.link, incident=row.key), *others),
    )


def _tell(connection: Connection, summary: Summary, rate: Rate, now: datetime) -> Lane:
    """Hold these messages for the one that tells them all."""
    ids = [one.id for one in summary.all]
    at = min(one.at for one in summary.all)
    many = f"{len(ids)} alerts waited, more than {summary.head.receiver} is told in {spell_duration(rate.max_delay)}"
    others = msgspec.json.encode(summary.others).decode() if summary.others else None
    kind = connection.execute(
        _TELL, {"head": summary.head.id, "of": summary.subject, "many": many, "others": others, "at": at, "now": now}
    ).scalar_one()
    connection.execute(_HOLD, {"ids": ids, "why": f"; told as one of {len(ids)}, for {many}", "now": now})
    connection.execute(_ANNOUNCE[connection.dialect.name], {"ids": ids, "of": summary.subject})
    connection.execute(_NOT_ANNOUNCED, {"ids": ids})
    counts = {counting.came_into(kind, Reason.SUMMARY, State.PLANNED): 1, counting.came_into(kind, Reason.SUMMED_UP, State.HELD): len(ids)}
    tallies.add(connection, counts)
    _free_slots(connection, summary.head.receiver, Counter(one.at for one in summary.all if one.at > max(at, now)))
    return summary.head.lane


def _free_slots(connection: Connection, receiver: str, freed: Counter[datetime]) -> None:
    """Nobody waits any more for the turns that these had."""
    query = select(slots.c.id, slots.c.at).where(slots.c.receiver == receiver, slots.c.at.in_(freed)).order_by(slots.c.id)
    ids = []
    for row in connection.execute(query) if freed else ():
        if freed[row.at]:
            freed[row.at] -= 1
            ids.append(row.id)
    connection.execute(delete(slots).where(slots.c.id.in_(ids)))


_AMONG = notifications.c.id.in_(bindparam("ids", expanding=True))
_NOW = bindparam("now", type_=UtcDateTime())
_OF = bindparam("of", type_=String)
_ITS_OWN = {
    "reason": literal(Reason.SUMMARY.value),
    "why": notifications.c.why + "; " + bindparam("many", type_=String),
    "created_at": _NOW,
    "next_attempt_at": bindparam("at", type_=UtcDateTime()),
    "occasion": literal("summary ") + _OF,
    "subject": _OF,
    "others": bindparam("others", type_=Text),
    "next_step": null(),
    "fell_back": false(),
}
_COPIED = {column.name: column for column in notifications.c if column.name not in {"id", "finished_at"}} | _ITS_OWN
_HEAD = select(*_COPIED.values()).where(notifications.c.id == bindparam("head"))
_TELL = insert(notifications).from_select([*_COPIED], _HEAD).returning(notifications.c.kind)
_HOLD = (
    update(notifications)
    .where(_AMONG)
    .values(state=State.HELD, reason=Reason.SUMMED_UP, why=notifications.c.why + bindparam("why", type_=String), finished_at=_NOW)
)
_SAME = (announcements.c.subject == notifications.c.subject) & (announcements.c.place == notifications.c.place)
_ANNOUNCED = {column.name: column for column in announcements.c} | {"subject": _OF}
# An incident may have been announced by itself and in a group.
_ALSO = select(*_ANNOUNCED.values()).join(notifications, _SAME).where(_AMONG)
_ANNOUNCE = {
    name: dialect.insert(announcements).from_select([*_ANNOUNCED], _ALSO).on_conflict_do_nothing()
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
_STANDING = notifications.alias("standing")
_STANDS = exists().where(
    _STANDING.c.subject == announcements.c.subject,
    _STANDING.c.place == announcements.c.place,
    or_(went_out(_STANDING), _STANDING.c.state.in_((State.PLANNED, State.SENDING))),
)
# Where nothing was told of it by itself, and nothing will be, it needs no end by itself.
_NOT_ANNOUNCED = delete(announcements).where(exists().where(_SAME, _AMONG).correlate(announcements), ~_STANDS)
