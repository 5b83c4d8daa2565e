"""What newcomers write who know other languages, and what they are told to write instead."""

from __future__ import annotations

import pytest

from routing.query import QueryError, parse, parse_condition

NO_NOT = "there is no NOT; write `!` directly before one condition"


@pytest.mark.parametrize(
    ("text", "character", "advice"),
    [
        pytest.param("level=error", 6, "write level:error;", id="an equals sign"),
        pytest.param('level = "error"', 7, "write level:error;", id="with blanks and quotes"),
        pytest.param("level == 'error'", 7, "write level:error;", id="CEL and JavaScript"),
        pytest.param('event.level == "error"', 13, "write event.level:error;", id="an expression over the event"),
        pytest.param("user.id != 123", 9, "write !user.id:123;", id="unequal"),
        pytest.param('message = "read timed out"', 9, 'write message:"read timed out";', id="a value with blanks"),
        pytest.param("tags.critical = true", 15, "write tags.critical:true;", id="a tag"),
        pytest.param("tags[critical]=true", 15, "write tags[critical]:true;", id="a tag in brackets"),
        pytest.param("level : error", 7, "write level:error;", id="blanks around the colon"),
        pytest.param("level :error", 7, "write level:error;", id="a blank before the colon"),
        pytest.param("level: error", 7, "take out the blank: level:error", id="YAML"),
        pytest.param("level => error", 7, "write level:error;", id="an arrow"),
        pytest.param('{level="error", environment="production"}', 1, "side by side, as in level:error environment:production", id="PromQL"),
        pytest.param('{"level": "error"}', 1, "braces enclose no conditions", id="JSON"),
        pytest.param('severity=~"critical|error"', 9, "write severity:[critical, error];", id="Alertmanager, any of several"),
        pytest.param('level=~"err.*"', 6, "write level:*err*;", id="Alertmanager, a regular expression"),
        pytest.param('level!~"info"', 6, "write !level:*info*;", id="Alertmanager, negated"),
        pytest.param("SELECT * FROM events WHERE level = 1", 1, "this is no SQL", id="SQL"),
        pytest.param("level = 'error' AND environment = 'prod'", 7, "write level:error;", id="what stands after WHERE"),
        pytest.param("message LIKE '%timeout%'", 9, "write message:*timeout*;", id="LIKE"),
        pytest.param("level IN ('error', 'fatal')", 7, "write level:[a, b];", id="IN"),
        pytest.param("level in [error, fatal]", 7, "write level:[a, b];", id="in"),
        pytest.param('message contains "timed out"', 9, 'write message:"*timed out*";', id="contains"),
        pytest.param("level:(error OR fatal)", 7, "or level:[a, b] if it may be any of several", id="Lucene"),
        pytest.param('message:~"timeout"', 9, "`*` stands for anything, as in message:*timeout*", id="a tilde"),
        pytest.param("message:/time.*out/", 9, "there are no regular expressions; `*` stands for anything", id="a regular expression"),
        pytest.param("level:error && environment:dev", 13, "write AND", id="&&"),
        pytest.param("level:error || level:fatal", 13, "write OR", id="||"),
        pytest.param("NOT level:info", 1, NO_NOT, id="NOT"),
        pytest.param("not level:info", 1, NO_NOT, id="not"),
        pytest.param("level:error and not environment:dev", 17, NO_NOT, id="and not"),
        pytest.param("!(level:info)", 1, "`!` negates one condition", id="negated parentheses"),
        pytest.param("! level:info", 1, "`!` negates one condition", id="a lone !"),
        pytest.param("count() > 5", 8, "as in count():>5;", id="an aggregate that is compared"),
        pytest.param("count():> 5", 10, "take out the blank: count():>5", id="a blank after the operator"),
        pytest.param("count > 5", 7, "write count():>5;", id="an aggregate without parentheses"),
        pytest.param("p95(transaction.duration) >= 2s", 26, "as in p95(transaction.duration):>=2s;", id="a percentile that is compared"),
        pytest.param('count():"5"', 8, "needs a figure directly after the colon", id="a figure in quotes"),
        pytest.param("count():>5s", 10, "takes a number such as 500 or 1.5k", id="seconds of a count"),
        pytest.param("transaction.duration > 5s", 22, "write transaction.duration:>5s;", id="a duration that is compared"),
        pytest.param("transaction.duration:>5 s", 25, "write transaction.duration:>5s", id="a unit that stands apart"),
        pytest.param("transaction.duration:>5seconds", 23, "a duration such as 300ms, 5s or 2m", id="a unit that there is not"),
        pytest.param("transaction.duration:>5,000", 23, "a duration such as 300ms, 5s or 2m", id="a comma in a number"),
        pytest.param('transaction.duration:>"5s"', 23, "without quotes", id="a duration in quotes"),
        pytest.param("failure_rate():>5 %", 19, "write failure_rate():>5%", id="a percent sign that stands apart"),
        pytest.param("level:“error”", 7, 'straight ones: level:"..."', id="curly quotes around a value"),
        pytest.param("“payment failed”", 1, "curly quotes enclose nothing", id="curly quotes around a text"),
        pytest.param("is:open", 4, "is: takes one of", id="a word that is not one of is:"),
        pytest.param('is:"for review"', 4, 'not "for review"', id="a word with a blank"),
        pytest.param("has(release)", 4, "write has:release;", id="has as a function"),
        pytest.param("!has release", 5, "write !has:release;", id="has without a colon"),
        pytest.param("age:24h", 5, "write age:-24h if it may be 24h old at most, age:+24h if at least", id="an age without a sign"),
        pytest.param("timestamp:>1h", 12, "write timestamp:-1h if", id="an age that is compared"),
        pytest.param("firstSeen:>now()-1h", 15, "write now-1h", id="now with parentheses"),
        pytest.param("firstSeen:today", 11, "a date such as 2026-10-17", id="a day by name"),
        pytest.param("error.handled:no", 15, "true, false, 1 or 0", id="no"),
        pytest.param("release.version:>=1.2.x", 19, "compare with one such as 1.2.3", id="a version of any patch"),
        pytest.param("level:error)", 12, '")" closes nothing', id="a parenthesis too many"),
        pytest.param("level:error environment:", 24, 'write environment:value, environment:"a value"', id="a key at the end"),
    ],
)  # fmt: skip
def test_a_newcomer_is_shown_the_character_and_what_to_write(text: str, character: int, advice: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse_condition(text)

    assert (raised.value.position, str(raised.value).partition(": ")[0]) == (character - 1, f"character {character}")
    assert advice in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "user is not authenticated",
        "url is invalid",
        "message contains invalid characters",
        "a = b",
        'attribute="x" of <a>',
        "if (count > 5) return",
        "count() failed",
        "selected rows where none",
        "‘total’ was not declared",
        "transaction:/users/$id/ level:error",
        "url:~/cart",
        "payment && yookassa",
        "is it open (again)",
        "retry in 5 s",
    ],
)
def test_what_may_well_be_text_is_text(text: str) -> None:
    assert parse_condition(text) == parse(str(parse(text)))


@pytest.mark.parametrize("text", ['"level = error"', '"not" level:info', '"{a}"', '"count() > 5"', 'level:"/err.*/"', 'message:"“a”"'])
def test_quotes_make_text_of_anything(text: str) -> None:
    assert '"' in str(parse_condition(text))


@pytest.mark.parametrize("text", ["level = error", "count() > 5", "not level:info", "{a}", "level:/err.*/", "“payment failed”"])
def test_what_sentry_takes_is_taken_where_nobody_wrote_it_for_us(text: str) -> None:
    assert parse(text)
