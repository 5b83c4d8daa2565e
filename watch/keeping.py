"""The duties about what is stored: old rows go, and what is left is measured."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy import Engine

from settings import Settings
from storage import sizes
from storage.retention import BusyError, Retention, prune

log = structlog.get_logger()


def retention(settings: Settings) -> Retention:
    """As the settings say it."""
    return Retention(bodies=settings.retain_bodies, events=settings.retain_events, records=settings.retain_records)


def prune_old(engine: Engine, settings: Settings, clock: Callable[[], datetime]) -> None:
    """Let go what is old."""
    try:
        gone = +prune(engine, retention(settings), clock)
    except BusyError as error:
        log.warning("prune_put_off", error=str(error), effect="goes on an hour later")
        return
    if gone:
        log.info("old_rows_pruned", rows=dict(gone))


def measure(engine: Engine, clock: Callable[[], datetime]) -> None:
    """Measure what is stored."""
    sizes.measure(engine, clock())
