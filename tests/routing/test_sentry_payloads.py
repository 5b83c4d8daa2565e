"""Real bodies, captured or published by others, are understood as a person would."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from routing.alert import Alert, Category, Status
from routing.sentry import parse, verify_signature
from tests.routing.recorded_bodies import SAID, Said

FOLDER = Path(os.environ.get("SHARED_DIR") or Path(__file__).resolve().parents[3] / "shared") / "payloads"
RECEIVED = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", SAID)
def test_a_body_says_what_a_reader_finds_in_it(name: str) -> None:
    wanted = SAID[name]
    body = _body(name)

    alert = parse(wanted.resource, body, RECEIVED)

    assert _said(alert, titled=bool(wanted.title)) == wanted


@pytest.mark.parametrize("name", SAID)
def test_a_body_of_a_resource_not_known_yet_is_read_all_the_same(name: str) -> None:
    body = _body(name)

    alert = parse("tomorrows_resource", body, RECEIVED)

    assert (alert.category, alert.status, bool(alert.title)) == (Category.OTHER, Status.UNCHANGED, True)


def test_the_table_leaves_no_body_out() -> None:
    _require()

    found = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*.json")}

    assert found == set(SAID)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("derived/comment_updated.json", "a44eaa408c2d271f0f6b4058d90837b1216ee759b04affb6dbc7c490cdc881ef"),
        ("derived/issue_unresolved_regressed.json", "8fd3a1186fe7d092ac65921564f4d187cb06f0e6be05b4fc433ce0fd202e890a"),
        ("derived/metric_alert_critical_error_count.json", "1b8b3d4ae0dcca4f12517df93186562073e68b5c2af31771d32c97b8a4dd2a26"),
    ],
)
def test_the_documented_digests_verify(name: str, digest: str) -> None:
    body = _body(name)

    assert verify_signature(body, [digest], ["test-client-secret"])


def test_exact_numbers_are_read_from_long_traces() -> None:
    native = parse("event_alert", _body("derived/event_alert_react-native.json"), RECEIVED)
    rails = parse("event_alert", _body("zulip/event_for_exception_rails.json"), RECEIVED)
    django = parse("event_alert", _body("pagertree/event_alert.json"), RECEIVED)

    assert [len(exception.frames) for exception in (*native.exceptions, *rails.exceptions)] == [49, 94]
    assert [exception.type for exception in django.exceptions] == ["StringDataRightTruncation", "DataError"]
    assert (django.tag("mechanism"), django.exceptions[-1].handled, django.exceptions[-1].frames[-1].line_number) == ("django", False, 89)


def _said(alert: Alert, *, titled: bool) -> Said:
    raised = alert.exception
    return Said(
        resource=alert.resource,
        action=alert.action,
        status=alert.status,
        category=alert.category,
        level=alert.level,
        title=alert.title if titled else "",
        organization=alert.organization,
        project=alert.project,
        environment=alert.environment,
        issue_id=alert.issue_id,
        link=alert.link,
        exception=(raised.type or "", raised.value or "") if raised else None,
    )


def _body(name: str) -> bytes:
    _require()
    return (FOLDER / name).read_bytes()


def _require() -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"the recorded bodies are not at {FOLDER}; set SHARED_DIR")
