"""All duties there are, in one list, and what they stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from routing.rules import RuleSet
from settings import Settings
from watch.duties import Duty


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


def roster(at: Post) -> tuple[Duty, ...]:  # noqa: ARG001 - none yet
    """What this worker has to see to."""
    return ()
