"""Times of the week, month and year in which a rule may speak or must not. Knows calendars and clocks on walls, no rule and no now."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, NamedTuple, Self, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from routing.notification import Severity
from routing.rules_reading import quoted

HORIZON = timedelta(days=5 * 366)
"""What does not change within this time is taken never to change."""

MAX_TURNS = 400
"""How often one window may take over from another before it is taken that there is never a gap between them."""

_DAY = timedelta(days=1)
_STRIDE = timedelta(days=6)
"""No zone changes its clocks twice in it: the shortest summer since 2000, that of Boa Vista in 2000, took a week."""
_NEVER = datetime.max.replace(tzinfo=UTC)
_UTC = ZoneInfo("UTC")
_WEEKDAYS = {
    name[:length]: number
    for number, name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
    for length in range(3, len(name) + 1)
}
_NAMES_OF_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTHS = {
    word: number
    for number, name in enumerate(_NAMES_OF_MONTHS, start=1)
    for word in (str(number), *(name[:length] for length in range(3, len(name) + 1)))
}
_COUNTED = re.compile(r"(-?[0-9]{1,2})(?:\.\.(-?[0-9]{1,2}))?")
_TIMED = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9]) ?- ?([01]?[0-9]|2[0-4]):([0-5][0-9])")

Days: TypeAlias = tuple[int, int]
"""The first and the last day of the month that are meant; negative ones count from its end, -1 being the last."""
Times: TypeAlias = tuple[timedelta, timedelta]
"""From when to when, since the midnight with which the day begins. The end is not part of it, and past 24 h it lies on the next day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Days, and times of these days. What is left out is any."""

    weekdays: frozenset[int] = frozenset(range(7))
    """0 is Monday, as with `date.weekday`."""
    days_of_month: tuple[Days, ...] = ((1, -1),)
    months: frozenset[int] = frozenset(range(1, 13))
    times: tuple[Times, ...] = ((timedelta(), _DAY),)

    def begins_on(self, day: date) -> bool:
        """Whether the times of this day are meant.

        A day that a month has not is never met, and a range ends with the month, as in Alertmanager:
        https://prometheus.io/docs/alerting/latest/configuration/#time_interval.
        """
        if day.weekday() not in self.weekdays or day.month not in self.months:
            return False
        length = monthrange(day.year, day.month)[1]
        return any(_counted(first, length) <= day.day <= _counted(last, length) for first, last in self.days_of_month)

    def holds(self, wall: datetime) -> bool:
        """Whether a clock on the wall that shows this (without a zone) shows a time of the span, be it one that began the day before."""
        midnight = datetime.combine(wall, time())
        return any(
            self.begins_on(day.date()) and any(begin <= wall - day < end for begin, end in self.times)
            for day in (midnight, midnight - _DAY)
        )

    def edges(self, day: date) -> Iterator[datetime]:
        """What the clock on the wall shows when the times of a day begin and end."""
        midnight = datetime.combine(day, time())
        for begin, end in self.times:
            yield midnight + begin
            yield midnight + end


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A named set of spans, by the clocks of one zone.

    The semantics are those of Alertmanager's time intervals (https://prometheus.io/docs/alerting/latest/configuration/#time_interval):
    every part of a span must be met, any span will do, a begin is part of it and an end is not. Beyond it, times may cross midnight and
    then belong to the day on which they begin (asked for in https://github.com/grafana/grafana/issues/73912), and weekdays and months
    may run over the end of the week and of the year.

    What counts is what a clock on the wall shows. Where it is put forward, times that it skips do not exist: a window that would open
    within them opens when they are over, and one that lies wholly within them stays shut that day. Where it is put back, it shows times
    twice, and a window holds both times.
    """

    name: str
    spans: tuple[Span, ...]
    zone: ZoneInfo = _UTC
    allow: Severity | None = None
    """What is as bad as this, or worse, passes whatever the time is."""

    def holds(self, moment: datetime) -> bool:
        """Whether an aware moment lies in one of the spans."""
        wall = moment.astimezone(self.zone).replace(tzinfo=None)
        return any(span.holds(wall) for span in self.spans)

    def allows(self, severity: Severity) -> bool:
        """Whether a message as bad as that passes at any time."""
        return self.allow is not None and severity.rank <= self.allow.rank

    def next_change(self, moment: datetime) -> datetime | None:
        """The first moment after this one, in UTC, at which the window opens if it is shut and shuts if it is open.

        None if it stays as it is for five years: it is always open, or it never opens.
        """
        is_open = self.holds(moment)
        begin, length = moment.astimezone(UTC), _DAY
        while begin < moment + HORIZON:
            for edge in sorted(set(self._edges(begin, begin + length))):
                if self.holds(edge) is not is_open:
                    return edge
            begin, length = begin + length, _STRIDE
        return None

    def _edges(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        """Every moment after the one and until the other at which the window may open or shut; some are none."""
        # Two days more: times may end on the next day, and a clock that is put back at midnight shows the end of that one again.
        first, last = (moment.astimezone(self.zone).date() for moment in (begin - 2 * _DAY, end))
        days = [first + number * _DAY for number in range((last - first) // _DAY + 1)]
        walls = {wall for span in self.spans for day in days if span.begins_on(day) for wall in span.edges(day)}
        if not walls:
            return  # nothing opens anywhere near, so a clock that is put forward or back changes nothing
        twice = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for wall in walls for fold in (0, 1))
        yield from (edge for edge in (*twice, *_jumps(self.zone, begin, end)) if begin < edge <= end)


class Hold(NamedTuple):
    """What keeps a rule silent for now."""

    window: str
    """Its name: the first one that mutes, or of those outside of which the rule is silent the one that opens first."""
    until: datetime | None
    """When the rule may speak, be there other windows or not, in UTC; None if that never comes."""


def held_until(active: Sequence[Window], mute: Sequence[Window], severity: Severity, now: datetime) -> Hold | None:
    """What keeps a rule with these windows from saying something as bad as that now; None if nothing does.

    A rule speaks only within one of its active windows, if it names any, and never within one that mutes; the active ones are asked
    first, as in Alertmanager. A window that allows the severity holds nothing: an active one lets it pass outside too.
    """
    shutting = () if any(window.allows(severity) for window in active) else active
    muting = [window for window in mute if not window.allows(severity)]
    hold = _hold(shutting, muting, now)
    if not hold:
        return None
    until = hold.until
    for _ in range(MAX_TURNS):
        if until is None or until - now > HORIZON:
            break
        following = _hold(shutting, muting, until)
        if not following:
            return Hold(hold.window, until)
        until = following.until
    return Hold(hold.window, None)


def _hold(shutting: Sequence[Window], muting: Sequence[Window], moment: datetime) -> Hold | None:
    """The window that holds at a moment, and until when this one does."""
    if shutting and not any(window.holds(moment) for window in shutting):
        openings = [Hold(window.name, window.next_change(moment)) for window in shutting]
        return min(openings, key=lambda hold: hold.until or _NEVER)
    muted = next((window for window in muting if window.holds(moment)), None)
    return Hold(muted.name, muted.next_change(moment)) if muted else None


def _jumps(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """When the clocks of a zone are put forward or back, which they are once at most: after the one moment, until the other."""

    def is_past(second: int) -> bool:
        return datetime.fromtimestamp(second, zone).utcoffset() != before

    before = begin.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() != before:
        seconds = range(int(begin.timestamp()), int(end.timestamp()) + 1)
        yield datetime.fromtimestamp(seconds[bisect_left(seconds, x=True, key=is_past)], UTC)


def _counted(day: int, length: int) -> int:
    """A day of the month counted from its begin."""
    return day if day > 0 else length + 1 + day


def _weekdays(value: object) -> frozenset[int]:
    """`mon`, `Monday`, `mon..fri`, `sat..mon`."""
    found = _cycle(value, _WEEKDAYS)
    if not found:
        raise ValueError(f"{quoted(value)} is no weekday; write mon, tue, wed, thu, fri, sat, sun, or a range, like mon..fri")
    return found


def _months(value: object) -> frozenset[int]:
    """`12`, `dec`, `December`, `6..8`, `nov..feb`."""
    found = _cycle(value, _MONTHS)
    if not found:
        raise ValueError(f"{quoted(value)} is no month; write 1 to 12, jan to dec, or a range, like nov..feb")
    return found


def _cycle(value: object, numbers: Mapping[str, int]) -> frozenset[int]:
    """The number of a word, or those of a range that may run over the end; empty if there is no such word."""
    begin, dots, end = value.lower().partition("..") if isinstance(value, str) else ("", "", "")
    first, last = numbers.get(begin), numbers.get(end if dots else begin)
    if first is None or last is None:
        return frozenset()
    if first <= last:
        return frozenset(range(first, last + 1))
    return frozenset(numbers.values()) - frozenset(range(last + 1, first))


def _days(value: object) -> Days:
    """`15`, `-1`, `1..7`, `-7..-1`, `25..-1`."""
    matched = _COUNTED.fullmatch(value) if isinstance(value, str) else None
    first, last = (int(matched[1]), int(matched[2] or matched[1])) if matched else (0, 0)
    if not (1 <= abs(first) <= 31 and 1 <= abs(last) <= 31):
        raise ValueError(f"{quoted(value)} is no day of the month; write 1 to 31, -1 for the last, or a range, like 1..7 or -7..-1")
    if first < 0 < last or _counted(first, 31) > _counted(last, 31):
        instead = f"the two ranges {first}..-1 and 1..{last}" if last > 0 else "the earlier day first"
        raise ValueError(f"{quoted(value)} runs backwards; write {instead}")
    return first, last


def _times(value: object) -> Times:
    """`09:00-17:30`, `22:00-07:00`, `18:00-24:00`."""
    matched = _TIMED.fullmatch(value) if isinstance(value, str) else None
    hours, minutes, end_hours, end_minutes = map(int, matched.groups()) if matched else (0, 0, 25, 0)
    begin, end = timedelta(hours=hours, minutes=minutes), timedelta(hours=end_hours, minutes=end_minutes)
    if end > _DAY:
        raise ValueError(f"{quoted(value)} is no time of the day; write from when to when, like 09:00-17:30, 22:00-07:00 or 18:00-24:00")
    if begin == end:
        raise ValueError(f"{quoted(value)} ends when it begins; write 00:00-24:00 for the whole day")
    return begin, end if end > begin else end + _DAY


def _zone(value: object) -> ZoneInfo:
    if isinstance(value, str) and value in _zones():
        return ZoneInfo(value)
    raise ValueError(f"{quoted(value)} is no time zone; {_likely_zone(value)}")


def _likely_zone(value: object) -> str:
    """What was meant: a zone in other letters, a city, or nearly one of these."""
    word = value.lower().replace(" ", "_") if isinstance(value, str) else ""
    # Not Etc/GMT-3, which is what people call UTC+3, and no abbreviations, which are fixed or mean another thing elsewhere.
    names = {name.lower(): name for name in sorted(_zones()) if "/" in name and not name.startswith("Etc/")}
    spellings = {name.rpartition("/")[2]: zone for name, zone in names.items()} | names
    close = difflib.get_close_matches(word, spellings, n=1, cutoff=0.75)
    return f'did you mean "{spellings[close[0]]}"?' if close else "write an area and a city, like Europe/Berlin, or UTC"


@cache
def _zones() -> frozenset[str]:
    """Those of the IANA database. `localtime` is the machine's own, and means another zone on the next one."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


class _SpanForm(BaseModel):
    """The keys of a span."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)

    weekdays: Annotated[tuple[Annotated[frozenset[int], PlainValidator(_weekdays)], ...], Field(min_length=1)] = ()
    days_of_month: Annotated[tuple[Annotated[Days, PlainValidator(_days)], ...], Field(min_length=1)] = ()
    months: Annotated[tuple[Annotated[frozenset[int], PlainValidator(_months)], ...], Field(min_length=1)] = ()
    times: Annotated[tuple[Annotated[Times, PlainValidator(_times)], ...], Field(min_length=1)] = ()

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("says nothing of when; write weekdays, days_of_month, months or times")
        return self

    def span(self) -> Span:
        """What was written."""
        anything = Span()
        return Span(
            weekdays=frozenset().union(*self.weekdays) or anything.weekdays,
            days_of_month=self.days_of_month or anything.days_of_month,
            months=frozenset().union(*self.months) or anything.months,
            times=self.times or anything.times,
        )


def _keys_of_span(value: object) -> object:
    strange = [key for key in value if key not in _SpanForm.model_fields] if isinstance(value, dict) else []
    if strange:
        raise ValueError(f"{quoted(strange[0])} is no key of a span; write {', '.join(_SpanForm.model_fields)}, and all else beside spans")
    return value


class WindowForm(_SpanForm):
    """A window as it is written: one span, or several under `spans`."""

    zone: Annotated[ZoneInfo, PlainValidator(_zone)] = _UTC
    allow: Severity | None = None
    spans: Annotated[tuple[Annotated[_SpanForm, BeforeValidator(_keys_of_span)], ...], Field(min_length=1)] = ()

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        """As a span, but not in two ways."""
        apart = self.model_fields_set & set(_SpanForm.model_fields)
        if self.spans and apart:
            raise ValueError(f"has spans, so {', '.join(sorted(apart))} beside them would be lost; write them as one more span")
        if not self.spans and not apart:
            raise ValueError("says nothing of when; write weekdays, days_of_month, months or times, or several spans with them")
        return self

    def window(self, name: str) -> Window:
        """What was written, under its name."""
        spans = tuple(form.span() for form in self.spans) or (self.span(),)
        return Window(name=name, spans=spans, zone=self.zone, allow=self.allow)
