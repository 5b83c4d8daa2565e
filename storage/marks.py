"""When something was last done, so that of several workers one does it, and how far it came."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Engine, and_, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.tables import marks

AHEAD = timedelta(seconds=30)
"""A mark further ahead was made by a clock that has been put back since."""


def take_turn(engine: Engine, name: str, every: timedelta, now: datetime) -> bool:
    """Whether it is due and up to whoever asks; nobody else is told so for the time of `every`."""
    with engine.connect() as connection:
        at = connection.execute(select(marks.c.at).where(marks.c.name == name)).scalar_one_or_none()
    if at is not None and now - every < at <= now + AHEAD:
        return False
    with engine.begin() as connection:
        if at is None:
            dialect = sqlite if engine.dialect.name == "sqlite" else postgresql
            added = dialect.insert(marks).values(name=name, at=now).on_conflict_do_nothing().returning(marks.c.name)
            return connection.execute(added).first() is not None
        is_due = and_(marks.c.name == name, or_(marks.c.at <= now - every, marks.c.at > now + AHEAD))
        return bool(connection.execute(update(marks).where(is_due).values(at=now)).rowcount)


def read(engine: Engine, name: str) -> str | None:
    """How far something came; None: it never began."""
    with engine.connect() as connection:
        return connection.execute(select(marks.c.value).where(marks.c.name == name)).scalar_one_or_none()


def when(engine: Engine, name: str) -> datetime | None:
    """When it was last done; None: never."""
    with engine.connect() as connection:
        return connection.execute(select(marks.c.at).where(marks.c.name == name)).scalar_one_or_none()


def write(engine: Engine, name: str, value: str, now: datetime) -> None:
    """Note how far something came."""
    with engine.begin() as connection:
        if not connection.execute(update(marks).where(marks.c.name == name).values(at=now, value=value)).rowcount:
            connection.execute(insert(marks).values(name=name, at=now, value=value))
