"""Silences: what they hold, for how long, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.facts import Facts
from routing.silences import Silence, SilenceError, SilenceState, check, read_matchers, silenced_by
from tests.factories import NOW, make_alert, make_silence

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("after", "state"),
    [(-1, SilenceState.PENDING), (0, SilenceState.ACTIVE), (3599, SilenceState.ACTIVE), (3600, SilenceState.EXPIRED)],
)
def test_its_begin_is_part_of_it_and_its_end_is_not(after: int, state: SilenceState) -> None:
    assert make_silence().state(NOW + timedelta(seconds=after)) is state


def test_any_of_its_matchers_will_do() -> None:
    facts = Facts(make_alert())

    assert silenced_by(facts, [make_silence("project:blog", "level:error")], NOW)
    assert silenced_by(facts, [make_silence("project:blog", "level:fatal")], NOW) is None


def test_the_first_active_one_is_named() -> None:
    pending, active, other = make_silence(begins=HOUR), make_silence(id_=2), make_silence(id_=3)

    assert silenced_by(Facts(make_alert()), [pending, active, other], NOW) == active


@given(st.lists(st.sampled_from(["level:error", "project:blog", "!has:release", "payment"]), max_size=4), st.integers(-2, 3))
def test_more_silences_never_silence_less(matchers: list[str], hours: int) -> None:
    facts, now = Facts(make_alert()), NOW + hours * HOUR
    some = [make_silence(matcher, id_=number) for number, matcher in enumerate(matchers)]

    for count in range(len(some)):
        if silenced_by(facts, some[:count], now):
            assert silenced_by(facts, some[: count + 1], now)


@given(st.lists(st.integers(-10, 10), min_size=2, max_size=6))
def test_its_life_goes_one_way(hours: list[int]) -> None:
    order = [SilenceState.PENDING, SilenceState.ACTIVE, SilenceState.EXPIRED]

    states = [order.index(make_silence().state(NOW + hour * HOUR)) for hour in sorted(hours)]

    assert states == sorted(states)


class TestExpiring:
    def test_an_active_one_ends_now(self) -> None:
        over = make_silence().expired(NOW + HOUR / 2)

        assert (over.starts_at, over.ends_at) == (NOW, NOW + HOUR / 2)

    def test_a_pending_one_never_begins(self) -> None:
        over = make_silence(begins=HOUR).expired(NOW)

        assert over.starts_at == over.ends_at == NOW

    def test_one_that_is_over_is_refused(self) -> None:
        with pytest.raises(SilenceError, match="silence 1 ended 2026-03-04 11:15 UTC already"):
            make_silence().expired(NOW + HOUR)


class TestReminders:
    def keys(self, silence: Silence, after: timedelta) -> list[str]:
        return [reminder.key for reminder in silence.reminders(NOW + after)]

    def test_the_end_of_a_long_one_is_told_an_hour_before(self) -> None:
        silence = make_silence(lasts=2 * DAY)

        assert [self.keys(silence, after) for after in (DAY, 2 * DAY - HOUR, 2 * DAY)] == [[], ["end"], []]
        assert next(silence.reminders(NOW + 2 * DAY - HOUR)).words.startswith("ends 2026-03-06 10:15 UTC")

    def test_that_of_a_short_one_is_not(self) -> None:
        assert self.keys(make_silence(lasts=DAY), DAY - HOUR / 2) == []

    def test_an_old_one_is_told_every_week(self) -> None:
        silence = make_silence(lasts=30 * DAY)

        assert [self.keys(silence, days * DAY) for days in (6, 7, 13, 14, 29)] == [[], ["week 1"], ["week 1"], ["week 2"], ["week 4"]]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("matchers", "said"),
        [
            ([], "write one condition"),
            ([""], "an empty condition would silence every alert"),
            (["*"], "'*' would silence every alert"),
            (["project:shop", "()"], "'()' would silence every alert"),
            (["has:title OR !has:title"], "'has:title OR !has:title' would silence every alert"),
            (["level:"], "character 6"),
            (["count():>5"], "count() is a figure over many alerts"),
            (["level = error"], "compares nothing here; write level:error"),
            (["a"] * 21, "at most 20"),
        ],
    )
    def test_matchers_that_mean_nothing(self, matchers: list[str], said: str) -> None:
        with pytest.raises(SilenceError) as raised:
            read_matchers(matchers)

        assert said in str(raised.value)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"ends_at": NOW}, "before it begins"),
            ({"starts_at": NOW - DAY, "ends_at": NOW - HOUR}, "would have ended 2026-03-04 09:15 UTC already"),
            ({"author": " "}, "the author is missing; others want to know who"),
            ({"comment": ""}, "the comment is missing; others want to know why"),
            ({"comment": "x" * 1001}, "the comment has 1001 characters; at most 1000"),
        ],
    )
    def test_times_and_words_that_make_no_sense(self, changes: dict[str, object], said: str) -> None:
        with pytest.raises(SilenceError) as raised:
            check(replace(make_silence(), **changes), NOW)  # type: ignore[arg-type]  # a test names any field

        assert said in str(raised.value)
