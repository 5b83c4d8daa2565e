"""All duties there are, in one list, and what they stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Engine

from routing.rules import RuleSet
from settings import Settings
from watch.duties import Duty
from watch.keeping import measure, prune_old


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
    return (
        Duty(name="prune", every=timedelta(hours=1), do=partial(prune_old, at.engine, at.settings, at.clock)),
        Duty(name="measure", every=timedelta(minutes=15), do=partial(measure, at.engine, at.clock)),
    )
