"""A step of logging: what is logged as a fault is reported, once in a while."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping

from structlog.typing import EventDict, WrappedLogger

REPORTED_AGAIN_AFTER_SECONDS = 60.0
"""What fails in a loop fails every second."""
_MAX_REMEMBERED = 1000

Report = Callable[[BaseException | None, str, Mapping[str, object]], None]
"""Sends a fault, or a line that is none but says that a receiver fails, with the event that it was logged as and its facts."""


class Seldom:
    """Lets what comes again and again pass once in a while."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` counts seconds."""
        self._clock = clock
        self._passed: dict[str, float] = {}
        self._lock = threading.Lock()

    def is_due(self, identity: str) -> bool:
        """Whether it has not passed for a time; then it does now."""
        now = self._clock()
        with self._lock:
            if now - self._passed.get(identity, -REPORTED_AGAIN_AFTER_SECONDS) < REPORTED_AGAIN_AFTER_SECONDS:
                return False
            if len(self._passed) >= _MAX_REMEMBERED:
                self._passed.clear()
            self._passed[identity] = now
            return True


class FaultReporter:
    """Reports what was caught: the exception of an error's line, or the one that is being handled there; and receivers that fail.

    One fault at one place is reported once in a while only, however often it is logged; so is that a receiver fails.
    """

    def __init__(self, report: Report, *, clock: Callable[[], float]) -> None:
        """`clock` counts seconds."""
        self._report, self._seldom = report, Seldom(clock)

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Report, and pass the line on."""
        if method in {"error", "critical"}:
            fault, receiver = _fault(event), event.get("receiver")
            if (fault or receiver) and self._seldom.is_due(_identity(event, fault, receiver)):
                facts = {name: value for name, value in event.items() if name not in {"event", "exc_info"}}
                self._report(fault, str(event.get("event")), facts)
        return event


def _fault(event: EventDict) -> BaseException | None:
    given = event.get("exc_info")
    if isinstance(given, BaseException):
        return given
    return given[1] if isinstance(given, tuple) else sys.exc_info()[1]


def _identity(event: EventDict, fault: BaseException | None, receiver: object) -> str:
    """The same for the same fault at the same place."""
    if fault is None:
        return f"{event.get('event')} {receiver}"
    trace = fault.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{event.get('event')} {type(fault).__qualname__} {place}"
