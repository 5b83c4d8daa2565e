"""What a message says, before any vendor's layout."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.message import MAX_STACK, MAX_TAGS, MAX_TITLE, STACK_FRAMES, as_text, compose, heading
from notifiers.message_facts import ago, duration
from notifiers.wording import MAX_LINE, cut, key_within, one_line, tail, web_address
from routing.alert import Category, ExceptionValue, Frame, Level, Metric
from routing.notification import Details, Notification, Numbers, Reason
from tests.factories import NOW, make_alert, make_notification

ERROR_RATE = Metric(rule_name="Errors", aggregate="failure_rate()", value=0.0731, threshold=0.05, window_minutes=5)
FAMILY = "👩‍👩‍👧"


def facts(notification: Notification) -> dict[str, str]:
    return {fact.label: fact.value for fact in compose(notification).facts}


def test_what_the_alert_did_not_say_is_left_out() -> None:
    bare = make_alert(culprit=None, project=None, environment=None, release=None, link=None, exceptions=(), tags=(), user=None)

    message = compose(make_notification(alert=bare))

    assert (message.culprit, message.environment, message.release, message.link, message.reference) == (None,) * 5
    assert (message.project, message.stack, message.tags) == ("unknown project", "", ())
    assert "None" not in as_text(message)


def test_an_error_has_its_counts_its_age_and_its_state_as_facts() -> None:
    alert = make_alert(event_count=12345, user_count=7, first_seen=NOW - timedelta(hours=3), substatus="escalating", level=Level.FATAL)

    told = facts(make_notification(alert=alert))

    assert told == {"Events": "12 345", "Users": "7", "First seen": "3 h ago", "Status": "Escalating", "Level": "Fatal"}


@pytest.mark.parametrize("metric", [None, Metric(rule_name="Rate", aggregate="failure_rate()", value=0.1)], ids=["error", "metric alert"])
def test_what_comes_next_and_who_has_taken_it_on_are_facts(metric: Metric | None) -> None:
    then = "pager at 2026-03-04 10:30 UTC unless acknowledged"
    numbers = Numbers(assignee="payments")

    told = facts(make_notification(alert=make_alert(metric=metric), then=then, acknowledged_by="Ann Lee in Slack", numbers=numbers))

    assert told.items() >= {"Next": then, "Acknowledged": "by Ann Lee in Slack", "Assigned to": "payments"}.items()


def test_counts_are_the_largest_that_anybody_has_said() -> None:
    alert = make_alert(event_count=9, user_count=None)
    known = {"numbers": Numbers(event_count=7, user_count=2), "details": Details(event_count=8, user_count=5)}

    said = facts(make_notification(alert=alert, **known))

    assert (said["Events"], said["Users"]) == ("9", "5")


def test_a_payment_failure_tells_provider_and_status() -> None:
    told = facts(make_notification(alert=make_alert(tags=(("payment.provider", "yookassa"), ("http.status_code", "502")))))

    assert (told["Provider"], told["HTTP status"]) == ("yookassa", "502")


def test_a_slow_transaction_has_its_duration_in_title_and_facts() -> None:
    alert = make_alert(title="GET /search", culprit="GET /search", duration_ms=8412.6, category=Category.PERFORMANCE)

    message = compose(make_notification(alert=alert))

    assert message.title == "GET /search took 8.41 s"
    assert message.culprit is None  # the title has said it
    assert facts(make_notification(alert=alert)) == {"Duration": "8.41 s"}


@pytest.mark.parametrize(
    ("metric", "title", "first"),
    [
        (ERROR_RATE, "Rate: now 7.31%", ("Error rate", "7.31% (limit 5%)")),
        (Metric(rule_name="Slow", aggregate="p95(transaction.duration)", value=6200, threshold=5000), "Rate: now 6.2 s", None),
        (Metric(rule_name="Load", aggregate="count()", value=12500, threshold=None), "Rate: now 12 500", ("count()", "12 500")),
        (Metric(rule_name="Odd", aggregate=""), "Rate", ("Sentry alert", "Odd")),
    ],
    ids=["rate", "duration", "count", "no-number"],
)
def test_a_metric_alert_tells_what_was_measured_and_its_limit(metric: Metric, title: str, first: tuple[str, str] | None) -> None:
    notification = make_notification(alert=make_alert(title="Rate", metric=metric))

    assert compose(notification).title == title
    assert next(iter(facts(notification).items())) == (first or ("p95(transaction.duration)", "6.2 s (limit 5 s)"))


@pytest.mark.parametrize(
    ("aggregate", "shown"),
    [
        ("failure_rate()", "25%"),
        ("crash_free_rate(session)", "25%"),
        ("percentage(sessions_crashed, sessions) AS _crash_rate_alert_aggregate", "25%"),
        ("p95(transaction.duration)", "0 ms"),
        ("count_unique(tags[generated])", "0.25"),
        ("avg(measurements.frame_rate)", "0.25"),
        ("count_if(transaction.duration,greater,300)", "0.25"),
    ],
)
def test_the_unit_of_what_was_measured_is_that_of_the_function_whatever_it_is_applied_to(aggregate: str, shown: str) -> None:
    metric = Metric(rule_name="Odd", aggregate=aggregate, value=0.25)

    assert compose(make_notification(alert=make_alert(title="Measured", metric=metric))).title == f"Measured: now {shown}"


def test_the_stack_is_the_codes_own_frames_newest_last_and_then_what_was_raised() -> None:
    frames = (
        Frame(filename="lib.py", function="call"),
        Frame(filename="shop/cart.py", function="total", line_number=31, source_line="  a = b", in_app=True),
    )
    alert = make_alert(exceptions=(ExceptionValue(type="KeyError", value="'currency'", frames=frames),))

    stack = compose(make_notification(alert=alert)).stack

    assert stack == "  File \"shop/cart.py\", line 31, in total\n    a = b\nKeyError: 'currency'"


def test_without_frames_of_its_own_the_stack_is_the_last_ones_of_the_libraries() -> None:
    frames = tuple(Frame(filename=f"lib{number}.py") for number in range(20))
    alert = make_alert(exceptions=(ExceptionValue(type="KeyError", frames=frames),))

    lines = compose(make_notification(alert=alert)).stack.splitlines()

    assert lines[0] == f'  File "lib{20 - STACK_FRAMES}.py"'
    assert lines[-1] == "KeyError"


def test_tags_that_are_told_elsewhere_are_left_out_and_the_rest_is_limited() -> None:
    tags = (("level", "error"), ("environment", "production"), *((f"tag{number}", "x" * 500) for number in range(20)))

    shown = compose(make_notification(alert=make_alert(tags=tags))).tags

    assert [key for key, _ in shown] == [f"tag{number}" for number in range(MAX_TAGS)]
    assert all(len(value) <= 200 for _, value in shown)


def test_a_message_names_all_rules_that_asked_for_it_and_says_again_when_it_repeats() -> None:
    message = compose(make_notification(rules=("critical-error", "payment_failure"), reason=Reason.REPEAT))

    assert message.heading == "Critical error, again"
    assert message.other_rules == ("Payment failure",)
    assert message.headline == "[CRITICAL] Critical error, again: KeyError: 'currency' (shop-api, production)"
    assert 'Why: tags.critical is "true"; also Payment failure' in as_text(message)


@given(st.text(max_size=2 * MAX_LINE), st.text(max_size=500))
def test_whatever_an_alert_says_the_message_is_printable_and_bounded(long: str, short: str) -> None:
    exception = ExceptionValue(type=short, value=long, frames=(Frame(filename=short, function=short, source_line=long, in_app=True),) * 20)
    alert = make_alert(
        title=long, culprit=short, project=short, release=long, tags=((short, long),) * 20, exceptions=(exception,), link=short
    )

    message = compose(make_notification(alert=alert, why=long, rules=("a", short or "b")))

    assert 0 < len(message.title) <= MAX_TITLE
    assert len(message.stack) <= MAX_STACK
    shown = as_text(message)
    assert not [character for character in shown if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} and character != "\n"]
    assert len(shown) < 20_000


@given(st.text(), st.integers(min_value=0, max_value=60))
def test_a_text_is_cut_to_its_limit_and_whole_if_it_fits(text: str, limit: int) -> None:
    shown = cut(text, limit)

    assert len(shown) <= limit
    assert (shown == text) == (len(text) <= limit)


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("abcdef", 4, "abc…"),
        ("abc def", 5, "abc…"),
        ("e\u0301e\u0301e\u0301", 4, "e\u0301…"),
        (f"ab{FAMILY}c", 5, "ab…"),
        ("❤️❤️❤️", 4, "❤️…"),
    ],
    ids=["plain", "blank", "accent", "joined-emoji", "variation"],
)
def test_a_cut_divides_no_combined_character(text: str, limit: int, shown: str) -> None:
    assert cut(text, limit) == shown


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=20), min_size=1, max_size=20), st.integers(min_value=3, max_value=100))
def test_of_a_long_text_the_last_whole_lines_are_kept(lines: list[str], limit: int) -> None:
    shown = tail("\n".join(lines), limit)

    assert len(shown) <= limit
    kept = shown.split("\n")
    assert kept in (lines, lines[-1:]) or kept[0].endswith("…")
    if kept[0] == "…":
        assert kept[1:] == lines[-(len(kept) - 1) :]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nBcc: x", "a Bcc: x"),
        ("a\u2028b\u2029c", "a b c"),
        ("a\x00b\x1b[31m", "a b [31m"),
        ("safe\u202egnp.exe", "safe gnp.exe"),
        ("  a \t b  ", "a b"),
        (FAMILY, FAMILY),
        ("\ud83d", ""),
    ],
)
def test_one_line_has_nothing_that_could_make_it_read_as_something_else(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize(
    ("link", "kept"),
    [
        ("https://acme.sentry.io/issues/1/?a=b&c=d", True),
        ("http://sentry.local:9000/x", True),
        ("https://acme.sentry.io/проблема", True),
        ("javascript:alert(1)", False),
        ("https://acme.sentry.io/a b", False),
        ("https://acme.sentry.io/<x>", False),
        ("https://acme.sentry.io/a|b", False),
        ("https://acme.sentry.io/\nx", False),
        ("https://acme.sentry.io/" + "x" * 2000, False),
        ("", False),
        (None, False),
    ],
)
def test_a_link_is_kept_only_if_every_vendor_takes_it(link: str | None, *, kept: bool) -> None:
    assert web_address(link) == (link if kept else None)


@pytest.mark.parametrize(
    ("milliseconds", "words"), [(0.4, "0 ms"), (320, "320 ms"), (8412.6, "8.41 s"), (119_000, "119 s"), (180_000, "3 min")]
)
def test_a_duration_reads_as_people_say_it(milliseconds: float, words: str) -> None:
    assert duration(milliseconds) == words


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=2), "2 min ago"),
        (timedelta(hours=47), "47 h ago"),
        (timedelta(days=3), "3 days ago"),
    ],
)
def test_an_age_reads_as_people_say_it(passed: timedelta, words: str) -> None:
    then: datetime = NOW - passed

    assert ago(then, NOW) == words


@pytest.mark.parametrize(
    ("rule", "name"), [("high-error-rate", "High error rate"), ("payment_failure", "Payment failure"), ("Оплата", "Оплата"), ("-", "-")]
)
def test_a_rules_name_reads_as_words(rule: str, name: str) -> None:
    assert heading(rule) == name


@given(st.text(), st.integers(min_value=64, max_value=300))
def test_a_key_keeps_its_limit_and_two_keys_stay_two(key: str, limit: int) -> None:
    assert len(key_within(key, limit)) <= limit
    assert key_within(key, limit) == key_within(key, limit)
    assert key_within(key, limit) != key_within(key + "x", limit)
