"""What a query's text is read as, and what is said of a text that is none."""

from __future__ import annotations

from contextlib import suppress

import pytest

from routing.query import QueryError, parse, parse_condition
from routing.query_syntax import MAX_CHARACTERS, MAX_CONDITIONS, MAX_DEPTH
from routing.query_tree import Quantity, Term


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("  level:error\t", "level:error", id="blanks around"),
        pytest.param('level:"error"', "level:error", id="quotes that say nothing"),
        pytest.param('release:"a b"', 'release:"a b"', id="quotes that are needed"),
        pytest.param("level:=error", "level:error", id="the operator that is meant anyway"),
        pytest.param("level:!=error", "level:!=error", id="unequal"),
        pytest.param("amount:>500", "amount:=>500", id="a tag knows no order, the sign is text"),
        pytest.param("tags[amount,number]:>500", "tags[amount,number]:>500", id="a tag that is said to be a number"),
        pytest.param('tags["a:b"]:x', 'tags["a:b"]:x', id="a tag with a colon"),
        pytest.param('"hi:there":x', '"hi:there":x', id="a quoted key"),
        pytest.param("a AND b", "a AND b", id="two texts"),
        pytest.param("a b", "a b", id="one text"),
        pytest.param("a:1 and b:2", "a:1 b:2", id="AND is what stands between anyway"),
        pytest.param("a:1 b:2 or c:3", "a:1 b:2 OR c:3", id="AND binds tighter"),
        pytest.param("a:1 (b:2 OR c:3)", "a:1 (b:2 OR c:3)", id="parentheses that are needed"),
        pytest.param("((a:1))", "a:1", id="parentheses that are not"),
        pytest.param("a:1 OR(b:2)", "a:1 OR b:2", id="a word glued to a parenthesis"),
        pytest.param("level:[error,  fatal]", "level:[error, fatal]", id="a list"),
        pytest.param("level:[a b]", "level:[a AND b]", id="no list: a value and a text"),
        pytest.param("p95( transaction.duration ):>2s", "p95(transaction.duration):>2s", id="an aggregate"),
        pytest.param('to_other(release,"a @ 1.2 (3)",x):>0.5', 'to_other(release, "a @ 1.2 (3)", x):>0.5', id="parentheses in quotes"),
        pytest.param("timestamp:[now-1h TO now]", "timestamp:[now-1h TO now]", id="a range"),
        pytest.param('url:"te"st', "url:te st", id="text glued to quotes"),
        pytest.param("release:a\trelease", "release:a release", id="a tab ends a value"),
    ],
)
def test_a_query_has_a_normal_form(text: str, normal: str) -> None:
    query = parse(text)

    assert str(query) == normal
    assert parse(normal) == query


@pytest.mark.parametrize(
    ("text", "operator", "value_type", "amount"),
    [
        ("transaction.duration:>1.5s", ">", "duration", 1500),
        ("transaction.duration:2m", "=", "duration", 120_000),
        ("transaction.duration:>500", ">", "number", 500),
        ("spans.http:<=2h", "<=", "duration", 7_200_000),
        ("measurements.fcp:1wk", "=", "duration", 604_800_000),
        ("measurements.cls:>0.1", ">", "number", 0.1),
        ("measurements.upload:>5gb", ">", "size", 5e9),
        ("measurements.upload:>=3mib", ">=", "size", 3_145_728),
        ("http.response_content_length:10kb", "=", "size", 10_000),
        ("stack.colno:>3k", ">", "number", 3000),
        ("timesSeen:1.5M", "=", "number", 1_500_000),
        ("issue.id:!=5b", "!=", "number", 5_000_000_000),
        ("failure_rate():>5%", ">", "percentage", 0.05),
        ("failure_rate():>=0.6", ">=", "number", 0.6),
        ("crash_free_rate(session):<99.5%", "<", "percentage", 0.995),
        ("count():>2m", ">", "number", 2_000_000),
        ("p95():>2m", ">", "duration", 120_000),
        ("p50(measurements.lcp):>500", ">", "number", 500),
        ("percentile(transaction.duration, 0.75):>100ms", ">", "duration", 100),
        ("max(http.response_content_length):>1mb", ">", "size", 1e6),
        ("avg(measurements.foo):3", "=", "number", 3),
        ("!count_unique(user):<-1", "<", "number", -1),
        ("http.status_code:>=500", ">=", "number", 500),
        ("tags[cost,number]:<1k", "<", "number", 1000),
    ],
)
def test_a_value_is_read_as_its_key_wants_it(text: str, operator: str, value_type: str, amount: float) -> None:
    term = parse(text).tree

    assert isinstance(term, Term)
    assert isinstance(term.value, Quantity)
    assert (term.operator, term.value.type, term.value.amount) == (operator, value_type, amount)


@pytest.mark.parametrize(
    "text",
    [
        "last_seen():>2026-04-01T19:34:52+00:00",
        "last_seen():-24h",
        "first_seen():>+7d",
        "timestamp.to_hour:2026-01-01T05:06:07+00:00",
        "lastSeen:-2w",
        "event.timestamp:<=2026-01-01",
        "unknown_function(a):-2w",
    ],
)
def test_dates_and_ages_are_read_where_a_key_is_a_date(text: str) -> None:
    term = parse(text).tree

    assert isinstance(term, Term)
    assert term.value.type in {"date", "relative date"}


@pytest.mark.parametrize(
    "text",
    [
        "TypeError in total(cart) of shop",
        'undefined is not an object (evaluating "function.name")',
        "TypeError Anonymous function(app/javascript/utils/transform-object-keys)",
        "could not call open(): no such file",
        "hello () world",
        'a "quoted word" after a bare one',
        '"an open quote',
        ":colon first",
        "a,b:c",
        "order and_so_on",
    ],
)
def test_a_pasted_message_is_one_text(text: str) -> None:
    query = parse(text)

    assert (str(query), query.keys) == (text, frozenset())


@pytest.mark.parametrize(
    ("text", "character", "message"),
    [
        pytest.param("level:", 6, "level: has no value", id="no value"),
        pytest.param("level: error", 7, "level: has no value directly after it", id="a blank after the colon"),
        pytest.param("level:(error)", 7, "write level:value, or level:[a, b]", id="a parenthesis after the colon"),
        pytest.param("issue.id:>", 10, "issue.id:> has no value", id="nothing after an operator"),
        pytest.param("a:1\nb:2", 4, "a line break outside quotes", id="a line break"),
        pytest.param("OR a:1", 1, "OR has nothing before it", id="OR first"),
        pytest.param("a:1 OR", 6, "OR has nothing after it", id="OR last"),
        pytest.param("(a:1 AND) b:2", 9, "AND has nothing after it", id="AND before a parenthesis"),
        pytest.param("a:1 AND OR b:2", 9, "OR follows AND", id="OR after AND"),
        pytest.param("(a:1", 4, 'a "(" is not closed', id="not closed"),
        pytest.param("a:1)", 4, '")" closes nothing', id="not opened"),
        pytest.param("!(a:1 b:2)", 1, "write it directly before that one", id="a negated parenthesis"),
        pytest.param("NOT level:info", 1, "there is no NOT", id="NOT"),
        pytest.param("a:1 && b:2", 5, "write AND", id="&&"),
        pytest.param("a:1 || b:2", 5, "write OR", id="||"),
        pytest.param("project_id:[500,501,]", 21, "a list has no empty values", id="an empty item"),
        pytest.param("count_if(level, ):>1", 15, "arguments are never empty", id="an empty argument at the end"),
        pytest.param("count_if(level, ,x):>1", 15, "arguments are never empty", id="an empty argument between others"),
        pytest.param('to_other(release,"a,)",):>1', 23, "arguments are never empty", id="an empty argument after a string"),
        pytest.param("level:!=[error, fatal]", 9, "write level:[a, b] or !level:[a, b]", id="a list after an operator"),
        pytest.param("is:[new, resolved]", 4, "write is:A OR is:B", id="a list of states"),
        pytest.param("is:broken", 4, "is: takes one of archived", id="an unknown state"),
        pytest.param('has:""', 5, "has: takes the name of a key", id="has nothing"),
        pytest.param('device.family:"test', 15, "a quote encloses the whole value or is escaped", id="an open quote"),
        pytest.param('url:te"st', 7, 'url:"..."', id="a quote within"),
        pytest.param("issue.id:two", 10, 'a number such as 500 or 1.5k, not "two"', id="no number"),
        pytest.param('issue.id:"2"', 10, "without quotes", id="a number in quotes"),
        pytest.param("transaction.duration:>hotdog", 23, "a duration such as 300ms, 5s or 2m", id="no duration"),
        pytest.param('transaction.duration:""', 22, "write !has:transaction.duration", id="an empty duration"),
        pytest.param("measurements.cls:1.5s", 18, "a number such as 500", id="a unit that does not fit"),
        pytest.param("stack.in_app:perhaps", 14, "true, false, 1 or 0", id="no boolean"),
        pytest.param("stack.in_app:>true", 15, "cannot be compared by >", id="an ordered boolean"),
        pytest.param("timestamp:yesterday", 11, "a date such as 2026-10-17", id="no date"),
        pytest.param("timestamp:2026-02-30", 11, "a date such as", id="a day that is not in the calendar"),
        pytest.param("age:>-24h", 6, "an age stands without >: age:-24h", id="an age with an operator"),
        pytest.param("timestamp:now-1h", 11, "compare with now-1h, as in timestamp:>now-1h", id="now without an operator"),
        pytest.param("timestamp:[-24h TO now]", 11, "write timestamp:[now-24h TO now]", id="an age in a range"),
        pytest.param("level:[a TO b]", 7, 'in quotes if it is text: level:"[a TO b]"', id="a range of texts"),
        pytest.param("release.version:>new", 18, '"new" is no version', id="no version"),
        pytest.param("avg(title):>5", 1, "title is not a number, so it has no avg", id="an average of texts"),
        pytest.param("avg(stack.colno):>500s", 19, "takes a number", id="a duration of a number"),
        pytest.param("p95():>5%", 8, "takes a duration", id="a percentage of a duration"),
        pytest.param("count_if(measurements.fcp, greater, 5s):3s", 41, "takes a number", id="a duration of a count"),
        pytest.param("failure_rate(): >5%", 15, "directly after the colon, as in failure_rate():>5%", id="a blank after an aggregate"),
        pytest.param("count():[1, 2]", 8, "needs a figure", id="a list for an aggregate"),
        pytest.param("issue.id:" + "9" * 400, 10, "a number such as", id="a number beyond all numbers"),
    ],
)
def test_an_error_points_at_the_character_and_says_what_to_write(text: str, character: int, message: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse_condition(text)

    assert raised.value.position == character - 1
    assert str(raised.value).startswith(f"character {character}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("within", "beyond", "message"),
    [
        pytest.param("a" * MAX_CHARACTERS, "a" * (MAX_CHARACTERS + 1), "at most 4096 characters", id="length"),
        pytest.param("(" * MAX_DEPTH + "a:1" + ")" * MAX_DEPTH, "(" * 2000 + "a:1" + ")" * 2000, "at most 32 deep", id="depth"),
        pytest.param("a" + "(b" * MAX_DEPTH + ")" * MAX_DEPTH, "a" + "(b" * 1300 + ")" * 1300, "at most 32 deep", id="depth of a text"),
        pytest.param("a:1 " * MAX_CONDITIONS, "a:1 " * (MAX_CONDITIONS + 1), "at most 256 conditions", id="number"),
    ],
)
def test_a_query_is_bounded(within: str, beyond: str, message: str) -> None:
    parse(within)

    with pytest.raises(QueryError, match=message):
        parse(beyond)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('"' + '\\"' * 2000, id="escaped quotes without end"),
        pytest.param('k:["' + '\\"' * 2000, id="a list of them"),
        pytest.param('count("' + '\\"' * 2000, id="an aggregate of them"),
        pytest.param('f("a" , ' + '"a" , ' * 600, id="arguments without end"),
        pytest.param("f(" + "a, " * 1300, id="bare arguments without end"),
        pytest.param("k:[" + "a," * 2000, id="a list without end"),
        pytest.param("k:[" + "a]" * 2000, id="brackets"),
        pytest.param("k:[" + " , " * 1300, id="commas"),
        pytest.param("(" * 4000, id="parentheses"),
        pytest.param("a:[x " * 800, id="lists that are none"),
        pytest.param("a:/" + ".*" * 2000 + "!", id="a regular expression that is none"),
        pytest.param("level" + " " * 4000 + "=", id="blanks before a sign"),
        pytest.param("count(" + "a," * 2000 + ")", id="arguments of what is no aggregate"),
        pytest.param("select " + "from " * 800, id="a statement without an end"),
        pytest.param("{" * 2000 + "}" * 2000, id="braces"),
        pytest.param("a" * 4000 + "=" * 90, id="a word before signs"),
    ],
)
def test_no_text_keeps_the_parser_busy_for_ever(text: str) -> None:
    """An expression that backtracks would not end in years, so that this test has no limit of its own."""
    with suppress(QueryError):
        parse_condition(text)

    assert len(text) <= MAX_CHARACTERS


def test_a_query_tells_which_keys_it_asks_for() -> None:
    query = parse("level:error (has:release OR !tags[a,number]:>5) P95( ):>2s text")

    assert query.keys == {"level", "release", "tags[a,number]", "P95()"}
    assert query.aggregates == {"p95(transaction.duration)"}


def test_queries_that_say_the_same_are_equal() -> None:
    one, other = parse('level:"error" AND  (timesSeen:>1000)'), parse("level:error timesSeen:>1k")

    assert one == other
    assert hash(one) == hash(other)
    assert one != parse("level:error timesSeen:>=1k")
