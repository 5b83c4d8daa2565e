"""What is counted of planning and of delivering, for metrics."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from routing.notification import Attempt, Outcome, Reason, State
from routing.plan import Disposition
from storage.claims import Claimed
from storage.events import Decision
from storage.notifications import Said
from storage.tallies import Tally, tally

EVENTS, DISPOSITIONS, NOTIFICATIONS, ATTEMPTS = "events", "dispositions", "notifications", "attempts"
DELIVERY, DELIVERY_SECONDS = "delivery", "delivery seconds"
REFUSED = "refused"
"""Of days that are kept no longer; those of later ones are counted in their rows."""
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Of the histogram, in seconds."""
TIMED = frozenset({Reason.FIRST, Reason.RESOLVED, Reason.SUMMARY})
"""Reasons of messages that follow a webhook at once; reminders and escalations are late by design."""


def of_decisions(decisions: Iterable[Decision], said: Iterable[Said]) -> Counter[Tally]:
    """What a batch came to."""
    counts = of_said(said)
    for one in decisions:
        # Canaries, and what people do elsewhere, say nothing of whether Sentry is heard.
        if one.disposition is not Disposition.UNKNOWN and (one.alert is None or one.alert.is_of_sentry):
            counts[tally(EVENTS, environment=one.alert.environment if one.alert else None)] += 1
        counts[tally(DISPOSITIONS, resource=one.event.resource, disposition=one.disposition or "failed")] += 1
    return counts


def of_said(said: Iterable[Said]) -> Counter[Tally]:
    """Notifications that were planned, or held at once."""
    return Counter(came_into(one.notification.kind, one.notification.reason, one.notification.state) for one in said)


def came_into(kind: str, reason: str, state: State) -> Tally:
    """A notification that came into a state."""
    return tally(NOTIFICATIONS, kind=kind, reason=reason, state=state)


def how_ended(kind: str, outcome: Outcome) -> Tally:
    """An attempt that ended so."""
    return tally(ATTEMPTS, kind=kind, outcome=outcome)


def of_attempts(finished: Sequence[tuple[Claimed, Attempt, State]]) -> Counter[Tally]:
    """How attempts ended, what that made of their notifications, and how long after its webhook each was told."""
    counts: Counter[Tally] = Counter()
    for claimed, attempt, state in finished:
        counts[how_ended(claimed.kind, attempt.outcome)] += 1
        if state is not State.PLANNED:
            counts[came_into(claimed.kind, attempt.held_for or claimed.reason, state)] += 1
        if attempt.outcome is Outcome.DELIVERED and claimed.reason in TIMED:
            seconds = max((attempt.ended_at - claimed.event.received_at).total_seconds(), 0.0)
            counts[tally(DELIVERY, kind=claimed.kind, bound=bound_of(seconds))] += 1
            counts[tally(DELIVERY_SECONDS, kind=claimed.kind)] += seconds  # type: ignore[assignment]  # no whole number
    return counts


def bound_of(seconds: float) -> str:
    """The smallest bound of the histogram that is not below."""
    at = bisect_left(BOUNDS, seconds)
    return str(BOUNDS[at]) if at < len(BOUNDS) else "+Inf"
