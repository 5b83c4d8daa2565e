"""The samples of the scopes that rules look at, in the order of time, as alert after alert comes to them. Loads and stores nothing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeAlias, TypeVar

from routing.aggregates import Value, as_number
from routing.figures import Asked, Figure, PolledFigures
from routing.samples import PROJECT, Sample, Scope

STALE_POLL = timedelta(minutes=5)
"""A polled figure counts no longer than this, or than its window if that is longer."""

_MAX_STEPS = 64
"""From so many on it is quicker to sort anew than to take out and put in one by one."""
Said: TypeAlias = Value | None
"""None where an alert says nothing."""
Held = TypeVar("Held")
Step: TypeAlias = Callable[[Held, Sequence[Said]], None]

_NOTHING: Mapping[str, Mapping[str, float]] = {}


class Samples:
    """Those of all scopes that matter to a batch of alerts; each alert is added before it is asked for its figures."""

    def __init__(self, loaded: Mapping[Scope, Iterable[Sample]] | None = None, polled: PolledFigures | None = None) -> None:
        """Begin with what is stored."""
        self._timelines = {scope: Timeline(samples) for scope, samples in (loaded or {}).items()}
        self._polled = polled

    def add(self, sample: Sample, scopes: Iterable[Scope]) -> None:
        """An alert has come."""
        for scope in scopes:
            timeline = self._timelines.get(scope)
            if timeline is None:
                timeline = self._timelines[scope] = Timeline()
            timeline.add(sample)

    def figures(self, asked: Asked, scopes: Iterable[Scope], now: datetime) -> Mapping[str, Mapping[str, float]]:
        """By rule the figures for which it asks, by the names of `Query.aggregates`; what is not known is left out.

        `scopes` are those of the alert. What was polled is about a project, so it answers rules over a project alone, and only
        where no alert does.
        """
        if not asked.figures:
            return _NOTHING
        by_over = {scope.over: scope for scope in scopes}
        return {rule: dict(self._known(figures, by_over, now)) for rule, figures in asked.figures.items()}

    def _known(self, figures: Sequence[Figure], scopes: Mapping[str, Scope], now: datetime) -> Iterable[tuple[str, float]]:
        for figure in figures:
            scope = scopes.get(figure.over)
            if scope is None:
                continue
            timeline = self._timelines.get(scope)
            value = timeline.measure(figure, now) if timeline else None
            if value is None and scope.over == PROJECT:
                value = self._polled_value(figure, scope.value, now)
            if value is not None:
                yield figure.name, value

    def _polled_value(self, figure: Figure, project: str, now: datetime) -> float | None:
        found = self._polled.latest(project, figure.name, figure.window) if self._polled else None
        is_fresh = found is not None and timedelta(0) <= now - found.at <= max(figure.window, STALE_POLL)
        return found.value if found and is_fresh else None


class Timeline:
    """The samples of one scope."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._times: list[datetime] = []
        self._samples: list[Sample] = []
        self._events: set[str] = set()
        self._columns: dict[str, list[Said]] = {}
        self._numbers: dict[tuple[str, timedelta, timedelta], _Sliding[list[float]]] = {}
        self._tallies: dict[tuple[str, timedelta, timedelta], _Sliding[Counter[Value]]] = {}
        for sample in sorted(samples, key=lambda sample: sample.at):
            self.add(sample)

    def add(self, sample: Sample) -> None:
        """One more, unless another alert of the same event of Sentry's is there."""
        if sample.event is not None:
            if sample.event in self._events:
                return
            self._events.add(sample.event)
        place = bisect_right(self._times, sample.at)
        if place < len(self._times):
            self._numbers.clear()  # the places behind it move
            self._tallies.clear()
        self._times.insert(place, sample.at)
        self._samples.insert(place, sample)
        for column, values in self._columns.items():
            values.insert(place, sample.values.get(column))

    def measure(self, figure: Figure, now: datetime) -> float | None:
        """The same as `routing.figures.measure` of these samples."""
        return figure.measured(lambda ago: _Span(self, figure.window, now, ago))

    def places(self, begin: datetime, end: datetime) -> tuple[int, int]:
        """Where the samples after one time and until another stand."""
        return bisect_right(self._times, begin), bisect_right(self._times, end)

    def numbers(self, column: str, window: tuple[timedelta, timedelta]) -> _Sliding[list[float]]:
        """The numbers under a key by size, as a window of this length that ended so long ago had them last."""
        key = (column, *window)
        return self._numbers.get(key) or self._numbers.setdefault(key, _Sliding(self._column(column), _sorted, _take_out, _put_in))

    def tally(self, column: str, window: tuple[timedelta, timedelta]) -> _Sliding[Counter[Value]]:
        """How often each thing is said under a key, in the same way."""
        key = (column, *window)
        return self._tallies.get(key) or self._tallies.setdefault(key, _Sliding(self._column(column), _counted, _discount, _count))

    def _column(self, name: str) -> list[Said]:
        values = self._columns.get(name)
        if values is None:
            values = self._columns[name] = [sample.values.get(name) for sample in self._samples]
        return values


class _Span:
    """A stretch of a timeline."""

    __slots__ = ("_begin", "_end", "_timeline", "_window", "length")

    def __init__(self, timeline: Timeline, length: timedelta, now: datetime, ago: timedelta) -> None:
        self.length = length
        self._timeline = timeline
        self._window = (length, ago)
        self._begin, self._end = timeline.places(now - ago - length, now - ago)

    def count(self) -> int:
        return self._end - self._begin

    def tally(self, column: str) -> Mapping[Value, int]:
        return self._timeline.tally(column, self._window).between(self._begin, self._end)

    def numbers(self, column: str) -> Sequence[float]:
        return self._timeline.numbers(column, self._window).between(self._begin, self._end)


class _Sliding(Generic[Held]):
    """What is held of the values of a window. The next window is mostly the same one a step further, so only the difference is made."""

    __slots__ = ("_begin", "_collect", "_end", "_enter", "_held", "_leave", "_values")

    def __init__(self, values: list[Said], collect: Callable[[Sequence[Said]], Held], leave: Step[Held], enter: Step[Held]) -> None:
        self._values = values
        self._collect, self._leave, self._enter = collect, leave, enter
        self._begin = self._end = 0
        self._held = collect(())

    def between(self, begin: int, end: int) -> Held:
        """Of the values from one place to before another."""
        if begin < self._begin or not begin <= self._end <= end or begin - self._begin + end - self._end > _MAX_STEPS:
            self._held = self._collect(self._values[begin:end])
        else:
            self._leave(self._held, self._values[self._begin : begin])
            self._enter(self._held, self._values[self._end : end])
        self._begin, self._end = begin, end
        return self._held


def _sorted(said: Sequence[Said]) -> list[float]:
    found = (None if value is None else as_number(value) for value in said)
    return sorted(number for number in found if number is not None)


def _take_out(held: list[float], said: Sequence[Said]) -> None:
    for number in _sorted(said):
        del held[bisect_left(held, number)]


def _put_in(held: list[float], said: Sequence[Said]) -> None:
    for number in _sorted(said):
        insort(held, number)


def _counted(said: Sequence[Said]) -> Counter[Value]:
    return Counter(value for value in said if value is not None)


def _discount(held: Counter[Value], said: Sequence[Said]) -> None:
    for value in said:
        if value is not None:
            held[value] -= 1
            if not held[value]:
                del held[value]


def _count(held: Counter[Value], said: Sequence[Said]) -> None:
    held.update(value for value in said if value is not None)
