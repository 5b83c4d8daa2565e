"""What is due: which of the planned notifications may be sent now, as statements."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, exists, literal, or_, select
from sqlalchemy.sql.elements import ColumnElement

from routing.notification import Reason, State
from storage import gates
from storage.tables import UtcDateTime, notifications

PATIENCE = timedelta(minutes=5)
"""What has waited so long yields to nothing any more."""

# In the statement itself: of a parameter no database sees that the index of just these states will do.
PLANNED, SENDING, DEAD = (literal(state.value, literal_execute=True) for state in (State.PLANNED, State.SENDING, State.DEAD))


def at(now: datetime) -> dict[str, object]:
    """The parameters of the statements below that are about time."""
    return {"now": now, "soon": now + gates.CLOCKS_DIFFER, "since": now - PATIENCE}


def is_due() -> tuple[ColumnElement[bool], ...]:
    """Planned, its time come, its gate open, and no earlier one to the same destination about the same subject for which it must wait.

    One is on its way at a time, in whatever lane: `uq_notifications_on_its_way` of the database sees to it.
    """
    other = notifications.alias("other")
    is_before = and_(
        other.c.state == PLANNED,
        other.c.id < notifications.c.id,
        # A page does not wait for a lesser message that is being tried again; but what ends comes after all that it ends.
        or_(other.c.lane == notifications.c.lane, other.c.reason == Reason.RESOLVED, notifications.c.reason == Reason.RESOLVED),
        other.c.reason != Reason.UPDATED,  # it tells nobody, and holds nothing up
    )
    is_next = ~exists().where(
        other.c.subject == notifications.c.subject,
        other.c.place == notifications.c.place,
        other.c.state.in_((PLANNED, SENDING)),
        # What is on its way may be the first one there, to which all others are to belong.
        or_(other.c.state == SENDING, is_before),
    )
    return (
        notifications.c.state == PLANNED,
        # What a later version of the router has planned, and this one has never heard of, is for workers of that version.
        notifications.c.reason.in_(tuple(Reason)),
        notifications.c.lane == bindparam("lane"),
        notifications.c.next_attempt_at <= NOW,
        ~gates.is_closed(NOW, SOON),
        is_next,
    )


def select_due(*columns: ColumnElement[Any]) -> Select[tuple[object, ...]]:
    """What may be sent, but for what is passed over."""
    full: BindParameter[str] = bindparam("full", value=[], expanding=True)
    yields: BindParameter[str] = bindparam("yields", value=[], expanding=True)
    waited_long = notifications.c.next_attempt_at <= bindparam("since", value=None, type_=UtcDateTime())
    return (
        select(notifications.c.id, *columns)
        .where(*is_due(), notifications.c.kind.not_in(full), notifications.c.place.not_in(full))
        .where(or_(notifications.c.place.not_in(yields), waited_long))
        .order_by(notifications.c.next_attempt_at, notifications.c.id)
        .limit(bindparam("limit"))
    )


NOW, SOON = (bindparam(name, type_=UtcDateTime()) for name in ("now", "soon"))
WANTED = select(notifications.c.place).distinct().where(*is_due(), gates.is_scarce(NOW, SOON))
"""Destinations with a limit for which something in a lane waits."""
