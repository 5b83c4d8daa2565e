"""Has everything planned that waits, a batch at a time, by one thread of this process at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine

from routing.notification import Lane
from routing.rules import RuleSet
from storage.coming_back import is_due, plan_due
from storage.planning import NOBODY, Onlooker, Planned, plan_batch
from storage.readings import Inquire

BEHIND = timedelta(seconds=10)
"""Planning this much after an event has come is working off a backlog."""
LONGEST_WAIT = timedelta(minutes=1)
"""How long reminders and escalations wait for a backlog to be worked off."""


class Planner:
    """The planner of one process; `planning` sees to it that those of several take turns."""

    def __init__(
        self,
        engine: Engine,
        rules: Callable[[], RuleSet],
        clock: Callable[[], datetime],
        announce: Callable[[Lane], None],
        inquire: Inquire | None = None,
        *,
        onlooker: Onlooker = NOBODY,
    ) -> None:
        """`announce` is called after each batch for every lane that has something to send now; `onlooker` hears of the steps."""
        self._engine, self._rules, self._clock, self._announce, self._inquire = engine, rules, clock, announce, inquire
        self._onlooker = onlooker
        self._planning = threading.Lock()
        self._behind_since: datetime | None = None
        """Since when a backlog is being worked off."""
        self._log = structlog.get_logger()

    def plan_all(self, stopping: threading.Event) -> None:
        """Plan until nothing waits, or until told to stop."""
        with self._planning:
            while self._plan_batch() and not stopping.is_set():
                pass

    def plan_for(self, seconds: float) -> None:
        """Plan what waits, for at most this long, unless another thread is planning: the caller has other duties."""
        if not self._planning.acquire(blocking=False):
            return
        try:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and self._plan_batch():
                pass
        finally:
            self._planning.release()

    def _plan_batch(self) -> bool:
        """Whether more may wait: events, or what is due by its time."""
        planned = plan_batch(self._engine, self._rules(), self._clock, inquire=self._inquire, onlooker=self._onlooker)
        self._announce_all(planned)
        now = self._clock()
        is_behind = planned.until is not None and now - planned.until >= BEHIND
        self._behind_since = (self._behind_since or now) if is_behind else None
        # The backlog may say that what is due has been resolved meanwhile, and nobody is to be woken for that.
        is_put_off = self._behind_since is not None and now - self._behind_since < LONGEST_WAIT
        if is_put_off or not is_due(self._engine, self._clock()):
            return is_put_off or not planned.are_all
        come_due = plan_due(self._engine, self._rules(), self._clock)
        self._announce_all(come_due)
        return not (planned.are_all and come_due.are_all)

    def _announce_all(self, planned: Planned) -> None:
        for one in planned.decided:
            self._log.info(
                "event_planned",
                event_id=one.event_id,
                incident_id=one.incident_id,
                disposition=one.disposition,
                to_send=one.to_send,
                held=one.held,
            )
        for event_id, error in planned.failures:
            # What it says may quote the alert: the console shows it with the event, to those who may see that.
            kind = ": ".join(error.split(": ")[:2])
            self._log.error(
                "event_not_planned", event_id=event_id, error=kind, effect="kept; planned again after a change of rules or code"
            )
        for lane in planned.lanes:
            self._announce(lane)
