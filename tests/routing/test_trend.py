"""How often an incident was heard of, hour by hour, as one line."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from routing.trend import HOURS, Trend, counted, shown
from tests.factories import NOW


def trend_of(*hours_ago: int) -> Trend:
    """That of alerts that came so long ago."""
    trend: Trend = ()
    for hours in sorted(hours_ago, reverse=True):
        trend = counted(trend, NOW - timedelta(hours=hours))
    return trend


def test_each_hour_of_the_last_day_has_a_bar_and_the_highest_one_is_full() -> None:
    assert shown(trend_of(2, 1, 1, 0, 0, 0, 0), NOW) == "▁" * 21 + "▃▅█ 7"


def test_two_alerts_are_no_trend() -> None:
    assert shown(trend_of(1, 0), NOW) == ""


def test_what_is_a_day_old_is_forgotten() -> None:
    assert shown(trend_of(HOURS, HOURS, HOURS, 1, 0, 0), NOW)[-1] == "3"
    assert len(trend_of(*range(3 * HOURS))) == HOURS


@given(st.lists(st.integers(-100, 100), max_size=60))
def test_it_is_bounded_whenever_alerts_come(hours: list[int]) -> None:
    trend: Trend = ()
    for ago in hours:
        trend = counted(trend, NOW - timedelta(hours=ago))

    assert len(trend) <= HOURS
    assert len(shown(trend, NOW).split(" ")[0]) in {0, HOURS}
