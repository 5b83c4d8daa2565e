"""Compares what an alert says with what a query wants, and puts both into words. Knows neither alerts nor keys.

No regular expression ever meets an alert's text: wildcards are searched piece by piece, in time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from routing.query_keys import Version, read_version
from routing.query_tree import AgeValue, BooleanValue, DateValue, Form, NowValue, Operator, Quantity, Term, TextValue, Value, ValueType

MAX_SHOWN = 80
"""Characters of a value that an explanation shows."""

BOUNDARY = "\0"
"""Stands between texts that are searched together; nothing that people search for spans it."""

Pattern: TypeAlias = tuple[str, ...]
"""A text split at its stars, without regard to upper and lower case; a single piece is a text without a star."""
Dated: TypeAlias = tuple[datetime, datetime]
"""A date, and the time from which ages are counted."""
Compared = TypeVar("Compared", float, Version, datetime, timedelta)

_STAR = re.compile(r"(?<!\\)\*")
_NOTHING, _DAY = timedelta(0), timedelta(days=1)
_BEFORE, _AFTER = timedelta(minutes=-5), timedelta(minutes=6)
"""Sentry takes an exact time for the minutes around it."""
_UNITS = {
    ValueType.DURATION: ((1.728e8, 8.64e7, "days"), (7.2e6, 3.6e6, "h"), (1.2e5, 6e4, "min"), (1e3, 1e3, "s"), (0, 1, "ms")),
    ValueType.SIZE: ((1e12, 1e12, "TB"), (1e9, 1e9, "GB"), (1e6, 1e6, "MB"), (1e3, 1e3, "kB"), (0, 1, "B")),
}
"""From how much on, in which unit."""


def text_test(values: Sequence[Value]) -> Callable[[str], bool]:
    """Whether a text as a whole is one of those wanted."""
    patterns = [pattern(value.text) for value in values if isinstance(value, TextValue)]
    exact = frozenset(pieces[0] for pieces in patterns if len(pieces) == 1)
    wild = tuple(pieces for pieces in patterns if len(pieces) > 1)
    if not wild:
        return lambda text: text.casefold() in exact

    def accepts(text: str) -> bool:
        folded = text.casefold()
        return folded in exact or any(is_like(folded, pieces) for pieces in wild)

    return accepts


def version_test(wanted: Operator, limit: str) -> Callable[[str], bool]:
    """Whether a text is a version before or after another."""
    bound = read_version(limit)
    holds = _against(wanted, bound) if bound else None

    def accepts(text: str) -> bool:
        version = read_version(text)
        return version is not None and holds is not None and holds(version)

    return accepts


def quantity_test(term: Term) -> Callable[[float], bool]:
    """Whether a number meets the operator, is in the list or within the range."""
    amounts = [value.amount for value in term.values if isinstance(value, Quantity)]
    if term.form is Form.RANGE:
        begin, end = amounts
        return lambda actual: begin <= actual <= end
    if term.form is Form.LIST:
        return frozenset(amounts).__contains__
    return _against(term.operator, amounts[0])


def date_test(term: Term) -> Callable[[Dated], bool]:
    """Whether a date is the one that is wanted, before or after it, or young or old enough."""
    if term.form is not Form.RANGE:
        return _date_test(term.value, term.operator)
    begin = _date_test(term.values[0], Operator.AT_LEAST)
    end = _date_test(term.values[1], Operator.AT_MOST)
    last_day = _date_test(term.values[1], Operator.EQUAL)
    return lambda dated: begin(dated) and (end(dated) or last_day(dated))


def pattern(text: str) -> Pattern:
    r"""Split a text at its stars; `\*` is no star."""
    return tuple(piece.casefold() for piece in exact_pattern(text))


def exact_pattern(text: str) -> Pattern:
    r"""The same, but as it is written: upper and lower case stay."""
    return tuple(piece.replace("\\*", "*") for piece in _STAR.split(text))


def contained(text: str) -> Callable[[str], bool]:
    """Whether one of several case-folded texts, joined by the boundary, has the pieces of this one in their order."""
    pieces = pattern(text)
    if len(pieces) == 1:
        (piece,) = pieces
        return lambda searched: piece in searched
    return lambda searched: any(_follow(part, pieces, 0, len(part)) for part in searched.split(BOUNDARY))


def is_like(text: str, wanted: Pattern) -> bool:
    """Whether a text as a whole has the pieces of a pattern in their order, with anything between them."""
    first, *middle = wanted
    if not middle:
        return text == first
    last = middle.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    return _follow(text, middle, len(first), len(text) - len(last))


def say_value(value: Value) -> str:
    """A value of a query in words."""
    match value:
        case TextValue(text=text):
            return quote(text)
        case Quantity(type=value_type, amount=amount):
            return say_amount(amount, value_type)
        case BooleanValue(truth=truth):
            return say_truth(truth)
        case AgeValue(text=text, is_older=is_older):
            return f"{text[1:]} old or {'older' if is_older else 'younger'}"
        case DateValue(text=text) | NowValue(text=text):
            return text


def say_wanted(term: Term) -> str:
    """The right side of a condition in words: `> 5 s`, `"a" or "b"`."""
    values = [say_value(value) for value in term.values]
    if term.form is Form.RANGE:
        return " to ".join(values)
    if term.form is Form.LIST:
        return shorten(" or ".join(values), 3 * MAX_SHOWN)
    if term.operator in {Operator.EQUAL, Operator.NOT_EQUAL}:
        return values[0]
    limit = values[0].strip('"')
    return f"{term.operator} {limit}"


def quote(text: str) -> str:
    """A text in quotes, in one line and cut."""
    if len(text) <= MAX_SHOWN and text.isprintable():
        return f'"{text}"' if text else "absent"
    return f'"{shorten(text, MAX_SHOWN)}"'


def shorten(text: str, limit: int) -> str:
    """One line without invisible characters, which could make it read as something else."""
    seen = text[: 2 * limit]
    visible = seen if seen.isprintable() else "".join(character if character.isprintable() else " " for character in seen)
    line = " ".join(visible.split())
    return line if len(line) <= limit and len(text) <= 2 * limit else line[: limit - 1].rstrip() + "…"


def say_amount(amount: float, value_type: ValueType) -> str:
    """`8.4 s`, `3.1 MB`, `7.3%`, `1532`."""
    if value_type is ValueType.PERCENTAGE:
        return f"{amount * 100:.4g}%"
    for least, unit, name in _UNITS.get(value_type, ()):
        if abs(amount) >= least:
            return f"{amount / unit:.4g} {name}"
    return f"{amount:.15g}"


def say_truth(truth: bool) -> str:  # noqa: FBT001 - the value that is spelled, not a switch
    """`true` or `false`."""
    return "true" if truth else "false"


def say_date(dated: Dated) -> str:
    """`2026-03-04 10:15:30 UTC`."""
    return dated[0].isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")


def _date_test(value: Value, wanted: Operator) -> Callable[[Dated], bool]:
    """Differences are compared, not dates moved: a date near the end of the calendar has no next day."""
    match value:
        case DateValue(moment=moment) if wanted not in {Operator.EQUAL, Operator.NOT_EQUAL}:
            is_in_order = _against(wanted, moment)
            return lambda dated: is_in_order(dated[0])
        case DateValue(moment=moment, is_day=is_day):
            begin, end = (_NOTHING, _DAY) if is_day else (_BEFORE, _AFTER)
            return lambda dated: begin <= dated[0] - moment < end
        case AgeValue(age=age, is_older=is_older):
            is_of_age = _against(Operator.AT_LEAST if is_older else Operator.AT_MOST, age)
            return lambda dated: is_of_age(dated[1] - dated[0])
        case NowValue(offset=offset):
            is_far_enough = _against(wanted, offset)
            return lambda dated: is_far_enough(dated[0] - dated[1])
        case _:
            raise AssertionError(f"{value} is no date")


def _against(wanted: Operator, limit: Compared) -> Callable[[Compared], bool]:
    """`actual > limit` and so on; a condition with != is negated as a whole."""
    match wanted:
        case Operator.GREATER:
            return lambda actual: actual > limit
        case Operator.AT_LEAST:
            return lambda actual: actual >= limit
        case Operator.LESS:
            return lambda actual: actual < limit
        case Operator.AT_MOST:
            return lambda actual: actual <= limit
        case Operator.EQUAL | Operator.NOT_EQUAL:
            return lambda actual: actual == limit


def _follow(folded: str, pieces: Sequence[str], start: int, end: int) -> bool:
    for piece in pieces:
        found = folded.find(piece, start, end)
        if found < 0:
            return False
        start = found + len(piece)
    return True
