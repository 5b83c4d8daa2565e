"""Since when something waits that should not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, func, select

from routing.notification import Lane
from storage import due, gates
from storage.canaries import RESOURCE
from storage.events import EventState, is_yet
from storage.tables import UtcDateTime, events, notifications


def undecided_since(engine: Engine) -> datetime | None:
    """When the oldest webhook came that is not decided; None: all are."""
    with engine.connect() as connection:
        return connection.execute(select(events.c.received_at).where(is_yet(EventState.WAITING)).order_by(events.c.id).limit(1)).scalar()


def undecidable(engine: Engine, since: datetime) -> int:
    """How many webhooks that came since then failed to be decided."""
    query = select(func.count()).select_from(events).where(is_yet(EventState.FAILED), events.c.received_at > since)
    with engine.connect() as connection:
        return connection.execute(query).scalar_one()


def untold_since(engine: Engine, now: datetime) -> datetime | None:
    """Since when the oldest message is due that could go; where a vendor's limit is used, messages wait for that, and are left out."""
    with engine.connect() as connection:
        first = [connection.execute(_FIRST, {"lane": lane, "limit": 1, **due.at(now)}).scalars().first() for lane in Lane]
    return min((at for at in first if at), default=None)


def last_event(engine: Engine) -> int:
    """The number of the newest webhook of Sentry's; 0: none came yet. What is not signed by its secret, or of our own, does not count."""
    # What is of our own has a colon in its resource.
    is_sentrys = (events.c.resource.not_in((RESOURCE, "legacy", "glitchtip")), events.c.resource.not_like("%:%"))
    newest = select(events.c.id).where(*is_sentrys).order_by(events.c.id.desc()).limit(1)
    with engine.connect() as connection:
        return connection.execute(newest).scalar() or 0


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
