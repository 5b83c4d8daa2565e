"""A test message, marked as one, which shows that a receiver can be told. What it opens at a vendor it closes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from threading import Thread

from notifiers.configuration import open_receiver
from notifiers.delivery import RetryPolicy, attempt
from notifiers.errors import PermanentError
from notifiers.http import Network, Timeouts
from notifiers.notifier import Clock, Notifier, ReceiverOptions
from notifiers.registry import VendorSettings
from routing.alert import Alert, Category, Level, Status
from routing.notification import Attempt, Notification, Outcome, Reason, Severity, Tries
from routing.rules import Receiver

WITHIN_SECONDS = 8.0
"""Whoever asked for it waits in front of a page."""
TIMEOUTS = Timeouts(connect_seconds=2.0, read_seconds=4.0)
STAYS_OPEN = frozenset({"pagerduty", "jira"})
"""Kinds where it would stand for ever, and perhaps wake somebody again."""

_FIRST = Tries(number=1, failures=0, planned_at=datetime(1970, 1, 1, tzinfo=UTC), may_be_there=False)


def rendered(receiver: Receiver, who: str, now: datetime) -> str:
    """What would be sent, without credentials."""
    options = receiver.options
    assert isinstance(options, ReceiverOptions)  # noqa: S101 - the registry holds nothing else; routing must not know that
    return options.render(_message(receiver, who, now))


def send(receiver: Receiver, who: str, settings: VendorSettings, clock: Clock, *, within_seconds: float = WITHIN_SECONDS) -> Attempt:
    """Send one test message, and say how that ended; of a receiver without its credential what would have been sent.

    Raises nothing. What takes longer is left to end by itself: it may have gone out.
    """
    return within(lambda: _try(receiver, who, settings, clock), clock, seconds=within_seconds)


def within(send_one: Callable[[], Attempt], clock: Clock, *, seconds: float = WITHIN_SECONDS) -> Attempt:
    """How it ended, or that nobody knows yet."""
    began_at = clock()
    ended: list[Attempt] = []
    work = Thread(target=lambda: ended.append(send_one()), name="one message", daemon=True)
    work.start()
    work.join(seconds)
    if ended:
        return ended[0]
    excerpt = f"no answer within {seconds:.0f} s: the message may have gone out"
    return Attempt(number=1, began_at=began_at, ended_at=clock(), outcome=Outcome.AMBIGUOUS, excerpt=excerpt)


def _try(receiver: Receiver, who: str, settings: VendorSettings, clock: Clock) -> Attempt:
    message = _message(receiver, who, clock())

    def opened() -> Notifier:
        if receiver.destination:
            raise PermanentError("where it leads hangs on the alert, and a test is of none: send an alert that names a destination")
        return open_receiver(receiver, settings, network=Network(TIMEOUTS), clock=clock)

    done = once(message, opened, clock)
    if done.outcome is not Outcome.DELIVERED or receiver.kind not in STAYS_OPEN:
        return done
    closed = once(_end_of(message, done.reference, clock()), opened, clock)
    if closed.outcome is Outcome.DELIVERED:
        return replace(done, excerpt=f"{done.excerpt}; closed again".lstrip("; "))
    return replace(done, excerpt=f"{done.excerpt}; it stands open, for it could not be closed: {closed.excerpt}".lstrip("; "))


def once(message: Notification, opened: Callable[[], Notifier], clock: Clock) -> Attempt:
    """One try."""
    return attempt(lambda: message, opened, tries=_FIRST, policy=RetryPolicy(), clock=clock, jitter=lambda: 0.5)


def _message(receiver: Receiver, who: str, now: datetime) -> Notification:
    # Its number is the time: no notification of ours has one so large, and vendors tell messages apart by it.
    number = int(now.timestamp() * 1_000_000)
    return Notification(
        id=number,
        incident=f"test:{number}",
        receiver=receiver.name,
        rules=("test",),
        severity=Severity.INFO,
        reason=Reason.FIRST,
        why=f"{who} asked for it",
        created_at=now,
        alert=_alert(receiver, who, now),
    )


def _alert(receiver: Receiver, who: str, now: datetime) -> Alert:
    return Alert(
        resource="test",
        action="test",
        status=Status.FIRING,
        category=Category.OTHER,
        level=Level.INFO,
        title=f"TEST: nothing is wrong; sent by {who} to see whether {receiver.name} can be told",
        project="alert-router",
        received_at=now,
        occurred_at=now,
    )


def _end_of(message: Notification, reference: Mapping[str, str], now: datetime) -> Notification:
    ended = replace(message.alert, status=Status.RESOLVED, received_at=now, occurred_at=now)
    return replace(message, id=message.id + 1, reason=Reason.RESOLVED, alert=ended, reference=reference, fires=False, created_at=now)
