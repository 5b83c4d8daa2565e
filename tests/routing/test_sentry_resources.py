"""Each resource becomes its alert, and each field is found where it stands."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from routing.alert import Category, Json, Level, Status
from routing.sentry import parse
from tests.factories import FIXTURES, NOW, error_webhook, event_alert_webhook, fixture, issue_webhook, metric_alert_webhook, wire
from tests.routing.fixture_alerts import ALERTS

UNSIGNED = ("legacy", "glitchtip")


@pytest.mark.parametrize("name", ALERTS)
def test_a_webhook_becomes_the_alert_it_describes(name: str) -> None:
    resource = name.partition(".")[0]

    alert = parse(resource, fixture(name), NOW)

    assert replace(alert, payload={}) == ALERTS[name]


def test_every_signed_fixture_has_its_alert() -> None:
    names = {path.stem for path in FIXTURES.glob("*.json")}

    assert {name for name in names if not name.startswith(UNSIGNED)} == set(ALERTS)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("event_alert.triggered", "event"),
        ("error.created", "error"),
        ("issue.created", "issue"),
        ("activity_alert.triggered", "issue"),
        ("metric_alert.critical", "metric_alert"),
        ("installation.created", "installation"),
        ("comment.created", None),
        ("seer.pr_created", None),
        ("preprod_artifact.size_analysis_completed", None),
    ],
)
def test_the_payload_is_what_the_webhook_is_about_as_sentry_sent_it(name: str, part: str | None) -> None:
    body = fixture(name)

    alert = parse(name.partition(".")[0], body, NOW)

    data = json.loads(body)["data"]
    assert alert.payload == (data[part] if part else data)


def test_a_resource_of_tomorrow_shows_what_stands_where_it_usually_does() -> None:
    gadget: Json = {"name": "Gadget 7 is loose", "project_slug": "shop", "web_url": "https://acme.sentry.io/issues/77/"}

    alert = parse("gadget_alert", wire({"action": "loose", "data": {"gadget": gadget}}), NOW)

    assert (alert.resource, alert.title, alert.project) == ("gadget_alert", "Gadget 7 is loose", "shop")
    assert (alert.issue_id, alert.organization, alert.link) == ("77", "acme", "https://acme.sentry.io/issues/77/")


def test_the_least_that_was_ever_captured_is_enough() -> None:
    event: Json = {"title": "Database timeout", "web_url": "https://sentry.io/organizations/acme/issues/12345/events/abc/"}

    alert = parse("event_alert", wire({"action": "triggered", "data": {"event": event}}), NOW)

    assert (alert.title, alert.level, alert.organization, alert.issue_id) == ("Database timeout", Level.ERROR, "acme", "12345")
    assert (alert.project, alert.occurred_at, alert.installation) == (None, NOW, None)


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("fatal", Level.FATAL),
        ("critical", Level.FATAL),
        ("warn", Level.WARNING),
        ("Warning", Level.WARNING),
        (30, Level.WARNING),
        ("log", Level.INFO),
        ("sample", Level.INFO),
        ("debug", Level.DEBUG),
        ("unknown", Level.ERROR),
        (None, Level.ERROR),
        ({"level": "info"}, Level.ERROR),
    ],
    ids=str,
)
def test_a_level_outside_the_five_becomes_the_nearest(word: Json, level: Level) -> None:
    webhook = event_alert_webhook(level=word, tags=[])

    assert parse(webhook.resource, webhook.body, NOW).level is level


def test_an_alert_that_does_not_fire_is_no_error_by_default() -> None:
    webhook = issue_webhook("resolved", level="unknown")

    assert parse(webhook.resource, webhook.body, NOW).level is Level.INFO


@pytest.mark.parametrize(
    ("issue", "category"),
    [
        ({"issueType": "monitor_check_in_failure", "issueCategory": "outage"}, Category.CRON),
        ({"issueType": "uptime_domain_failure", "issueCategory": "outage"}, Category.UPTIME),
        ({"issueType": "replay_click_rage", "issueCategory": "frontend"}, Category.REPLAY),
        ({"issueType": "profile_file_io_main_thread", "issueCategory": "mobile"}, Category.PERFORMANCE),
        ({"issueType": "metric_issue", "issueCategory": "metric"}, Category.METRIC),
        ({"issueType": "web_vitals", "issueCategory": "frontend"}, Category.PERFORMANCE),
        ({"issueType": None, "issueCategory": "feedback"}, Category.FEEDBACK),
        ({"issueType": None, "issueCategory": None, "type": "transaction"}, Category.PERFORMANCE),
        ({"issueType": None, "issueCategory": None}, Category.ERROR),
    ],
    ids=str,
)
def test_an_issue_tells_what_kind_of_trouble_it_is(issue: dict[str, Json], category: Category) -> None:
    webhook = issue_webhook(**issue)

    assert parse(webhook.resource, webhook.body, NOW).category is category


@pytest.mark.parametrize(
    ("url", "organization"),
    [
        ("https://sentry.io/organizations/acme/issues/9/", "acme"),
        ("https://acme.sentry.io/issues/9/?project=3", "acme"),
        ("https://us.sentry.io/organizations/acme/issues/9/", "acme"),
        ("http://sentry.example:9000/prefix/organizations/acme/issues/9/", "acme"),
        ("https://sentry.example/acme/shop/issues/9/", "acme"),
        ("https://sentry.example/acme/shop/group/9/", "acme"),
        ("https://us.sentry.io/issues/9/", None),
        ("https://sentry.example/", None),
        ("javascript:alert(1)", None),
        ({"href": 1}, None),
    ],
    ids=str,
)
def test_the_organization_is_taken_from_any_address_of_sentry(url: Json, organization: str | None) -> None:
    webhook = issue_webhook(url=None, web_url=None, permalink=url)

    assert parse(webhook.resource, webhook.body, NOW).organization == organization


@pytest.mark.parametrize(
    ("event", "project"),
    [
        ({"url": "https://sentry.example/api/0/projects/acme/web/events/1/"}, "web"),
        ({"url": None, "project": 17}, None),
        ({"url": None, "project": "17"}, None),
        ({"url": None, "project": "web"}, "web"),
        ({"url": None, "project": {"id": 17, "slug": "web"}}, "web"),
        ({"url": None, "project_slug": "web"}, "web"),
    ],
    ids=str,
)
def test_a_project_is_its_slug_and_never_its_number(event: dict[str, Json], project: str | None) -> None:
    webhook = error_webhook(**event)

    assert parse(webhook.resource, webhook.body, NOW).project == project


def test_a_metric_alert_without_its_incident_still_tells_its_title_and_text() -> None:
    content = json.loads(metric_alert_webhook().body)
    content["data"]["metric_alert"] = None

    alert = parse("metric_alert", wire(content), NOW)

    assert (alert.status, alert.level, alert.title) == (Status.FIRING, Level.FATAL, "Critical: Failure rate of the shop")
    assert (alert.metric_alert_id, alert.organization, alert.payload) == (None, "acme", {})
