"""Conditions in Sentry's search language: `parse` reads one, `Query.evaluate` decides it for an alert and says why.

The language is that of docs.sentry.io/concepts/search. query_syntax reads it, query_answers finds what an alert says, query_comparison
compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Generic, TypeVar

from routing.alert import Alert
from routing.facts import Check, Context, Facts, Read, Verdict
from routing.query_answers import Scalar, moments, numbers, reader_of, searched_texts, texts, truths
from routing.query_comparison import (
    BOUNDARY,
    Dated,
    contained,
    date_test,
    pattern,
    quantity_test,
    quote,
    say_amount,
    say_date,
    say_truth,
    say_wanted,
    text_test,
    version_test,
)
from routing.query_keys import Kind, kind_of, normal_aggregate
from routing.query_states import holds
from routing.query_syntax import ORDERING, parse_key, parse_tree, refuse_mistakes
from routing.query_tree import (
    And,
    BooleanValue,
    Form,
    FreeText,
    Key,
    KeyKind,
    Node,
    Operator,
    Or,
    Quantity,
    QueryError,
    Term,
    TextValue,
    ValueType,
    conditions,
)

__all__ = ["Context", "Facts", "Query", "QueryError", "Read", "Verdict", "parse", "parse_condition"]

REMEMBERED = 32
"""Verdicts of each condition: most conditions meet the same few levels, projects and environments all day."""
READERS = 4096
"""How many keys are read by one and the same function, by which `Facts` knows them again."""

_DATED_AGGREGATES = {"last_seen()": "lastSeen", "first_seen()": "firstSeen"}
_TYPES: Mapping[Kind | None, ValueType] = {
    Kind.DURATION: ValueType.DURATION,
    Kind.SIZE: ValueType.SIZE,
    Kind.PERCENTAGE: ValueType.PERCENTAGE,
}

Tested = TypeVar("Tested")


@dataclass(frozen=True, slots=True)
class Query:
    """A condition on alerts; two are equal if they say the same. `str()` gives its normal form, which parses to an equal one."""

    tree: Node
    keys: frozenset[str] = field(compare=False, repr=False)
    """What it asks for: `level`, `tags[critical]`, `count()`. Free text is no key."""
    aggregates: frozenset[str] = field(compare=False, repr=False)
    """Those keys that are figures over many events, in the spelling in which `Context.aggregates` is asked for them."""
    check: Check = field(compare=False, repr=False)
    """Whether an alert of which these are the facts meets the condition, and why. Never raises, whatever the alert holds."""

    def evaluate(self, alert: Alert, context: Context | None = None) -> Verdict:
        """The same of one alert, when no other query is asked about it."""
        return self.check(Facts(alert, context))

    def __str__(self) -> str:
        return str(self.tree)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values(Generic[Tested]):
    """How the values under a key are found, judged and shown."""

    read: Read[tuple[Tested, ...]]
    accepts: Callable[[Tested], bool]
    say: Callable[[Tested], str]
    wanted: str
    absent: str = "absent"


_ANY_ALERT = Verdict(matched=True, why="any alert")


def parse(text: str) -> Query:
    """Read a query as Sentry does; an empty one is met by any alert.

    Raises:
        QueryError: with the position of the first thing that is wrong, and what to write instead.
    """
    return _query(parse_tree(text))


def parse_condition(text: str) -> Query:
    """Read what a person wrote for this service: as `parse` does, and refuse what Sentry takes for text that is never found.

    Raises:
        QueryError: as `parse`.
    """
    tree = parse_tree(text)
    refuse_mistakes(tree, text)
    return _query(tree)


def _query(tree: Node) -> Query:
    terms = [part for part in conditions(tree) if isinstance(part, Term)]
    return Query(
        tree=tree,
        keys=frozenset(str(_subject(term)) for term in terms),
        aggregates=frozenset(normal_aggregate(str(term.key)) for term in terms if term.key.kind is KeyKind.AGGREGATE),
        check=_compile(tree),
    )


def _compile(node: Node) -> Check:
    match node:
        case Term():
            return _condition(node)
        case FreeText(text=text):
            return _contained("text", (text,))
        case And(parts=parts):
            return _all(tuple(map(_compile, parts)))
        case Or(parts=parts):
            return _any(tuple(map(_compile, parts)))


def _all(checks: tuple[Check, ...]) -> Check:
    def check(facts: Facts) -> Verdict:
        met = []
        for part in checks:
            verdict = part(facts)
            if not verdict.matched:
                return verdict
            met.append(verdict.why)
        return Verdict(matched=True, why=", ".join(met)) if met else _ANY_ALERT

    return check


def _any(checks: tuple[Check, ...]) -> Check:
    def check(facts: Facts) -> Verdict:
        unmet = []
        for part in checks:
            verdict = part(facts)
            if verdict.matched:
                return verdict
            unmet.append(verdict.why)
        return Verdict(matched=False, why=" and ".join(unmet))

    return check


def _condition(term: Term) -> Check:
    kind = kind_of(term.key)
    match term.value:
        case TextValue(text=text) if kind is Kind.STATE:
            return _negatable(term, _state(text.lower()), f"wanted not {text.lower()}")
        case TextValue(text=text) if kind is Kind.PRESENCE:
            return _negatable(term, _presence(parse_key(text)), "wanted absent")
        case TextValue(text=text) if kind is Kind.CONTAINED and text:
            return _negatable(term, _contained(str(term.key), _texts(term)), "wanted no such text")
        case _:
            return _compared(term, kind)


def _compared(term: Term, kind: Kind | None) -> Check:
    match term.value:
        case TextValue():
            return _explained(term, _text_values(term))
        case Quantity():
            return _explained(term, _quantity_values(term, kind))
        case BooleanValue():
            return _explained(term, _boolean_values(term))
        case _:
            return _explained(term, _date_values(term))


def _explained(term: Term, values: _Values[Tested]) -> Check:
    """The test of a condition; what it says to the same values is remembered."""
    read, absent = values.read, Verdict(_is_negated(term), f"{term.key} is {values.absent}")
    judge = lru_cache(maxsize=REMEMBERED)(_judge(term, values))

    def check(facts: Facts) -> Verdict:
        found = facts[read]
        return judge(found) if found else absent

    return check


def _judge(term: Term, values: _Values[Tested]) -> Callable[[tuple[Tested, ...]], Verdict]:
    """Any value will do; negated, none may."""
    negated, subject, wanted = _is_negated(term), str(term.key), values.wanted
    condition = "" if _is_literal(term) else f" ({wanted})"

    def judge(found: tuple[Tested, ...]) -> Verdict:
        met = next((value for value in found if values.accepts(value)), None)
        if met is not None:
            shown = values.say(met)
            return Verdict(not negated, f"{subject} is {shown}, wanted not {wanted}" if negated else f"{subject} is {shown}{condition}")
        shown = values.say(found[0]) + (f" and {len(found) - 1} more" if len(found) > 1 else "")
        return Verdict(negated, f"{subject} is {shown} (not {wanted})" if negated else f"{subject} is {shown}, wanted {wanted}")

    return judge


def _is_negated(term: Term) -> bool:
    return term.negated is not (term.operator is Operator.NOT_EQUAL)


def _is_literal(term: Term) -> bool:
    """Whether the value that meets it is the very one that is written, so that it need not be said twice."""
    if term.operator in ORDERING or term.form is Form.RANGE:
        return False
    return all(
        len(pattern(value.text)) == 1 if isinstance(value, TextValue) else isinstance(value, Quantity | BooleanValue)
        for value in term.values
    )


def _text_values(term: Term) -> _Values[str]:
    accepts = text_test(term.values) if term.operator not in ORDERING else version_test(term.operator, str(term.value))
    read = _reader_of_blank(term.key) if "" in _texts(term) else _reader(term.key, texts)
    return _Values(read=read, accepts=accepts, say=quote, wanted=say_wanted(term))


def _quantity_values(term: Term, kind: Kind | None) -> _Values[float]:
    shown = _TYPES.get(kind) or term.value.type
    shown_values = tuple(replace(value, type=shown) for value in term.values if isinstance(value, Quantity))
    is_aggregate = term.key.kind is KeyKind.AGGREGATE
    return _Values(
        read=_aggregate_reader(term.key) if is_aggregate else _reader(term.key, numbers),
        accepts=quantity_test(term),
        say=lambda amount: say_amount(amount, shown),
        wanted=say_wanted(replace(term, values=shown_values)),
        absent="not known" if is_aggregate else "absent",
    )


def _boolean_values(term: Term) -> _Values[bool]:
    wanted = say_wanted(term)
    return _Values(read=_reader(term.key, truths), accepts=lambda truth: say_truth(truth) == wanted, say=say_truth, wanted=wanted)


def _date_values(term: Term) -> _Values[Dated]:
    """Of the aggregates that are dates only those of the issue itself are known."""
    key = term.key
    if key.kind is KeyKind.AGGREGATE:
        key = Key(name=_DATED_AGGREGATES.get(normal_aggregate(str(key)), ""))
    return _Values(read=_date_reader(key), accepts=date_test(term), say=say_date, wanted=say_wanted(term))


@lru_cache(maxsize=READERS)
def _reader(key: Key, select: Callable[[Sequence[Scalar]], Sequence[Tested]]) -> Read[tuple[Tested, ...]]:
    read = reader_of(key)
    return lambda alert, _: tuple(select(read(alert)))


@lru_cache(maxsize=READERS)
def _reader_of_blank(key: Key) -> Read[tuple[str, ...]]:
    """What is absent reads as an empty text, for those who ask for one."""
    read = reader_of(key)
    return lambda alert, _: tuple(texts(read(alert))) or ("",)


@lru_cache(maxsize=READERS)
def _date_reader(key: Key) -> Read[tuple[Dated, ...]]:
    read_moments = reader_of(key)

    def read(alert: Alert, context: Context) -> tuple[Dated, ...]:
        (now,) = moments((context.now or alert.received_at,))
        return tuple((moment, now) for moment in moments(read_moments(alert)))

    return read


@lru_cache(maxsize=READERS)
def _aggregate_reader(key: Key) -> Read[tuple[float, ...]]:
    """What the metric alert measured if it measured this, else what the context knows."""
    name = normal_aggregate(str(key))

    def read(alert: Alert, context: Context) -> tuple[float, ...]:
        metric = alert.metric
        measured = metric.value if metric and normal_aggregate(metric.aggregate) == name else None
        value = context.aggregates.get(name) if measured is None else measured
        return () if value is None else (value,)

    return read


def _contained(subject: str, wanted: tuple[str, ...]) -> Check:
    tests = [(contained(text), Verdict(matched=True, why=f"{subject} has {quote(text)}")) for text in wanted]
    unmet = Verdict(matched=False, why=f"{subject} has no {' or '.join(map(quote, wanted))}")

    def check(facts: Facts) -> Verdict:
        searched = facts[_searched]
        for is_contained, met in tests:
            if is_contained(searched):
                return met
        return unmet

    return check


def _searched(alert: Alert, _: Context) -> str:
    return BOUNDARY.join(searched_texts(alert)).casefold()


def _presence(key: Key) -> Check:
    read, absent = _reader(key, texts), Verdict(matched=False, why=f"{key} is absent")

    def check(facts: Facts) -> Verdict:
        found = facts[read]
        return Verdict(matched=True, why=f"{key} is {quote(found[0])}") if found else absent

    return check


def _state(word: str) -> Check:
    read = _state_reader(word)

    @lru_cache(maxsize=REMEMBERED)
    def judge(truth: bool | None, substatus: str | None) -> Verdict:  # noqa: FBT001 - what was read, not a switch
        if truth:
            return Verdict(matched=True, why=f"is {word}")
        actual = f" but {quote(substatus)[1:-1]}" if substatus else ""
        return Verdict(matched=False, why=f"is not known to be {word}" if truth is None else f"is not {word}{actual}")

    return lambda facts: judge(*facts[read])


@lru_cache(maxsize=READERS)
def _state_reader(word: str) -> Read[tuple[bool | None, str | None]]:
    """Whether the word is true, None where nobody knows, and what Sentry says instead."""
    return lambda alert, context: (_holds(word, alert, context), alert.substatus)


def _holds(word: str, alert: Alert, context: Context) -> bool | None:
    """Of places Sentry says nothing, so who asks for what is new in one is told what we know."""
    if word == "new" and context.is_new_here is not None:
        return context.is_new_here
    return holds(word, alert, is_new=context.is_new, was=context.was)


def _negatable(term: Term, check: Check, complaint: str) -> Check:
    """The condition itself, or its contrary; the complaint is for one that should not have been met."""
    if not _is_negated(term):
        return check

    def negated(facts: Facts) -> Verdict:
        verdict = check(facts)
        return Verdict(not verdict.matched, f"{verdict.why}, {complaint}" if verdict.matched else verdict.why)

    return negated


def _subject(term: Term) -> Key:
    """The key that a condition asks about; that of `has:release` is `release`."""
    value = term.value
    return parse_key(value.text) if isinstance(value, TextValue) and kind_of(term.key) is Kind.PRESENCE else term.key


def _texts(term: Term) -> tuple[str, ...]:
    return tuple(value.text for value in term.values if isinstance(value, TextValue))
