"""Sets up logging: for people in development, JSON lines elsewhere; and reports of faults, where there is a DSN."""

from __future__ import annotations

import json
import logging
import sys
import time

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from settings import Settings
from telemetry.faults import FaultReporter
from telemetry.lines import StandardError, hear_libraries
from telemetry.reporting import init_sentry, report
from telemetry.scrubbing import Scrubber

_JSON = msgspec.json.Encoder(enc_hook=repr)
_OURS = frozenset({"event", "level", "timestamp", "link"})
"""Facts that hold nothing of others; and the link by which the first admin is made: whoever can read the log may open it."""


def configure(settings: Settings) -> None:
    """Set up logging, and Sentry if a DSN is set."""
    is_for_people = settings.sentry_environment == "development"
    renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if is_for_people else _as_json
    steps: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        CleanFacts(Scrubber(settings.secrets, names_people=settings.telemetry_names_people)),
        renderer,
    ]
    if settings.sentry_dsn:
        init_sentry(settings)
        steps.insert(0, FaultReporter(report, clock=time.monotonic))
    # In the list that is there: loggers that have been used keep it, and so hear of a new configuration, and of a test that listens.
    configured = structlog.get_config()["processors"]
    configured[:] = steps
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=configured,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=StandardError,
        cache_logger_on_first_use=True,
    )
    hear_libraries(level)


class CleanFacts:
    """A step of logging that takes secrets and people out of a line's facts."""

    def __init__(self, scrubber: Scrubber) -> None:
        """By what knows both."""
        self._scrubber = scrubber

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """The line without them."""
        for name, value in event.items():
            if name not in _OURS and isinstance(value, str | list | tuple | dict):
                event[name] = self._scrubber.address(value) if name == "address" and isinstance(value, str) else self._scrubber.tree(value)
        return event


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    try:
        return _JSON.encode(event).decode()
    except (ValueError, TypeError, RecursionError):
        # Half a surrogate pair, say. A line of a log must not be what fails.
        return json.dumps(event, default=repr, skipkeys=True)
