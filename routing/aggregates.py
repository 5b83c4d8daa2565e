"""Reads the aggregates of Sentry's search language, and computes each over a stretch of alerts. Knows no alert and no time."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from math import fsum
from typing import Protocol, TypeAlias

from routing.query import QueryError, parse
from routing.query_keys import QUANTITATIVE, Kind, kind_of, read_number, read_value
from routing.query_syntax import parse_key
from routing.query_tree import BooleanValue, Quantity

Value: TypeAlias = str | float
"""What one alert says under a key: durations in milliseconds, sizes in bytes, what is true or false as a text."""

MAX_TEXT = 200
TRANSACTION_STATUS = "transaction.status"

_DEFAULT_COLUMN = "transaction.duration"
_STRING = r'"(?:[^"\\]|\\.)*"'
_ARGUMENT = re.compile(rf'(?:{_STRING}|\((?:{_STRING}|[^()"])*\)|[^,"()])+')
_PERCENTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p100": 1.0}
_OPERATORS: Mapping[str, Callable[[int, int, int], int]] = {
    "equals": lambda _, begin, end: end - begin,
    "notequals": lambda every, begin, end: every - (end - begin),
    "less": lambda _, begin, __: begin,
    "lessorequals": lambda _, __, end: end,
    "greater": lambda every, _, end: every - end,
    "greaterorequals": lambda every, begin, _: every - begin,
}
"""Of so many numbers by size, those equal to the limit standing from one place to before another: how many are meant."""
_OF_TEXT = frozenset({"equals", "notequals"})
_NO_FAILURE = frozenset({"ok", "cancelled", "canceled", "unknown"})
"""Sentry counts every other status as a failure (docs.sentry.io/product/performance/metrics, failure rate)."""
_COUNT_IF = 'count_if takes a key, an operator and a value, count_if(level,equals,error), or a condition in quotes, count_if("level:error")'


class FigureError(ValueError):
    """A figure cannot be computed from alerts. The text says why, and what to write."""


class Stretch(Protocol):
    """The alerts of a stretch of time."""

    @property
    def length(self) -> timedelta:
        """How long it is."""

    def count(self) -> int:
        """How many they are."""

    def tally(self, column: str) -> Mapping[Value, int]:
        """What they say under a key, and how many say so."""

    def numbers(self, column: str) -> Sequence[float]:
        """Those of what they say that are numbers, the smallest first."""


Compute: TypeAlias = Callable[[Stretch], float | None]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What is computed over alerts: `count()`, `p95(transaction.duration)`."""

    compute: Compute = field(repr=False)
    """In the unit of the values, rates as fractions; None where there is nothing to measure."""
    column: str | None = None
    """The key whose values it needs, or a condition in quotes, of which only matters who meets it."""


def aggregate(name: str, arguments: Sequence[str]) -> Aggregate | None:
    """What a function over these arguments is; None for what only Sentry can answer, such as `apdex(300)`.

    Raises:
        FigureError: alerts could answer it, if its arguments were right.
    """
    read = _FUNCTIONS.get(name.lower())
    return read(name.lower(), tuple(arguments)) if read else None


def split_call(text: str) -> tuple[str, tuple[str, ...]]:
    """Name and arguments of `count_if(level, equals, error)`; commas in quotes separate nothing."""
    name, _, arguments = text.strip().partition("(")
    return name.strip(), tuple(part.strip() for part in _ARGUMENT.findall(arguments.removesuffix(")")))


def unquoted(argument: str) -> str:
    """An argument without the quotes in which it is written."""
    is_quoted = len(argument) > 1 and argument.startswith('"') and argument.endswith('"')
    return argument[1:-1].replace('\\"', '"') if is_quoted else argument


def as_number(value: Value) -> float | None:
    """A number, or a text that is one."""
    return read_number(value) if isinstance(value, str) else value


def bounded(text: str) -> str:
    """A text of at most 200 characters; two long ones that differ stay apart."""
    if len(text) <= MAX_TEXT:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
    return f"{text[: MAX_TEXT - len(digest)]}{digest}"


def quantile(level: float, ordered: Sequence[float]) -> float | None:
    """Linear between the two values beside the rank (R-7), None of no values.

    What ClickHouse computes for Sentry's p50 to p99 of up to 8192 values, and beyond that estimates
    (clickhouse.com/docs, quantile and quantileExactInclusive).
    """
    if not ordered:
        return None
    rank = (len(ordered) - 1) * level
    below = int(rank)
    share = rank - below
    return ordered[below] if not share else ordered[below] * (1 - share) + ordered[below + 1] * share


def _alone(compute: Compute, column: str | None = None) -> Callable[[str, tuple[str, ...]], Aggregate]:
    def read(name: str, arguments: tuple[str, ...]) -> Aggregate:
        if arguments:
            raise FigureError(f"{name}() takes nothing in its parentheses; write {name}()")
        return Aggregate(compute, column)

    return read


def _of_numbers(reckon: Callable[[Sequence[float]], float | None]) -> Callable[[str, tuple[str, ...]], Aggregate | None]:
    def read(name: str, arguments: tuple[str, ...]) -> Aggregate | None:
        if len(arguments) > 1:
            raise FigureError(f"{name}() takes one key; write {name}({arguments[0]})")
        return _numeric(reckon, arguments[0] if arguments else _DEFAULT_COLUMN)

    return read


def _percentile(name: str, arguments: tuple[str, ...]) -> Aggregate | None:
    level = read_number(arguments[1]) if len(arguments) == 2 else None
    if level is None or not 0 <= level <= 1:
        raise FigureError(f"{name}() takes a key and a number from 0 to 1; write {name}(transaction.duration,0.95)")
    return _numeric(partial(quantile, level), arguments[0])


def _numeric(reckon: Callable[[Sequence[float]], float | None], spelled: str) -> Aggregate | None:
    key = parse_key(unquoted(spelled))
    if kind_of(key) is Kind.DATE:
        return None
    column = str(key)
    return Aggregate(lambda stretch: reckon(stretch.numbers(column)), column)


def _count_unique(name: str, arguments: tuple[str, ...]) -> Aggregate:
    if len(arguments) != 1:
        raise FigureError(f"{name}() takes one key; write {name}(user)")
    column = str(parse_key(unquoted(arguments[0])))
    return Aggregate(lambda stretch: len(stretch.tally(column)), column)


def _count_if(_: str, arguments: tuple[str, ...]) -> Aggregate:
    if len(arguments) == 1 and arguments[0].startswith('"'):
        return _count_met(unquoted(arguments[0]))
    if len(arguments) != 3 or arguments[1].lower() not in _OPERATORS:
        raise FigureError(f"{_COUNT_IF}; operators are equals, notEquals, less, lessOrEquals, greater and greaterOrEquals")
    spelled, wanted = arguments[1].lower(), unquoted(arguments[2])
    column = str(parse_key(unquoted(arguments[0])))
    kind = kind_of(parse_key(column))
    if kind in QUANTITATIVE or spelled not in _OF_TEXT:
        number = read_value(kind if kind in QUANTITATIVE else Kind.NUMBER, wanted) if kind else None
        if not isinstance(number, Quantity):
            raise FigureError(f'count_if({column},{arguments[1]},{wanted}): "{wanted}" is no number; {_COUNT_IF}')
        return Aggregate(partial(_count_numbers, column, _OPERATORS[spelled], number.amount), column)
    truth = read_value(Kind.BOOLEAN, wanted) if kind is Kind.BOOLEAN else None
    text = bounded(str(truth.truth) if isinstance(truth, BooleanValue) else wanted).casefold()
    return Aggregate(partial(_count_texts, column, text, is_equal=spelled == "equals"), column)


def _count_met(condition: str) -> Aggregate:
    try:
        query = parse(condition)
    except QueryError as error:
        raise FigureError(f'in count_if("{condition}"): {error}') from None
    if query.aggregates:
        raise FigureError(f'in count_if("{condition}"): {min(query.aggregates)} is a figure itself; write what one alert says')
    column = f'"{query}"'
    return Aggregate(lambda stretch: sum(stretch.tally(column).values()), column)


def _count_numbers(column: str, meant: Callable[[int, int, int], int], limit: float, stretch: Stretch) -> float:
    numbers = stretch.numbers(column)
    return meant(len(numbers), bisect_left(numbers, limit), bisect_right(numbers, limit))


def _count_texts(column: str, text: str, stretch: Stretch, *, is_equal: bool) -> float:
    return sum(many for value, many in stretch.tally(column).items() if (_as_text(value).casefold() == text) is is_equal)


def _as_text(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:.15g}"


def _failures(stretch: Stretch) -> float | None:
    statuses = stretch.tally(TRANSACTION_STATUS)
    return sum(many for status, many in statuses.items() if status not in _NO_FAILURE) if statuses else None


def _failure_rate(stretch: Stretch) -> float | None:
    failures = _failures(stretch)
    return None if failures is None else failures / sum(stretch.tally(TRANSACTION_STATUS).values())


def _mean(ordered: Sequence[float]) -> float | None:
    return fsum(ordered) / len(ordered) if ordered else None


_FUNCTIONS: Mapping[str, Callable[[str, tuple[str, ...]], Aggregate | None]] = {
    "count": _alone(lambda stretch: stretch.count()),
    "epm": _alone(lambda stretch: stretch.count() / (stretch.length / timedelta(minutes=1))),
    "eps": _alone(lambda stretch: stretch.count() / (stretch.length / timedelta(seconds=1))),
    "failure_count": _alone(_failures, TRANSACTION_STATUS),
    "failure_rate": _alone(_failure_rate, TRANSACTION_STATUS),
    "count_unique": _count_unique,
    "uniq": _count_unique,
    "count_if": _count_if,
    "avg": _of_numbers(_mean),
    "sum": _of_numbers(lambda ordered: fsum(ordered) if ordered else None),
    "min": _of_numbers(lambda ordered: ordered[0] if ordered else None),
    "max": _of_numbers(lambda ordered: ordered[-1] if ordered else None),
    "percentile": _percentile,
    **{name: _of_numbers(partial(quantile, level)) for name, level in _PERCENTILES.items()},
}
