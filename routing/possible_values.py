"""Which values under one key meet several conditions together, if any do. Says "none" only where that is proved, for alerts that fire.

What is assumed of alerts is Sentry's word: an event has one value of each tag (develop.sentry.dev/sdk/data-model/event-payloads), rates
are at most 1, and an issue that was just created has no other substatus than `new`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, product
from typing import TypeAlias

from routing.alert import Level
from routing.firing_states import World, worlds
from routing.literals import (
    STATE,
    TEXT,
    Literal,
    is_figure,
    is_presence,
    is_single,
    is_text,
    patterns_of,
    subject_of,
    term_of,
    texts_of,
    wanted,
)
from routing.query_answers import truths
from routing.query_comparison import Dated, Pattern, contained, date_test, is_like, quantity_test, text_test, version_test
from routing.query_keys import read_number, read_version
from routing.query_states import holds
from routing.query_syntax import ORDERING
from routing.query_tree import (
    AgeValue,
    BooleanValue,
    DateValue,
    NowValue,
    Operator,
    Quantity,
    Term,
    TextValue,
)

Possible: TypeAlias = "str | float | bool | timedelta | World | None"
"""A value; None: the alert says nothing under the key."""

MAX_CHOICES = 256

_UPWARD = frozenset({Operator.GREATER, Operator.AT_LEAST})
_LIKE = "\ue000"
"""Stands for anything where one pattern is held against another."""
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_CLOSED = {
    "level": tuple(level.value for level in Level),
    "resource": ("event_alert", "error", "issue", "metric_alert", "legacy", "glitchtip", "silence"),
}
"""All that an alert that fires can say under a key."""
_ALWAYS = frozenset({*_CLOSED, "title", "timestamp", "issue.category"})
_FRACTIONS = frozenset({"failure_rate", "crash_free_rate", "crash_rate", "http_error_rate", "apdex"})
_NOT_NEGATIVE = frozenset({"transaction.duration", "timesSeen", "user_count"})
_COUNTS = frozenset({"count", "count_unique", "count_if", "count_miserable", "failure_count", "epm", "eps", "tpm", "tps"})
_SEARCHED = frozenset({"title", "culprit", "error.type", "error.value"})
"""Keys whose values free text is looked for in."""


class Never(Exception):  # noqa: N818 - it is no error, but what was asked for
    """No alert that fires meets these together."""


def possible(subject: str, literals: Sequence[Literal]) -> tuple[Possible, ...]:
    """Some values that meet all the conditions on a subject; none if this cannot tell.

    Raises:
        Never: nothing meets them.
    """
    if subject == TEXT:
        return _possible_text(literals)
    if subject == STATE:
        return _some([world for world in worlds() if all(_is_true_in(world, one) for one in literals)])
    if subject.startswith("is:new "):
        return _some([truth for truth in (True, False) if all(one.is_met is not term_of(one).negated is truth for one in literals)])
    return _possible_values(subject, literals)


def implied_texts(literals: Sequence[Literal]) -> Iterator[Pattern]:
    """What free text would find in any alert of which these are true."""
    for literal in literals:
        if not wanted(literal):
            continue
        if subject_of(literal) == TEXT:
            patterns = patterns_of(literal)
        elif subject_of(literal) in _SEARCHED and is_text(literal):
            patterns = tuple(("", *one, "") if len(one) == 1 else one for one in patterns_of(literal))
        else:
            continue
        if len(patterns) == 1:
            yield patterns[0]


def is_found_in(wanted_text: Pattern, found: Pattern) -> bool:
    """Whether what has the one pattern always has the other, too."""
    searched = _LIKE.join(found)
    return contained("*".join(piece.replace("*", "\\*") for piece in wanted_text))(searched)


def _possible_text(literals: Sequence[Literal]) -> tuple[Possible, ...]:
    found = list(implied_texts(literals))
    for literal in literals:
        if not wanted(literal) and any(is_found_in(one, text) for one in patterns_of(literal) for text in found):
            raise Never
    texts = [" ".join(filter(None, one)) or "x" for one in found]
    texts += [" ".join(filter(None, patterns_of(one)[0])) for one in literals if wanted(one) and len(patterns_of(one)) > 1]
    return (" ".join(texts) or None,)


def _possible_values(subject: str, literals: Sequence[Literal]) -> tuple[Possible, ...]:
    silence = [None] if subject not in _ALWAYS and all(_is_met_by_silence(one) for one in literals) else []
    values = [one for one in literals if not is_presence(one)]
    is_present = all(wanted(one) for one in literals if is_presence(one))
    present = _present(subject, values) if is_present else ()
    return tuple(silence) if present is None else _some([*present, *silence])


def _present(subject: str, literals: Sequence[Literal]) -> Sequence[Possible] | None:
    """Values that meet the conditions; nothing if there is none, None if this cannot tell."""
    if not is_single(subject) and _excludes_itself(literals):
        return ()
    if not is_single(subject):
        return _perhaps(subject, literals)
    if all(is_figure(one) for one in literals):
        return _figures(subject, literals)
    if all(isinstance(term_of(one).value, BooleanValue) for one in literals):
        return [truth for truth in (True, False) if all(_accepts_truth(one)(truth) is wanted(one) for one in literals)]
    if all(isinstance(term_of(one).value, DateValue | AgeValue | NowValue) for one in literals):
        return _dates(literals)
    return _texts_that_fit(subject, literals)


def _perhaps(subject: str, literals: Sequence[Literal]) -> Sequence[Possible] | None:
    """What a single value would have to be where there may be several: nothing is proved if there is none."""
    try:
        if all(map(is_figure, literals)):
            return _figures(subject, literals) or None
        return _texts_that_fit(subject, literals) or None
    except Never:
        return None


def _texts_that_fit(subject: str, literals: Sequence[Literal]) -> Sequence[Possible] | None:
    if subject in _CLOSED:
        return [word for word in _CLOSED[subject] if _fits(word, literals)]
    positive = [patterns_of(one) for one in literals if wanted(one) and is_text(one) and term_of(one).operator not in ORDERING]
    versions = [one for one in literals if is_text(one) and term_of(one).operator in ORDERING]
    if math.prod(map(len, positive)) > MAX_CHOICES or (versions and not positive):
        return () if _excludes_itself(literals) or _is_empty_order(versions) else None
    found: list[str] = []
    is_sure = True
    for choice in product(*positive):
        text = _text_like(choice)
        if text is not None and _fits(text, literals):
            found.append(text)
        elif text is not None and all(len(one) > 1 for one in choice) and not _is_taken_out(choice, literals):
            is_sure = False
    return found if found or is_sure else None


def _text_like(patterns: Sequence[Pattern]) -> str | None:
    """A text that all the patterns fit, None if there is none."""
    exact = {one[0] for one in patterns if len(one) == 1}
    if exact:
        (text, *others) = exact
        return text if not others and all(is_like(text, one) for one in patterns) else None
    first = max((one[0] for one in patterns), key=len, default="")
    last = max((one[-1] for one in patterns), key=len, default="")
    if not all(first.startswith(one[0]) and last.endswith(one[-1]) for one in patterns):
        return None
    middle = "".join("".join(one[1:-1]) for one in patterns)
    return f"{first}{middle}{last}" or "other"


def _is_taken_out(choice: Sequence[Pattern], literals: Sequence[Literal]) -> bool:
    """Whether one of the patterns is wholly within what must not be."""
    unwanted = [one for literal in literals if not wanted(literal) and is_text(literal) for one in patterns_of(literal)]
    return any(_is_within(like, one) for like in choice for one in unwanted)


def _is_within(inner: Pattern, outer: Pattern) -> bool:
    return is_like(_LIKE.join(inner), outer)


def _fits(text: str, literals: Sequence[Literal]) -> bool:
    return bool(text) and all(_accepts_text(one)(text) is wanted(one) for one in literals)


def _accepts_text(literal: Literal) -> Callable[[str], bool]:
    term = term_of(literal)
    match term.value:
        case TextValue(text=text):
            return version_test(term.operator, text) if term.operator in ORDERING else text_test(term.values)
        case Quantity():
            accepts = quantity_test(term)
            return lambda text: (amount := read_number(text)) is not None and accepts(amount)
        case BooleanValue():
            return lambda text: any(map(_accepts_truth(literal), truths((text,))))
        case _:
            return lambda _: False


def _accepts_truth(literal: Literal) -> Callable[[bool], bool]:
    term = term_of(literal)
    turned = term.key.name == "error.unhandled"
    meant = {value.truth is not turned for value in term.values if isinstance(value, BooleanValue)}
    return lambda truth: truth in meant


def _figures(subject: str, literals: Sequence[Literal]) -> Sequence[Possible]:
    tests = [(quantity_test(term_of(one)), wanted(one)) for one in literals]
    begin, end = _bounds(subject)
    return [amount for amount in _points(literals) if begin <= amount <= end and all(test(amount) is truth for test, truth in tests)]


def _points(literals: Sequence[Literal]) -> list[float]:
    """One of every stretch between the limits that are written, and the limits: what is true of these is true of all numbers."""
    limits = sorted({0.0, 1.0, *(value.amount for one in literals for value in term_of(one).values if isinstance(value, Quantity))})
    between = [(one + other) / 2 for one, other in pairwise(limits)]
    return sorted({*limits, *between, limits[0] - 1, limits[-1] * 2 + 1})


def _bounds(subject: str) -> tuple[float, float]:
    name = subject.partition("(")[0]
    if name in _FRACTIONS and name != subject:
        return 0, 1
    return (0, math.inf) if subject in _NOT_NEGATIVE or (name in _COUNTS and name != subject) else (-math.inf, math.inf)


def _dates(literals: Sequence[Literal]) -> Sequence[Possible] | None:
    """Ages are held against ages, days against days; of the two together this knows nothing."""
    terms = [term_of(one) for one in literals]
    kinds = {isinstance(value, DateValue) for term in terms for value in term.values}
    if len(kinds) != 1:
        return None
    tests = [(date_test(term), wanted(one)) for one, term in zip(literals, terms, strict=True)]
    found = [shift for shift in _shifts(terms) if all(test(_dated(shift, of_day=True in kinds)) is truth for test, truth in tests)]
    return found if True not in kinds or not found else None


def _dated(shift: timedelta, *, of_day: bool) -> Dated:
    return (_EPOCH + shift, _EPOCH) if not of_day else (_EPOCH + shift, datetime.max.replace(tzinfo=UTC))


def _shifts(terms: Sequence[Term]) -> Iterator[timedelta]:
    """Differences from now, or from the begin of 2026, at the limits and just beside them."""
    small = timedelta(seconds=1)
    for value in (value for term in terms for value in term.values):
        match value:
            case DateValue(moment=moment):
                limits = [moment - _EPOCH + step for step in (timedelta(minutes=-5), timedelta(), timedelta(minutes=6), timedelta(days=1))]
            case AgeValue(age=age):
                limits = [-age]
            case NowValue(offset=offset):
                limits = [offset]
            case _:
                limits = []
        for limit in limits:
            yield from (limit, limit - small, limit + small)


def _excludes_itself(literals: Sequence[Literal]) -> bool:
    """Whether some value must be there and the same must not."""
    positive = [one for one in literals if wanted(one)]
    negative = [one for one in literals if not wanted(one)]
    return any(_implies_value(one, other) for one in positive for other in negative) or any(map(_is_empty, positive))


def _implies_value(one: Literal, other: Literal) -> bool:
    """Whether every value that the one accepts is accepted by the other."""
    if is_figure(one) and is_figure(other):
        accepts, too = quantity_test(term_of(one)), quantity_test(term_of(other))
        return all(too(amount) for amount in _points((one, other)) if accepts(amount))
    if is_text(one) and is_text(other) and not {term_of(one).operator, term_of(other).operator} & ORDERING:
        return all(any(_is_within(inner, outer) for outer in patterns_of(other)) for inner in patterns_of(one))
    if is_text(one) and is_text(other) and {term_of(one).operator, term_of(other).operator} <= ORDERING:
        return _is_stricter(term_of(one), term_of(other))
    if isinstance(term_of(one).value, BooleanValue) and isinstance(term_of(other).value, BooleanValue):
        return all(_accepts_truth(other)(truth) for truth in (True, False) if _accepts_truth(one)(truth))
    return False


def _is_stricter(one: Term, other: Term) -> bool:
    """Whether every version on the one side of a limit is on the other's side of its limit."""
    limit, bound = read_version(texts_of(one)[0]), read_version(texts_of(other)[0])
    if limit is None or bound is None or ({one.operator, other.operator} - _UPWARD and {one.operator, other.operator} & _UPWARD):
        return False
    if limit == bound:
        return one.operator is other.operator or one.operator in {Operator.GREATER, Operator.LESS}
    return (limit > bound) is (one.operator in _UPWARD)


def _is_empty(literal: Literal) -> bool:
    return is_figure(literal) and not any(map(quantity_test(term_of(literal)), _points((literal,))))


def _is_empty_order(literals: Sequence[Literal]) -> bool:
    """Whether versions must be above one and below another one that is not above it."""
    bounds = [(term_of(one), read_version(texts_of(term_of(one))[0])) for one in literals if wanted(one)]
    lower = [(bound, term.operator) for term, bound in bounds if bound and term.operator in {Operator.GREATER, Operator.AT_LEAST}]
    upper = [(bound, term.operator) for term, bound in bounds if bound and term.operator in {Operator.LESS, Operator.AT_MOST}]
    strict = {Operator.GREATER, Operator.LESS}
    return any(low > high or (low == high and {one, other} & strict) for low, one in lower for high, other in upper)


def _is_met_by_silence(literal: Literal) -> bool:
    """Whether an alert that says nothing under the key meets it."""
    if is_presence(literal):
        return not wanted(literal)
    return wanted(literal) is (is_text(literal) and "" in texts_of(term_of(literal)))


def _is_true_in(world: World, literal: Literal) -> bool:
    (word,) = texts_of(term_of(literal))
    return bool(holds(word.lower(), world.alert, is_new=world.is_new, was=world.was)) is wanted(literal)


def _some(found: Sequence[Possible]) -> tuple[Possible, ...]:
    if not found:
        raise Never
    return tuple(islice(found, MAX_CHOICES))
