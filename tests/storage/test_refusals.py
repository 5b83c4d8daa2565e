"""What was refused is counted, and costs next to nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from structlog.testing import capture_logs

from storage.database import open_database, upgrade
from storage.refusals import PAUSE_SECONDS, Refusal, RefusalCounter, counted

NIGHT = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
TODAY, TOMORROW = date(2026, 11, 23), date(2026, 11, 24)
PATIENCE_SECONDS = 20.0


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "never happened"
        threading.Event().wait(0.01)


def test_refusals_are_counted_by_day_path_and_status(engine: Engine) -> None:
    now = [NIGHT]
    counter = RefusalCounter(engine, lambda: now[0])

    for path, status in (("sentry", 401), ("sentry", 401), ("sentry", 413), ("other", 404)):
        counter.count(path, status)
    now[0] += timedelta(seconds=1)
    counter.count("sentry", 401)

    wanted = (
        (Refusal(TOMORROW, "sentry", 401), 1),
        (Refusal(TODAY, "other", 404), 1),
        (Refusal(TODAY, "sentry", 401), 2),
        (Refusal(TODAY, "sentry", 413), 1),
    )
    eventually(lambda: counted(engine, limit=10) == wanted)
    assert counted(engine, limit=1) == wanted[:1]


def test_two_processes_count_into_the_same_rows(engine: Engine) -> None:
    counters = [RefusalCounter(engine, lambda: NIGHT) for _ in range(2)]

    for counter in counters * 3:
        counter.count("sentry", 401)
        counter.count("other", 404)

    eventually(lambda: [count for _, count in counted(engine, limit=10)] == [6, 6])


def test_a_flood_costs_one_commit_and_one_line_a_second(engine: Engine) -> None:
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)
    counter = RefusalCounter(engine, lambda: NIGHT)
    began = time.monotonic()

    with capture_logs() as lines:
        for _ in range(20_000):
            counter.count("sentry", 401)
        eventually(lambda: counted(engine, limit=10) == ((Refusal(TODAY, "sentry", 401), 20_000),))

    allowed = 1 + (time.monotonic() - began) / PAUSE_SECONDS
    assert len(commits) <= allowed
    assert len(lines) <= allowed
    assert sum(line["count"] for line in lines) == 20_000
    assert {(line["event"], line["path"], line["status"]) for line in lines} == {("webhook_refused", "sentry", 401)}


@pytest.fixture
def empty(tmp_path: Path) -> Engine:
    return open_database(f"sqlite:///{tmp_path}/no-tables.db")


def test_what_a_database_did_not_take_is_written_when_it_does(empty: Engine) -> None:
    counter = RefusalCounter(empty, lambda: NIGHT)
    with capture_logs() as lines:
        counter.count("sentry", 401)
        eventually(lambda: any(line["event"] == "refusals_not_counted" for line in lines))

    upgrade(empty)

    eventually(lambda: counted(empty, limit=10) == ((Refusal(TODAY, "sentry", 401), 1),))
