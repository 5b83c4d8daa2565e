"""Counts webhooks that were refused: nothing of them is stored but how many came, by day, path and status."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from typing import NamedTuple

import structlog
from sqlalchemy import Engine, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from storage.tables import refusals

PAUSE_SECONDS = 1.0
"""Between two writes: whoever sends rubbish costs one small commit and a few lines of the log a second, however much it is."""


class Refusal(NamedTuple):
    """What is counted together."""

    day: date
    """In UTC."""
    path: str
    """Whose path it was: `sentry`, `legacy`, `glitchtip`, `other`."""
    status: int


class RefusalCounter:
    """Counts in memory, and writes and logs from a thread of its own, so that no refusal waits for the database.

    A database that is away loses nothing as long as this process lives: what could not be written is written later.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine, self._clock = engine, clock
        self._upsert = _UPSERT[engine.dialect.name]
        self._counting = threading.Lock()
        self._counts: Counter[Refusal] = Counter()
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger()

    def count(self, path: str, status: int) -> None:
        """Note one more; paths and statuses must be few, for each is a row a day."""
        with self._counting:
            self._counts[Refusal(self._clock().date(), path, status)] += 1
            if self._thread is None:
                # Not before the first: a web server may fork after it has built the application, and threads do not survive that.
                self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
                self._thread.start()
        self._wanted.set()

    def _run(self) -> None:
        unwritten: Counter[Refusal] = Counter()
        while True:
            self._wanted.wait()
            self._wanted.clear()
            with self._counting:
                counts, self._counts = self._counts, Counter()
            for refusal, count in counts.items():
                self._log.warning("webhook_refused", path=refusal.path, status=refusal.status, count=count)
            unwritten += counts
            try:
                self._write(unwritten)
                unwritten.clear()
            except (SQLAlchemyError, OSError) as error:
                self._log.error("refusals_not_counted", error=type(error).__name__, effect="tried again in a second")
                self._wanted.set()
            time.sleep(PAUSE_SECONDS)

    def _write(self, counts: Counter[Refusal]) -> None:
        # In one order, or two processes could wait for each other's rows.
        rows = [{**refusal._asdict(), "count": count} for refusal, count in sorted(counts.items())]
        with self._engine.begin() as connection:
            connection.execute(self._upsert, rows)


def counted(engine: Engine, *, limit: int) -> tuple[tuple[Refusal, int], ...]:
    """How many were refused, the last days first."""
    columns = (refusals.c.day, refusals.c.path, refusals.c.status, refusals.c.count)
    newest = (refusals.c.day.desc(), refusals.c.path, refusals.c.status)
    with engine.connect() as connection:
        rows = connection.execute(select(*columns).order_by(*newest).limit(limit)).all()
    return tuple((Refusal(day, path, status), count) for day, path, status, count in rows)


def of_today(engine: Engine, path: str, status: int, now: datetime) -> int:
    """How many were refused on this day."""
    which = (refusals.c.day == now.date(), refusals.c.path == path, refusals.c.status == status)
    with engine.connect() as connection:
        return connection.execute(select(refusals.c.count).where(*which)).scalar() or 0


def number(engine: Engine, path: str, status: int) -> int:
    """How many were refused, of those that are still on record."""
    total = select(func.sum(refusals.c.count)).where(refusals.c.path == path, refusals.c.status == status)
    with engine.connect() as connection:
        return int(connection.execute(total).scalar() or 0)


def _upsert(dialect_insert: Callable[..., postgresql.Insert] | Callable[..., sqlite.Insert]) -> postgresql.Insert | sqlite.Insert:
    row = dialect_insert(refusals)
    return row.on_conflict_do_update(index_elements=list(refusals.primary_key), set_={"count": refusals.c.count + row.excluded.count})


_UPSERT = {"postgresql": _upsert(postgresql.insert), "sqlite": _upsert(sqlite.insert)}
