"""What comes unsigned: the WebHooks plugin of Sentry 8 to today, and GlitchTip."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from routing.alert import Alert, Category, ExceptionValue, Frame, Json, Level, Status, User
from routing.sentry import parse
from tests.factories import FIXTURES, NOW, fixture, glitchtip_body, legacy_body, wire

_DIVISION = Alert(
    resource="glitchtip",
    action="triggered",
    status=Status.FIRING,
    category=Category.ERROR,
    level=Level.ERROR,
    title="ZeroDivisionError: division by zero",
    text="shop.views in divide\nKeyError: 'currency': https://glitchtip.acme.example/acme/issues/813",
    received_at=NOW,
    occurred_at=NOW,
    organization="acme",
    project="shop-api",
    environment="production",
    release="4.2.0",
    link="https://glitchtip.acme.example/acme/issues/812",
    issue_id="812",
)

ALERTS = {
    "legacy.triggered": Alert(
        resource="legacy",
        action="triggered",
        status=Status.FIRING,
        category=Category.ERROR,
        level=Level.ERROR,
        title="PaymentError: yookassa did not answer for order 5521",
        text="yookassa did not answer for order 5521",
        received_at=NOW,
        occurred_at=datetime(2026, 3, 4, 10, 15, 30, 250000, tzinfo=UTC),
        culprit="shop.payments in charge",
        organization="acme",
        project="shop-api",
        environment="production",
        release="shop-api@4.2.0",
        platform="python",
        link="https://sentry.acme.example/organizations/acme/issues/5300000123/?referrer=webhooks_plugin",
        event_id="3f1b6c0a9d5e4c72b8a1e0f4d2c6b890",
        event_type="error",
        issue_id="5300000123",
        sentry_rule="Errors in production",
        exceptions=(ExceptionValue(type="PaymentError", value="yookassa did not answer for order 5521"),),
        tags=(("level", "error"), ("release", "shop-api@4.2.0"), ("user", "id:8812")),
        user=User(id="8812"),
    ),
    "legacy.triggered-sentry-8": Alert(
        resource="legacy",
        action="triggered",
        status=Status.FIRING,
        category=Category.ERROR,
        level=Level.ERROR,
        title="PaymentError: no route to host",
        text="PaymentError: no route to host",
        received_at=NOW,
        occurred_at=datetime(2016, 9, 6, 18, 12, 45, tzinfo=UTC),
        culprit="shop.payments in charge",
        organization="acme",
        project="shop-api",
        environment="production",
        release="4.1.0",
        platform="python",
        link="https://sentry.acme.example/acme/shop-api/issues/27379932/",
        event_type="error",
        issue_id="27379932",
        exceptions=(
            ExceptionValue(type="OSError", value="[Errno 113]", module="socket"),
            ExceptionValue(
                type="PaymentError",
                value="no route to host",
                module="shop.payments",
                frames=(Frame(filename="shop/payments.py", function="charge", line_number=44, in_app=True),),
            ),
        ),
        tags=(("environment", "production"), ("release", "4.1.0"), ("server_name", "web-1")),
        user=User(id="8812", email="buyer@example.com", username="buyer"),
    ),
    "glitchtip.triggered": _DIVISION,
    "glitchtip.triggered-uptime": replace(
        _DIVISION,
        category=Category.UPTIME,
        title="Shop front page",
        text="The monitored site has gone down.",
        project=None,
        environment=None,
        release=None,
        link="https://glitchtip.acme.example/acme/uptime-monitors/5",
        issue_id=None,
    ),
}


@pytest.mark.parametrize("name", ALERTS)
def test_an_unsigned_webhook_becomes_the_alert_it_describes(name: str) -> None:
    body = fixture(name)

    alert = parse(name.partition(".")[0], body, NOW)

    assert alert == replace(ALERTS[name], payload=alert.payload)


def test_every_unsigned_fixture_has_its_alert() -> None:
    names = {path.stem for path in FIXTURES.glob("*.json")}

    assert {name for name in names if name.startswith(("legacy", "glitchtip"))} == set(ALERTS)


def test_the_payload_of_a_legacy_webhook_is_its_event() -> None:
    body = legacy_body()

    alert = parse("legacy", body, NOW)

    assert alert.payload == json.loads(body)["event"]


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        pytest.param({"event": {"title": "KeyError: 'id'"}, "message": "boom"}, "KeyError: 'id'", id="the event's title"),
        pytest.param({"event": {}, "message": "boom"}, "boom", id="else the message"),
        pytest.param({"event": None, "message": ""}, "Sentry legacy triggered", id="else what it is"),
        pytest.param({"event": {"metadata": {"title": "Disk full"}}, "message": None}, "Disk full", id="or what the metadata say"),
    ],
)
def test_a_legacy_webhook_finds_a_title(fields: dict[str, Json], title: str) -> None:
    assert parse("legacy", legacy_body(**fields), NOW).title == title


def test_the_first_plugin_sent_six_fields_and_they_are_enough() -> None:
    body = wire(
        {"id": "134343", "project": "shop", "message": "This is an example", "culprit": "foo.bar", "logger": "root", "level": "warning"}
    )

    alert = parse("legacy", body, NOW)

    assert (alert.title, alert.level, alert.project, alert.issue_id) == ("This is an example", Level.WARNING, "shop", "134343")
    assert (alert.culprit, alert.status, alert.occurred_at) == ("foo.bar", Status.FIRING, NOW)


def test_the_test_button_names_no_rule() -> None:
    alert = parse("legacy", legacy_body(triggering_rules=[]), NOW)

    assert alert.sentry_rule is None


def test_a_monitor_of_glitchtip_that_is_back_up_is_resolved() -> None:
    body = fixture("glitchtip.triggered-uptime").replace(b"has gone down.", b"is back up.")

    alert = parse("glitchtip", body, NOW)

    assert (alert.status, alert.category, alert.level) == (Status.RESOLVED, Category.UPTIME, Level.INFO)


def test_an_issue_that_quotes_the_words_of_a_monitor_is_not_resolved() -> None:
    attachment: Json = {"title": "Error", "title_link": "https://glitchtip.example/acme/issues/3", "text": "The site is back up."}

    alert = parse("glitchtip", glitchtip_body(attachments=[attachment]), NOW)

    assert (alert.status, alert.issue_id) == (Status.FIRING, "3")


@pytest.mark.parametrize("attachments", [[], None, {}, [None, 3]], ids=str)
def test_glitchtip_without_issues_says_what_it_says(attachments: Json) -> None:
    alert = parse("glitchtip", glitchtip_body(attachments=attachments), NOW)

    assert (alert.title, alert.text, alert.issue_id) == ("GlitchTip Alert (2 issues)", "", None)
