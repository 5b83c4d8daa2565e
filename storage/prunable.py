"""Which rows may go once they are old, kind by kind: what an open incident needs, what waits, and what could not be closed stays.

Whether something is open, waits or was told is asked of the database for each row, for all of that may have changed since it came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, bindparam, delete, exists, func, not_, or_, select, update

from routing.alert import Status
from routing.notification import ANNOUNCES_NOTHING, DONE_IN_SENTRY, Reason, State
from routing.pruned import pruned_body
from storage.due import DEAD, PLANNED, SENDING
from storage.events import EventState
from storage.rules_edits import REFUSED, TAKEN
from storage.tables import (
    UtcDateTime,
    announcements,
    attempts,
    audit,
    cooldowns,
    events,
    explanations,
    incident_issues,
    incident_turns,
    incidents,
    last_changes,
    notifications,
    sample_scopes,
    samples,
    sightings,
    timers,
    troubles,
)
from storage.told import WAS_AMBIGUOUS

Age: TypeAlias = Literal["bodies", "events", "records"]
"""Which of the times of `retention.Retention` a kind goes by."""

ROW_BYTES = 300
"""What a row takes beside its long columns, roughly; only for saying how much would go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prunable:
    """Rows of one kind."""

    name: str
    age: Age
    table: Table
    at: Column[datetime]
    """When a row came; `may_go` compares it with the parameter `before`."""
    may_go: ColumnElement[bool]
    takes: ColumnElement[Any]
    """How many bytes of a row that are, about."""
    remove: Callable[[Connection, Sequence[int], datetime], None]
    """Of the rows of these numbers, with all that hangs on them."""
    is_in_time: bool = True
    """Rows are numbered in the order of `at`, which has an index."""


_BEFORE = bindparam("before", type_=UtcDateTime())
_WAITS = (PLANNED, SENDING)
_ENDS_SOMETHING = (Reason.RESOLVED, *sorted(DONE_IN_SENTRY))

_other = notifications.alias("other")
_later = notifications.alias("later")
_younger = events.alias("younger")
_WAITS_OR_CANNOT_END = or_(_other.c.state.in_(_WAITS), and_(_other.c.state == DEAD, _other.c.reason.in_(_ENDS_SOMETHING)))

# Of what is told: what waits, and an end that was given up, which an operator can still send.
_IS_OVER = and_(
    notifications.c.state.in_((State.SENT, State.HELD, State.DEAD)),
    not_(and_(notifications.c.state == State.DEAD, notifications.c.reason.in_(_ENDS_SOMETHING))),
)
_IS_STILL_TOLD = or_(
    exists().where(announcements.c.subject == notifications.c.subject),
    exists().where(_other.c.subject == notifications.c.subject, _other.c.state.in_(_WAITS)),
    exists().where(_other.c.subject == notifications.c.subject, _other.c.state == DEAD, _other.c.reason.in_(_ENDS_SOMETHING)),
)
"""Something about it is yet to be closed, or on its way."""
_WENT_OUT = or_(
    notifications.c.state == State.SENT,
    notifications.c.reason.in_((Reason.PREVIEW, Reason.RESOLVED)),
    notifications.c.reference.is_not(None),
    notifications.c.others.is_not(None),
    WAS_AMBIGUOUS,
)
_IS_FOLLOWED = exists().where(
    _later.c.subject == notifications.c.subject,
    _later.c.place == notifications.c.place,
    _later.c.id > notifications.c.id,
    _later.c.kind == notifications.c.kind,
    _later.c.state == State.SENT,
    or_(notifications.c.sent_place.is_(None), _later.c.sent_place == notifications.c.sent_place),
    or_(notifications.c.reference.is_(None), _later.c.reference.is_not(None)),
    or_(notifications.c.link.is_(None), _later.c.link.is_not(None)),
    or_(notifications.c.vendor_key.is_(None), _later.c.vendor_key == notifications.c.vendor_key),
    or_(notifications.c.others.is_(None), _later.c.others.is_not(None)),
    or_(
        and_(notifications.c.reason == Reason.RESOLVED, _later.c.reason == Reason.RESOLVED),
        and_(notifications.c.reason != Reason.RESOLVED, _later.c.reason.not_in(ANNOUNCES_NOTHING)),
    ),
)
"""A later message at the same place says all that this one says of where it stands: whoever asks for the last one finds that."""
_IS_CLOSED = and_(
    incidents.c.status != Status.FIRING,
    incidents.c.last_alert_at < _BEFORE,
    or_(incidents.c.ended_at.is_(None), incidents.c.ended_at < _BEFORE),
    ~exists().where(announcements.c.incident_id == incidents.c.id),
    ~exists().where(timers.c.incident_id == incidents.c.id),
)
_IS_DECIDED = and_(
    events.c.state == EventState.PLANNED,
    ~exists().where(announcements.c.event_id == events.c.id),
    ~exists().where(timers.c.event_id == events.c.id),
)


def _remove_payloads(connection: Connection, ids: Sequence[int], _now: datetime) -> None:
    connection.execute(update(attempts).where(attempts.c.notification_id.in_(ids)).values(payload=None))


def _remove_bodies(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    # What others said of an alert goes with it.
    values = {"body": pruned_body(now), "findings": None, "pruned_at": now}
    connection.execute(update(events).where(events.c.id.in_(ids)).values(values))


def _remove_notifications(connection: Connection, ids: Sequence[int], _now: datetime) -> None:
    connection.execute(delete(attempts).where(attempts.c.notification_id.in_(ids)))
    connection.execute(delete(notifications).where(notifications.c.id.in_(ids)))


def _remove_histories(connection: Connection, ids: Sequence[int], _now: datetime) -> None:
    connection.execute(delete(incident_turns).where(incident_turns.c.incident_id.in_(ids)))


def _remove_events(connection: Connection, ids: Sequence[int], _now: datetime) -> None:
    for table in (sample_scopes, samples):
        connection.execute(delete(table).where(table.c.event_id.in_(ids)))
    connection.execute(delete(events).where(events.c.id.in_(ids)))


def _remove_incidents(connection: Connection, ids: Sequence[int], _now: datetime) -> None:
    for table in (cooldowns, sightings, explanations, incident_issues, last_changes):
        connection.execute(delete(table).where(table.c.incident_id.in_(ids)))
    connection.execute(delete(incidents).where(incidents.c.id.in_(ids)))


def _remove_troubles(connection: Connection, ids: Sequence[int], _now: datetime) -> None:
    connection.execute(delete(troubles).where(troubles.c.id.in_(ids)))


def _remove_audit(connection: Connection, ids: Sequence[int], _now: datetime) -> None:
    connection.execute(delete(audit).where(audit.c.id.in_(ids)))


_OF_RULES = audit.alias("of_rules")
_LAST_OF_RULES = select(func.max(_OF_RULES.c.id)).where(_OF_RULES.c.action.in_((REFUSED, TAKEN))).scalar_subquery()
_HAS_PAYLOAD = exists().where(attempts.c.notification_id == notifications.c.id, attempts.c.payload != "")
_PAYLOADS = select(func.sum(func.length(attempts.c.payload))).where(attempts.c.notification_id == notifications.c.id).scalar_subquery()

KINDS = (
    Prunable(
        name="payloads",
        age="bodies",
        table=notifications,
        at=notifications.c.created_at,
        may_go=and_(notifications.c.created_at < _BEFORE, notifications.c.state.in_((State.SENT, State.HELD, State.DEAD)), _HAS_PAYLOAD),
        takes=_PAYLOADS,
        remove=_remove_payloads,
    ),
    Prunable(
        name="bodies",
        age="bodies",
        table=events,
        at=events.c.received_at,
        may_go=and_(
            events.c.received_at < _BEFORE,
            events.c.pruned_at.is_(None),
            _IS_DECIDED,
            ~exists().where(_other.c.event_id == events.c.id, _WAITS_OR_CANNOT_END),
        ),
        takes=func.length(events.c.body),
        remove=_remove_bodies,
    ),
    Prunable(
        name="notifications",
        age="events",
        table=notifications,
        at=notifications.c.created_at,
        may_go=and_(notifications.c.created_at < _BEFORE, _IS_OVER, or_(~_IS_STILL_TOLD, ~_WENT_OUT, _IS_FOLLOWED)),
        takes=func.length(notifications.c.why) + 2 * ROW_BYTES,
        remove=_remove_notifications,
    ),
    Prunable(
        name="histories",
        age="events",
        table=incidents,
        at=incidents.c.last_alert_at,
        may_go=and_(_IS_CLOSED, exists().where(incident_turns.c.incident_id == incidents.c.id)),
        takes=func.length(incidents.c.key) + ROW_BYTES,
        remove=_remove_histories,
        is_in_time=False,
    ),
    Prunable(
        name="events",
        age="events",
        table=events,
        at=events.c.received_at,
        may_go=and_(
            events.c.received_at < _BEFORE,
            _IS_DECIDED,
            ~exists().where(notifications.c.event_id == events.c.id),
            ~exists().where(incident_turns.c.event_id == events.c.id),
            ~exists().where(_younger.c.duplicate_of == events.c.id),
        ),
        takes=func.length(events.c.body) + func.coalesce(func.length(events.c.trace), 0) + ROW_BYTES,
        remove=_remove_events,
    ),
    Prunable(
        name="incidents",
        age="events",
        table=incidents,
        at=incidents.c.last_alert_at,
        may_go=and_(
            _IS_CLOSED,
            ~exists().where(events.c.incident_id == incidents.c.id),
            ~exists().where(notifications.c.incident_id == incidents.c.id),
            ~exists().where(incident_turns.c.incident_id == incidents.c.id),
            ~exists().where(samples.c.incident_id == incidents.c.id),
        ),
        takes=func.length(incidents.c.title) + ROW_BYTES,
        remove=_remove_incidents,
        is_in_time=False,
    ),
    Prunable(
        name="troubles",
        age="records",
        table=troubles,
        at=troubles.c.began_at,
        may_go=troubles.c.ended_at < _BEFORE,
        takes=func.length(troubles.c.said) + func.length(troubles.c.way_out) + ROW_BYTES,
        remove=_remove_troubles,
        is_in_time=False,
    ),
    Prunable(
        name="audit",
        age="records",
        table=audit,
        at=audit.c.at,
        # Whether the last edit of the rules was taken is asked of its line, however old that is.
        may_go=and_(audit.c.at < _BEFORE, or_(audit.c.action.not_in((REFUSED, TAKEN)), audit.c.id < _LAST_OF_RULES)),
        takes=func.length(audit.c.detail) + ROW_BYTES,
        remove=_remove_audit,
        is_in_time=False,
    ),
)
"""In the order in which they go: each frees what the next one asks for."""
