"""Whatever hangs leaves threads to the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routing.shares import Shares


def begun(shares: Shares, kind: str, place: str, wanted: int) -> int:
    """How many of those wanted may be begun."""
    return sum(shares.take(kind, place) for _ in range(wanted))


def test_one_destination_has_three_quarters_and_then_nothing_more_is_taken_of_it() -> None:
    shares = Shares(256, [])

    assert begun(shares, "slack", "c1", 1000) == 192
    assert sorted(shares.full) == ["c1", "slack"]


def test_each_further_one_leaves_something_of_what_the_others_have_left() -> None:
    shares = Shares(256, [])

    assert [begun(shares, kind, f"{kind} 1", 1000) for kind in ("slack", "email", "sms", "jira")] == [192, 48, 12, 3]


def test_a_destination_of_the_same_kind_finds_no_thread_when_the_kind_is_full() -> None:
    shares = Shares(16, [("webhook", "a")] * 8 + [("webhook", "b")] * 4)

    assert not shares.take("webhook", "c")
    assert shares.take("slack", "d")


def test_a_lane_of_one_thread_works() -> None:
    assert Shares(1, []).take("slack", "c1")


@given(st.integers(1, 64), st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("cd")), max_size=200))
def test_what_is_full_takes_nothing(threads: int, wanted: list[tuple[str, str]]) -> None:
    shares = Shares(threads, [])
    for kind, place in wanted:
        was_full = {kind, place} & set(shares.full)
        assert shares.take(kind, place) is not bool(was_full)
