"""Who has changed what: a line for each change that somebody makes in the console or by the API, never changed itself.

What becomes of the rules' file, workers write beside them (storage/rules_edits.py).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Engine, insert, select

from storage.tables import audit


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change."""

    id: int
    at: datetime
    who: str
    origin: str
    """Who vouches for the name."""
    action: str
    """`silence.add`, `notification.requeue`."""
    subject: str
    """What was changed: `silence 7`."""
    detail: str
    """As which values; no secrets."""


def record(engine: Engine, *, at: datetime, who: str, origin: str, action: str, subject: str, detail: str = "") -> None:
    """Write a change down."""
    with engine.begin() as connection:
        values = {"at": at, "who": who, "origin": origin, "action": action, "subject": subject, "detail": detail[:2000]}
        connection.execute(insert(audit).values(values))


def listed(engine: Engine, *, before: int | None = None, limit: int = 100) -> tuple[Entry, ...]:
    """The newest first, older than the one of this number."""
    query = select(*_COLUMNS).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    with engine.connect() as connection:
        return tuple(Entry(**row._asdict()) for row in connection.execute(query))


_COLUMNS = tuple(audit.c[field.name] for field in fields(Entry))
