"""How attempts end: what follows for the notification, and what is given back by whom it was not tried, or died."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Engine, and_, select, update
from sqlalchemy.sql.elements import ColumnElement

from routing.notification import (
    DONE_IN_SENTRY,
    Attempt,
    Lane,
    Outcome,
    Reason,
    State,
)
from storage import counting, gates, opt_outs, tallies
from storage.claims import ANY_PACE, Pace
from storage.each import UpdateEach
from storage.gates import Closed
from storage.tables import attempts, notifications
from storage.tallies import Tally
from storage.workers import lives

ANSWERED_WITHIN = timedelta(seconds=10)
"""So long a vendor may take over what it was told: who asks it sooner whether that is there hears of nothing, and tells it twice."""
_VENDOR_KEYS = ("dedup_key", "key")
"""In references: PagerDuty's, and Jira's."""


def record(
    engine: Engine, finished: Sequence[tuple[int, Attempt]], *, pace: Pace = ANY_PACE, counts: Mapping[Tally, float] | None = None
) -> tuple[Closed, ...]:
    """Store how attempts ended, by notification, and what follows for each; the destinations that are closed for their failures."""
    with engine.begin() as connection:
        _CLOSE_ATTEMPTS.execute(connection, [_attempt_row(id_, attempt) for id_, attempt in finished])
        _MOVE_ON.execute(connection, [_next_row(id_, attempt) for id_, attempt in finished])
        opt_outs.remember(connection, finished)
        tallies.add(connection, counts or {})
        return gates.hear(connection, finished, pace.limits)


def give_back(engine: Engine, ids: Sequence[int], *, worker: str, now: datetime) -> None:
    """Return what this worker has claimed and will not see the end of."""
    ours = and_(notifications.c.id.in_(ids), notifications.c.state == State.SENDING, notifications.c.claimed_by == worker)
    _reopen(engine, ours, now, "the worker stopped", again_at=now + ANSWERED_WITHIN)


def give_back_others(engine: Engine, lane: Lane, ids: Sequence[int], *, worker: str, now: datetime) -> None:
    """Return what this worker has claimed in a lane but these: its connection broke as that was committed, so nothing was begun."""
    ours = and_(notifications.c.lane == lane, notifications.c.state == State.SENDING, notifications.c.claimed_by == worker)
    _reopen(engine, and_(ours, notifications.c.id.not_in(ids)), now, "the claim was not heard of", outcome=Outcome.RETRY)


def take_from_dead(engine: Engine, now: datetime, *, by: str = "", alive_at: datetime | None = None) -> int:
    """Return what workers had claimed that no longer say that they live, by the clock by which they say it; says how many.

    Whoever asks, by its name, lives, even if the database was too busy for it to say so.
    """
    is_dead = ~lives(engine, notifications.c.claimed_by, alive_at or now)
    orphaned = and_(notifications.c.state == State.SENDING, notifications.c.claimed_by != by, is_dead)
    with engine.connect() as connection:
        if connection.execute(select(notifications.c.id).where(orphaned).limit(1)).first() is None:
            return 0
    return _reopen(engine, orphaned, now, "the worker died")


def _reopen(
    engine: Engine,
    which: ColumnElement[bool],
    now: datetime,
    excerpt: str,
    *,
    again_at: datetime | None = None,
    outcome: Outcome = Outcome.AMBIGUOUS,
) -> int:
    """Plan again what was being sent; an attempt that has no end that we know of counts as ambiguous."""
    again = update(notifications).where(which).values(state=State.PLANNED, next_attempt_at=again_at or now, claimed_by=None)
    with engine.begin() as connection:
        reopened = connection.execute(again.returning(notifications.c.id, notifications.c.attempts, notifications.c.kind)).all()
        if reopened:
            lost = {"ended_at": now, "outcome": outcome, "status_code": None, "excerpt": excerpt, "payload": None}
            _CLOSE_ATTEMPTS.execute(connection, [{"id": row.id, "number": row.attempts, **lost} for row in reopened])
            tallies.add(connection, Counter(counting.how_ended(row.kind, outcome) for row in reopened))
    return len(reopened)


def _attempt_row(notification_id: int, attempt: Attempt) -> dict[str, object]:
    return {
        "id": notification_id,
        "number": attempt.number,
        "ended_at": attempt.ended_at,
        "outcome": attempt.outcome,
        "status_code": attempt.status_code,
        "excerpt": attempt.excerpt,
        "payload": attempt.payload,
    }


def _next_row(notification_id: int, attempt: Attempt) -> dict[str, object]:
    state = state_after(attempt)
    retry_at = attempt.ended_at + attempt.retry_after if attempt.retry_after is not None else attempt.ended_at
    return {
        "id": notification_id,
        "number": attempt.number,
        "state": state,
        "reason": Reason.PREVIEW if attempt.outcome is Outcome.PREVIEWED else attempt.held_for,
        "rules_version": attempt.rules_version,
        "sent_place": attempt.place,
        "next_attempt_at": retry_at,
        "failed": int(state is State.PLANNED and not attempt.was_put_off),
        "finished_at": None if state is State.PLANNED else attempt.ended_at,
        "reference": msgspec.json.encode(attempt.reference).decode() if attempt.reference else None,
        "vendor_key": next((attempt.reference[name] for name in _VENDOR_KEYS if name in attempt.reference), None),
        "link": attempt.reference.get("url"),
    }


def state_after(attempt: Attempt) -> State:
    """What an attempt makes of its notification."""
    match attempt.outcome:
        case Outcome.DELIVERED:
            return State.SENT
        case Outcome.PREVIEWED | Outcome.NEEDLESS:
            return State.HELD
        case Outcome.RETRY | Outcome.AMBIGUOUS if attempt.retry_after is not None:
            return State.PLANNED
    return State.DEAD


# What tells of an end, or tells nobody, or is done in Sentry, stays that: nobody is to send it as news.
_STAYS_ITSELF = ", ".join(f"'{reason}'" for reason in sorted({Reason.RESOLVED, Reason.UPDATED, *DONE_IN_SENTRY}))
_KEPT_IF_NONE = ("rules_version", "sent_place", "reference", "vendor_key", "link")
_OF_ATTEMPT = ("ended_at", "outcome", "status_code", "excerpt", "payload")
_OF_NEXT = ("state", "next_attempt_at", "finished_at")
_CLOSE_ATTEMPTS = UpdateEach(
    # Who closed it first said what follows: a worker that was given up for dead changes nothing any more.
    f"""UPDATE attempts SET {", ".join(f"{name} = each.{name}" for name in _OF_ATTEMPT)} FROM each
    WHERE attempts.notification_id = each.id AND attempts.number = each.number AND attempts.ended_at IS NULL""",  # noqa: S608 - our own names
    {"id": attempts.c.notification_id.type, "number": attempts.c.number.type, **{name: attempts.c[name].type for name in _OF_ATTEMPT}},
)
_MOVE_ON = UpdateEach(
    # Only the attempt that holds the claim moves the notification.
    f"""UPDATE notifications SET {", ".join(f"{name} = each.{name}" for name in _OF_NEXT)},
    {", ".join(f"{name} = coalesce(each.{name}, notifications.{name})" for name in _KEPT_IF_NONE)},
    reason = CASE WHEN notifications.reason IN ({_STAYS_ITSELF}) THEN notifications.reason
    ELSE coalesce(each.reason, notifications.reason) END, failures = notifications.failures + each.failed, claimed_by = NULL FROM each
    WHERE notifications.id = each.id AND notifications.attempts = each.number AND notifications.state = 'sending'""",  # noqa: S608 - the same
    {
        "id": notifications.c.id.type,
        "number": notifications.c.attempts.type,
        "failed": notifications.c.failures.type,
        "reason": notifications.c.reason.type,
        **{name: notifications.c[name].type for name in (*_OF_NEXT, *_KEPT_IF_NONE)},
    },
)
