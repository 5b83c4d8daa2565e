"""What holds of every query and every alert."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from routing.alert import Alert, ExceptionValue, Frame, Json, Metric, Status, User
from routing.query import Context, Query, QueryError, parse
from routing.query_tree import Term
from tests.factories import NOW, make_alert

KEYS = [
    *("level", "title", "message", "environment", "project", "release", "release.version", "dist", "url", "user", "user.id", "unknown"),
    *("team", "tags.team", "tags[team]", "tags[count,number]", "flags[a]", "has", "is", "assigned", "contexts.os", "payload[a.b]"),
    *("error.type", "error.handled", "stack.in_app", "stack.filename", "stack.colno", "http.status_code", "issue.id", "timesSeen"),
    *("transaction.duration", "measurements.lcp", "measurements.x", "spans.db", "metric.value", "timestamp", "age", "firstSeen"),
]
AGGREGATES = ["count()", "failure_rate()", "p95()", "last_seen()", "count_if(a, equals, b)", "odd(x)"]
VALUES = [
    *(
        "error",
        '""',
        '"a b"',
        "a*",
        "*b*",
        "\\*",
        'x\\"y',
        "[a]",
        "[",
        "true",
        "0",
        "release",
        "new",
        "resolved",
        "regressed",
        "reappeared",
        "KeyError",
        "/a.*/",
        "~*",
        "\u201ca\u201d",
    ),
    *("1", "500", "-3", "1.5k", "2m", "5s", "7%", "3mb", "1.2.3", "shop-api@4.2.0"),
    *("2026-03-04", "2026-03-04T10:15:30Z", "-24h", "+1d", "now", "now-1h"),
]
WORDS = [
    "payment",
    "KeyError",
    "level",
    "=",
    "not",
    "in",
    "s",
    "5",
    '"two words"',
    "(a)",
    "()",
    "a*",
    "AND",
    "OR",
    "and",
    "(",
    ")",
    " ",
    "!",
    "\t",
    "\n",
    '"',
    "\\",
    "[",
    ":",
]

_values = st.sampled_from(VALUES)
_lists = st.lists(_values, min_size=1, max_size=3).map(lambda items: f"[{', '.join(items)}]")
_ranges = st.tuples(_values, _values).map(lambda pair: f"[{pair[0]} TO {pair[1]}]")
_filters = st.builds(
    "{}{}:{}{}".format,
    st.sampled_from(["", "", "!"]),
    st.sampled_from([*KEYS, *AGGREGATES]),
    st.sampled_from(["", "", ">", ">=", "<", "<=", "=", "!="]),
    _values | _lists | _ranges,
)
_texts = st.text(alphabet=st.sampled_from("aB1_.:*!()[]\"\\ ,<>=-+%@#'\t\nйß\u202e\0"), max_size=30)
_queries = st.lists(_filters | st.sampled_from(WORDS) | _texts, max_size=6).map(" ".join)


def _read(text: str) -> Query | None:
    try:
        return parse(text)
    except QueryError:
        return None


_accepted = _queries.map(_read).filter(lambda query: query is not None)
_conditions = _filters.map(_read).filter(lambda query: query is not None and isinstance(query.tree, Term))
_short = st.text(max_size=8) | st.sampled_from(["error", "a b", "500", "true", "shop-api@4.2.0", "KeyError"])
_maybe = st.none() | _short
_dates = st.datetimes(timezones=st.timezones()) | st.just(NOW)
_numbers = st.floats() | st.integers()
_json: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | _numbers | _short,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_short, inner, max_size=3),
    max_leaves=6,
)
_payload_keys = st.sampled_from(
    [
        *("measurements", "contexts", "exception", "request", "breakdowns", "message"),
        *("project", "projects", "assignedTo", "status", "isUnhandled", "annotations"),
    ]
)
_payloads = st.dictionaries(_payload_keys, _json | st.fixed_dictionaries({"lcp": _json, "values": _json, "os": _json}), max_size=4)
_alerts = st.builds(
    replace,
    st.just(make_alert()),
    resource=st.sampled_from(["event_alert", "issue", "metric_alert"]),
    action=st.sampled_from(["triggered", "created", "assigned", ""]),
    status=st.sampled_from(Status),
    title=_short,
    text=_short,
    release=_maybe,
    environment=_maybe,
    project=_maybe,
    issue_id=_maybe,
    substatus=_maybe,
    duration_ms=st.none() | st.floats(),
    occurred_at=_dates,
    received_at=_dates,
    first_seen=st.none() | _dates,
    event_count=st.none() | st.integers(),
    exceptions=st.lists(
        st.builds(ExceptionValue, type=_maybe, value=_maybe, handled=st.none() | st.booleans(), frames=st.just((Frame(in_app=True),))),
        max_size=2,
    ).map(tuple),
    tags=st.lists(st.tuples(st.sampled_from(["team", "count", "http.status_code"]), _short), max_size=3).map(tuple),
    user=st.none() | st.builds(User, id=_maybe, email=_maybe),
    metric=st.none()
    | st.builds(Metric, rule_name=_short, aggregate=st.sampled_from(["count()", "P95( )", "", "odd( x )"]), value=st.none() | st.floats()),
    payload=_payloads,
)
_contexts = st.builds(
    Context,
    is_new=st.none() | st.booleans(),
    was=st.none() | st.sampled_from(Status),
    aggregates=st.dictionaries(st.sampled_from(["count()", "failure_rate()"]), st.floats()),
    now=st.none() | _dates,
)


@given(text=st.text() | _texts | _queries)
@example("0" * 5000)
def test_any_text_is_a_query_or_an_error_at_one_of_its_characters(text: str) -> None:
    position = 0

    try:
        parse(text)
    except QueryError as error:
        position = error.position

    assert 0 <= position < max(len(text), 1)


@given(text=_queries | _texts)
@example('a "b" AND "c" (d) level:x')
@example('k:["a,b", c*] "x" (y OR "z\\"")')
@example('"a" b "c"')
@example("random:>5 random:=>5 random:!==x")
def test_the_normal_form_reads_as_the_same_query(text: str) -> None:
    query = _read(text)

    if query is not None:
        assert parse(str(query)) == query
        assert str(parse(str(query))) == str(query)


@given(query=_accepted, alert=_alerts, context=_contexts)
def test_evaluation_gives_a_reason_in_one_line_whatever_the_alert_holds(query: Query, alert: Alert, context: Context) -> None:
    verdict = query.evaluate(alert, context)

    assert verdict.why
    assert "\n" not in verdict.why
    assert query.evaluate(alert, context) == verdict


@given(query=_conditions, alert=_alerts, context=_contexts)
def test_a_condition_and_its_negation_disagree(query: Query, alert: Alert, context: Context) -> None:
    text = str(query)
    contrary = parse(text.removeprefix("!") if text.startswith("!") else f"!{text}")

    assert query.evaluate(alert, context).matched is not contrary.evaluate(alert, context).matched


@given(one=_conditions, other=_conditions, alert=_alerts, context=_contexts)
def test_and_and_or_are_those_of_logic(one: Query, other: Query, alert: Alert, context: Context) -> None:
    truths = [query.evaluate(alert, context).matched for query in (one, other)]

    assert parse(f"{one} AND {other}").evaluate(alert, context).matched is all(truths)
    assert parse(f"{one} {other}").evaluate(alert, context).matched is all(truths)
    assert parse(f"{one} OR {other}").evaluate(alert, context).matched is any(truths)
    assert parse(f"({one} OR {other}) {one}").evaluate(alert, context).matched is truths[0]
