"""What a query says to an alert, and how it explains itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from routing.alert import Alert, ExceptionValue, Level, Metric, Status
from routing.query import Context, Verdict, parse
from tests.factories import NOW, make_alert

DAY = timedelta(days=1)


def _verdict(query: str, alert: Alert, context: Context | None = None) -> tuple[bool, str]:
    return parse(query).evaluate(alert, context)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        pytest.param("tags.critical:true", 'tags.critical is "true"', id="a tag"),
        pytest.param("tags[critical]:TRUE", 'tags[critical] is "true"', id="a tag in brackets, in another case"),
        pytest.param("critical:true", 'critical is "true"', id="a key that Sentry does not know is a tag"),
        pytest.param("level:[fatal, error]", 'level is "error"', id="a list"),
        pytest.param("release:shop-api@*", 'release is "shop-api@4.2.0" ("shop-api@*")', id="a wildcard at the end"),
        pytest.param("culprit:*cart*total", 'culprit is "shop.cart in total" ("*cart*total")', id="wildcards within"),
        pytest.param("!level:fatal", 'level is "error" (not "fatal")', id="a negation"),
        pytest.param("level:!=fatal", 'level is "error" (not "fatal")', id="unequal"),
        pytest.param("!has:dist", "dist is absent", id="has not"),
        pytest.param("!dist:7", "dist is absent", id="what is absent is not equal"),
        pytest.param('dist:""', "dist is absent", id="empty"),
        pytest.param('!release:""', 'release is "shop-api@4.2.0" (not absent)', id="not empty"),
        pytest.param("has:tags[critical]", 'tags[critical] is "true"', id="has a tag"),
        pytest.param("transaction.duration:>5s", "transaction.duration is 8.4 s (> 5 s)", id="longer"),
        pytest.param("transaction.duration:<=8400", "transaction.duration is 8.4 s (<= 8.4 s)", id="milliseconds without a unit"),
        pytest.param("timesSeen:[3, 1.5k]", "timesSeen is 1500", id="a list of numbers"),
        pytest.param("timesSeen:[1k TO 2k]", "timesSeen is 1500 (1000 to 2000)", id="a range of numbers"),
        pytest.param("error.handled:0", "error.handled is false", id="a boolean"),
        pytest.param("error.type:keyerror", 'error.type is "KeyError"', id="any exception of the chain"),
        pytest.param("payment or CURRENCY", 'text has "CURRENCY"', id="the branch of an OR that is met"),
        pytest.param("message:currency", 'message has "currency"', id="a message contains"),
        pytest.param("message:[dollar, key*cur]", 'message has "key*cur"', id="one of several"),
        pytest.param("level:error is:unresolved", 'level is "error", is unresolved', id="both of an AND"),
        pytest.param("http.status_code:>=500", "http.status_code is 503 (>= 500)", id="a code that is compared"),
        pytest.param("http.status_code:5*", 'http.status_code is "503" ("5*")', id="a code as text"),
        pytest.param("tags[attempts,number]:<10", "tags[attempts,number] is 9 (< 10)", id="a tag as a number"),
        pytest.param("release.version:>4.1.9", 'release.version is "4.2.0" (> 4.1.9)', id="a later version"),
        pytest.param("", "any alert", id="an empty query"),
    ],
)
def test_a_match_tells_the_conditions_with_the_values_that_met_them(query: str, why: str) -> None:
    alert = make_alert(
        tags=(("critical", "true"), ("http.status_code", "503"), ("attempts", "9")),
        duration_ms=8400.0,
        event_count=1500,
        exceptions=(ExceptionValue(type="KeyError", value="'currency'", handled=False), ExceptionValue(type="CartError")),
    )

    assert _verdict(query, alert) == (True, why)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        pytest.param("level:fatal", 'level is "error", wanted "fatal"', id="another value"),
        pytest.param("environment:prod", 'environment is "production", wanted "prod"', id="a part is not the whole"),
        pytest.param("level:[fatal, info]", 'level is "error", wanted "fatal" or "info"', id="a list"),
        pytest.param("tags.critical:true", "tags.critical is absent", id="an absent tag"),
        pytest.param("has:dist", "dist is absent", id="has"),
        pytest.param("!has:release", 'release is "shop-api@4.2.0", wanted absent', id="has not"),
        pytest.param("!level:[error, fatal]", 'level is "error", wanted not "error" or "fatal"', id="a negated list"),
        pytest.param('!level:"" level:fatal', 'level is "error", wanted "fatal"', id="the first false one of several"),
        pytest.param("level:error dist:1 level:x", "dist is absent", id="and only that"),
        pytest.param("transaction.duration:>5s", "transaction.duration is 1.2 s, wanted > 5 s", id="too short"),
        pytest.param("!transaction.duration:<5s", "transaction.duration is 1.2 s, wanted not < 5 s", id="negated order"),
        pytest.param("payment OR yookassa", 'text has no "payment" and text has no "yookassa"', id="no branch of an OR"),
        pytest.param("!message:currency", 'message has "currency", wanted no such text', id="a text that should not be"),
        pytest.param("is:resolved", "is not resolved", id="a state"),
        pytest.param("is:regressed", "is not known to be regressed", id="a state that is not told"),
        pytest.param("count():>100", "count() is not known", id="an aggregate that nobody gave"),
        pytest.param("server_name:a", 'server_name is "x1" and 1 more, wanted "a"', id="several values"),
        pytest.param("amount:>500", 'amount is "700", wanted ">500"', id="a tag knows no order"),
        pytest.param("release.version:>=5", 'release.version is "4.2.0", wanted >= 5', id="an earlier version"),
        pytest.param("age:-24h", "age is 2026-03-02 10:15:32 UTC, wanted 24h old or younger", id="too old"),
    ],
)
def test_a_miss_tells_the_first_false_condition_with_the_wanted_and_the_actual_value(query: str, why: str) -> None:
    tags = (("server_name", "x1"), ("server_name", "x2"), ("amount", "700"))
    alert = make_alert(tags=tags, duration_ms=1200.0, first_seen=NOW - 2 * DAY)

    assert _verdict(query, alert) == (False, why)


def test_a_value_of_any_length_and_kind_is_shown_cut_and_in_one_line() -> None:
    alert = make_alert(culprit="a\n\u202eb\x00" + "c" * 300_000, text="needle " * 50_000)

    shown = parse("culprit:a*").evaluate(alert).why
    missed = parse("needless " + "x" * 200).evaluate(alert).why

    assert shown == 'culprit is "a b ' + "c" * 75 + '…" ("a*")'
    assert missed == f'text has no "needless {"x" * 70}…"'


@pytest.mark.parametrize(
    ("context", "changes", "expected"),
    [
        pytest.param(Context(is_new=True), {}, (True, "is new"), id="never seen here"),
        pytest.param(Context(is_new=False), {}, (False, "is not new"), id="seen here before"),
        pytest.param(Context(), {}, (False, "is not known to be new"), id="nobody knows"),
        pytest.param(Context(is_new=False), {"substatus": "new"}, (True, "is new"), id="new in Sentry's eyes"),
        pytest.param(Context(), {"substatus": "ongoing"}, (False, "is not new but ongoing"), id="old in Sentry's eyes"),
        pytest.param(Context(is_new=False), {"resource": "issue", "action": "created"}, (True, "is new"), id="just created"),
    ],
)
def test_new_is_what_we_or_sentry_never_saw(context: Context, changes: dict[str, object], expected: tuple[bool, str]) -> None:
    alert = make_alert(**changes)

    assert _verdict("is:new", alert, context) == expected


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        pytest.param("unresolved", {"status": Status.FIRING}, id="firing"),
        pytest.param("resolved", {"status": Status.RESOLVED}, id="resolved"),
        pytest.param("archived ignored muted", {"status": Status.ARCHIVED}, id="archived"),
        pytest.param("resolved", {"status": Status.UNCHANGED, "payload": {"status": "resolved"}}, id="a comment on a resolved issue"),
        pytest.param("regressed for_review", {"substatus": "regressed"}, id="regressed"),
        pytest.param("escalating for_review", {"substatus": "escalating"}, id="escalating"),
        pytest.param("ongoing", {"substatus": "ongoing"}, id="ongoing"),
        pytest.param("until_escalating", {"substatus": "archived_until_escalating"}, id="archived until escalating"),
        pytest.param("assigned", {"payload": {"assignedTo": {"name": "Zoë"}}}, id="assigned"),
        pytest.param("assigned", {"resource": "issue", "action": "assigned"}, id="just assigned"),
        pytest.param("unassigned", {"payload": {"assignedTo": None}}, id="unassigned"),
        pytest.param("linked", {"payload": {"annotations": [{"url": "https://jira.example/OPS-1"}]}}, id="linked"),
        pytest.param("unlinked", {"payload": {"annotations": []}}, id="unlinked"),
    ],
)
def test_the_states_of_an_issue_are_known_by_their_words(words: str, changes: dict[str, object]) -> None:
    alert = make_alert(**changes)

    for word in words.split():
        assert _verdict(f"is:{word}", alert) == (True, f"is {word}")
        assert _verdict(f"!is:{word}", alert) == (False, f"is {word}, wanted not {word}")


@pytest.mark.parametrize(
    ("word", "was", "substatus", "expected"),
    [
        pytest.param("regressed", Status.RESOLVED, None, (True, "is regressed"), id="resolved, and fires again"),
        pytest.param("regressed", Status.ARCHIVED, None, (False, "is not regressed"), id="archived, and fires again"),
        pytest.param("regressed", Status.FIRING, None, (False, "is not regressed"), id="it fires already"),
        pytest.param("regressed", None, None, (False, "is not known to be regressed"), id="nobody knows"),
        pytest.param("regressed", Status.RESOLVED, "ongoing", (False, "is not regressed but ongoing"), id="Sentry has the word"),
        pytest.param("regressed", Status.FIRING, "regressed", (True, "is regressed"), id="Sentry saw it end"),
        pytest.param("escalating", Status.ARCHIVED, None, (True, "is escalating"), id="out of the archive"),
        pytest.param("escalating", Status.RESOLVED, None, (False, "is not escalating"), id="what was resolved does not escalate"),
        pytest.param("escalating", Status.ARCHIVED, "ongoing", (False, "is not escalating but ongoing"), id="taken out by hand"),
        pytest.param("reappeared", Status.ARCHIVED, "ongoing", (True, "is reappeared"), id="by hand or not, it is back"),
        pytest.param("reappeared", Status.FIRING, "escalating", (False, "is not reappeared but escalating"), id="it never went"),
        pytest.param("for_review", Status.RESOLVED, None, (True, "is for_review"), id="a regression is to be looked at"),
        pytest.param("for_review", Status.FIRING, "ongoing", (False, "is not for_review but ongoing"), id="what goes on is not"),
        pytest.param("for_review", None, None, (False, "is not known to be for_review"), id="who knows"),
    ],
)
def test_what_comes_back_is_known_by_sentrys_word_or_by_what_the_incident_was(
    word: str, was: Status | None, substatus: str | None, expected: tuple[bool, str]
) -> None:
    alert = make_alert(substatus=substatus)

    assert _verdict(f"is:{word}", alert, Context(was=was)) == expected


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.ARCHIVED])
def test_what_ends_does_not_come_back(status: Status) -> None:
    alert = make_alert(status=status)

    for word in ("regressed", "escalating", "reappeared"):
        assert _verdict(f"is:{word}", alert, Context(was=Status.RESOLVED)) == (False, f"is not {word}")


def test_what_is_new_comes_back_from_nowhere() -> None:
    for word in ("regressed", "escalating", "reappeared"):
        assert _verdict(f"is:{word}", make_alert(), Context(is_new=True)) == (False, f"is not {word}")


RATE = Metric(rule_name="Error rate", aggregate="failure_rate()", value=0.073)
SLOW = Metric(rule_name="Slow", aggregate="p95(transaction.duration)", value=2310.0)


@pytest.mark.parametrize(
    ("query", "metric", "aggregates", "expected"),
    [
        pytest.param("failure_rate():>0.05", RATE, {}, (True, "failure_rate() is 7.3% (> 5%)"), id="what a metric alert measured"),
        pytest.param("failure_rate():>7.3%", RATE, {}, (False, "failure_rate() is 7.3%, wanted > 7.3%"), id="a limit that is not passed"),
        pytest.param("P95():>2s", SLOW, {}, (True, "P95() is 2.31 s (> 2 s)"), id="the column that is meant anyway"),
        pytest.param("p75():>2s", SLOW, {}, (False, "p75() is not known"), id="another percentile"),
        pytest.param("!count():>100", RATE, {}, (True, "count() is not known"), id="what is not known is not over a limit"),
        pytest.param("count():>100", None, {"count()": 131}, (True, "count() is 131 (> 100)"), id="what the window gave"),
        pytest.param(
            "failure_rate():<5%", RATE, {"failure_rate()": 0.01}, (False, "failure_rate() is 7.3%, wanted < 5%"), id="Sentry first"
        ),
        pytest.param("metric.value:>5%", RATE, {}, (True, "metric.value is 7.3% (> 5%)"), id="whatever was measured"),
        pytest.param(
            "metric.aggregate:p95*", SLOW, {}, (True, 'metric.aggregate is "p95(transaction.duration)" ("p95*")'), id="what it was"
        ),
    ],
)
def test_aggregates_are_those_of_the_metric_alert_or_of_the_window(
    query: str, metric: Metric | None, aggregates: dict[str, float], expected: tuple[bool, str]
) -> None:
    alert = make_alert(metric=metric)

    assert _verdict(query, alert, Context(aggregates=aggregates)) == expected


def test_an_aggregate_alias_of_sentry_does_not_hide_the_aggregate() -> None:
    crash_rate = "percentage(sessions_crashed, sessions) AS _crash_rate_alert_aggregate"
    alert = make_alert(metric=Metric(rule_name="Crashes", aggregate=crash_rate, value=0.02))

    assert parse("percentage(sessions_crashed,sessions):>1%").evaluate(alert).matched


@pytest.mark.parametrize(
    ("query", "seen", "matched"),
    [
        ("firstSeen:2026-03-03", datetime(2026, 3, 3, 23, 59, 59, tzinfo=UTC), True),
        ("firstSeen:2026-03-03", datetime(2026, 3, 4, tzinfo=UTC), False),
        ("firstSeen:2026-03-03T12:00:00Z", datetime(2026, 3, 3, 12, 5, tzinfo=UTC), True),
        ("firstSeen:2026-03-03T12:00:00Z", datetime(2026, 3, 3, 12, 6, tzinfo=UTC), False),
        ("firstSeen:2026-03-03T12:00:00+02:00", datetime(2026, 3, 3, 9, 55, tzinfo=UTC), True),
        ("firstSeen:>2026-03-03", datetime(2026, 3, 3, tzinfo=UTC), False),
        ("firstSeen:>=2026-03-03", datetime(2026, 3, 3, tzinfo=UTC), True),
        ("firstSeen:-24h", NOW - DAY, True),
        ("firstSeen:-24h", NOW - DAY - timedelta(seconds=1), False),
        ("age:+1d", NOW - DAY, True),
        ("age:+1d", NOW - timedelta(hours=23), False),
        ("age:+12h age:-24h", NOW - timedelta(hours=13), True),
        ("first_seen():<2026-01-01", datetime(2025, 12, 31, tzinfo=UTC), True),
        ("firstSeen:[now-1h TO now]", NOW - timedelta(minutes=59), True),
        ("firstSeen:[now-1h TO now]", NOW - timedelta(minutes=61), False),
        ("firstSeen:[2026-03-01 TO 2026-03-02]", datetime(2026, 3, 2, 23, tzinfo=UTC), True),
        ("firstSeen:<now-999999w", NOW, False),
        ("firstSeen:9999-12-31", datetime(9999, 12, 31, 23, 59, tzinfo=UTC), True),
    ],
)
def test_dates_are_days_minutes_limits_and_ages(query: str, seen: datetime, matched: bool) -> None:  # noqa: FBT001 - a column of the table
    alert = make_alert(first_seen=seen)

    assert parse(query).evaluate(alert).matched is matched


def test_ages_are_counted_from_the_time_that_is_given() -> None:
    alert = make_alert(first_seen=NOW - 2 * DAY)

    then = parse("age:-24h").evaluate(alert, Context(now=NOW - 2 * DAY + timedelta(hours=1)))

    assert then == Verdict(matched=True, why="age is 2026-03-02 10:15:32 UTC (24h old or younger)")


@pytest.mark.parametrize(
    ("release", "query", "matched"),
    [
        ("shop@1.10.0", "release.version:>1.9.9", True),
        ("shop@1.2", "release.version:>=1.2.0", True),
        ("shop@1.2.0-rc.1", "release.version:<1.2.0", True),
        ("shop@1.2.0-rc.2", "release.version:<1.2.0-rc.10", True),
        ("shop@1.2.0-beta", "release.version:>1.2.0-alpha", True),
        ("shop@1.2.0+77", "release.version:1.2.0 release.build:77 release.package:shop", True),
        ("shop@1.2.0+77", "release.build:>100", False),
        ("1.2.0", "release.version:1.2.* !has:release.package", True),
        ("3f1b6c0a9d5e4c72", "has:release.version", False),
    ],
)
def test_releases_are_ordered_as_versions(release: str, query: str, matched: bool) -> None:  # noqa: FBT001 - a column of the table
    alert = make_alert(release=release)

    assert parse(query).evaluate(alert).matched is matched


@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        ("a*", "a", True),
        ("*a", "ba", True),
        ("a*a", "a", False),
        ("a*b*c", "aXbYbZc", True),
        ("a**c", "abc", True),
        ("*", "anything", True),
        (r"100\*", "100*", True),
        (r"100\*", "1000", False),
        (r"\**", "*x", True),
        ("STRASSE", "straße", True),
        ("a?c", "abc", False),
        ("a.c", "abc", False),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_does(pattern: str, text: str, matched: bool) -> None:  # noqa: FBT001 - as above
    alert = make_alert(tags=(("name", text),))

    assert parse(f"name:{pattern}").evaluate(alert).matched is matched


def test_free_text_is_found_wherever_the_alert_speaks() -> None:
    alert = make_alert(
        title="One title",
        text="Two text",
        culprit="Three culprit",
        transaction="/four",
        level=Level.ERROR,
        exceptions=(ExceptionValue(type="FiveError"), ExceptionValue(value="Six value")),
        payload={"message": "Seven message"},
    )

    for word in ("one title", "two", "three", "/FOUR", "fiveerror", "six", "seven", "o*title", '"Six value"'):
        assert parse(word).evaluate(alert).matched, word
    for word in ("eight", "one*seven", "title two"):
        assert not parse(word).evaluate(alert).matched, word
