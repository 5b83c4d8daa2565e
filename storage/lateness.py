"""Since when something waits that should not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, func, select

from routing.notification import Lane
from storage import due, gates
from storage.events import EventState, is_yet
from storage.tables import UtcDateTime, events, notifications


def undecided_since(engine: Engine) -> datetime | None:
    """When the oldest webhook came that is not decided; None: all are."""
    with engine.connect() as connection:
        return connection.execute(select(events.c.received_at).where(is_yet(EventState.WAITING)).order_by(events.c.id).limit(1)).scalar()


def untold_since(engine: Engine, now: datetime) -> datetime | None:
    """Since when the oldest message is due that could go; where a vendor's limit is used, messages wait for that, and are left out."""
    with engine.connect() as connection:
        first = [connection.execute(_FIRST, {"lane": lane, "limit": 1, **due.at(now)}).scalars().first() for lane in Lane]
    return min((at for at in first if at), default=None)


def last_event(engine: Engine) -> int:
    """The number of the newest webhook; 0: none came yet."""
    with engine.connect() as connection:
        return connection.execute(select(func.max(events.c.id))).scalar() or 0


def time_there(engine: Engine) -> datetime | None:
    """What the database's machine takes the time to be; None: it is this one."""
    if engine.dialect.name != "postgresql":
        return None
    with engine.connect() as connection:
        return connection.execute(select(func.clock_timestamp(type_=UtcDateTime()))).scalar_one()


_FIRST = (
    due.select_due(notifications.c.next_attempt_at)
    .with_only_columns(notifications.c.next_attempt_at)
    .where(~gates.is_scarce(due.NOW, due.SOON))
)
