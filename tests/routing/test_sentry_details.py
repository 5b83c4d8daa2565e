"""What people want to see of an alert, read from whatever its payload holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.alert import Alert, Json
from routing.sentry import parse
from routing.sentry_details import MAX_BREADCRUMBS, MAX_PAIRS, MAX_TEXT, Details, Pair, SourceLine, details_of, is_web_address
from tests.factories import FIXTURES, event_alert_webhook, fixture, wire

NOW = datetime(2026, 3, 4, tzinfo=UTC)
KEYS = (
    "exception",
    "breadcrumbs",
    "request",
    "user",
    "tags",
    "contexts",
    "extra",
    "threads",
    "stacktrace",
    "web_url",
    "release",
    "url",
    "sdk",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("values", "frames", "stacktrace", "vars", "data", "headers", "lineno", "context_line", "pre_context", "replay", "a")
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


def details(**event: Json) -> Details:
    return details_of(alert(**event), "https://sentry.io/")


def alert(**event: Json) -> Alert:
    webhook = event_alert_webhook(**event)
    return parse(webhook.resource, webhook.body, NOW)


def test_what_was_raised_comes_first_then_its_causes_and_each_call_begins_at_the_innermost() -> None:
    raised, cause = details().stacks

    assert (raised.type, raised.is_handled, cause.type, cause.is_handled) == ("PaymentError", False, "TimeoutError", True)
    assert [one.function for one in raised.frames] == ["charge", "dispatch_request"]
    assert raised.frames[0].variables == (Pair("order", "5521"),)


def test_lines_of_source_are_numbered_around_the_one_of_the_call() -> None:
    frame: Json = {"filename": "a.py", "lineno": 3, "pre_context": ["one", "two"], "context_line": "three", "post_context": ["four"]}

    (stack,) = details(exception={"values": [{"type": "E", "stacktrace": {"frames": [frame]}}]}).stacks

    (found,) = stack.frames
    wanted = [(1, "one", False), (2, "two", False), (3, "three", True), (4, "four", False)]
    assert found.lines == tuple(SourceLine(*one) for one in wanted)


def test_without_an_exception_the_stack_is_that_of_the_thread_that_crashed() -> None:
    stacktrace: Json = {"frames": [{"function": "main"}]}
    threads: Json = {"values": [{"id": 1, "stacktrace": {"frames": []}}, {"name": "worker", "crashed": True, "stacktrace": stacktrace}]}

    found = details(exception=None, metadata={}, threads=threads)

    assert [(one.type, one.frames[0].function) for one in found.stacks] == [("thread worker", "main")]


def test_what_has_no_end_is_cut_and_that_is_said() -> None:
    found = details(
        extra={"long": "x" * 100_000, **{str(number): number for number in range(1000)}},
        breadcrumbs={"values": [{"message": str(number)} for number in range(150)]},
    )

    assert len(found.extra) == MAX_PAIRS
    assert found.extra[0].value == f"{'x' * MAX_TEXT}… (100,000 characters)"
    assert (len(found.breadcrumbs), found.left_out, found.breadcrumbs[-1].message) == (MAX_BREADCRUMBS, 50, "149")


def test_links_lead_to_what_sentry_has_of_it() -> None:
    trace: Json = {"trace_id": "5b8efff798038103d269b633813fc60c"}

    found = dict(details(contexts={"replay": {"replay_id": "a" * 32}, "trace": trace}).links)

    assert found == {
        "issue": "https://acme.sentry.io/issues/5300000123/events/3f1b6c0a9d5e4c72b8a1e0f4d2c6b890/",
        "replay": f"https://sentry.io/organizations/acme/replays/{'a' * 32}/",
        "trace": "https://sentry.io/organizations/acme/performance/trace/5b8efff798038103d269b633813fc60c/",
        "release": "https://sentry.io/organizations/acme/releases/shop-api%404.2.0/",
    }


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("https://a.example/", True),
        ("HTTP://a", True),
        ("javascript:alert(1)", False),
        ("//a", False),
        (" https://a", False),
        ("http:///a", False),
        (None, False),
    ],
)
def test_only_an_address_of_the_web_may_be_a_link(address: str | None, is_one: bool) -> None:  # noqa: FBT001 - a row of the table
    assert is_web_address(address) is is_one


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("*.json")))
def test_alerts_of_every_kind_have_details(name: str) -> None:
    assert details_of(parse(name.split(".", maxsplit=1)[0], fixture(name), NOW), "https://sentry.io")


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_whatever_the_payload_holds_nothing_is_raised(event: dict[str, Json]) -> None:
    body = wire({"action": "triggered", "data": {"event": event}})

    assert details_of(parse("event_alert", body, NOW), "https://sentry.io", "acme")


def test_numbers_without_end_are_shown_in_words() -> None:
    body = json.dumps({"action": "triggered", "data": {"event": {"extra": {"n": 10**4000, "list": [10**400]}}}}).encode()

    assert details_of(parse("event_alert", body, NOW), "https://sentry.io").extra[0].value == "a huge number"
