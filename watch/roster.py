"""All duties there are, in one list, and what they stand on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Engine

from routing.rules import RuleSet
from settings import Settings
from storage.database import open_database
from watch import checks, losses, quiet
from watch.alarm import Alarm
from watch.canary import Canary
from watch.checks import Check, Lasting
from watch.dead_man import ping_if_well
from watch.duties import Duty
from watch.keeping import measure, prune_old
from watch.other_clocks import time_of_others
from watch.rounds import go_round

LOOKED_AT_AGAIN = timedelta(hours=1)


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
    url = at.settings.redis_url
    often = (checks.redis_away(url, Lasting()), checks.redis_full(url), checks.rules_refused(at.engine))
    clocks = (checks.clock_skewed(at.clock, lambda: time_of_others(at.engine, at.settings), machine=socket.gethostname()),)
    losses_ = (losses.cannot_decide(at.engine, at.clock), losses.told_nobody(at.engine, at.clock))
    canary = Canary(at.settings, at.engine, alarm, at.clock)

    def ping() -> None:
        if at.settings.dead_man_url:
            ping_if_well(at.settings, at.engine, at.rules().watch.canary, at.clock)

    def listen() -> None:
        if at.rules().watch.quiet:
            quiet.look(at.engine, alarm, at.clock())

    return (
        Duty(name="fly a canary", every=timedelta(seconds=10), do=lambda: canary.fly_if_due(at.rules()), by_each=True),
        Duty(name="listen for silence", every=timedelta(minutes=1), do=listen),
        Duty(name="ping whoever waits for it", every=timedelta(minutes=1), do=ping),
        Duty(name="look after redis and rules", every=timedelta(seconds=10), do=lambda: go_round(often, alarm), by_each=True),
        Duty(name="compare clocks", every=checks.CLOCKS_EVERY, do=lambda: go_round(clocks, alarm), by_each=True),
        Duty(name="look for what is lost", every=timedelta(minutes=1), do=lambda: go_round(losses_, alarm)),
        Duty(name="end what nobody sees", every=timedelta(minutes=5), do=lambda: alarm.forget(unseen_for=unseen_for(at.rules()))),
        Duty(name="prune", every=timedelta(hours=1), do=partial(prune_old, at.engine, at.settings, at.clock)),
        Duty(name="measure", every=timedelta(minutes=15), do=partial(measure, at.engine, at.clock)),
    )


def unseen_for(rules: RuleSet) -> timedelta:
    """Whoever looks has looked again by then, if anybody does."""
    return max(LOOKED_AT_AGAIN, 3 * rules.watch.canary)


def of_web(settings: Settings, engine: Engine, rules: Callable[[], RuleSet | None], clock: Callable[[], datetime]) -> tuple[Check, ...]:
    """What no worker can tell, for each web process to see to."""
    writes = open_database(settings.database, must_answer=True)
    spool = (losses.spool_stays(settings.spool_dir, writes, clock),) if settings.spool_dir else ()
    return (
        checks.no_worker(engine, Lasting()),
        checks.decides_late(engine, clock),
        checks.tells_late(engine, clock),
        checks.cannot_write(writes, clock, Lasting()),
        checks.wrong_signatures(engine, clock),
        losses.canary_stays_away(engine, rules, clock),
        *spool,
    )
