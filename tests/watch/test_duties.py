"""Duties are done in time, by one worker of all, and none waits for another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from watch.duties import Duties, Duty

SOON = timedelta(seconds=0.05)


@pytest.fixture
def stopping() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def begin(engine: Engine, stopping: threading.Event, *duties: Duty) -> None:
    Duties(engine, duties, lambda: datetime.now(UTC)).run(stopping)


def test_one_that_hangs_and_one_that_fails_hold_up_no_other(engine: Engine, stopping: threading.Event) -> None:
    done = threading.Semaphore(0)

    def hang() -> None:
        stopping.wait()

    def fail() -> None:
        raise ZeroDivisionError

    with capture_logs() as lines:
        begin(engine, stopping, *(Duty(name=do.__name__, every=SOON, do=do, by_each=True) for do in (hang, fail, done.release)))
        assert all(done.acquire(timeout=10) for _ in range(3))

    failed = [line for line in lines if line["event"] == "duty_failed"]
    assert len(failed) > 1
    assert {line["duty"] for line in failed} == {"fail"}


def test_two_workers_do_it_once(engine: Engine, stopping: threading.Event) -> None:
    done: list[str] = []
    for worker in ("one", "two"):
        begin(engine, stopping, Duty(name="prune", every=timedelta(hours=1), do=lambda worker=worker: done.append(worker)))  # type: ignore[misc]

    threading.Event().wait(1.5)

    assert len(done) == 1
