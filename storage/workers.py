"""Which workers are alive: what a dead one had claimed is for the others to send."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, Engine, delete, func, insert, literal, or_, update
from sqlalchemy.exc import SQLAlchemyError

from storage.tables import UtcDateTime, workers

LIFE = timedelta(seconds=15)
"""How long a worker counts as alive after it said so; then others take what it had claimed."""


def say_alive(engine: Engine, worker: str, now: datetime, *, life: timedelta = LIFE) -> None:
    """A worker lives for so long, unless it says so again."""
    until = moment(engine, now, later=life)
    with engine.begin() as connection:
        if not connection.execute(update(workers).where(workers.c.id == worker).values(alive_until=until)).rowcount:
            connection.execute(insert(workers).values(id=worker, alive_until=until))


def say_gone(engine: Engine, worker: str, now: datetime) -> None:
    """A worker has ended; the dead are forgotten with it."""
    with engine.begin() as connection:
        connection.execute(delete(workers).where(or_(workers.c.id == worker, workers.c.alive_until < moment(engine, now))))


def keep_alive(engine: Engine, worker: str, clock: Callable[[], datetime], stopping: threading.Event) -> None:
    """Say every few seconds that a worker lives, however long its work takes, until it stops."""
    log = structlog.get_logger()
    while not stopping.wait(LIFE.total_seconds() / 5):
        try:
            say_alive(engine, worker, clock())
        except SQLAlchemyError as error:
            log.error(
                "not_said_alive", error=type(error).__name__, effect="tried again in three seconds; after fifteen others take the claims"
            )


def moment(engine: Engine, now: datetime, *, later: timedelta = timedelta()) -> ColumnElement[datetime]:
    """So long after now, by the one clock that all workers share.

    That of the server, since the clocks of several machines need not agree; with SQLite all are on one machine, and `now` is its.
    """
    if engine.dialect.name == "postgresql":
        return func.now(type_=UtcDateTime()) + literal(later)
    return literal(now + later, UtcDateTime())
