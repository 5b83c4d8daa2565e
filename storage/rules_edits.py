"""Whether workers took the last edit of the rules, as the audit has it: a line whenever that changes, however many workers there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, insert, select

from storage.tables import audit

REFUSED, TAKEN = "rules.refused", "rules.taken"
MOST_CHARACTERS = 2000
"""Of the problems; a file may have a thousand."""
LOOKED_AT = 10_000
"""So many of the newest lines of the audit are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedEdit:
    """An edit that was not put in force."""

    at: datetime
    by: str
    """The worker that said so first."""
    file: str
    problems: str
    """One a line, as `RulesError` writes them."""


def refuse(engine: Engine, *, file: str, problems: str, by: str, now: datetime) -> None:
    """Note that a worker did not take the rules as they are in the file, and why."""
    _note(engine, {"at": now, "who": by, "origin": "worker", "action": REFUSED, "subject": file, "detail": problems[:MOST_CHARACTERS]})


def take(engine: Engine, *, file: str, version: str, by: str, now: datetime) -> None:
    """Note that a worker has put a version in force."""
    _note(engine, {"at": now, "who": by, "origin": "worker", "action": TAKEN, "subject": file, "detail": f"version {version}"})


def last_refused(engine: Engine) -> RefusedEdit | None:
    """The last edit, if it was refused; None: it is in force."""
    with engine.connect() as connection:
        row = connection.execute(_LAST).first()
    if row is None or row.action != REFUSED:
        return None
    return RefusedEdit(at=row.at, by=row.who, file=row.subject, problems=row.detail)


def _note(engine: Engine, line: dict[str, object]) -> None:
    with engine.begin() as connection:
        if not _is_said(connection, line):
            connection.execute(insert(audit), line)


def _is_said(connection: Connection, line: dict[str, object]) -> bool:
    """Whether another worker has just said the same, or this one before it was started again."""
    last = connection.execute(_LAST).first()
    return last is not None and (last.action, last.detail) == (line["action"], line["detail"])


# By the primary key from its end: the audit is never looked through as a whole.
_LAST = (
    select(audit.c.at, audit.c.who, audit.c.action, audit.c.subject, audit.c.detail)
    .where(
        audit.c.id > select(func.coalesce(func.max(audit.c.id), 0) - LOOKED_AT).scalar_subquery(),
        audit.c.action.in_((REFUSED, TAKEN)),
    )
    .order_by(audit.c.id.desc())
    .limit(1)
)
