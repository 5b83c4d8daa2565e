"""What people do in PagerDuty and Jira to a message about several incidents is done to each of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from app import create_app
from notifiers.registry import KINDS
from routing.alert import Json
from routing.notification import Lane
from routing.rules_loading import load
from storage import claims, inspection, outcomes, tables
from storage.coming_back import plan_due
from storage.database import open_database
from storage.tables import incidents
from tests.factories import issue_webhook
from tests.storage.planned import ended, incident_rows, issue, plan_all, store
from tests.test_app import make_settings
from tests.web.test_changes import SUBSCRIPTION, tell

PATH_TOKEN = "jira-path-token"
KEY = "R0KEY5678901234567890123456789AB"
RULES = load(
    f"""
    version: 1
    receivers:
      pager: {{kind: pagerduty, routing_key: {KEY}}}
      tracker: {{kind: jira, project: OPS}}
      chat: {{kind: slack, channel: "#errors"}}
      sentry: {{kind: sentry}}
    rules:
      - {{name: grouped, when: "", notify: [pager, tracker], group_by: [project], group_wait: 1m}}
      - {{name: each, when: "", notify: [chat], cooldown: 1h}}
    """,
    kinds=KINDS,
    environment={},
)
LATER = timedelta(minutes=2)
STATUSES = incidents.c.key, incidents.c.status
"""Columns of what becomes of each."""


@pytest.fixture
def client(sqlite_url: str) -> FlaskClient:
    secrets = {"PAGERDUTY_WEBHOOK_SECRETS": SUBSCRIPTION, "JIRA_WEBHOOK_TOKEN": PATH_TOKEN}
    return create_app(make_settings(sqlite_url, **secrets)).test_client()


@pytest.fixture
def group(sqlite_url: str) -> Engine:
    """Three issues that were told together to `pager` and `tracker`, and each to `chat`."""
    engine = open_database(sqlite_url)
    for number in (1, 2, 3):
        store(engine, issue(number), at=datetime.now(UTC))
    work(engine)
    return engine


def work(engine: Engine) -> None:
    """All is decided, now and when it is due, and goes out; PagerDuty calls the group by its subject, Jira by a key."""
    now = datetime.now(UTC)
    plan_all(engine, RULES, at=now)
    plan_due(engine, RULES, lambda: now + LATER)
    for lane in Lane:
        while claimed := claims.claim(engine, lane, worker="a", now=now + LATER, limit=64).taken:
            done = [(one.id, ended(began_at=now, ended_at=now, reference=names(one.receiver, one.incident))) for one in claimed]
            outcomes.record(engine, done)


def names(receiver: str, incident: str) -> dict[str, str]:
    """What a vendor calls something."""
    return {"pager": {"dedup_key": f"{incident}/pager"}, "tracker": {"key": "OPS-1"}}.get(receiver, {})


def name_of_group(engine: Engine) -> str:
    """What PagerDuty calls the group."""
    known = tables.notifications.c
    query = select(known.vendor_key).where(known.receiver == "pager", known.vendor_key.is_not(None))
    with engine.connect() as connection:
        key = str(connection.execute(query).scalars().first())
    assert key.startswith("group:")
    return key


def jira_says(client: FlaskClient, category: str, resolution: str | None = None, *, assignee: str | None = None) -> None:
    fields: Json = {
        "summary": "A title",
        "status": {"statusCategory": {"key": category}},
        "resolution": {"name": resolution},
        "assignee": {"displayName": assignee},
    }
    content: Json = {
        "timestamp": int(datetime.now(UTC).timestamp() * 1000),
        "webhookEvent": "jira:issue_updated",
        "user": {"displayName": "Ann Lee"},
        "issue": {"key": "OPS-1", "fields": fields},
        "changelog": {"items": [{"field": "assignee" if assignee else "status"}]},
    }
    assert client.post(f"/webhooks/jira/{PATH_TOKEN}", data=json.dumps(content)).status_code == 202


def told(engine: Engine, receiver: str, reason: str) -> int:
    return sum(one.receiver == receiver and one.reason == reason for one in inspection.listed(engine, limit=200))


def test_who_acknowledges_a_group_in_pagerduty_has_acknowledged_each_of_it(client: FlaskClient, group: Engine) -> None:
    tell(client, "incident.acknowledged", key=name_of_group(group))

    work(group)

    assert incident_rows(group, incidents.c.acknowledged_by) == [("Ann Lee in PagerDuty",)] * 3
    assert (told(group, "chat", "acknowledged"), told(group, "pager", "acknowledged")) == (3, 0)


def test_broken_letters_in_what_jira_says_of_a_group_stop_nobody(client: FlaskClient, group: Engine) -> None:
    said = b"""{"webhookEvent": "jira:issue_updated", "user": {"displayName": "Andr\xe9"}, "changelog": {"items": [{"field": "status"}]},
        "issue": {"key": "OPS-1", "fields": {"status": {"statusCategory": {"key": "done"}}}}}"""
    assert client.post(f"/webhooks/jira/{PATH_TOKEN}", data=said).status_code == 202

    work(group)

    assert incident_rows(group, incidents.c.status) == [("resolved",)] * 3


def test_who_gives_it_back_gives_each_back(client: FlaskClient, group: Engine) -> None:
    tell(client, "incident.acknowledged", key=name_of_group(group), id_="e1")
    tell(client, "incident.unacknowledged", key=name_of_group(group), id_="e2")

    work(group)

    assert incident_rows(group, incidents.c.acknowledged_by) == [(None,)] * 3


def test_what_is_resolved_in_pagerduty_is_over_everywhere(client: FlaskClient, group: Engine) -> None:
    tell(client, "incident.resolved", key=name_of_group(group))

    work(group)

    assert incident_rows(group, *STATUSES) == [(f"issue:{number}", "resolved") for number in (1, 2, 3)]
    assert told(group, "chat", "resolved") == 3
    assert (told(group, "pager", "resolved"), told(group, "tracker", "resolved")) == (1, 1)
    assert told(group, "sentry", "passed on") == 3


@pytest.mark.parametrize(("resolution", "status"), [(None, "resolved"), ("Won't Do", "archived")])
def test_what_is_closed_in_jira_is_over_everywhere(client: FlaskClient, group: Engine, resolution: str | None, status: str) -> None:
    jira_says(client, "done", resolution)

    work(group)

    assert incident_rows(group, *STATUSES) == [(f"issue:{number}", status) for number in (1, 2, 3)]
    assert (told(group, "pager", "resolved"), told(group, "tracker", "resolved")) == (1, 1)


def test_who_is_assigned_in_jira_is_assigned_to_each_in_sentry(client: FlaskClient, group: Engine) -> None:
    jira_says(client, "new", assignee="Ann Lee")

    work(group)

    assert told(group, "sentry", "passed on") == 3


def test_what_is_opened_again_is_opened_again_in_sentry(client: FlaskClient, group: Engine) -> None:
    tell(client, "incident.resolved", key=name_of_group(group), id_="e1")
    work(group)

    tell(client, "incident.reopened", key=name_of_group(group), id_="e2")
    work(group)

    assert (told(group, "sentry", "passed on"), told(group, "sentry", "reopened")) == (3, 3)


def test_one_that_has_ended_before_stays_as_it_is(client: FlaskClient, group: Engine) -> None:
    store(group, issue_webhook("resolved", id="2"), at=datetime.now(UTC))
    work(group)

    tell(client, "incident.acknowledged", key=name_of_group(group))
    work(group)

    assert sorted(map(str, incident_rows(group, incidents.c.acknowledged_by))) == ["('Ann Lee in PagerDuty',)"] * 2 + ["(None,)"]


def test_what_is_said_twice_is_done_once(client: FlaskClient, group: Engine) -> None:
    for at in ("1", "2"):
        tell(client, "incident.acknowledged", key=name_of_group(group), id_="e1", at=at)
    tell(client, "incident.unacknowledged", key=name_of_group(group), id_="e2")
    tell(client, "incident.acknowledged", key=name_of_group(group), id_="e1", at="3")

    work(group)

    assert incident_rows(group, incidents.c.acknowledged_by) == [(None,)] * 3
