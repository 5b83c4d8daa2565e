"""One attempt to deliver one notification, from the question whether it is there already to the time of the next try.

Knows no vendor; the clock and chance come as arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from traceback import walk_tb
from typing import Protocol

from notifiers.errors import DeliveryError, PermanentError, RetryableError
from notifiers.notifier import Notifier, Receipt, Reconciler
from routing.notification import Attempt, Notification, Outcome, Tries


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to try again. After the last wait a notification is dead, eight hours after its first try."""

    waits: tuple[timedelta, ...] = (
        timedelta(seconds=5),
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=5),
    )
    spread: float = 0.2
    """By what share a wait may be longer or shorter, so that what failed together does not come back together."""
    shortest_told: timedelta = timedelta(seconds=1)
    """A vendor that says "at once" for ever is not asked more often than this."""
    told_until: timedelta = timedelta(hours=8)
    """How long after it was planned a vendor may still put a message off: limits delay it, they use up none of its tries."""

    def wait(self, failures: int, *, told: timedelta | None, jitter: float) -> timedelta | None:
        """How long to wait after a failed attempt; None: no further one.

        Args:
            failures: how many attempts have failed, this one included, those not counted that the vendor put off.
            told: the vendor's Retry-After, kept to exactly.
            jitter: from 0 to 1, by chance.
        """
        if told is not None:
            return max(told, self.shortest_told)
        if failures > len(self.waits):
            return None
        return self.waits[failures - 1] * (1 + self.spread * (2 * jitter - 1))


class Onlooker(Protocol):
    """Who hears of each step of an attempt, in its thread; raises nothing."""

    def step(self, name: str) -> None:
        """One is done."""

    def fault(self, error: Exception) -> None:
        """One has failed by a fault of ours, which is being handled."""


class Nobody:
    """An onlooker that looks away."""

    def step(self, name: str) -> None:
        """One is done."""

    def fault(self, error: Exception) -> None:
        """One has failed."""


NOBODY = Nobody()


def attempt(
    read: Callable[[], Notification],
    open_notifier: Callable[[], Notifier],
    *,
    tries: Tries,
    policy: RetryPolicy,
    clock: Callable[[], datetime],
    jitter: Callable[[], float],
    onlooker: Onlooker = NOBODY,
) -> Attempt:
    """Try once, and say how it ended. Raises nothing, whatever fails.

    Args:
        read: gives the notification; called here, so that one that cannot be read ends as an attempt, too.
        open_notifier: gives what sends it; called here for the same reason.
        tries: those before this one.
        policy: when to try again.
        clock: for begin and end.
        jitter: gives a number from 0 to 1 by chance.
        onlooker: hears of the steps.
    """
    began_at = clock()
    try:
        notification = read()
        onlooker.step("read")
        notifier = open_notifier()
        onlooker.step("opened")
        receipt = _deliver(notification, notifier, ask_first=tries.may_be_there)
        onlooker.step("sent" if receipt.sent else "previewed")
    except DeliveryError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - the top of a delivery: a fault of ours must not stop the lane
        onlooker.fault(error)
        # Perhaps it came after the message went out. Its text may hold anything, so only its type and place are kept.
        failure = RetryableError(f"fault in the router: {type(error).__name__} at {_place(error)}", ambiguous=True)
    else:
        return Attempt(
            number=tries.number,
            began_at=began_at,
            ended_at=clock(),
            outcome=Outcome.DELIVERED if receipt.sent else Outcome.PREVIEWED,
            status_code=receipt.status_code,
            excerpt=receipt.excerpt,
            payload=receipt.payload,
            reference=receipt.reference,
        )
    ended_at = clock()
    told = failure.retry_after if isinstance(failure, RetryableError) and ended_at - tries.planned_at < policy.told_until else None
    wait = policy.wait(tries.failures + 1, told=told, jitter=jitter()) if isinstance(failure, RetryableError) else None
    return Attempt(
        number=tries.number,
        began_at=began_at,
        ended_at=ended_at,
        outcome=_outcome(failure),
        status_code=failure.status_code,
        excerpt=str(failure),
        retry_after=wait,
        reference=failure.so_far if isinstance(failure, RetryableError) else {},
        opted_out=True if isinstance(failure, PermanentError) and failure.opted_out else None,
        was_put_off=told is not None,
    )


def _deliver(notification: Notification, notifier: Notifier, *, ask_first: bool) -> Receipt:
    if not (ask_first and isinstance(notifier, Reconciler)):
        return notifier.send(notification)
    try:
        found = notifier.find(notification)
    except RetryableError as error:
        # Nothing is known that was not known before: still perhaps there.
        raise RetryableError(str(error), status_code=error.status_code, retry_after=error.retry_after, ambiguous=True) from None
    except PermanentError as error:
        receipt = notifier.send(notification)
        return replace(receipt, excerpt=f"{receipt.excerpt}; possibly a duplicate, for the vendor could not be asked: {error}")
    return found or notifier.send(notification)


def _outcome(failure: DeliveryError) -> Outcome:
    if not isinstance(failure, RetryableError):
        return Outcome.REFUSED
    return Outcome.AMBIGUOUS if failure.ambiguous else Outcome.RETRY


def _place(error: Exception) -> str:
    """The innermost module and line of ours on the way to it."""
    places = (f"{frame.f_globals.get('__name__')}:{line}" for frame, line in walk_tb(error.__traceback__))
    return [place for place in places if place.startswith(("notifiers.", "routing."))][-1]
