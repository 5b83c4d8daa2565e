"""What is wrong with the service, from when to when, and who was told: of several processes that see it one tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec
from sqlalchemy import ColumnElement, Engine, Row, and_, case, delete, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from routing.trouble import Trouble
from storage.tables import UtcDateTime, troubles
from storage.workers import moment

AGAIN_AFTER = timedelta(hours=4)
"""So long after somebody was told he is told again, if it lasts."""
TRIED_AGAIN_AFTER = timedelta(minutes=1)
"""The same, where nobody could be told."""
END_IS_NEWS_FOR = timedelta(days=1)
"""So long it is tried to tell the end where that cannot be told."""
AHEAD = timedelta(seconds=30)
"""What was seen later than that was seen before the clock was put back."""

Told: TypeAlias = Mapping[str, Mapping[str, str]]
"""Receivers that were told, and what each one's vendor calls the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One that lasts, or lasted."""

    id: int
    check: str
    subject: str
    said: str
    way_out: str
    began_at: datetime
    ended_at: datetime | None
    told_at: datetime | None
    told_to: str | None
    """The receiver that took it last."""
    told: Told
    """Who is still to be told its end."""


def see(engine: Engine, trouble: Trouble, now: datetime) -> Noted | None:
    """Note that it is there; what is noted, if whoever asks is to tell of it now, and nobody else will."""
    row = _open(engine, trouble.key) or _begun(engine, trouble, now)
    if row is None:
        return None
    is_ours = and_(troubles.c.id == row.id, troubles.c.ended_at.is_(None), troubles.c.tell_at <= now)
    seen = {"said": trouble.said, "way_out": trouble.way_out, "seen_at": moment(engine, now)}
    with engine.begin() as connection:
        connection.execute(update(troubles).where(troubles.c.id == row.id).values(seen))
        if row.tell_at > now:
            return None
        claimed = connection.execute(update(troubles).where(is_ours).values(tell_at=now + TRIED_AGAIN_AFTER)).rowcount
    return _noted(row) if claimed else None


def told(engine: Engine, noted: Noted, receivers: Told, now: datetime) -> None:
    """Note who has taken it, and since when it lasts; for whoever was to tell."""
    # What has ended meanwhile is told so at once.
    at = case((troubles.c.ended_at.is_(None), literal(now + AGAIN_AFTER, UtcDateTime())), else_=literal(now, UtcDateTime()))
    values = {
        "told_at": now,
        "told_to": [*receivers][-1],
        "told": _encoded({**noted.told, **receivers}),
        "tell_at": at,
        "began_at": noted.began_at,
    }
    with engine.begin() as connection:
        connection.execute(update(troubles).where(troubles.c.id == noted.id).values(values))


def over(engine: Engine, check: str, subject: str, now: datetime, *, unseen_for: timedelta = timedelta()) -> Noted | None:
    """Note that it is over; what it was, if it lasted until now and whoever asks was the first to say so.

    Where each process looks for itself, what another has seen within `unseen_for` is not over because this one does not see it.
    """
    row = _open(engine, f"{check}:{subject}" if subject else check)
    return _noted(row) if row and _end(engine, row, now, unseen_for) else None


def forgotten(engine: Engine, now: datetime, *, unseen_for: timedelta) -> tuple[Noted, ...]:
    """Those that nobody sees any more, nor says to be over, are: a receiver was taken out, say, or a check switched off."""
    with engine.connect() as connection:
        rows = connection.execute(select(troubles).where(troubles.c.ended_at.is_(None))).all()
    return tuple(_noted(row) for row in rows if _end(engine, row, now, unseen_for))


def ends_to_tell(engine: Engine, now: datetime) -> tuple[Noted, ...]:
    """Those whose end whoever asks is to tell now, and nobody else will."""
    is_due = and_(troubles.c.ended_at > now - END_IS_NEWS_FOR, troubles.c.told.is_not(None), troubles.c.tell_at <= now)
    with engine.connect() as connection:
        rows = connection.execute(select(troubles).where(is_due).order_by(troubles.c.id)).all()
    return tuple(_noted(row) for row in rows if _claimed(engine, and_(troubles.c.id == row.id, is_due), now))


def end_told(engine: Engine, id_: int, *, but_not: Told) -> None:
    """Note who has taken the end: all but those."""
    with engine.begin() as connection:
        connection.execute(update(troubles).where(troubles.c.id == id_).values(told=_encoded(but_not) if but_not else None))


def listed(engine: Engine, *, is_open: bool = False, limit: int = 50) -> tuple[Noted, ...]:
    """The newest, or those that last."""
    which: tuple[ColumnElement[bool], ...] = (troubles.c.ended_at.is_(None),) if is_open else ()
    with engine.connect() as connection:
        rows = connection.execute(select(troubles).where(*which).order_by(troubles.c.id.desc()).limit(limit))
        return tuple(map(_noted, rows))


def prune(engine: Engine, before: datetime) -> int:
    """Forget those that ended before then; says how many."""
    with engine.begin() as connection:
        return connection.execute(delete(troubles).where(troubles.c.ended_at < before)).rowcount


def _open(engine: Engine, key: str) -> Row[tuple[object, ...]] | None:
    with engine.connect() as connection:
        return connection.execute(select(troubles).where(troubles.c.key == key, troubles.c.ended_at.is_(None))).first()


def _begun(engine: Engine, trouble: Trouble, now: datetime) -> Row[tuple[object, ...]] | None:
    row = {"key": trouble.key, "check_name": trouble.check, "subject": trouble.subject, "said": trouble.said, "way_out": trouble.way_out}
    try:
        with engine.begin() as connection:
            connection.execute(insert(troubles).values(**row, began_at=now, tell_at=now, seen_at=moment(engine, now)))
    except IntegrityError:
        pass  # another process has just seen it, too
    return _open(engine, trouble.key)


def _end(engine: Engine, row: Row[tuple[object, ...]], now: datetime, unseen_for: timedelta) -> bool:
    """Whether it was ended by this."""
    seen_at = troubles.c.seen_at
    is_unseen = or_(seen_at <= moment(engine, now, later=-unseen_for), seen_at > moment(engine, now, later=AHEAD))
    is_open = and_(troubles.c.id == row.id, troubles.c.ended_at.is_(None), is_unseen)
    with engine.begin() as connection:
        return bool(connection.execute(update(troubles).where(is_open).values(ended_at=now, tell_at=now)).rowcount)


def _claimed(engine: Engine, which: ColumnElement[bool], now: datetime) -> bool:
    with engine.begin() as connection:
        return bool(connection.execute(update(troubles).where(which).values(tell_at=now + TRIED_AGAIN_AFTER)).rowcount)


def _encoded(told_: Told) -> str:
    return msgspec.json.encode(told_).decode()


def _noted(row: Row[tuple[object, ...]]) -> Noted:
    return Noted(
        id=row.id,
        check=row.check_name,
        subject=row.subject,
        said=row.said,
        way_out=row.way_out,
        began_at=row.began_at,
        ended_at=row.ended_at,
        told_at=row.told_at,
        told_to=row.told_to,
        told=msgspec.json.decode(row.told, type=dict[str, dict[str, str]]) if row.told else {},
    )
