"""Which incident an alert belongs to, and whether the same was said before."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.alert import Alert, Category, Json
from routing.fingerprint import content_key, incident_key
from routing.sentry import parse
from tests.factories import (
    NOW,
    Webhook,
    activity_alert_webhook,
    comment_webhook,
    error_webhook,
    event_alert_webhook,
    fixture,
    glitchtip_body,
    installation_webhook,
    issue_webhook,
    legacy_body,
    make_alert,
    metric_alert_webhook,
    preprod_artifact_webhook,
    seer_webhook,
    transaction_webhook,
    wire,
)


def alert_of(webhook: Webhook) -> Alert:
    """What a webhook says."""
    return parse(webhook.resource, webhook.body, NOW)


def test_all_that_is_said_of_an_issue_belongs_to_one_incident() -> None:
    alerts = [
        alert_of(event_alert_webhook()),
        alert_of(error_webhook(issue_id="5300000123")),
        *(alert_of(issue_webhook(action)) for action in ("created", "assigned", "resolved", "unresolved")),
        alert_of(activity_alert_webhook()),
        alert_of(comment_webhook()),
        alert_of(seer_webhook()),
        parse("legacy", legacy_body(), NOW),
    ]

    keys = {incident_key(alert) for alert in alerts}

    assert keys == {"issue:5300000123"}


def test_a_metric_alert_keeps_its_incident_from_critical_to_resolved() -> None:
    critical, resolved, other = (alert_of(metric_alert_webhook(action)) for action in ("critical", "resolved", "warning"))

    assert incident_key(critical) == incident_key(resolved) == "metric:1:315"
    assert incident_key(other) == "metric:1:320"


def test_two_organizations_count_their_metric_alerts_apart() -> None:
    ours, theirs = (alert_of(metric_alert_webhook("critical", None, organization_id=number)) for number in ("1", "2"))

    assert incident_key(ours) != incident_key(theirs)


def test_the_issue_beside_a_metric_alert_keeps_its_own_key() -> None:
    occurrence: Json = {"type": 8001, "evidenceData": {"alertId": 77}}

    alert = alert_of(event_alert_webhook(occurrence=occurrence, type="generic"))

    assert (alert.category, incident_key(alert)) == (Category.METRIC, "issue:5300000123")


def test_glitchtip_counts_its_own_issues() -> None:
    alert = parse("glitchtip", glitchtip_body(), NOW)

    assert incident_key(alert) == "glitchtip:812"


def test_a_monitor_of_glitchtip_goes_down_and_comes_back_in_one_incident() -> None:
    body = fixture("glitchtip.triggered-uptime")
    down = parse("glitchtip", body, NOW)
    up = parse("glitchtip", body.replace(b"has gone down.", b"is back up."), NOW)

    assert incident_key(down) == incident_key(up)


def test_a_metric_alert_without_its_number_still_joins_its_end() -> None:
    critical, resolved = (alert_of(metric_alert_webhook(action, None, id=None, identifier=None)) for action in ("critical", "resolved"))

    assert incident_key(critical) == incident_key(resolved)
    assert incident_key(critical).startswith("metric:shop-api:")


@pytest.mark.parametrize(
    "difference",
    [{"title": "KeyError: 'price'"}, {"project": "shop-web"}, {"organization": "other"}, {"culprit": "shop.cart in price"}],
    ids=str,
)
def test_without_an_id_what_differs_is_another_incident(difference: dict[str, str]) -> None:
    alert = make_alert(issue_id=None)

    other = replace(alert, **difference)  # type: ignore[arg-type]  # names of text fields only

    assert incident_key(other) != incident_key(alert)


def test_the_key_does_not_change_from_release_to_release() -> None:
    assert incident_key(make_alert(issue_id=None)) == "error:shop-api:8f54e9213a839e85e47cdd49446255ea"


@given(
    issue_id=st.none() | st.text(),
    metric_alert_id=st.none() | st.text(),
    project=st.none() | st.text(),
    title=st.text(),
    resource=st.text(),
)
def test_a_key_fits_every_vendor(issue_id: str | None, metric_alert_id: str | None, project: str | None, title: str, resource: str) -> None:
    alert = make_alert(
        issue_id=issue_id, metric_alert_id=metric_alert_id, project=project, title=title, resource=resource, category=Category.OTHER
    )

    assert re.fullmatch(r"[!-~]{1,200}", incident_key(alert))


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_issues_never_share_a_key(one: str, other: str) -> None:
    keys = {incident_key(make_alert(issue_id=one)), incident_key(make_alert(issue_id=other))}

    assert len(keys) == len({one, other})


WEBHOOKS = {
    "event_alert": event_alert_webhook(),
    "transaction": transaction_webhook(),
    "error": error_webhook(),
    **{f"issue {action}": issue_webhook(action) for action in ("created", "assigned", "resolved", "unresolved", "archived")},
    **{f"metric {action}": metric_alert_webhook(action) for action in ("critical", "warning", "resolved")},
    **{f"comment {action}": comment_webhook(action) for action in ("created", "updated", "deleted")},
}


def test_no_two_of_these_webhooks_say_the_same() -> None:
    keys = [content_key(alert_of(webhook)) for webhook in WEBHOOKS.values()]

    assert None not in keys
    assert len(set(keys)) == len(WEBHOOKS)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_the_same_said_again_in_other_bytes_has_the_same_key(name: str) -> None:
    webhook = WEBHOOKS[name]
    again = json.dumps({"text": "new in this version", **json.loads(webhook.body)}, indent=1).encode()

    first, second = alert_of(webhook), parse(webhook.resource, again, NOW.replace(hour=11))

    assert content_key(first) == content_key(second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(event_alert_webhook("A"), event_alert_webhook("B"), id="the same event by two rules"),
        pytest.param(event_alert_webhook(), event_alert_webhook(event_id="00"), id="two events"),
        pytest.param(event_alert_webhook(), event_alert_webhook(issue_id="1"), id="two issues"),
        pytest.param(issue_webhook("created"), issue_webhook("created", status="resolved", count="8"), id="an issue rendered later"),
        pytest.param(issue_webhook("assigned"), issue_webhook("assigned", assignedTo=None), id="two assignees"),
        pytest.param(
            issue_webhook("unresolved"), issue_webhook("unresolved", lastSeen="2026-03-06T08:00:00.000000Z"), id="two regressions"
        ),
        pytest.param(
            metric_alert_webhook("warning"), metric_alert_webhook("warning", "2800 p95(transaction.duration)"), id="two measurements"
        ),
        pytest.param(comment_webhook(), comment_webhook("created", comment="Edited"), id="two comments"),
    ],
)
def test_what_differs_has_another_key(one: Webhook, other: Webhook) -> None:
    assert content_key(alert_of(one)) != content_key(alert_of(other))


def test_two_installations_do_not_speak_for_one_another() -> None:
    alert = make_alert()

    assert content_key(alert) != content_key(replace(alert, installation="another"))


def test_created_and_resolved_are_never_the_same() -> None:
    created = alert_of(issue_webhook("created"))

    resolved = replace(created, action="resolved")

    assert content_key(created) != content_key(resolved)


def test_one_act_that_sentry_tells_as_ignored_and_as_archived_is_told_once() -> None:
    ignored, archived = alert_of(issue_webhook("ignored")), alert_of(issue_webhook("archived"))

    assert content_key(ignored) == content_key(archived)


@pytest.mark.parametrize(
    "alert",
    [
        pytest.param(alert_of(installation_webhook()), id="an installation"),
        pytest.param(alert_of(seer_webhook()), id="a step of Seer"),
        pytest.param(alert_of(preprod_artifact_webhook()), id="a build"),
        pytest.param(alert_of(activity_alert_webhook()), id="an activity"),
        pytest.param(parse("glitchtip", glitchtip_body(), NOW), id="GlitchTip"),
        pytest.param(parse("unheard_of", wire({"data": {"id": 1}}), NOW), id="an unknown resource"),
        pytest.param(make_alert(event_id=None), id="an event without its id"),
        pytest.param(make_alert(resource="issue", issue_id=None), id="an issue without its id"),
        pytest.param(make_alert(resource="metric_alert"), id="a metric alert without its id"),
        pytest.param(make_alert(resource="comment"), id="an empty comment"),
    ],
)
def test_where_nothing_is_safe_there_is_no_key(alert: Alert) -> None:
    assert content_key(alert) is None


def test_a_payload_too_deep_to_compare_has_no_key() -> None:
    payload: dict[str, Json] = {}
    for _ in range(100_000):
        payload = {"a": payload}

    assert content_key(make_alert(resource="issue", payload=payload)) is None
