"""What a worker does now and then beside planning and sending: each duty by one of all workers, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine

from storage.marks import take_turn

LOOK_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Something to be done again and again."""

    name: str
    every: timedelta
    do: Callable[[], None]
    """What it raises is logged, and it is done again when it is next due."""
    by_each: bool = False
    """By each worker, for it is about the worker; else by one of all."""


class Duties:
    """Sees to it that each is done in time. None waits for another: what asks a vendor may take its time."""

    def __init__(self, engine: Engine, duties: Sequence[Duty], clock: Callable[[], datetime]) -> None:
        self._engine, self._duties, self._clock = engine, duties, clock

    def run(self, stopping: threading.Event) -> None:
        """Begin, a thread for each; they end when it is time to stop."""
        for duty in self._duties:
            threading.Thread(target=self._keep, args=(duty, stopping), name=duty.name, daemon=True).start()

    def _keep(self, duty: Duty, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                if duty.by_each or take_turn(self._engine, f"duty:{duty.name}", duty.every, self._clock()):
                    duty.do()
            except Exception:  # the top of its thread: a duty that failed is due again
                log.exception("duty_failed", duty=duty.name, effect="done again when it is next due")
            stopping.wait(duty.every.total_seconds() if duty.by_each else LOOK_SECONDS)
