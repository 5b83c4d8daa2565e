"""The router and the four places in which people see an incident, each a stand-in that keeps state and tells what becomes of it there."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from slack_sdk.signature import SignatureVerifier
from sqlalchemy import Engine, func, select, update
from werkzeug.test import TestResponse

from app import create_app
from notifiers.dispatch import Dispatch
from notifiers.registry import KINDS
from routing.alert import Json
from routing.notification import Lane
from routing.rules import RuleSet
from routing.rules_loading import load
from settings import Settings
from storage import claims, outcomes
from storage.database import open_database
from storage.tables import events, incidents
from tests.factories import issue_webhook
from tests.stand_ins import jira, pagerduty, sentry_api, slack
from tests.stand_ins.jira import Jira
from tests.stand_ins.pagerduty import PagerDuty
from tests.stand_ins.sentry_api import SentryApi
from tests.stand_ins.server import Server
from tests.stand_ins.slack import Slack
from tests.storage.planned import issue, plan_all, store
from tests.test_app import make_settings

SIGNING_SECRET, SUBSCRIPTION, PATH_TOKEN = "8f742231b10e8888abcd99yyyzzz85a5", "subscription-secret", "jira-path-token"
RULES = """
version: 1
receivers:
  chat: {kind: slack, channel: "#errors"}
  pager: {kind: pagerduty, routing_key: "${PAGER}"}
  tracker: {kind: jira, project: OPS}
  sentry: {kind: sentry, people: {ann: ann@example.com}}
rules: [{name: all, when: "", notify: [chat, pager, tracker]}]
"""
BEGAN = datetime.now(UTC).replace(microsecond=0)
ROUNDS = 8
"""Far more than it takes; what has not come to rest by then never does."""


@dataclass(kw_only=True)
class Everywhere:
    """The router, and the four places in which people see an incident."""

    client: FlaskClient
    engine: Engine
    settings: Settings
    rules: RuleSet
    sentry: Server[SentryApi]
    slack: Server[Slack]
    pagerduty: Server[PagerDuty]
    jira: Server[Jira]
    webhooks: int = 0
    passed: timedelta = timedelta()
    """How far the clock is ahead of that of this machine."""

    def __post_init__(self) -> None:
        self.dispatch = Dispatch(self.settings, lambda: self.rules, lambda: self.now, earlier=lambda _: self.rules)

    @property
    def now(self) -> datetime:
        """By the clock of all."""
        return BEGAN + self.passed

    def fires(self) -> None:
        """Another event of the issue; Sentry reopens it by that, and says so by the alert."""
        self.webhooks += 1
        self.sentry.app.issues["1"].status = "unresolved"
        moment: dict[str, Json] = {"timestamp": self.now.timestamp(), "datetime": ""} if self.webhooks > 1 else {}
        store(self.engine, issue(1, self.webhooks, **moment), at=self.now)

    def settle(self) -> None:
        """All is planned and sent, and each place tells what became of it there, until nobody says anything any more."""
        for _ in range(ROUNDS):
            self.work()
            if not self.echo():
                return
        pytest.fail(f"they go on telling each other: {self.state()}")

    def work(self) -> None:
        """All is planned and sent."""
        now = self.now
        self.slack.app.now, self.jira.app.now = now.timestamp(), now
        plan_all(self.engine, self.rules, at=now)
        for lane in Lane:
            while claimed := claims.claim(self.engine, lane, worker="a", now=now + timedelta(minutes=2), limit=64).taken:
                outcomes.record(self.engine, [(one.id, self.dispatch.deliver(one)) for one in claimed])

    def later(self, **passed: int) -> None:
        """So much time passes."""
        self.passed += timedelta(**passed)

    def echo(self) -> bool:
        """Each place tells what the router did there; whether one had something to tell."""
        issue_there, pages, tickets = self.sentry.app.issues["1"], self.pagerduty.app, self.jira.app
        told = [*issue_there.changes, *pages.changes, *tickets.changes]
        for change in issue_there.changes:
            self.sentry_says({"ignored": "archived"}.get(change, change), actor="application")
        for state in pages.changes:
            self.pagerduty_says(f"incident.{state}", who=None)
        for state in tickets.changes:
            self.jira_says("router", state=state)
        for changes in (issue_there.changes, pages.changes, tickets.changes):
            changes.clear()
        return bool(told)

    def state(self) -> dict[str, str]:
        """How it stands in each place."""
        with self.engine.connect() as connection:
            row = connection.execute(select(incidents.c.status, incidents.c.acknowledged_by).where(incidents.c.key == "issue:1")).one()
        roots = [one for one in self.slack.app.messages.get("C0ERRORS1", [{}]) if "thread_ts" not in one]
        shown = json.dumps(roots[-1])
        is_over = "[RESOLVED]" in shown or "[ARCHIVED]" in shown
        looks = "resolved" if is_over else "acknowledged" if "Acknowledged" in shown else "firing"
        [alert] = self.pagerduty.app.alerts.values() or [None]
        there = self.sentry.app.issues["1"]
        return {
            "here": "acknowledged" if row.acknowledged_by else str(row.status),
            "Slack": looks,
            "PagerDuty": alert.state if alert else "",
            "Jira": self.jira.app.states.get(1, "To Do"),
            "Sentry": there.status,
            "assignee": there.assignee or "",
        }

    def sentry_says(self, action: str, *, actor: str = "user") -> None:
        self.webhooks += 1
        webhook = issue_webhook(action, id="1", count=str(40 + self.webhooks))
        content = {
            **json.loads(webhook.body),
            "actor": {"type": actor, "id": "8e7a", "name": "Router" if actor == "application" else "Ann"},
        }
        store(self.engine, replace(webhook, body=json.dumps(content).encode()), at=self.now)

    def sentry_does(self, action: str) -> None:
        if action == "assigned":
            self.sentry.app.issues["1"].assignee = "ann@example.com"
            self.sentry_says(action)
            return
        self.sentry.app.issues["1"].status = {"archived": "ignored", "resolved": "resolved"}.get(action, "unresolved")
        self.sentry_says(action)

    def slack_does(self, action: str) -> None:
        self.webhooks += 1
        pressed: Json = {"type": "button", "action_id": action, "value": "issue:1", "action_ts": f"{self.webhooks}.{action}"}
        payload: Json = {"type": "block_actions", "user": {"id": "U1", "name": "ann"}, "actions": [pressed]}
        body, at = urlencode({"payload": json.dumps(payload)}), str(int(time.time()))
        signature = SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=at, body=body) or ""
        headers = {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": at}
        form = "application/x-www-form-urlencoded"
        self.take(self.client.post("/slack/interactions", data=body, headers=headers, content_type=form))

    def pagerduty_does(self, state: str) -> None:
        [alert] = self.pagerduty.app.alerts.values()
        alert.state = {"reopened": "triggered", "reassigned": alert.state}.get(state, state)
        self.pagerduty_says(f"incident.{state}", who="Ann Lee")

    def pagerduty_says(self, event_type: str, *, who: str | None, done: timedelta | None = None) -> None:
        """It was done so long after all began, if not now."""
        self.webhooks += 1
        [key] = self.pagerduty.app.alerts
        event: Json = {
            "id": f"e{self.webhooks}",
            "event_type": event_type,
            "occurred_at": (self.now if done is None else BEGAN + done).isoformat(),
            "agent": {"type": "user_reference", "summary": who} if who else None,
            "data": {
                "id": "PGR0VU2",
                "type": "incident",
                "incident_key": key,
                "title": "A title",
                "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
                "assignees": [{"id": "PTUXL6G", "type": "user_reference", "summary": "ann"}],
            },
        }
        body = json.dumps({"event": event}).encode()
        digest = hmac.new(SUBSCRIPTION.encode(), body, hashlib.sha256).hexdigest()
        self.take(self.client.post("/webhooks/pagerduty", data=body, headers={"X-PagerDuty-Signature": f"v1={digest}"}))

    def take(self, answer: TestResponse) -> None:
        """What was posted is kept; as if it had come by the clock of all."""
        assert answer.status_code in {200, 202}
        with self.engine.begin() as connection:
            latest = select(func.max(events.c.id)).scalar_subquery()
            connection.execute(update(events).where(events.c.id == latest).values(received_at=self.now))

    def jira_does(self, state: str) -> None:
        if state != "assigned":
            self.jira.app.states[1] = state
        self.jira_says("ann", "assignee" if state == "assigned" else "status")

    def jira_says(self, who: str, changed: str = "status", state: str | None = None, done: timedelta | None = None) -> None:
        """It was done so long after all began, if not now."""
        self.webhooks += 1
        category = {"To Do": "new", "Doing": "indeterminate", "Done": "done"}[state or self.jira.app.states.get(1, "To Do")]
        content: Json = {
            "timestamp": int((self.now if done is None else BEGAN + done).timestamp() * 1000) + self.webhooks,
            "webhookEvent": "jira:issue_updated",
            "issue_event_type_name": "issue_generic",
            "user": {"displayName": who},
            "issue": {
                "key": "OPS-1",
                "fields": {"summary": "A title", "status": {"statusCategory": {"key": category}}, "assignee": {"displayName": "ann"}},
            },
            "changelog": {"items": [{"field": changed}]},
        }
        self.take(self.client.post(f"/webhooks/jira/{PATH_TOKEN}", data=json.dumps(content)))


@contextmanager
def opened(database_url: str) -> Iterator[Everywhere]:
    """All of it, and nothing has happened yet."""
    with ExitStack() as stack:
        vendors = (
            stack.enter_context(Server(SentryApi())),
            stack.enter_context(Server(Slack(now=time.time()))),
            stack.enter_context(Server(PagerDuty())),
            stack.enter_context(Server(Jira(now=datetime.now(UTC)))),
        )
        there, channel, pages, tickets = vendors
        variables = {
            "PAGER": pagerduty.ROUTING_KEY,
            "SENTRY_BASE_URL": there.url,
            "SENTRY_ORG": sentry_api.ORG,
            "SENTRY_API_TOKEN": sentry_api.TOKEN,
            "SLACK_API_URL": f"{channel.url}/api",
            "SLACK_BOT_TOKEN": slack.TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "PAGERDUTY_EVENTS_URL": pages.url,
            "PAGERDUTY_WEBHOOK_SECRETS": SUBSCRIPTION,
            "JIRA_URL": tickets.url,
            "JIRA_USER": jira.USER,
            "JIRA_TOKEN": jira.TOKEN,
            "JIRA_WEBHOOK_TOKEN": PATH_TOKEN,
        }
        settings = make_settings(database_url, **variables)
        rules = load(RULES, kinds=KINDS, environment=variables)
        yield Everywhere(
            client=create_app(settings).test_client(),
            engine=open_database(database_url),
            settings=settings,
            rules=rules,
            sentry=there,
            slack=channel,
            pagerduty=pages,
            jira=tickets,
        )
