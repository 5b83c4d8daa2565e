"""What is said of the steps of planning and sending: lines of the log, and breadcrumbs and traces where faults are reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

import telemetry
from notifiers.delivery import Onlooker as DeliveryOnlooker
from routing.notification import Attempt, Outcome
from storage.claims import Claimed
from storage.planning import NOBODY
from storage.planning import Onlooker as PlanningOnlooker

_HANDED_OVER = frozenset({Outcome.DELIVERED, Outcome.PREVIEWED, Outcome.NEEDLESS})

log = structlog.get_logger()


def of_planning() -> PlanningOnlooker:
    """Who hears of the planner's steps; nobody, where nothing is reported."""
    return _Planning() if telemetry.is_sentry_enabled() else NOBODY


def watched(deliver: Callable[[Claimed, DeliveryOnlooker], Attempt]) -> Callable[[Claimed], Attempt]:
    """A delivery whose faults are logged; where they are reported, too, it has a trace and breadcrumbs of its own."""
    if not telemetry.is_sentry_enabled():
        return lambda claimed: deliver(claimed, _Unreported(claimed))

    def deliver_watched(claimed: Claimed) -> Attempt:
        ids = {"event_id": claimed.event.id, "incident_id": claimed.incident_id, "notification_id": claimed.id}
        with telemetry.piece_of_work("queue.process", f"deliver {claimed.kind}", **ids, receiver=claimed.receiver):
            _leave("claimed", claimed)
            done = deliver(claimed, _Delivery(claimed))
            _leave(done.outcome, claimed)
            return done

    return deliver_watched


def say_attempt(claimed: Claimed, done: Attempt) -> None:
    """How an attempt ended, once that is on record."""
    log.info(
        "notification_attempted",
        event_id=claimed.event.id,
        incident_id=claimed.incident_id,
        notification_id=claimed.id,
        receiver=claimed.receiver,
        said=done.excerpt,
        number=done.number,
        outcome=done.outcome,
        status=done.status_code,
    )
    if done.opted_out:
        log.warning(
            "destination_opted_out",
            event_id=claimed.event.id,
            incident_id=claimed.incident_id,
            notification_id=claimed.id,
            receiver=claimed.receiver,
            effect="nothing is tried there for a day",
        )
    if done.retry_after is None and done.outcome not in _HANDED_OVER:
        _say_dead(claimed, done)


def _say_dead(claimed: Claimed, done: Attempt) -> None:
    ids = {"event_id": claimed.event.id, "incident_id": claimed.incident_id, "notification_id": claimed.id}
    with telemetry.piece_of_work("queue.process", "give up a notification", **ids):
        # Its steps were taken in another thread, and what they left there is gone.
        for step in ("claimed", done.outcome, "recorded"):
            _leave(step, claimed)
        log.error(
            "notification_dead",
            event_id=claimed.event.id,
            incident_id=claimed.incident_id,
            notification_id=claimed.id,
            receiver=claimed.receiver,
            said=done.excerpt,
            outcome=done.outcome,
            status=done.status_code,
            way_out="requeue it",
        )


class _Delivery:
    def __init__(self, claimed: Claimed) -> None:
        self._claimed = claimed

    def step(self, name: str) -> None:
        _leave(name, self._claimed)

    def fault(self, error: Exception) -> None:
        _say_fault(self._claimed, error)


class _Unreported:
    def __init__(self, claimed: Claimed) -> None:
        self._claimed = claimed

    def step(self, name: str) -> None:
        """There is nobody to whom it could be told."""

    def fault(self, error: Exception) -> None:
        _say_fault(self._claimed, error)


def _say_fault(claimed: Claimed, error: Exception) -> None:
    log.error(
        "delivery_fault",
        event_id=claimed.event.id,
        incident_id=claimed.incident_id,
        notification_id=claimed.id,
        receiver=claimed.receiver,
        error=type(error).__name__,
        effect="tried again",
    )


class _Planning:
    def __init__(self) -> None:
        self._reporter = telemetry.FaultReporter(telemetry.report, clock=time.monotonic)

    def step(self, name: str, event_ids: Sequence[int]) -> None:
        data = {"first_event_id": event_ids[0], "last_event_id": event_ids[-1], "count": len(event_ids)}
        telemetry.add_breadcrumb(name, category="planning", data=data)

    def fault(self, event_id: int, error: Exception) -> None:
        # The line comes when the batch is stored: `event_not_planned`, by the planner.
        self._reporter(None, "error", {"event": "event_not_planned", "exc_info": error, "event_id": event_id})


def _leave(step: str, claimed: Claimed) -> None:
    """A breadcrumb."""
    ids = {"event_id": claimed.event.id, "incident_id": claimed.incident_id, "notification_id": claimed.id}
    telemetry.add_breadcrumb(step, category="delivery", data=ids)
