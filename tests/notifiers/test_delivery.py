"""One attempt, whatever happens in it, and when the next one follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.delivery import RetryPolicy, attempt
from notifiers.errors import PermanentError, RetryableError
from notifiers.notifier import Notifier, Receipt
from routing.notification import Attempt, Notification, Outcome, Tries
from tests.factories import NOW, make_notification

POLICY = RetryPolicy()
SECOND = timedelta(seconds=1)
RECEIPT = Receipt(payload="{}", status_code=200, excerpt="ok", reference={"ts": "1.0"})


@dataclass(slots=True)
class Vendor:
    """Fails as told, call by call, and delivers from then on. It cannot be asked."""

    failures: list[Exception] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    def send(self, notification: Notification) -> Receipt:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(notification.id)
        return RECEIPT


@dataclass(slots=True)
class AskableVendor(Vendor):
    """Can be asked, unless it cannot."""

    unavailable: Exception | None = None

    def find(self, notification: Notification) -> Receipt | None:
        if self.unavailable:
            raise self.unavailable
        return Receipt(payload="{}", excerpt="found") if notification.id in self.sent else None


class Ticking:
    """A clock that goes on by a second at each look."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += SECOND
        return self.now


def tries(number: int = 1, *, ambiguous: bool = False, failures: int | None = None, planned_at: datetime = NOW) -> Tries:
    failed = number - 1 if failures is None else failures
    return Tries(number=number, failures=failed, planned_at=planned_at, may_be_there=ambiguous)


def tried(
    vendor: Notifier, *, number: int = 1, ambiguous: bool = False, jitter: float = 0.5, read: Callable[[], Notification] = make_notification
) -> Attempt:
    return attempt(
        read,
        lambda: vendor,
        tries=tries(number, ambiguous=ambiguous),
        policy=POLICY,
        clock=Ticking(),
        jitter=lambda: jitter,
    )


def test_a_delivery_is_recorded_with_its_proof() -> None:
    done = tried(Vendor(), number=3)

    assert done == Attempt(
        number=3,
        began_at=NOW + SECOND,
        ended_at=NOW + 2 * SECOND,
        outcome=Outcome.DELIVERED,
        status_code=200,
        excerpt="ok",
        payload="{}",
        reference={"ts": "1.0"},
    )


def test_what_was_only_recorded_is_previewed() -> None:
    class Preview:
        def send(self, _notification: Notification) -> Receipt:
            return Receipt(payload="{}", excerpt="preview", sent=False)

    assert tried(Preview()).outcome is Outcome.PREVIEWED


@pytest.mark.parametrize(
    ("failure", "outcome", "wait"),
    [
        (RetryableError("no connection"), Outcome.RETRY, timedelta(seconds=5)),
        (RetryableError("no answer", ambiguous=True), Outcome.AMBIGUOUS, timedelta(seconds=5)),
        (RetryableError("slow down", status_code=429, retry_after=7 * SECOND), Outcome.RETRY, 7 * SECOND),
        (RetryableError("come back", status_code=503, retry_after=timedelta(), ambiguous=True), Outcome.AMBIGUOUS, SECOND),
        (PermanentError("bad token", status_code=401), Outcome.REFUSED, None),
    ],
    ids=["not-sent", "perhaps-sent", "told-to-wait", "told-to-come-at-once", "refused"],
)
def test_a_failure_says_whether_and_when_to_try_again(failure: Exception, outcome: Outcome, wait: timedelta | None) -> None:
    done = tried(Vendor([failure]))

    assert (done.outcome, done.retry_after) == (outcome, wait)
    assert done.excerpt == str(failure)
    assert done.status_code == getattr(failure, "status_code", None)


@pytest.mark.parametrize("fails", ["reading", "opening", "sending"])
def test_a_fault_of_ours_is_tried_again_and_shows_its_type_and_place_only(fails: str) -> None:
    def fail() -> Notifier:
        raise KeyError("xoxb-secret")

    def fail_reading() -> Notification:
        raise KeyError("xoxb-secret")

    done = attempt(
        fail_reading if fails == "reading" else make_notification,
        fail if fails == "opening" else lambda: Vendor([KeyError("xoxb-secret")]),
        tries=tries(),
        policy=POLICY,
        clock=Ticking(),
        jitter=lambda: 0.5,
    )

    assert done.outcome is Outcome.AMBIGUOUS
    assert done.excerpt.startswith("fault in the router: KeyError at notifiers.delivery:")
    assert done.retry_after == timedelta(seconds=5)


def test_what_was_perhaps_sent_is_looked_for_and_not_sent_again() -> None:
    vendor = AskableVendor(sent=[1])

    done = tried(vendor, number=2, ambiguous=True)

    assert (done.outcome, done.excerpt) == (Outcome.DELIVERED, "found")
    assert vendor.sent == [1]


def test_what_is_not_found_is_sent() -> None:
    vendor = AskableVendor()

    done = tried(vendor, number=2, ambiguous=True)

    assert (done.outcome, vendor.sent) == (Outcome.DELIVERED, [1])


def test_while_the_vendor_cannot_be_asked_nothing_is_sent_and_it_stays_unclear() -> None:
    vendor = AskableVendor(unavailable=RetryableError("slow down", status_code=429, retry_after=9 * SECOND))

    done = tried(vendor, number=2, ambiguous=True)

    assert (done.outcome, done.retry_after, vendor.sent) == (Outcome.AMBIGUOUS, 9 * SECOND, [])


def test_where_the_vendor_will_never_tell_it_is_sent_and_said_to_be_a_possible_duplicate() -> None:
    vendor = AskableVendor(unavailable=PermanentError("missing_scope"))

    done = tried(vendor, number=2, ambiguous=True)

    assert (done.outcome, vendor.sent) == (Outcome.DELIVERED, [1])
    assert done.excerpt == "ok; possibly a duplicate, for the vendor could not be asked: missing_scope"


@pytest.mark.parametrize("vendor", [Vendor(), AskableVendor(unavailable=PermanentError("asked"))], ids=["cannot-be-asked", "clear"])
def test_without_doubt_or_without_a_way_to_ask_it_is_sent_at_once(vendor: Vendor) -> None:
    done = tried(vendor, number=2, ambiguous=not isinstance(vendor, AskableVendor))

    assert (done.excerpt, vendor.sent) == ("ok", [1])


def test_the_waits_are_those_of_the_reference_and_then_it_is_dead() -> None:
    waits = [POLICY.wait(number, told=None, jitter=0.5) for number in range(1, 10)]

    assert [wait and wait.total_seconds() for wait in waits] == [5, 30, 120, 600, 1800, 7200, 18000, None, None]


def put_off(told: timedelta, before: Tries) -> Attempt:
    vendor = Vendor([RetryableError("slow down", retry_after=told)])
    return attempt(make_notification, lambda: vendor, tries=before, policy=POLICY, clock=Ticking(), jitter=lambda: 0.5)


def test_a_vendor_that_names_a_time_is_obeyed_and_uses_up_no_try() -> None:
    done = put_off(7 * SECOND, tries(number=40, failures=7))

    assert (done.retry_after, done.was_put_off) == (7 * SECOND, True)


def test_a_vendor_that_says_at_once_is_not_asked_more_often_than_every_second() -> None:
    assert put_off(0 * SECOND, tries()).retry_after == SECOND


def test_a_vendor_that_puts_a_message_off_for_eight_hours_counts_as_failing() -> None:
    done = put_off(SECOND, tries(number=500, failures=2, planned_at=NOW - POLICY.told_until))

    assert (done.retry_after, done.was_put_off) == (POLICY.waits[2], False)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, len(POLICY.waits) - 1))
def test_waits_grow_and_are_bounded_by_the_spread(one: float, other: float, number: int) -> None:
    earlier = POLICY.wait(number, told=None, jitter=one)
    later = POLICY.wait(number + 1, told=None, jitter=other)

    assert earlier is not None
    assert later is not None
    assert earlier < later
    assert POLICY.waits[number] * 0.8 <= later <= POLICY.waits[number] * 1.2
