"""What the planner of a process does in which order."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from sqlalchemy import Engine

from routing.notification import State
from storage import inspection, silences
from storage.planner import LONGEST_WAIT, Planner
from storage.planning import BATCH
from tests.factories import NOW, issue_webhook, make_silence
from tests.storage.planned import issue, make_rules, plan_all, store

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
REMINDS = make_rules("""
version: 1
receivers: {chat: {kind: preview}}
throttles: [{name: two, when: "", limit: 2, per: 10m}]
rules: [{name: errors, when: "", notify: [chat], repeat: 30m}]
""")


class Clock:
    """Goes on by a step whenever it is read."""

    def __init__(self, now: datetime, step: timedelta = timedelta()) -> None:
        self.now, self.step = now, step

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now


def told(engine: Engine) -> list[str]:
    return [f"{one.receiver} {one.reason}" for one in reversed(inspection.listed(engine)) if one.state is not State.HELD]


def run(engine: Engine, clock: Clock) -> None:
    Planner(engine, lambda: REMINDS, clock, lambda _: None).plan_all(threading.Event())


def test_nobody_is_reminded_of_what_was_resolved_while_no_worker_ran(engine: Engine) -> None:
    store(engine, issue(1))
    run(engine, Clock(NOW))
    store(engine, issue_webhook("resolved", id="1"), at=NOW + 40 * MINUTE)

    run(engine, Clock(NOW + HOUR))

    assert told(engine) == ["chat resolved"]


def test_a_backlog_without_end_does_not_keep_reminders_back_for_ever(engine: Engine) -> None:
    store(engine, issue(1))
    run(engine, Clock(NOW))
    for number in range(3 * BATCH):
        store(engine, issue(2, number), at=NOW + 31 * MINUTE)

    run(engine, Clock(NOW + HOUR, step=LONGEST_WAIT / 4))

    assert "chat reminder" in told(engine)


def test_a_backlog_is_held_by_the_silence_of_its_time(engine: Engine) -> None:
    silences.add(engine, make_silence(lasts=30 * MINUTE), NOW)
    store(engine, issue(1), at=NOW + MINUTE)

    plan_all(engine, REMINDS, at=NOW + HOUR)

    assert told(engine) == []


def test_a_backlog_is_held_by_the_throttle_of_its_time(engine: Engine) -> None:
    for number in (1, 2):
        store(engine, issue(number))
    plan_all(engine, REMINDS)
    for number in (3, 4):
        store(engine, issue(number), at=NOW + 5 * MINUTE)

    plan_all(engine, REMINDS, at=NOW + 2 * HOUR)

    assert told(engine) == ["chat first"] * 2
