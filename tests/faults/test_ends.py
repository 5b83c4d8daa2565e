"""What was told has one beginning and one end, however many processes look, die and are started meanwhile."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import workers
from storage.database import Lock, turn
from tests.factories import event_alert_webhook
from tests.faults.stage import Stage, staged

SETTLED_SECONDS = 45.0
"""Longer than any of these checks waits before it believes what it sees."""
DECIDED_WITHIN_SECONDS = 80.0
"""A minute, and a round."""


@pytest.fixture
def stage(tmp_path: Path, sqlite_url: str) -> Iterator[Stage]:
    """With two workers, and all well."""
    with staged(tmp_path, sqlite_url) as found:
        for _ in range(2):
            found.start_worker()
        found.until_all_is_well()
        yield found


def told_of(stage: Stage, said: str) -> list[bool]:
    """Of each mail about it whether it is its end."""
    return [subject.startswith("Re: ") for subject in stage.mails() if said in subject]


def seconds_until_told(stage: Stage, said: str, count: int) -> float:
    began = time.monotonic()
    stage.service.until(f"{count} mails about {said!r}", lambda: len(told_of(stage, said)) == count)
    return time.monotonic() - began


def test_a_channel_that_is_archived_and_is_not_any_more(stage: Stage) -> None:
    stage.vendors.slack.app.archived = {"C0ERRORS"}
    seconds_until_told(stage, "the channel is archived", 1)
    time.sleep(12)  # two more canaries
    stage.vendors.slack.app.archived = set()

    seconds_until_told(stage, "the channel is archived", 2)

    assert told_of(stage, "the channel is archived") == [False, True]


def test_workers_that_are_killed_a_web_process_that_is_started_anew_meanwhile_and_a_worker_again(stage: Stage) -> None:
    for worker in stage.workers:
        worker.kill()
    stage.seconds_until("No worker of the alert router lives", stage.mails)
    stage.service.kill_web()
    stage.service.start_web(stage.service.port)
    time.sleep(SETTLED_SECONDS)
    assert told_of(stage, "No worker of the alert router lives") == [False]

    stage.start_worker()

    seconds_until_told(stage, "No worker of the alert router lives", 2)
    assert told_of(stage, "No worker of the alert router lives") == [False, True]


def test_a_database_that_is_locked_and_is_not_any_more(stage: Stage) -> None:
    other = sqlite3.connect(stage.service.environment["DATABASE_URL"].removeprefix("sqlite:///"), isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    stage.seconds_until("database takes nothing", stage.mails)
    other.execute("ROLLBACK")
    other.close()

    seconds_until_told(stage, "database takes nothing", 2)
    time.sleep(SETTLED_SECONDS)

    assert told_of(stage, "database takes nothing") == [False, True]


def test_workers_that_live_and_decide_nothing(stage: Stage) -> None:
    with turn(stage.service.database, Lock.PLANNER):
        stage.service.post(event_alert_webhook())
        seconds = stage.seconds_until("The alert router decides nothing", stage.mails)
        assert workers.living(stage.service.database) == 2

    seconds_until_told(stage, "The alert router decides nothing", 2)

    assert seconds < DECIDED_WITHIN_SECONDS
    assert told_of(stage, "The alert router decides nothing") == [False, True]


def test_a_redis_that_two_workers_miss_is_told_once(stage: Stage) -> None:
    stage.kill_redis()
    stage.seconds_until("Redis does not answer", stage.mails)
    stage.workers[0].kill()
    stage.start_worker()

    time.sleep(SETTLED_SECONDS)

    assert told_of(stage, "Redis does not answer") == [False]
