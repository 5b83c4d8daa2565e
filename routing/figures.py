"""Figures over many alerts: which ones rules ask for, and what each comes to. Stores nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Protocol

from routing.aggregates import Aggregate, FigureError, Stretch, Value, aggregate, as_number, split_call, unquoted
from routing.durations import read_duration, spell_duration
from routing.query import Query
from routing.query_keys import normal_aggregate
from routing.query_tree import KeyKind, Term, conditions
from routing.samples import INCIDENT, Sample, Scope

__all__ = ["Asked", "Asking", "Figure", "FigureError", "Polled", "PolledFigures", "asked", "figure", "figures_of", "measure", "to_load"]

LONGEST_LOOK_BACK = timedelta(days=90)
"""Sentry itself looks back 30 days at most, and compares with 30 days before."""

_NOW = timedelta(0)
_PERCENT_CHANGE = "percent_change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """An aggregate over the alerts of a scope in a window."""

    name: str
    """As `Query.aggregates` spells it."""
    aggregate: Aggregate
    window: timedelta
    over: str = INCIDENT
    earlier: timedelta | None = None
    """It is the change since the window that ended this long before; None: it is the aggregate itself."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The keys whose values it needs."""
        return (self.aggregate.column,) if self.aggregate.column else ()

    @property
    def look_back(self) -> timedelta:
        """How old an alert can be and still count."""
        return self.window + (self.earlier or _NOW)

    def measured(self, stretch: Callable[[timedelta], Stretch]) -> float | None:
        """What it comes to; `stretch` gives the alerts of the window that ended so long ago."""
        value = self.aggregate.compute(stretch(_NOW))
        if self.earlier is None or value is None:
            return None if value is None else float(value)
        before = self.aggregate.compute(stretch(self.earlier))
        change = (value - before) / abs(before) if before else None
        # Rounded, because 0.6 is not quite 50% more than 0.4.
        return round(change, 12) if change is not None and isfinite(change) else None


class Asking(Protocol):
    """A rule, as far as it asks for figures."""

    @property
    def name(self) -> str:
        """By which it is known."""

    @property
    def when(self) -> Query:
        """Its condition."""

    @property
    def window(self) -> timedelta | None:
        """The time that the figures in it are about."""

    @property
    def over(self) -> str:
        """The alerts that they are about, as `Scope.over` has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """A figure that somebody else measured."""

    value: float
    """In the units of `Metric.value`."""
    at: datetime


class PolledFigures(Protocol):
    """Figures that somebody else measured: Sentry, when it was asked."""

    def latest(self, project: str, name: str, window: timedelta) -> Polled | None:
        """The last one of a project, by the name of `Query.aggregates` and the window; None if it was never measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All that the rules in force ask for; made once for them."""

    figures: Mapping[str, tuple[Figure, ...]]
    """By rule, only of rules that ask for some."""
    columns: tuple[str, ...]
    look_back: Mapping[str, timedelta]
    """By what they are over: how old an alert can be and still count."""


def figure(text: str, window: timedelta, over: str = INCIDENT) -> Figure | None:
    """The figure that an aggregate means; None for what only Sentry can answer: `apdex(300)`, `crash_free_rate(session)`.

    Raises:
        FigureError: alerts could answer it, if it were written right or looked back less far.
    """
    name, arguments = split_call(text)
    earlier = None
    if name.lower() == _PERCENT_CHANGE:
        inner, earlier = _compared(arguments)
        name, arguments = split_call(inner)
    found = aggregate(name, arguments)
    if found is None:
        return None
    made = Figure(name=normal_aggregate(text), aggregate=found, window=window, over=over, earlier=earlier)
    if not _NOW < made.look_back <= LONGEST_LOOK_BACK:
        raise FigureError(f"{text} looks back {spell_duration(made.look_back)}; at most {spell_duration(LONGEST_LOOK_BACK)} are kept")
    return made


def figures_of(query: Query, window: timedelta | None, over: str = INCIDENT) -> tuple[Figure, ...]:
    """Those that a condition asks for; none without a window, for then only metric alerts answer.

    Raises:
        FigureError: one of them cannot be computed as it is written.
    """
    if window is None:
        return ()
    spelled: dict[str, str] = {}
    for text in (str(term.key) for term in conditions(query.tree) if isinstance(term, Term) and term.key.kind is KeyKind.AGGREGATE):
        other = spelled.setdefault(normal_aggregate(text), text)
        if split_call(other)[1] != split_call(text)[1]:
            raise FigureError(f"{text} and {other} are too much alike for one condition; make two rules of it")
    return tuple(made for text in spelled.values() if (made := figure(text, window, over)))


def asked(rules: Iterable[Asking]) -> Asked:
    """All that these rules ask for.

    Raises:
        FigureError: as `figures_of`.
    """
    by_rule = {rule.name: found for rule in rules if rule.window and (found := figures_of(rule.when, rule.window, rule.over))}
    look_back: dict[str, timedelta] = {}
    for one in (one for found in by_rule.values() for one in found):
        look_back[one.over] = max(one.look_back, look_back.get(one.over, _NOW))
    columns = {column for found in by_rule.values() for one in found for column in one.columns}
    return Asked(figures=by_rule, columns=tuple(sorted(columns)), look_back=look_back)


def to_load(asked: Asked, heard: Iterable[tuple[datetime, Iterable[Scope]]]) -> dict[Scope, datetime]:
    """From when on the samples of which scopes are needed to decide alerts that came at these times."""
    since: dict[Scope, datetime] = {}
    for at, alert_scopes in heard:
        for scope in alert_scopes:
            begin = at - asked.look_back[scope.over]
            since[scope] = min(begin, since.get(scope, begin))
    return since


def measure(figure: Figure, samples: Sequence[Sample], now: datetime) -> float | None:
    """What a figure over these samples comes to: of those with now - window < at <= now, and each event of Sentry's once.

    This is the definition; `routing.timeline` computes the same for alert after alert. None where there is nothing to measure.
    """
    seen: set[str] = set()
    once = []
    for one in sorted(samples, key=lambda one: one.at):
        if one.event is None or one.event not in seen:
            once.append(one)
            seen.update({one.event} if one.event else ())
    return figure.measured(lambda ago: _Listed(once, now - ago, figure.window))


class _Listed:
    """A stretch as a plain list."""

    def __init__(self, samples: Iterable[Sample], end: datetime, length: timedelta) -> None:
        self.length = length
        self._samples = [one for one in samples if end - length < one.at <= end]

    def count(self) -> int:
        return len(self._samples)

    def tally(self, column: str) -> Mapping[Value, int]:
        return Counter(one.values[column] for one in self._samples if column in one.values)

    def numbers(self, column: str) -> Sequence[float]:
        said = (as_number(one.values[column]) for one in self._samples if column in one.values)
        return sorted(number for number in said if number is not None)


def _compared(arguments: tuple[str, ...]) -> tuple[str, timedelta]:
    """What percent_change compares, and with how long ago."""
    example = f"write {_PERCENT_CHANGE}(count(),1d)"
    if len(arguments) != 2:
        raise FigureError(f"{_PERCENT_CHANGE} takes a figure and a time; {example}")
    inner, period = unquoted(arguments[0]), arguments[1]
    try:
        earlier = read_duration(period)
    except ValueError as error:
        raise FigureError(f"{_PERCENT_CHANGE}: {period}: {error}") from None
    name = split_call(inner)[0].lower()
    if not earlier or name == _PERCENT_CHANGE or "(" not in inner:
        raise FigureError(f"{_PERCENT_CHANGE} compares a figure with what it was before; {example}")
    return inner, earlier
