"""What is said of conditions is proved: no alert contradicts it."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.alert import Alert, ExceptionValue, Json, Level, Metric, Status, User
from routing.example_alerts import Example, example, meets_all
from routing.query import Context, Query, QueryError, parse
from routing.satisfiability import MAX_ALTERNATIVES, Claim, implies, is_never
from tests.factories import NOW, make_alert

EXAMPLES = int(os.environ.get("QUERY_EXAMPLES") or 60)
"""Many more in `make nightly`."""

WORDS = [
    "prod",
    "production",
    "prod*",
    "*duction",
    "*",
    "p*n",
    "stag*",
    '""',
    "error",
    "[prod, staging]",
    "[stag*, production]",
    "true",
    "500",
]
TEXT_KEYS = [
    "environment",
    "release",
    "title",
    "error.type",
    "error.value",
    "tags.team",
    "team",
    "project",
    "transaction",
    "user.id",
    "url",
]
FIGURES = ["5", "7", ">5", ">=5", "<5", "<=7", "<7", "[5 TO 7]", "[7 TO 5]", "[5, 9]", "!=5"]
FIGURE_KEYS = ["timesSeen", "transaction.duration", "count()", "failure_rate()", "metric.value", "tags[n,number]", "stack.lineno"]
STATES = [
    "new",
    "regressed",
    "escalating",
    "reappeared",
    "for_review",
    "ongoing",
    "unresolved",
    "resolved",
    "assigned",
    "unassigned",
    "linked",
]
AGES = ["-24h", "+24h", "-1h", "2026-03-04", ">2026-03-01", "<2026-03-01", ">now-1h", "<now-1d"]

_no = st.sampled_from(["", "!"])
_terms = (
    st.builds("{}{}:{}".format, _no, st.sampled_from(TEXT_KEYS), st.sampled_from(WORDS))
    | st.builds("{}{}:{}".format, _no, st.sampled_from(FIGURE_KEYS), st.sampled_from(FIGURES))
    | st.builds("{}is:{}".format, _no, st.sampled_from(STATES))
    | st.builds("{}has:{}".format, _no, st.sampled_from([*TEXT_KEYS, "timesSeen"]))
    | st.builds("{}level:{}".format, _no, st.sampled_from(["error", "fatal", "[error, info]", "critical", "f*"]))
    | st.builds("{}http.status_code:{}".format, _no, st.sampled_from(["404", ">=500", "<500", "[404, 500]", "5*"]))
    | st.builds("{}{}:{}".format, _no, st.sampled_from(["age", "lastSeen", "timestamp"]), st.sampled_from(AGES))
    | st.builds("{}error.{}:{}".format, _no, st.sampled_from(["handled", "unhandled"]), st.sampled_from(["true", "0"]))
    | st.builds("{}message:{}".format, _no, st.sampled_from(["payment", "*pay*", "pay*ment", "prod"]))
    | st.builds("{}release.version:{}".format, _no, st.sampled_from([">1.2", "<1.2", ">=2.0", "1.2", "<=1.2"]))
    | st.sampled_from(["payment", "pay", "prod", "resource:issue", "resource:event", "action:created"])
)
_groups = st.lists(_terms, min_size=1, max_size=3).map(" ".join)
_texts = st.lists(_groups, min_size=1, max_size=2).map(" OR ".join)


def _read(text: str) -> Query | None:
    try:
        return parse(text)
    except QueryError:
        return None


_queries = _texts.map(_read).filter(lambda query: query is not None)
_word = st.sampled_from(["prod", "production", "staging", "error", "true", "500", "Payment", "payment refused", "stag"])
_maybe = st.none() | _word
_number = st.sampled_from([0.0, 0.5, 1.0, 4.0, 5.0, 6.0, 7.0, 9.0, 24.0])
_moment = st.sampled_from([timedelta(), timedelta(minutes=30), timedelta(hours=3), timedelta(days=2), timedelta(days=9)]).map(NOW.__sub__)
_payloads: st.SearchStrategy[dict[str, Json]] = st.fixed_dictionaries(
    {}, optional={"assignedTo": st.sampled_from([None, "x"]), "annotations": st.sampled_from([[], ["x"]])}
)
_exceptions = st.lists(st.builds(ExceptionValue, type=_maybe, value=_maybe, handled=st.none() | st.booleans()), max_size=2).map(tuple)
_tags = st.dictionaries(
    st.sampled_from(["team", "n", "http.status_code", "url"]), st.sampled_from(["prod", "404", "500", "5", "7", "true"])
)
_metrics = st.none() | st.builds(
    Metric, rule_name=_word, aggregate=st.sampled_from(["count()", "failure_rate()"]), value=st.sampled_from([0.0, 0.5, 1.0])
)
_events = st.builds(
    replace,
    st.just(make_alert()),
    level=st.sampled_from(Level),
    title=_word,
    text=_word,
    environment=_maybe,
    release=st.none() | st.sampled_from(["prod", "shop@1.2", "shop@2.0.1", "1.2.0"]),
    project=_maybe,
    transaction=_maybe,
    duration_ms=st.none() | _number,
    event_count=st.none() | st.integers(0, 9),
    first_seen=st.none() | _moment,
    last_seen=st.none() | _moment,
    occurred_at=_moment,
    exceptions=_exceptions,
    tags=_tags.map(lambda tags: tuple(tags.items())),
    user=st.none() | st.builds(User, id=_maybe),
    metric=_metrics,
    payload=_payloads,
)
_substatuses = st.sampled_from([None, "new", "regressed", "escalating", "ongoing"])
_changes = st.builds(
    lambda event, substatus: replace(event, resource="issue", action="unresolved", substatus=substatus), _events, _substatuses
) | st.builds(lambda event: replace(event, resource="issue", action="created", substatus="new"), _events)
_known = st.sampled_from([(None, None), (True, None), (False, Status.FIRING), (False, Status.RESOLVED), (False, Status.ARCHIVED)])


def _example(alert: Alert, known: tuple[bool | None, Status | None], count: float) -> Example:
    is_new, was = (known[0] or None, None) if alert.action == "created" else known
    return Example(alert=alert, context=Context(is_new=is_new, was=was, aggregates={"count()": count, "failure_rate()": 0.5}))


_examples = st.builds(_example, _events | _changes, _known, _number)


def claim(text: str) -> Claim:
    return Claim(tree=parse(text).tree)


@settings(max_examples=EXAMPLES)
@given(_queries, st.lists(_examples, min_size=5, max_size=20))
def test_what_is_said_never_to_be_met_is_met_by_no_alert(query: Query, examples: list[Example]) -> None:
    never = is_never(Claim(tree=query.tree))

    assert not (never and any(one.meets(query) for one in examples))


@settings(max_examples=EXAMPLES)
@given(_queries, _queries, st.lists(_examples, min_size=5, max_size=20))
def test_what_is_said_to_follow_follows_for_every_alert(query: Query, other: Query, examples: list[Example]) -> None:
    follows = implies(Claim(tree=query.tree), Claim(tree=other.tree))

    assert not (follows and any(one.meets(query) and not one.meets(other) for one in examples))


@settings(max_examples=EXAMPLES)
@given(_queries)
def test_an_example_is_one_that_the_engine_confirms(query: Query) -> None:
    found = example([Claim(tree=query.tree)], meets_all(query))

    assert found is None or found.meets(query)
    assert found is None or not is_never(Claim(tree=query.tree))


@given(_queries)
def test_a_condition_follows_from_itself(query: Query) -> None:
    assert implies(Claim(tree=query.tree), Claim(tree=query.tree))


@given(_queries, _queries)
def test_what_is_said_of_both_is_no_more_than_of_one(query: Query, other: Query) -> None:
    if is_never(Claim(tree=query.tree)):
        assert is_never(Claim(tree=query.tree), Claim(tree=other.tree))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("level:error", "level:[error, fatal]"),
        ("level:[error, fatal]", "level:error OR level:fatal"),
        ("error.type:PaymentError", "payment"),
        ("environment:production", "environment:prod*"),
        ("environment:prod*n", "environment:p*"),
        ("transaction.duration:>5s", "transaction.duration:>3s"),
        ("release:1.2", "has:release"),
        ("payment refused", "payment"),
        ("is:regressed", "!is:new"),
        ("http.status_code:503", "http.status_code:>=500"),
        ("a b", "b OR c"),
    ],
)
def test_one_follows_from_the_other_and_not_the_other_way_round(one: str, other: str) -> None:
    assert implies(claim(one), claim(other))
    assert not implies(claim(other), claim(one)) or one.startswith("level:[")


@pytest.mark.parametrize(
    "condition",
    [
        "error.type:a error.type:b",
        "tags.a:x tags.b:y",
        "level:error OR level:fatal",
        "is:new is:unassigned",
        "age:-24h firstSeen:>2020-01-01",
    ],
)
def test_what_can_be_met_is_not_said_to_be_never(condition: str) -> None:
    assert not is_never(claim(condition))


def test_of_a_query_with_too_many_alternatives_nothing_is_said() -> None:
    factors = MAX_ALTERNATIVES.bit_length()
    text = " ".join(f"(tags.a{number}:x OR tags.b{number}:x)" for number in range(factors))

    assert not is_never(claim(f"{text} level:error level:fatal"))
