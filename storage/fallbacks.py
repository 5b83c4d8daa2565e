"""Fallbacks: what could not be told where it was to be told is told elsewhere, once, and says so.

Where somebody waits for a message of a receiver for longer than `fallback_after`, its `fallback` is told; so it is where a message is
dead, and where there is no fallback, the first of `dead_letters` that is another destination.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Row, String, and_, cast, exists, func, literal, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from routing import sentry
from routing.addressing import Address, address
from routing.alert import Alert
from routing.durations import spell_duration
from routing.notification import DONE_IN_SENTRY, FOLLOW_UPS, Mention, PlannedNotification, Reason, Severity, State
from routing.query import Facts
from routing.rules import RuleSet
from storage import counting, events, tallies
from storage.database import Lock, turn
from storage.due import DEAD, PLANNED, SENDING
from storage.notifications import Said, insert_planned
from storage.tables import announcements, attempts, notifications

BATCH = 100
TOO_OLD = timedelta(days=1)
"""Dead for so long, it is news to nobody: somebody may have just named a fallback."""
_TOLD_ELSEWHERE = frozenset(Reason) - FOLLOW_UPS - {Reason.ANSWER} | {Reason.RESOLVED}
_REASONS = sorted(_TOLD_ELSEWHERE)
_INSTEAD = "instead of "
"""Before the number of what it is told instead of: the occasion."""
_TELLS_OF_A_FAILURE = DONE_IN_SENTRY | {Reason.RESOLVED}
"""Reasons of messages that are no news by themselves; that they failed is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FellBack:
    """What could not be told."""

    id: int
    event_id: int
    incident_id: int | None
    receiver: str
    said: str
    """What the last attempt said."""
    to: str | None
    """Who is told instead; None: nobody."""


def fall_back(engine: Engine, rules: RuleSet, clock: Callable[[], datetime]) -> tuple[FellBack, ...]:
    """Have told elsewhere what could not be told; returns what that was."""
    with engine.connect() as connection:
        if not _lost(connection, rules, clock(), 1):
            return ()
    with turn(engine, Lock.PLANNER) as connection:
        if connection is None:
            return ()
        now = clock()
        rows = _lost(connection, rules, now, BATCH)
        alerts = _alerts(connection, rows)
        connection.rollback()  # all is read
        with connection.begin():
            connection.execute(update(notifications).where(notifications.c.id.in_([row.id for row in rows])).values(fell_back=true()))
            return tuple(_tell(connection, row, alerts.get(row.event_id), rules, now) for row in rows)


def told_nobody() -> ColumnElement[bool]:
    """In a statement: whether a notification is dead, and nobody was told instead (who was looked for and not found is nobody, too)."""
    instead = notifications.alias()
    occasion = literal(_INSTEAD) + cast(notifications.c.id, String)
    is_instead = and_(instead.c.event_id == notifications.c.event_id, instead.c.occasion == occasion)
    return and_(notifications.c.state == DEAD, ~exists().where(is_instead))


def nobody_told_since(engine: Engine, since: datetime) -> int:
    """How many messages were given up since then, with nobody told instead."""
    which = (notifications.c.created_at > since - TOO_OLD, notifications.c.finished_at > since, notifications.c.reason.in_(_REASONS))
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(notifications).where(told_nobody(), *which)).scalar_one()


def _lost(connection: Connection, rules: RuleSet, now: datetime, limit: int) -> list[Row[tuple[object, ...]]]:
    """What is dead, or late where somebody else can be told."""
    dead = connection.execute(_LOST.where(notifications.c.state == DEAD, notifications.c.finished_at > now - TOO_OLD).limit(limit)).all()
    late = [
        and_(notifications.c.receiver == one.name, notifications.c.created_at < now - one.fallback_after)
        for one in rules.receivers.values()
        if one.fallback
    ]
    if not late:
        return [*dead]
    unfinished = notifications.c.state.in_((PLANNED, SENDING))
    return [*dead, *connection.execute(_LOST.where(unfinished, or_(*late)).limit(limit))]


def _alerts(connection: Connection, rows: Sequence[Row[tuple[object, ...]]]) -> dict[int, Alert]:
    found = {}
    for event in events.of(connection, {row.event_id for row in rows}):
        try:
            found[event.id] = sentry.parse(event.resource, event.body, event.received_at, findings=event.findings)
        except sentry.UnreadableAlert:
            continue  # then only who is told whatever the alert says can be told
    return found


def _tell(connection: Connection, row: Row[tuple[object, ...]], alert: Alert | None, rules: RuleSet, now: datetime) -> FellBack:
    said = row.excerpt or "it was not tried"
    where = next(_elsewhere(connection, row, alert, rules), None)
    is_news = row.reason not in _TELLS_OF_A_FAILURE
    if where is None or (is_news and not _is_open(connection, row)):
        return FellBack(id=row.id, event_id=row.event_id, incident_id=row.incident_id, receiver=row.receiver, said=said, to=None)
    planned = _instead(row, where, said, now)
    said_instead = [Said(event_id=row.event_id, incident_id=row.incident_id, notification=planned, occasion=f"{_INSTEAD}{row.id}")]
    insert_planned(connection, said_instead, now)
    tallies.add(connection, counting.of_said(said_instead))
    if is_news:
        _announce(connection, row, planned)
    return FellBack(id=row.id, event_id=row.event_id, incident_id=row.incident_id, receiver=row.receiver, said=said, to=planned.receiver)


def _elsewhere(connection: Connection, row: Row[tuple[object, ...]], alert: Alert | None, rules: RuleSet) -> Iterator[Address]:
    """Where it may be told instead; never where it was tried already."""
    receiver = rules.receivers.get(row.receiver)
    names = [receiver.fallback] if receiver and receiver.fallback else []
    if row.state == State.DEAD:
        names += rules.dead_letters
    of_it = and_(notifications.c.event_id == row.event_id, notifications.c.subject == row.subject)
    was_tried = or_(
        notifications.c.reason.in_((Reason.FALLBACK, Reason.OWN_FAILURE)), notifications.c.fell_back, notifications.c.state == State.DEAD
    )
    tried = select(notifications.c.place).where(of_it, or_(notifications.c.id == row.id, was_tried))
    places = set(connection.execute(tried).scalars()) if names else set()
    for name in names:
        found = address(name, rules, Facts(alert)) if alert else _without_alert(name, rules)
        if found and not found.is_lost and found.receiver.place(found.changes) not in places:
            yield found


def _without_alert(name: str, rules: RuleSet) -> Address | None:
    receiver = rules.receivers[rules.twins[name]]
    return None if receiver.destination else Address(receiver=receiver, options=receiver.options)


def _is_open(connection: Connection, row: Row[tuple[object, ...]]) -> bool:
    """Whether what it tells of still fires."""
    query = select(announcements.c.place).where(announcements.c.subject == row.subject, announcements.c.place == row.place)
    return connection.execute(query.limit(1)).first() is not None


def _instead(row: Row[tuple[object, ...]], where: Address, said: str, now: datetime) -> PlannedNotification:
    waited = spell_duration(timedelta(seconds=round((now - row.created_at).total_seconds())))
    failed = f"{row.receiver} could not be told" if row.state == State.DEAD else f"{row.receiver} was not reached for {waited}"
    return PlannedNotification(
        receiver=where.receiver.name,
        kind=where.receiver.kind,
        rules=tuple(msgspec.json.decode(row.rules, type=list[str])),
        severity=Severity(row.severity),
        reason=Reason.FALLBACK,
        why="; ".join(filter(None, (f"{failed}: {said}", row.why, where.remark))),
        state=State.PLANNED,
        subject=row.subject,
        place=where.receiver.place(where.changes),
        others=tuple(msgspec.json.decode(row.others, type=list[Mention])) if row.others else (),
        changes=where.changes,
        follows=where.receiver.options.follows,
        then=row.next_step or "",
    )


def _announce(connection: Connection, row: Row[tuple[object, ...]], planned: PlannedNotification) -> None:
    """What was to be closed there is to be closed here, too."""
    there = select(announcements).where(announcements.c.subject == row.subject, announcements.c.place == row.place)
    here = {
        "place": planned.place,
        "receiver": planned.receiver,
        "kind": planned.kind,
        "why": planned.why,
        "changes": msgspec.json.encode(planned.changes).decode(),
        "follows": msgspec.json.encode(sorted(planned.follows)).decode(),
    }
    new = [{**one._mapping, **here} for one in connection.execute(there)]  # noqa: SLF001 - its public name
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(announcements).on_conflict_do_nothing(), new)


_last = and_(attempts.c.notification_id == notifications.c.id, attempts.c.number == notifications.c.attempts)
_LOST = (
    select(notifications, attempts.c.excerpt)
    .outerjoin(attempts, _last)
    .where(~notifications.c.fell_back, notifications.c.reason.in_(_REASONS))
    .order_by(notifications.c.id)
)
