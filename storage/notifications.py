"""Notifications as they are planned, called off, and sent again by hand; `claims` has how they are sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, and_, bindparam, case, exists, insert, or_, select, update

from routing.alert import Status
from routing.announcement import Topic
from routing.notification import (
    DONE_IN_SENTRY,
    Lane,
    PlannedNotification,
    Reason,
    State,
)
from storage.tables import UtcDateTime, announcements, incidents, notifications
from storage.told import WAS_AMBIGUOUS

_CLOSE = frozenset({Reason.RESOLVED, Reason.ENDED})
"""Reasons with which the planner tells of an end, or holds what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A planned notification, of which event and incident, and on what occasion."""

    event_id: int
    incident_id: int
    notification: PlannedNotification
    occasion: str = ""
    """Empty: when the event came. What is said of it later has an occasion of its own."""
    at: datetime | None = None
    """When it may be sent; None: now."""


def insert_planned(connection: Connection, said: Sequence[Said], now: datetime) -> frozenset[Lane]:
    """Store these notifications; says which lanes have something to send."""
    if said:
        connection.execute(insert(notifications), [_planned_row(one, now) for one in said])
    return frozenset(one.notification.lane for one in said if one.notification.state is State.PLANNED)


def _planned_row(said: Said, now: datetime) -> dict[str, object]:
    planned = said.notification
    return {
        "event_id": said.event_id,
        "incident_id": said.incident_id,
        "receiver": planned.receiver,
        "kind": planned.kind,
        "rules": msgspec.json.encode(planned.rules).decode(),
        "severity": planned.severity,
        "lane": planned.lane,
        "reason": planned.reason,
        "why": planned.why,
        "state": planned.state,
        "created_at": now,
        "next_attempt_at": said.at or now,
        "attempts": 0,
        "failures": 0,
        "finished_at": None if planned.state is State.PLANNED else now,
        "occasion": said.occasion,
        "subject": planned.subject,
        "place": planned.place,
        "changes": msgspec.json.encode(planned.changes).decode() if planned.changes else None,
        "next_step": planned.then or None,
        "others": msgspec.json.encode(planned.others).decode() if planned.others else None,
    }


def call_off(connection: Connection, said: Sequence[Said], now: datetime) -> list[Said]:
    """These notifications; what they end and was not told yet is held, among them and before them: nobody is woken for what is over.

    What may have gone out is left: it is made sure of, and then closed.
    """
    result: list[Said] = []
    ends: dict[Topic, str] = {}
    for one in reversed(said):
        planned = one.notification
        topic = Topic(planned.subject, planned.place)
        if planned.reason in _CLOSE:
            ends[topic] = planned.why
        elif planned.state is State.PLANNED and topic in ends:
            why = f"{planned.why}; {ends[topic]} before it was told"
            one = replace(one, notification=replace(planned, state=State.HELD, reason=Reason.ENDED, why=why))  # noqa: PLW2901 - the same one
        result.append(one)
    if ends:
        connection.execute(_CALL_OFF, [{"of": topic.subject, "at": topic.place, "end": end, "now": now} for topic, end in ends.items()])
    return result[::-1]


def requeue(
    engine: Engine,
    *,
    ids: Sequence[int] | None = None,
    state: State = State.DEAD,
    receiver: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    now: datetime,
    dry_run: bool = False,
) -> tuple[int, ...]:
    """Send dead notifications again, or previews for the first time, with a fresh row of retries. Says which.

    Args:
        engine: where they are.
        ids: of these those that are dead or previews.
        state: without `ids`, all in this state: `DEAD`, or `HELD` for the previews, for nothing else that is held is ever sent.
        receiver: of those only what goes to it.
        since: and only what was planned then or later,
        until: and before this.
        now: when they are to be sent.
        dry_run: only say which.
    """
    is_preview = and_(notifications.c.state == State.HELD, notifications.c.reason == Reason.PREVIEW)
    # What is over is news to nobody, also if it has begun again; its end is told also then, and done in Sentry.
    has_begun = or_(incidents.c.began_at.is_(None), incidents.c.began_at <= notifications.c.created_at)
    is_open = and_(incidents.c.status == Status.FIRING, has_begun)
    # A message that speaks of several is over when all of them are.
    of_another = and_(announcements.c.subject == notifications.c.subject, announcements.c.place == notifications.c.place)
    fires = or_(
        exists().where(incidents.c.id == notifications.c.incident_id, is_open),
        exists().where(of_another, incidents.c.id == announcements.c.incident_id, is_open),
    )
    may_be_sent = and_(
        or_(notifications.c.state == State.DEAD, is_preview), or_(fires, notifications.c.reason.in_((Reason.RESOLVED, *DONE_IN_SENTRY)))
    )
    chosen = [notifications.c.state == state if ids is None else notifications.c.id.in_(ids), *planned_between(since, until)]
    if receiver is not None:
        chosen.append(notifications.c.receiver == receiver)
    wanted = and_(may_be_sent, *chosen)
    if dry_run:
        with engine.connect() as connection:
            return tuple(connection.execute(select(notifications.c.id).where(wanted).order_by(notifications.c.id)).scalars())
    earlier = notifications.alias("earlier")
    was_told = exists().where(
        earlier.c.subject == notifications.c.subject,
        earlier.c.place == notifications.c.place,
        earlier.c.state == State.SENT,
        earlier.c.id < notifications.c.id,
    )
    # What was recorded as a preview is sent for the reason that it has by now.
    reason = case((~is_preview, notifications.c.reason), (was_told, Reason.REPEAT), else_=Reason.FIRST)
    again = (
        update(notifications).where(wanted).values(state=State.PLANNED, reason=reason, next_attempt_at=now, finished_at=None, failures=0)
    )
    with engine.begin() as connection:
        return tuple(connection.execute(again.returning(notifications.c.id)).scalars())


def bring_forward(engine: Engine, by: timedelta, now: datetime) -> int:
    """Bring scheduled notifications forward by as much as the clock was put back; says how many there were."""
    late = and_(notifications.c.state == State.PLANNED, notifications.c.next_attempt_at > now)
    with engine.begin() as connection:
        rows = connection.execute(select(notifications.c.id, notifications.c.next_attempt_at).where(late)).all()
        for row in rows:
            at = max(now, row.next_attempt_at - by)
            connection.execute(update(notifications).where(notifications.c.id == row.id, late).values(next_attempt_at=at))
        return len(rows)


def planned_between(since: datetime | None, until: datetime | None) -> Iterator[ColumnElement[bool]]:
    """In a statement: what was planned in this time."""
    if since is not None:
        yield notifications.c.created_at >= since
    if until is not None:
        yield notifications.c.created_at < until


_CALL_OFF = (
    update(notifications)
    .where(notifications.c.subject == bindparam("of"), notifications.c.place == bindparam("at"), notifications.c.state == State.PLANNED)
    .where(notifications.c.reason != Reason.RESOLVED, notifications.c.reason != Reason.UPDATED, ~WAS_AMBIGUOUS)
    .values(
        state=State.HELD,
        reason=Reason.ENDED,
        why=notifications.c.why + "; " + bindparam("end") + " before it was told",
        finished_at=bindparam("now", type_=UtcDateTime()),
    )
)
