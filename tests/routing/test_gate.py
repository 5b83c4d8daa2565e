"""A destination is told as fast as its vendor allows, not before it says so, and hardly at all while it fails."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from routing.gate import FIRST_PAUSE, LONGEST_PAUSE, End, Gate, Limit, Said, gate_of
from routing.notification import Reason
from tests.factories import NOW

ONE_A_SECOND = Limit(per_second=1, burst=3)
SECOND = timedelta(seconds=1)


def failing(count: int, gate: Gate | None = None, now: datetime = NOW) -> Gate:
    return hearing([Said(End.FAILED, words="HTTP 503")] * count, gate, now)


def hearing(all_: Iterable[Said], gate: Gate | None = None, now: datetime = NOW) -> Gate:
    gate = gate or Gate()
    for said in all_:
        gate = gate.heard(said, None, now)
    return gate


def test_one_account_is_one_gate_and_bringing_up_to_date_is_another() -> None:
    names = [gate_of("slack", Reason.FIRST, "c1"), gate_of("email", Reason.FIRST, "c2"), gate_of("slack", Reason.UPDATED, "c1")]

    assert names == ["c1", "email", "slack updates"]


class TestLimit:
    def test_a_burst_passes_and_then_one_for_each_step(self) -> None:
        gate = Gate().took(3, ONE_A_SECOND, NOW)

        allowed = [gate.allowed(ONE_A_SECOND, NOW + seconds * SECOND) for seconds in range(5)]

        assert (Gate().allowed(ONE_A_SECOND, NOW), allowed) == (3, [0, 1, 2, 3, 3])
        assert gate.opens_at(ONE_A_SECOND, NOW) == NOW + SECOND

    def test_what_was_under_way_when_it_was_closed_closes_it_for_no_longer(self) -> None:
        gate, failed = Gate(), Said(End.FAILED, began_at=NOW - SECOND)
        for _ in range(200):
            gate = gate.heard(failed, None, NOW)
        trial = gate.took(1, None, NOW + FIRST_PAUSE).heard(Said(End.FAILED, began_at=NOW + FIRST_PAUSE), None, NOW + FIRST_PAUSE + SECOND)

        assert (gate.trips, gate.opens_at(None, NOW)) == (1, NOW + FIRST_PAUSE)
        assert (trial.trips, trial.opens_at(None, NOW)) == (2, NOW + 3 * FIRST_PAUSE + SECOND)

    def test_what_was_not_used_is_given_back(self) -> None:
        gate = Gate().took(3, ONE_A_SECOND, NOW).heard(Said(End.UNUSED), ONE_A_SECOND, NOW)

        assert gate.allowed(ONE_A_SECOND, NOW) == 1

    @given(st.integers(1, 1000), st.sampled_from([0.05, 0.5, 1.0]))
    def test_no_minute_holds_more_than_a_limit_of_so_many(self, most: int, at_once: float) -> None:
        limit, gate, taken = Limit.per_minute(most, at_once=at_once), Gate(), 0
        for tenth in range(600):
            now = NOW + tenth * SECOND / 10
            count = gate.allowed(limit, now) or 0
            gate, taken = gate.took(count, limit, now), taken + count

        assert taken <= most

    def test_a_clock_that_is_put_back_closes_nothing_for_longer(self) -> None:
        ten_minutes = timedelta(minutes=10)
        gate = Gate().took(3, ONE_A_SECOND, NOW + ten_minutes).put_back(ten_minutes)

        assert [gate.allowed(ONE_A_SECOND, NOW + seconds * SECOND) for seconds in (0, 1)] == [0, 1]

    def test_without_a_limit_all_pass(self) -> None:
        assert Gate().allowed(None, NOW) is None

    @given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 3)), max_size=40))
    def test_whatever_is_asked_no_more_goes_than_the_limit_allows(self, asks: list[tuple[int, float]]) -> None:
        gate, now, taken = Gate(), NOW, 0
        for wanted, seconds in asks:
            now += timedelta(seconds=seconds)
            count = min(wanted, gate.allowed(ONE_A_SECOND, now) or 0)
            gate, taken = gate.took(count, ONE_A_SECOND, now), taken + count

        assert taken <= (now - NOW).total_seconds() + ONE_A_SECOND.burst + 1e-6


class TestWishes:
    def test_who_says_when_to_come_back_is_told_nothing_before(self) -> None:
        gate = hearing([Said(End.PUT_OFF, NOW + 7 * SECOND, "HTTP 429")])

        assert [gate.allowed(None, NOW + seconds * SECOND) for seconds in (6, 7)] == [0, None]

    def test_the_later_wish_counts(self) -> None:
        wishes = [Said(End.PUT_OFF, NOW + seconds * SECOND) for seconds in (9, 3)]

        assert hearing(wishes).closed_until == NOW + 9 * SECOND


class TestBreaker:
    def test_a_few_failures_close_nothing(self) -> None:
        assert failing(4).allowed(None, NOW) is None

    def test_many_close_it_for_a_time_and_then_one_is_tried(self) -> None:
        gate = failing(5)
        later = NOW + FIRST_PAUSE

        assert (gate.allowed(None, later - SECOND), gate.allowed(None, later)) == (0, 1)
        assert gate.took(1, None, later).allowed(None, later) == 0
        assert gate.why == "HTTP 503"

    def test_most_have_to_fail(self) -> None:
        fine = hearing([Said(End.FINE)] * 20)

        assert failing(10, fine).allowed(None, NOW) is None

    def test_what_failed_long_ago_does_not_count(self) -> None:
        assert failing(2, failing(4), NOW + timedelta(minutes=2)).allowed(None, NOW + timedelta(minutes=2)) is None

    def test_a_trial_that_is_fine_opens_it_and_one_that_fails_closes_it_for_longer(self) -> None:
        later = NOW + FIRST_PAUSE
        tried = failing(5).took(1, None, later)

        opened, closed = hearing([Said(End.FINE)], tried, later), failing(1, tried, later)

        assert opened.allowed(None, later) is None
        assert closed.closed_until == later + 2 * FIRST_PAUSE

    def test_it_is_never_closed_for_longer_than_ten_minutes(self) -> None:
        gate, now = failing(5), NOW
        for _ in range(30):
            now = gate.closed_until or now
            gate = failing(1, gate.took(1, None, now), now)

        assert gate.closed_until == now + LONGEST_PAUSE
