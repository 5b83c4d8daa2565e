"""Windows of time: when they hold, when they change, and what they keep a rule from saying."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.notification import Severity
from routing.windows import HORIZON, Hold, Span, Window, WindowForm, held_until

DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def window(name: str = "window", /, **keys: object) -> Window:
    """A window as it is written in rules.yaml."""
    return WindowForm.model_validate(keys).window(name)


def at(text: str) -> datetime:
    """`2026-03-29 01:30` in UTC, or with its own offset."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("keys", "moment", "holds"),
    [
        pytest.param({"times": ["09:00-17:30"]}, "2026-11-23 09:00", True, id="a begin is part of it"),
        pytest.param({"times": ["09:00-17:30"]}, "2026-11-23 17:29:59.999999", True, id="to the last microsecond"),
        pytest.param({"times": ["09:00-17:30"]}, "2026-11-23 17:30", False, id="an end is not"),
        pytest.param({"times": ["9:00-17:30"]}, "2026-11-23 08:59", False, id="an hour of one digit"),
        pytest.param({"times": ["09:00-10:00", "12:00-13:00"]}, "2026-11-23 12:30", True, id="any of the times"),
        pytest.param({"times": ["18:00-24:00"]}, "2026-11-23 23:59:59", True, id="24:00 is an end"),
        pytest.param({"times": ["18:00-24:00"]}, "2026-11-24 00:00", False, id="24:00 is not the next day"),
        pytest.param({"times": ["18:00-00:00"]}, "2026-11-23 23:59", True, id="00:00 as an end is midnight too"),
        pytest.param({"times": ["22:00-07:00"]}, "2026-11-24 06:59", True, id="across midnight"),
        pytest.param({"times": ["22:00-07:00"]}, "2026-11-24 07:00", False, id="until its end"),
        pytest.param({"weekdays": ["fri"], "times": ["22:00-07:00"]}, "2026-11-28 06:00", True, id="Saturday morning is Friday night"),
        pytest.param({"weekdays": ["fri"], "times": ["22:00-07:00"]}, "2026-11-27 06:00", False, id="Friday morning is Thursday night"),
        pytest.param({"days_of_month": ["-1"], "times": ["22:00-07:00"]}, "2026-12-01 06:00", True, id="the last night of a month"),
        pytest.param({"months": ["dec"], "times": ["22:00-07:00"]}, "2027-01-01 06:00", True, id="the last night of a year"),
        pytest.param({"weekdays": ["mon..fri"]}, "2026-11-27 23:59", True, id="a range of weekdays"),
        pytest.param({"weekdays": ["mon..fri"]}, "2026-11-28 00:00", False, id="outside of a range of weekdays"),
        pytest.param({"weekdays": ["fri..mon"]}, "2026-11-29 12:00", True, id="a range over the end of the week"),
        pytest.param({"weekdays": ["fri..mon"]}, "2026-11-24 12:00", False, id="outside of a range over the end of the week"),
        pytest.param({"weekdays": ["Tuesday", "SUN"]}, "2026-11-24 12:00", True, id="names in full, in any case"),
        pytest.param({"days_of_month": ["-1"]}, "2028-02-29 12:00", True, id="the last day of a leap February"),
        pytest.param({"days_of_month": ["-1"]}, "2028-02-28 12:00", False, id="which is not the last but one"),
        pytest.param({"days_of_month": ["-7..-1"]}, "2026-11-24 12:00", True, id="the last seven days"),
        pytest.param({"days_of_month": ["25..-1"]}, "2026-11-24 12:00", False, id="from the 25th on"),
        pytest.param({"days_of_month": ["29..31"]}, "2026-02-28 12:00", False, id="days that a month has not are not moved"),
        pytest.param({"days_of_month": ["-31..-29"]}, "2026-02-01 12:00", False, id="nor those counted from the end"),
        pytest.param({"months": ["nov..feb"]}, "2027-01-15 12:00", True, id="a range over the end of the year"),
        pytest.param({"months": ["3..5", "12"]}, "2026-12-15 12:00", True, id="months by number"),
        pytest.param({"months": ["3..5", "12"]}, "2026-06-01 00:00", False, id="outside of the months"),
        pytest.param({"weekdays": ["mon"], "days_of_month": ["23"], "months": ["nov"]}, "2026-11-23 12:00", True, id="all parts are met"),
        pytest.param({"weekdays": ["tue"], "days_of_month": ["23"], "months": ["nov"]}, "2026-11-23 12:00", False, id="one part is not"),
        pytest.param({"spans": [{"weekdays": ["sat"]}, {"times": ["12:00-13:00"]}]}, "2026-11-23 12:00", True, id="any span will do"),
        pytest.param(
            {"zone": "Europe/Berlin", "times": ["09:00-17:30"]}, "2026-11-23 08:00", True, id="by the clocks of the zone in winter"
        ),
        pytest.param({"zone": "Europe/Berlin", "times": ["09:00-17:30"]}, "2026-07-23 07:00", True, id="and in summer"),
        pytest.param(
            {"zone": "Europe/Berlin", "times": ["09:00-17:30"]}, "2026-11-23T03:30-05:00", True, id="whatever the moment's own zone"
        ),
        pytest.param({"zone": "Asia/Kathmandu", "weekdays": ["tue"]}, "2026-11-23 18:15", True, id="a day begins at the zone's midnight"),
    ],
)
def test_a_window_holds_at_the_times_that_are_written(keys: dict[str, object], moment: str, holds: bool) -> None:  # noqa: FBT001 - a table
    assert window(**keys).holds(at(moment)) is holds


@pytest.mark.parametrize(
    ("keys", "moment", "changes"),
    [
        pytest.param({"times": ["09:00-17:30"]}, "2026-11-23 08:00", ["2026-11-23 09:00", "2026-11-23 17:30"], id="a day"),
        pytest.param({"times": ["09:00-17:30"]}, "2026-11-23 09:00", ["2026-11-23 17:30"], id="not the moment itself"),
        pytest.param({"times": ["22:00-07:00"]}, "2026-11-23 23:00", ["2026-11-24 07:00", "2026-11-24 22:00"], id="across midnight"),
        pytest.param({"weekdays": ["sat..sun"]}, "2026-11-28 10:00", ["2026-11-30 00:00"], id="days that touch are one"),
        pytest.param({"times": ["09:00-12:00", "12:00-14:00"]}, "2026-11-23 10:00", ["2026-11-23 14:00"], id="times that touch are one"),
        pytest.param({"months": ["2"], "days_of_month": ["29"]}, "2026-01-01 00:00", ["2028-02-29 00:00"], id="the next leap day"),
        pytest.param({"times": ["00:00-24:00"]}, "2026-01-01 00:00", [], id="always open"),
        pytest.param({"months": ["2"], "days_of_month": ["30"]}, "2026-01-01 00:00", [], id="never open"),
        pytest.param(
            {"zone": "Europe/Berlin", "times": ["02:30-04:00"]},
            "2026-03-28 12:00",
            ["2026-03-29 01:00", "2026-03-29 02:00"],
            id="a begin that is skipped is the end of what is skipped",
        ),
        pytest.param(
            {"zone": "Europe/Berlin", "times": ["01:00-02:30"]},
            "2026-03-28 12:00",
            ["2026-03-29 00:00", "2026-03-29 01:00"],
            id="an end that is skipped is the begin of what is skipped",
        ),
        pytest.param(
            {"zone": "Europe/Berlin", "times": ["02:00-03:00"]},
            "2026-03-28 12:00",
            ["2026-03-30 00:00", "2026-03-30 01:00"],
            id="times that are skipped do not come",
        ),
        pytest.param(
            {"zone": "Europe/Berlin", "times": ["02:15-02:45"]},
            "2026-10-24 12:00",
            ["2026-10-25 00:15", "2026-10-25 00:45", "2026-10-25 01:15", "2026-10-25 01:45"],
            id="times that the clock shows twice come twice",
        ),
        pytest.param(
            {"zone": "Europe/Berlin", "times": ["02:30-04:00"]},
            "2026-10-24 12:00",
            ["2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30", "2026-10-25 03:00"],
            id="a clock that is put back leaves a window and enters it again",
        ),
        pytest.param(
            {"zone": "Europe/Berlin", "times": ["22:00-07:00"]},
            "2026-10-24 20:00",
            ["2026-10-25 06:00"],
            id="a night of ten hours",
        ),
        pytest.param(
            {"zone": "Europe/Berlin", "times": ["22:00-07:00"]},
            "2026-03-28 21:00",
            ["2026-03-29 05:00"],
            id="a night of eight hours",
        ),
        pytest.param(
            {"zone": "Asia/Beirut", "weekdays": ["sun"]},
            "2026-10-24 12:00",
            ["2026-10-24 22:00", "2026-10-25 22:00"],
            id="a day to which the clock comes late, being put back at midnight",
        ),
        pytest.param(
            {"zone": "Asia/Beirut", "weekdays": ["sat"]},
            "2026-03-28 12:00",
            ["2026-03-28 22:00"],
            id="a midnight that does not exist",
        ),
        pytest.param(
            {"zone": "America/St_Johns", "weekdays": ["sat"], "times": ["23:30-24:00"]},
            "2010-11-06 12:00",
            ["2010-11-07 02:00", "2010-11-07 02:30", "2010-11-07 03:00", "2010-11-07 03:30"],
            id="a clock that is put back into the day before",
        ),
    ],
)
def test_the_next_change_is_exact(keys: dict[str, object], moment: str, changes: list[str]) -> None:
    subject, found = window(**keys), at(moment)

    for change in changes:
        next_change = subject.next_change(found)
        assert next_change == at(change)
        found = next_change

    assert changes or subject.next_change(found) is None


WORK = window("work", weekdays=["mon..fri"], times=["09:00-17:30"], zone="Europe/Berlin")
LATE = window("late", times=["20:00-22:00"], zone="Europe/Berlin")
NIGHT = window("night", times=["22:00-07:00"], zone="Europe/Berlin", allow="critical")
MORNING = window("morning", times=["06:00-08:30"], zone="Europe/Berlin")
WEEKEND = window("weekend", weekdays=["sat..sun"], zone="Europe/Berlin", allow="warning")
HOURS = window("hours", weekdays=["mon..fri"], times=["09:00-17:30"], allow="critical")
NEVER = window("never", months=["feb"], days_of_month=["30"])
ALWAYS = window("always", times=["00:00-24:00"])
DAYS_OFF = window("days-off", spans=[{"weekdays": ["sat..sun"]}, {"times": ["08:00-18:00"]}], zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("active", "mute", "severity", "now", "held"),
    [
        pytest.param([], [], "info", "2026-11-23 23:00", None, id="no windows"),
        pytest.param([WORK], [], "info", "2026-11-23 12:00", None, id="within an active one"),
        pytest.param([WORK], [], "critical", "2026-11-23 20:00", ("work", "2026-11-24 08:00"), id="outside of an active one"),
        pytest.param([WORK], [], "info", "2026-11-27 20:00", ("work", "2026-11-30 08:00"), id="over a weekend"),
        pytest.param([WORK, LATE], [], "info", "2026-11-23 19:30", None, id="within one of two active ones"),
        pytest.param([WORK, LATE], [], "info", "2026-11-23 18:00", ("late", "2026-11-23 19:00"), id="the active one that opens first"),
        pytest.param([HOURS], [], "critical", "2026-11-23 20:00", None, id="critical passes outside of an active one that allows it"),
        pytest.param([HOURS], [], "warning", "2026-11-23 20:00", ("hours", "2026-11-24 09:00"), id="but a warning does not"),
        pytest.param([], [NIGHT], "warning", "2026-11-23 23:00", ("night", "2026-11-24 06:00"), id="within one that mutes"),
        pytest.param([], [NIGHT], "critical", "2026-11-23 23:00", None, id="critical passes one that allows it"),
        pytest.param([], [NIGHT], "info", "2026-11-23 12:00", None, id="outside of one that mutes"),
        pytest.param([], [WEEKEND], "critical", "2026-11-28 12:00", None, id="what is worse than allowed passes"),
        pytest.param([], [WEEKEND], "info", "2026-11-28 12:00", ("weekend", "2026-11-29 23:00"), id="what is less bad does not"),
        pytest.param(
            [], [NIGHT, MORNING], "info", "2026-11-23 23:00", ("night", "2026-11-24 07:30"), id="until the last of those that overlap"
        ),
        pytest.param([], [NIGHT, MORNING], "critical", "2026-11-24 05:30", ("morning", "2026-11-24 07:30"), id="another does not allow it"),
        pytest.param([WORK], [MORNING], "info", "2026-11-24 06:00", ("work", "2026-11-24 08:00"), id="the active ones are asked first"),
        pytest.param([LATE], [WEEKEND], "info", "2026-11-28 12:00", ("late", "2026-11-30 19:00"), id="open at last and not muted"),
        pytest.param([NEVER], [], "critical", "2026-11-23 12:00", ("never", None), id="an active one that never opens"),
        pytest.param([NEVER, WORK], [], "info", "2026-11-23 20:00", ("work", "2026-11-24 08:00"), id="beside one that does"),
        pytest.param([], [NEVER], "info", "2026-11-23 12:00", None, id="one that never mutes"),
        pytest.param([], [ALWAYS], "info", "2026-11-23 12:00", ("always", None), id="one that always mutes"),
        pytest.param([WORK], [WORK], "info", "2026-11-23 12:00", ("work", None), id="muted whenever it is active"),
        pytest.param([WORK], [DAYS_OFF], "info", "2026-11-23 12:00", ("days-off", None), id="two that leave no gap"),
    ],
)
def test_what_keeps_a_rule_silent(
    active: list[Window], mute: list[Window], severity: str, now: str, held: tuple[str, str | None] | None
) -> None:
    found = held_until(active, mute, Severity(severity), at(now))

    assert found == (Hold(held[0], at(held[1]) if held[1] else None) if held else None)


MOMENTS = st.datetimes(datetime(2015, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
ZONES = st.sampled_from(
    [ZoneInfo(name) for name in sorted(available_timezones()) if "/" in name and not name.startswith(("Etc/", "SystemV/"))]
)
MINUTES = st.integers(0, 1439).map(lambda number: timedelta(minutes=number))
TIMES = st.tuples(MINUTES, MINUTES).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: (pair[0], pair[1] + DAY * (pair[1] < pair[0])))
SPANS = st.builds(
    Span,
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    days_of_month=st.sampled_from([((1, -1),), ((-1, -1),), ((1, 7), (15, 15)), ((-7, -1),)]),
    months=st.frozensets(st.integers(1, 12), min_size=1),
    times=st.lists(TIMES, min_size=1, max_size=3).map(tuple),
)
WINDOWS = st.builds(Window, name=st.just("window"), spans=st.lists(SPANS, min_size=1, max_size=3).map(tuple), zone=ZONES)


@given(WINDOWS, MOMENTS, st.lists(st.floats(0, 0.999), min_size=10, max_size=10))
def test_a_window_stays_as_it_is_until_its_next_change_and_differs_there(subject: Window, moment: datetime, parts: list[float]) -> None:
    change = subject.next_change(moment)

    steady = (change or moment + HORIZON) - moment
    assert {subject.holds(moment + part * steady) for part in (0, *parts)} == {subject.holds(moment)}
    if change:
        assert change > moment
        assert subject.holds(change - timedelta(microseconds=1)) is subject.holds(moment)
        assert subject.holds(change) is not subject.holds(moment)


@settings(max_examples=15)
@given(WINDOWS, MOMENTS)
def test_no_change_is_passed_over_within_a_day_and_a_half(subject: Window, moment: datetime) -> None:
    minutes = [moment.replace(second=0, microsecond=0) + timedelta(minutes=number) for number in range(1, 36 * 60)]

    first = next((minute for minute in minutes if subject.holds(minute) is not subject.holds(moment)), None)

    assert first is None or subject.next_change(moment) == first


@given(TIMES, ZONES, MOMENTS)
def test_a_window_and_the_rest_of_the_day_share_every_moment_between_them(
    times: tuple[timedelta, timedelta], zone: ZoneInfo, moment: datetime
) -> None:
    begin, end = times[0], times[1] % DAY
    rest = Window(name="rest", spans=(Span(times=((end, begin if begin > end else begin + DAY),)),), zone=zone)
    subject = Window(name="window", spans=(Span(times=(times,)),), zone=zone)

    assert subject.holds(moment) is not rest.holds(moment)
    assert subject.next_change(moment) == rest.next_change(moment)


@given(st.lists(TIMES, min_size=1, max_size=3), MOMENTS, st.integers(-1500, 1500))
def test_in_utc_times_moved_by_a_number_of_minutes_hold_that_much_later(
    times: list[tuple[timedelta, timedelta]], moment: datetime, minutes: int
) -> None:
    shift = timedelta(minutes=minutes)
    moved = tuple(((begin + shift) % DAY, (begin + shift) % DAY + end - begin) for begin, end in times)
    subject, later = (Window(name="window", spans=(Span(times=spans),)) for spans in (tuple(times), moved))

    change = subject.next_change(moment)

    assert subject.holds(moment) is later.holds(moment + shift)
    assert later.next_change(moment + shift) == (change + shift if change else None)


@settings(max_examples=20)
@given(st.lists(WINDOWS, max_size=2), st.lists(WINDOWS, max_size=2), st.sampled_from(Severity), MOMENTS)
def test_a_rule_that_is_held_may_speak_when_the_hold_ends_and_not_a_moment_before(
    active: list[Window], mute: list[Window], severity: Severity, now: datetime
) -> None:
    held = held_until(active, mute, severity, now)

    may_speak = (not active or any(window.holds(now) for window in active)) and not any(window.holds(now) for window in mute)
    assert (held is None) is may_speak
    if held and held.until:
        assert held_until(active, mute, severity, held.until) is None
        assert [found.until for found in [held_until(active, mute, severity, held.until - timedelta(microseconds=1))] if found] == [
            held.until
        ]
