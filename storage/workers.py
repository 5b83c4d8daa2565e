"""Which workers are alive: what a dead one had claimed is for the others to send."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, Engine, delete, exists, func, insert, literal, or_, select, update

from storage.tables import UtcDateTime, workers

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
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
        except Exception as error:  # noqa: BLE001 - whoever no longer says that he lives is given up for dead, while he goes on sending
            log.error(
                "not_said_alive", error=type(error).__name__, effect="tried again in three seconds; after fifteen others take the claims"
            )


def steady() -> datetime:
    """A clock that nobody sets, the same for all processes of a machine: the wall's may be put forward and back while workers live."""
    return _LONG_AGO + timedelta(seconds=time.monotonic())


def lives(engine: Engine, worker: ColumnElement[str | None], now: datetime) -> ColumnElement[bool]:
    """In a statement: whether a worker does."""
    said = [workers.c.id == worker, workers.c.alive_until >= moment(engine, now)]
    if engine.dialect.name != "postgresql":
        # A later time cannot be genuine: it was written before the machine was started, by another such clock.
        said.append(workers.c.alive_until <= literal(now + LIFE + timedelta(seconds=1), UtcDateTime()))
    return exists().where(*said)


def living(engine: Engine) -> int:
    """How many live."""
    with engine.connect() as connection:
        query = select(func.count()).select_from(workers).where(lives(engine, workers.c.id, steady()))
        return connection.execute(query).scalar_one()


def moment(engine: Engine, now: datetime, *, later: timedelta = timedelta()) -> ColumnElement[datetime]:
    """So long after now, by the one clock that all workers share.

    That of the server, since the clocks of several machines need not agree; with SQLite all are on one machine, and `now` is `steady()`.
    """
    if engine.dialect.name == "postgresql":
        return func.now(type_=UtcDateTime()) + literal(later)
    return literal(now + later, UtcDateTime())
