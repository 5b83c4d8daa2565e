"""Which workers are alive: what a dead one had claimed is for the others to send."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, delete, insert, or_, update

from storage.tables import workers


def say_alive(engine: Engine, worker: str, until: datetime) -> None:
    """A worker lives until then, unless it says so again."""
    with engine.begin() as connection:
        if not connection.execute(update(workers).where(workers.c.id == worker).values(alive_until=until)).rowcount:
            connection.execute(insert(workers).values(id=worker, alive_until=until))


def say_gone(engine: Engine, worker: str, now: datetime) -> None:
    """A worker has ended; the dead are forgotten with it."""
    with engine.begin() as connection:
        connection.execute(delete(workers).where(or_(workers.c.id == worker, workers.c.alive_until < now)))
