"""What people do in one place is so in all of them, and then there is quiet: no place answers another for ever.

The vendors keep state, and tell by their own webhooks of all that becomes of it, also of what the router did there itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from slack_sdk.signature import SignatureVerifier
from sqlalchemy import Engine, select

from app import create_app
from notifiers.dispatch import Dispatch
from notifiers.registry import KINDS
from routing.alert import Json
from routing.notification import Lane, State
from routing.rules import RuleSet
from routing.rules_loading import load
from storage import inspection, notifications
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
ROUNDS = 8
"""Far more than it takes; what has not come to rest by then never does."""


@dataclass(kw_only=True)
class Everywhere:
    """The router, and the four places in which people see an incident."""

    client: FlaskClient
    engine: Engine
    dispatch: Dispatch
    rules: RuleSet
    sentry: Server[SentryApi]
    slack: Server[Slack]
    pagerduty: Server[PagerDuty]
    jira: Server[Jira]
    seen: dict[str, str] = field(default_factory=dict)
    webhooks: int = 0

    def settle(self) -> None:
        """All is planned and sent, and each place tells what became of it there, until nobody says anything any more."""
        for _ in range(ROUNDS):
            self.work()
            if not self.echo():
                return
        pytest.fail(f"they go on telling each other: {self.state()}")

    def work(self) -> None:
        """All is planned and sent."""
        now = datetime.now(UTC)
        plan_all(self.engine, self.rules, at=now)
        for lane in Lane:
            while claimed := notifications.claim(self.engine, lane, worker="a", now=now + timedelta(minutes=2), limit=64):
                notifications.record(self.engine, [(one.id, self.dispatch.deliver(one)) for one in claimed])

    def echo(self) -> bool:
        """Each place tells what has changed there; whether one had something to tell."""
        before, now = self.seen, self.state()
        self.seen = now
        changed = {place for place in now if before.get(place) != now[place]}
        if "Sentry" in changed and before.get("Sentry"):
            self.sentry_says({"resolved": "resolved", "unresolved": "unresolved"}[now["Sentry"]], actor="application")
        if "assignee" in changed:
            self.sentry_says("assigned", actor="application")
        if "PagerDuty" in changed and now["PagerDuty"] != "triggered":
            self.pagerduty_says(f"incident.{now['PagerDuty']}", who=None)
        if "Jira" in changed and before.get("Jira"):
            self.jira_says("router")
        return bool(changed & {"Sentry", "assignee", "PagerDuty", "Jira"})

    def state(self) -> dict[str, str]:
        """How it stands in each place."""
        with self.engine.connect() as connection:
            row = connection.execute(select(incidents.c.status, incidents.c.acknowledged_by).where(incidents.c.key == "issue:1")).one()
        [root, *_] = self.slack.app.messages.get("C0ERRORS1", [{}])
        shown = json.dumps(root)
        looks = "resolved" if "[RESOLVED]" in shown else "acknowledged" if "Acknowledged" in shown else "firing"
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
        store(self.engine, replace(webhook, body=json.dumps(content).encode()), at=datetime.now(UTC))

    def sentry_does(self, action: str) -> None:
        self.sentry.app.issues["1"].status = action if action in {"resolved", "unresolved"} else "unresolved"
        self.seen["Sentry"] = self.sentry.app.issues["1"].status
        self.sentry_says(action)

    def slack_does(self, action: str) -> None:
        pressed: Json = {"type": "button", "action_id": action, "value": "issue:1", "action_ts": f"{self.webhooks}.{action}"}
        payload: Json = {"type": "block_actions", "user": {"id": "U1", "name": "ann"}, "actions": [pressed]}
        body, at = urlencode({"payload": json.dumps(payload)}), str(int(time.time()))
        signature = SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=at, body=body) or ""
        headers = {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": at}
        answer = self.client.post("/slack/interactions", data=body, headers=headers, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 200

    def pagerduty_does(self, state: str) -> None:
        [alert] = self.pagerduty.app.alerts.values()
        alert.state = "triggered" if state == "reopened" else state
        self.seen["PagerDuty"] = alert.state
        self.pagerduty_says(f"incident.{state}", who="Ann Lee")

    def pagerduty_says(self, event_type: str, *, who: str | None) -> None:
        self.webhooks += 1
        [key] = self.pagerduty.app.alerts
        event: Json = {
            "id": f"e{self.webhooks}",
            "event_type": event_type,
            "occurred_at": datetime.now(UTC).isoformat(),
            "agent": {"summary": who} if who else None,
            "data": {
                "id": "PGR0VU2",
                "type": "incident",
                "incident_key": key,
                "title": "A title",
                "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
            },
        }
        body = json.dumps({"event": event}).encode()
        digest = hmac.new(SUBSCRIPTION.encode(), body, hashlib.sha256).hexdigest()
        assert self.client.post("/webhooks/pagerduty", data=body, headers={"X-PagerDuty-Signature": f"v1={digest}"}).status_code == 202

    def jira_does(self, state: str) -> None:
        if state != "assigned":
            self.jira.app.states[1] = state
            self.seen["Jira"] = state
        self.jira_says("ann", "assignee" if state == "assigned" else "status")

    def jira_says(self, who: str, changed: str = "status") -> None:
        self.webhooks += 1
        category = {"To Do": "new", "Doing": "indeterminate", "Done": "done"}[self.jira.app.states.get(1, "To Do")]
        content: Json = {
            "timestamp": int(time.time() * 1000) + self.webhooks,
            "webhookEvent": "jira:issue_updated",
            "issue_event_type_name": "issue_generic",
            "user": {"displayName": who},
            "issue": {
                "key": "OPS-1",
                "fields": {"summary": "A title", "status": {"statusCategory": {"key": category}}, "assignee": {"displayName": "ann"}},
            },
            "changelog": {"items": [{"field": changed}]},
        }
        assert self.client.post(f"/webhooks/jira/{PATH_TOKEN}", data=json.dumps(content)).status_code == 202


@pytest.fixture
def everywhere(sqlite_url: str) -> Iterator[Everywhere]:
    """An issue that was told in all four places, and from which nobody has heard since."""
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
        settings = make_settings(sqlite_url, **variables)
        rules = load(RULES, kinds=KINDS, environment=variables)
        dispatch = Dispatch(settings, lambda: rules, lambda: datetime.now(UTC), earlier=lambda _: rules)
        found = Everywhere(
            client=create_app(settings).test_client(),
            engine=open_database(sqlite_url),
            dispatch=dispatch,
            rules=rules,
            sentry=there,
            slack=channel,
            pagerduty=pages,
            jira=tickets,
        )
        store(found.engine, issue(1), at=datetime.now(UTC))
        found.settle()
        yield found


def do(everywhere: Everywhere, deed: str) -> None:
    """`PagerDuty acknowledged`."""
    place, action = deed.split(" ", 1)
    {
        "Sentry": everywhere.sentry_does,
        "Slack": everywhere.slack_does,
        "PagerDuty": everywhere.pagerduty_does,
        "Jira": everywhere.jira_does,
    }[place](action)
    everywhere.settle()


FIRING = {"here": "firing", "Slack": "firing", "PagerDuty": "triggered", "Jira": "To Do", "Sentry": "unresolved", "assignee": ""}
ACKNOWLEDGED = {**FIRING, "here": "acknowledged", "Slack": "acknowledged", "PagerDuty": "acknowledged"}
RESOLVED = {"here": "resolved", "Slack": "resolved", "PagerDuty": "resolved", "Jira": "Done", "Sentry": "resolved", "assignee": ""}
ASSIGNED = {**FIRING, "assignee": "ann@example.com"}


def test_it_is_told_in_all_places(everywhere: Everywhere) -> None:
    assert everywhere.state() == FIRING


@pytest.mark.parametrize(
    ("deeds", "becomes"),
    [
        (["Slack acknowledge"], ACKNOWLEDGED),
        (["PagerDuty acknowledged"], ACKNOWLEDGED),
        (["Jira Doing"], {**ACKNOWLEDGED, "Jira": "Doing"}),
        (["Sentry resolved"], RESOLVED),
        (["Slack resolve"], RESOLVED),
        (["PagerDuty resolved"], RESOLVED),
        (["Jira Done"], RESOLVED),
        (["Sentry resolved", "Sentry unresolved"], FIRING),
        (["Jira Done", "PagerDuty reopened"], FIRING),
        (["PagerDuty resolved", "Jira To Do"], FIRING),
        (["Slack acknowledge", "PagerDuty resolved", "Sentry unresolved", "Slack acknowledge"], ACKNOWLEDGED),
        (["Slack assign"], ASSIGNED),
        (["Jira assigned"], ASSIGNED),
    ],
    ids=lambda given: ", then ".join(given) if isinstance(given, list) else "",
)
def test_what_is_done_in_one_place_is_so_in_all(deeds: list[str], becomes: dict[str, str], everywhere: Everywhere) -> None:
    for deed in deeds:
        do(everywhere, deed)

    assert everywhere.state() == becomes
    assert [one for one in inspection.listed(everywhere.engine) if one.state in {State.DEAD, State.PLANNED}] == []
    assert len(everywhere.jira.app.issues) == 1


def test_what_the_router_did_in_sentry_ends_nothing_that_has_begun_again_since(everywhere: Everywhere) -> None:
    everywhere.pagerduty_does("resolved")
    everywhere.work()
    store(everywhere.engine, issue(1, 2), at=datetime.now(UTC))
    everywhere.work()
    everywhere.sentry_says("resolved", actor="application")
    everywhere.work()

    assert everywhere.state() == FIRING | {"Sentry": "resolved"}
    with everywhere.engine.connect() as connection:
        assert connection.execute(select(events.c.disposition).order_by(events.c.id.desc()).limit(1)).scalar() == "echo"


def test_what_another_integration_does_there_counts(everywhere: Everywhere) -> None:
    everywhere.sentry_says("resolved", actor="application")
    everywhere.work()

    assert everywhere.state()["here"] == "resolved"


def test_each_place_links_to_the_others(everywhere: Everywhere) -> None:
    do(everywhere, "PagerDuty acknowledged")

    [root, *_] = everywhere.slack.app.messages["C0ERRORS1"]
    shown = json.dumps(root["blocks"])
    assert "<https://acme.pagerduty.com/incidents/PGR0VU2|PGR0VU2>" in shown
    assert f"<{everywhere.jira.url}/browse/OPS-1|OPS-1>" in shown
