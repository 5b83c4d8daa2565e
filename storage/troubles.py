"""What is wrong with the service, from when to when, and who was told: of several processes that see it one tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Engine, Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from routing.trouble import Trouble
from storage.tables import troubles

AGAIN_AFTER = timedelta(hours=4)
"""So long after somebody was told he is told again, if it lasts."""
TRIED_AGAIN_AFTER = timedelta(minutes=1)
"""The same, where nobody could be told."""


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
    reference: Mapping[str, str]
    """What that one's vendor calls it."""


def see(engine: Engine, trouble: Trouble, now: datetime) -> Noted | None:
    """Note that it is there; what is noted, if whoever asks is to tell of it now, and nobody else will."""
    row = _open(engine, trouble.key) or _begun(engine, trouble, now)
    if row is None or (row.tell_at > now and row.said == trouble.said):
        return None
    is_ours = and_(troubles.c.id == row.id, troubles.c.ended_at.is_(None), troubles.c.tell_at <= now)
    with engine.begin() as connection:
        said = update(troubles).where(troubles.c.id == row.id).values(said=trouble.said, way_out=trouble.way_out)
        connection.execute(said)
        claimed = connection.execute(update(troubles).where(is_ours).values(tell_at=now + TRIED_AGAIN_AFTER)).rowcount
    return _noted(row) if claimed else None


def told(engine: Engine, id_: int, *, to: str, reference: Mapping[str, str], now: datetime) -> None:
    """Note who has taken it."""
    values = {"told_at": now, "told_to": to, "reference": msgspec.json.encode(reference).decode(), "tell_at": now + AGAIN_AFTER}
    with engine.begin() as connection:
        connection.execute(update(troubles).where(troubles.c.id == id_).values(values))


def over(engine: Engine, check: str, subject: str, now: datetime) -> Noted | None:
    """Note that it is over; what it was, if it lasted until now and whoever asks was the first to say so."""
    row = _open(engine, f"{check}:{subject}" if subject else check)
    if row is None:
        return None
    is_open = and_(troubles.c.id == row.id, troubles.c.ended_at.is_(None))
    with engine.begin() as connection:
        ended = connection.execute(update(troubles).where(is_open).values(ended_at=now)).rowcount
    return _noted(row) if ended else None


def listed(engine: Engine, *, is_open: bool = False, limit: int = 50) -> tuple[Noted, ...]:
    """The newest, or those that last."""
    which: tuple[ColumnElement[bool], ...] = (troubles.c.ended_at.is_(None),) if is_open else ()
    with engine.connect() as connection:
        rows = connection.execute(select(troubles).where(*which).order_by(troubles.c.id.desc()).limit(limit))
        return tuple(map(_noted, rows))


def _open(engine: Engine, key: str) -> Row[tuple[object, ...]] | None:
    with engine.connect() as connection:
        return connection.execute(select(troubles).where(troubles.c.key == key, troubles.c.ended_at.is_(None))).first()


def _begun(engine: Engine, trouble: Trouble, now: datetime) -> Row[tuple[object, ...]] | None:
    row = {"key": trouble.key, "check_name": trouble.check, "subject": trouble.subject, "said": trouble.said, "way_out": trouble.way_out}
    try:
        with engine.begin() as connection:
            connection.execute(insert(troubles), {**row, "began_at": now, "tell_at": now})
    except IntegrityError:
        pass  # another process has just seen it, too
    return _open(engine, trouble.key)


def prune(engine: Engine, before: datetime) -> int:
    """Forget those that ended before then; says how many."""
    with engine.begin() as connection:
        return connection.execute(delete(troubles).where(troubles.c.ended_at < before)).rowcount


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
        reference=msgspec.json.decode(row.reference, type=dict[str, str]) if row.reference else {},
    )
