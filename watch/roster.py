"""All duties there are, in one list, and what they stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine

from routing.rules import RuleSet
from settings import Settings
from watch import checks
from watch.alarm import Alarm
from watch.canary import Canary
from watch.dead_man import ping_if_well
from watch.duties import Duty
from watch.other_clocks import time_of_others
from watch.rounds import go_round


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Post:
    """One for each worker."""

    worker: str
    settings: Settings
    engine: Engine
    clock: Callable[[], datetime]
    rules: Callable[[], RuleSet]
    """Those in force."""
    ring: Callable[[], None]
    """Wakes a planner: there is a new event. Never waits."""


def roster(at: Post) -> tuple[Duty, ...]:
    """What this worker has to see to."""
    alarm = Alarm(at.settings, at.engine, at.rules, at.clock)
    often = checks.of_worker(at.engine, at.settings.redis_url)
    rarely = (checks.clock_skewed(at.clock, lambda: time_of_others(at.engine, at.settings)),)
    canary = Canary(at.settings, at.engine, alarm, at.clock)
    url = at.settings.dead_man_url

    def ping() -> None:
        if url:
            ping_if_well(url, at.engine, at.rules().watch.canary, at.clock)

    return (
        Duty(name="fly a canary", every=timedelta(seconds=10), do=lambda: canary.fly_if_due(at.rules()), by_each=True),
        Duty(name="ping whoever waits for it", every=timedelta(minutes=1), do=ping),
        Duty(name="look after redis and rules", every=timedelta(seconds=10), do=lambda: go_round(often, alarm), by_each=True),
        Duty(name="compare clocks", every=timedelta(minutes=5), do=lambda: go_round(rarely, alarm), by_each=True),
    )
