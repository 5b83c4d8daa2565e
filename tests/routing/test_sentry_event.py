"""Events of every platform, type and age."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from routing.alert import Category, ExceptionValue, Json
from routing.sentry import parse
from routing.sentry_event import MAX_EVIDENCE, MAX_EXCEPTIONS, MAX_FRAMES, MAX_TAGS
from tests.factories import NOW, event_alert_webhook, transaction_webhook


@pytest.mark.parametrize(
    ("event", "category"),
    [
        ({"type": "error"}, Category.ERROR),
        ({"type": "default"}, Category.ERROR),
        ({"type": "csp"}, Category.ERROR),
        ({"type": "transaction"}, Category.PERFORMANCE),
        ({"type": "transaction", "occurrence": {"type": 1017}}, Category.PERFORMANCE),
        ({"type": "generic", "occurrence": {"type": 2003}}, Category.PERFORMANCE),
        ({"type": "generic", "occurrence": {"type": 4001}}, Category.CRON),
        ({"type": "generic", "occurrence": {"type": 5002}}, Category.REPLAY),
        ({"type": "generic", "occurrence": {"type": 6001}}, Category.FEEDBACK),
        ({"type": "generic", "occurrence": {"type": 7001}}, Category.UPTIME),
        ({"type": "generic", "occurrence": {"type": 8001}}, Category.METRIC),
        ({"type": "generic", "contexts": {"monitor": {"slug": "nightly"}}}, Category.CRON),
        ({"type": "generic", "contexts": {"feedback": {"message": "It hangs"}}}, Category.FEEDBACK),
        ({"type": "error", "contexts": {"replay": {"replay_id": "1"}}}, Category.ERROR),
        ({"type": "generic", "occurrence": {"type": "NaN"}}, Category.ERROR),
    ],
    ids=str,
)
def test_an_event_tells_what_kind_of_trouble_it_is(event: dict[str, Json], category: Category) -> None:
    webhook = event_alert_webhook(**{"contexts": {}, **event})

    assert parse(webhook.resource, webhook.body, NOW).category is category


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param([["environment", "staging"], ["critical", "true"], ["attempt", "3"]], id="pairs"),
        pytest.param({"environment": "staging", "critical": True, "attempt": 3}, id="an object"),
        pytest.param(
            [{"key": "environment", "value": "staging"}, {"key": "critical", "value": "true"}, {"key": "attempt", "value": 3}],
            id="objects of key and value",
        ),
        pytest.param(
            [["sentry:environment", "staging"], None, ["lone"], ["critical", True], ["void", None], [], ["attempt", "3"]],
            id="prefixed, among wrecks",
        ),
    ],
)
def test_tags_are_read_in_every_shape(tags: Json) -> None:
    webhook = event_alert_webhook(tags=tags)

    alert = parse(webhook.resource, webhook.body, NOW)

    assert alert.tags == (("environment", "staging"), ("critical", "true"), ("attempt", "3"))
    assert alert.environment == "staging"


@pytest.mark.parametrize(
    ("event", "title"),
    [
        ({"title": "As it is"}, "As it is"),
        ({"title": "  Two\n  lines\u2028and more "}, "Two lines and more"),
        ({"title": "", "metadata": {"title": "From the metadata"}}, "From the metadata"),
        ({"title": None, "occurrence": {"issueTitle": "N+1 Query"}}, "N+1 Query"),
        ({"title": None, "metadata": None, "message": "It broke"}, "It broke"),
        ({"title": None, "metadata": {"type": "KeyError", "value": "'id'"}}, "KeyError: 'id'"),
        ({"title": None, "metadata": {}, "logentry": {"message": "Disk full"}}, "Disk full"),
        ({"title": " \t", "metadata": None}, "Sentry event_alert triggered"),
        ({"title": "x" * 5000}, "x" * 999 + "…"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_title_is_one_line_and_never_empty(event: dict[str, Json], title: str) -> None:
    webhook = event_alert_webhook(**event)

    assert parse(webhook.resource, webhook.body, NOW).title == title


@pytest.mark.parametrize(
    ("timestamp", "occurred_at"),
    [
        (1772619330.25, datetime(2026, 3, 4, 10, 15, 30, 250000, tzinfo=UTC)),
        (1772619330, datetime(2026, 3, 4, 10, 15, 30, tzinfo=UTC)),
        ("2026-03-04T10:15:30Z", datetime(2026, 3, 4, 10, 15, 30, tzinfo=UTC)),
        ("2026-03-04T12:15:30.500000+02:00", datetime(2026, 3, 4, 10, 15, 30, 500000, tzinfo=UTC)),
        ("2026-03-04T10:15:30", datetime(2026, 3, 4, 10, 15, 30, tzinfo=UTC)),
        ("yesterday", NOW),
        (-1, NOW),
        (1e300, NOW),
        ("0001-01-01T00:00:00+14:00", NOW),
        ([2026, 3, 4], NOW),
    ],
    ids=str,
)
def test_the_time_is_read_in_every_shape_and_is_the_arrival_where_there_is_none(timestamp: Json, occurred_at: datetime) -> None:
    webhook = event_alert_webhook(timestamp=timestamp, datetime=None, received=None)

    assert parse(webhook.resource, webhook.body, NOW).occurred_at == occurred_at


@pytest.mark.parametrize(
    ("event", "milliseconds"),
    [
        ({"start_timestamp": 1772622000.0, "timestamp": 1772622005.123}, 5123.0),
        ({"start_timestamp": "2026-03-04T11:00:00Z", "timestamp": "2026-03-04T11:00:00.2Z"}, 200.0),
        ({"start_timestamp": 1772622009.0, "timestamp": 1772622005.0}, None),
        ({"start_timestamp": None, "measurements": {"duration": {"value": 812.5, "unit": "millisecond"}}}, 812.5),
        ({"start_timestamp": None, "measurements": {"duration": {"value": 2.5, "unit": "second"}}}, 2500.0),
        ({"start_timestamp": None, "measurements": {"duration": {"value": 2.5, "unit": "byte"}}}, None),
        ({"start_timestamp": None, "measurements": {"duration": {"value": -1, "unit": "millisecond"}}}, None),
        ({"start_timestamp": None, "measurements": []}, None),
        ({"type": "error"}, None),
    ],
    ids=str,
)
def test_a_transaction_tells_how_long_it_took(event: dict[str, Json], milliseconds: float | None) -> None:
    webhook = transaction_webhook(**event)

    assert parse(webhook.resource, webhook.body, NOW).duration_ms == milliseconds


@pytest.mark.parametrize(
    ("exception", "wanted"),
    [
        pytest.param([{"type": "A", "value": "a"}, {"type": "B", "value": "b"}], ("B", "b"), id="a bare list"),
        pytest.param({"type": "A", "value": "a"}, ("A", "a"), id="one alone"),
        pytest.param({"values": [{"type": "A", "value": 7}, None, 3]}, ("A", "7"), id="among wrecks"),
        pytest.param({"values": [{"type": "A", "value": None, "stacktrace": None, "mechanism": 3}]}, ("A", None), id="null parts"),
        pytest.param({"values": None}, ("PaymentError", "declined"), id="only in the metadata"),
        pytest.param(None, ("PaymentError", "declined"), id="scrubbed away"),
    ],
)
def test_the_raised_exception_is_the_last_of_the_chain(exception: Json, wanted: tuple[str, str | None]) -> None:
    webhook = event_alert_webhook(exception=exception, metadata={"type": "PaymentError", "value": "declined"})

    raised = parse(webhook.resource, webhook.body, NOW).exception

    assert raised == ExceptionValue(type=wanted[0], value=wanted[1])


def test_a_message_has_no_exception_and_its_text_is_what_was_logged() -> None:
    webhook = event_alert_webhook(
        type="default", exception=None, metadata={"title": "Disk full"}, logentry={"formatted": "Disk full\non web-1"}
    )

    alert = parse(webhook.resource, webhook.body, NOW)

    assert (alert.exceptions, alert.exception, alert.text) == ((), None, "Disk full\non web-1")


def _frames(count: int) -> Json:
    return [{"function": f"call_{number}"} for number in range(count)]


HOSTILE = {
    "tags as pairs": ({"tags": [[f"tag{number}", "value"] for number in range(200_000)]}, (MAX_TAGS, 2, 3)),
    "tags as an object": ({"tags": {f"tag{number}": "value" for number in range(250_000)}}, (MAX_TAGS, 2, 3)),
    "tags that are none": ({"tags": [0] * 1_000_000}, (0, 2, 3)),
    "frames": ({"exception": {"values": [{"stacktrace": {"frames": _frames(150_000)}}]}}, (9, 1, MAX_FRAMES)),
    "exceptions": ({"exception": {"values": [{"type": f"Error{number}"} for number in range(150_000)]}}, (9, MAX_EXCEPTIONS, 0)),
    "exceptions with frames": (
        {"exception": {"values": [{"stacktrace": {"frames": _frames(300)}}] * 600}},
        (9, MAX_EXCEPTIONS, MAX_EXCEPTIONS * MAX_FRAMES),
    ),
}
"""Events of about five megabytes, as many as our receiver takes, and how many tags, exceptions and frames are left of them."""


@pytest.mark.parametrize(("event", "left"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_event_is_read_no_further_than_sentrys_own_events_go(event: dict[str, Json], left: tuple[int, int, int]) -> None:
    webhook = event_alert_webhook(**event)

    alert = parse(webhook.resource, webhook.body, NOW)

    assert (len(alert.tags), len(alert.exceptions), sum(len(raised.frames) for raised in alert.exceptions)) == left


def test_of_too_many_exceptions_and_frames_those_nearest_to_the_fault_are_kept() -> None:
    chain: list[Json] = [{"type": f"Error{number}", "stacktrace": {"frames": _frames(1000)}} for number in range(150)]
    webhook = event_alert_webhook(exception={"values": chain})

    alert = parse(webhook.resource, webhook.body, NOW)

    assert [raised.type for raised in (alert.exceptions[0], alert.exceptions[-1])] == ["Error50", "Error149"]
    assert [frame.function for frame in (alert.exceptions[-1].frames[0], alert.exceptions[-1].frames[-1])] == ["call_750", "call_999"]


def test_of_endless_evidence_the_first_rows_are_told() -> None:
    rows: Json = [{"name": f"row{number}", "value": "v", "important": True} for number in range(100_000)]
    webhook = event_alert_webhook(exception=None, metadata=None, occurrence={"type": 7001, "evidenceDisplay": rows})

    alert = parse(webhook.resource, webhook.body, NOW)

    assert alert.text.splitlines() == [f"row{number}: v" for number in range(MAX_EVIDENCE)]
