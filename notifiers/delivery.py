"""One attempt to deliver one notification, from the question whether it is there already to the time of the next try.

Knows no vendor; the clock and chance come as arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from traceback import walk_tb

from notifiers.errors import DeliveryError, PermanentError, RetryableError
from notifiers.notifier import Notifier, Receipt, Reconciler
from routing.notification import Attempt, Notification, Outcome


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
    tries_when_told: int = 48
    """How often a vendor may say "come back in …": its limits delay a message, they do not use up its tries."""

    def wait(self, number: int, *, told: timedelta | None, jitter: float) -> timedelta | None:
        """How long to wait after the failed attempt `number` (from 1); None: no further one.

        Args:
            number: of the attempt that failed.
            told: the vendor's Retry-After, kept to exactly.
            jitter: from 0 to 1, by chance.
        """
        if told is not None and number < self.tries_when_told:
            return told
        if number > len(self.waits):
            return None
        return self.waits[number - 1] * (1 + self.spread * (2 * jitter - 1))


def attempt(
    notification: Callable[[], Notification],
    notifier: Callable[[], Notifier],
    *,
    number: int,
    previous_was_ambiguous: bool,
    policy: RetryPolicy,
    clock: Callable[[], datetime],
    jitter: Callable[[], float],
) -> Attempt:
    """Try once, and say how it ended. Raises nothing, whatever fails.

    Args:
        notification: reads it; called here, so that one that cannot be read ends as an attempt, too.
        notifier: opens it; called here for the same reason.
        number: of this attempt, from 1.
        previous_was_ambiguous: the message may be there already: the vendor is asked before it is sent.
        policy: when to try again.
        clock: for begin and end.
        jitter: gives a number from 0 to 1 by chance.
    """
    began_at = clock()
    try:
        receipt = _deliver(notification(), notifier(), ask_first=previous_was_ambiguous)
    except DeliveryError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - the top of a delivery: a fault of ours must not stop the lane
        # Perhaps it came after the message went out. Its text may hold anything, so only its type and place are kept.
        failure = RetryableError(f"fault in the router: {type(error).__name__} at {_place(error)}", ambiguous=True)
    else:
        return Attempt(
            number=number,
            began_at=began_at,
            ended_at=clock(),
            outcome=Outcome.DELIVERED if receipt.sent else Outcome.PREVIEWED,
            status_code=receipt.status_code,
            excerpt=receipt.excerpt,
            payload=receipt.payload,
            reference=receipt.reference,
        )
    return Attempt(
        number=number,
        began_at=began_at,
        ended_at=clock(),
        outcome=_outcome(failure),
        status_code=failure.status_code,
        excerpt=str(failure),
        retry_after=policy.wait(number, told=failure.retry_after, jitter=jitter()) if isinstance(failure, RetryableError) else None,
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
