"""What people do in Slack and in PagerDuty comes here signed, and is done to the incident, wherever it was announced."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from slack_sdk.signature import SignatureVerifier
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from app import create_app
from notifiers.registry import KINDS
from routing.alert import Json, Status
from routing.findings import Findings
from routing.notification import Lane
from routing.rules import RuleSet
from routing.rules_loading import load
from storage import claims, inspection, outcomes
from storage.database import open_database
from storage.readings import Inquire
from storage.tables import incidents
from tests.notifiers import specs
from tests.storage.planned import ended, incident_rows, issue, plan_all, store
from tests.test_app import make_settings

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SUBSCRIPTION, OLD_SUBSCRIPTION = "subscription-secret", "the-one-before"
TEXT = """
version: 1
receivers: {chat: {kind: slack, channel: "#errors"}, pager: {kind: pagerduty, routing_key: R0KEY5678901234567890123456789AB}}
rules: [{name: all, when: "", notify: [chat, pager], repeat: 1h}]
"""
RULES = load(TEXT, kinds=KINDS, environment={})


@pytest.fixture
def client(sqlite_url: str) -> FlaskClient:
    secrets = {"SLACK_SIGNING_SECRET": SIGNING_SECRET, "PAGERDUTY_WEBHOOK_SECRETS": f"{OLD_SUBSCRIPTION},{SUBSCRIPTION}"}
    return create_app(make_settings(sqlite_url, **secrets)).test_client()


@pytest.fixture
def announced(sqlite_url: str) -> Engine:
    """An issue that was told to `chat` and `pager`; the second one calls it by the incident's key."""
    engine = open_database(sqlite_url)
    store(engine, issue(1), at=datetime.now(UTC))
    plan(engine)
    sent(engine)
    return engine


def plan(engine: Engine, rules: RuleSet = RULES, inquire: Inquire | None = None) -> list[str]:
    """Decide what waits; what is planned by then, newest first."""
    plan_all(engine, rules, at=datetime.now(UTC), inquire=inquire)
    return [f"{one.receiver} {one.reason} {one.state}" for one in inspection.listed(engine)]


def sent(engine: Engine) -> None:
    """All that is planned has gone out."""
    now = datetime.now(UTC)
    for lane in Lane:
        while claimed := claims.claim(engine, lane, worker="a", now=now, limit=64).taken:
            done = [
                (one.id, ended(began_at=now, ended_at=now, reference={"dedup_key": f"{one.incident}/{one.receiver}"})) for one in claimed
            ]
            outcomes.record(engine, done)


def press(
    client: FlaskClient, action: str, value: str, *, secret: str = SIGNING_SECRET, sent_at: float = 0, at: str = "1.0"
) -> TestResponse:
    """Somebody presses a button in Slack, which signs as slack_sdk says it does."""
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "ann", "name": "Ann Lee", "team_id": "T1"},
        "channel": {"id": "C0ERRORS1", "name": "errors"},
        "response_url": "https://hooks.slack.com/actions/T1/1/x",
        "actions": [{"type": "button", "action_id": action, "block_id": "actions", "value": value, "action_ts": at}],
    }
    body = urlencode({"payload": json.dumps(payload)})
    timestamp = str(int(sent_at or time.time()))
    signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body) or ""
    headers = {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": timestamp}
    return client.post("/slack/interactions", data=body, headers=headers, content_type="application/x-www-form-urlencoded")


def tell(
    client: FlaskClient, event_type: str, *, key: str = "issue:1/pager", id_: str = "e1", secret: str = SUBSCRIPTION, at: str = ""
) -> TestResponse:
    """PagerDuty says that somebody did something to an incident."""
    event: Json = {
        "id": id_,
        "event_type": event_type,
        "resource_type": "incident",
        "occurred_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "agent": {"id": "PLH1HKV", "type": "user_reference", "summary": "Ann Lee"},
        "data": {
            "id": "PGR0VU2",
            "type": "incident",
            "incident_key": key,
            "title": "A title",
            "html_url": f"https://acme.pagerduty.com/x{at}",
        },
    }
    body = json.dumps({"event": event}).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return client.post("/webhooks/pagerduty", data=body, headers={"X-PagerDuty-Signature": f"v1={'0' * 64},v1={digest}"})


class TestSlack:
    VALUE = "issue:1"

    def test_who_acknowledges_is_known_and_shown_everywhere(self, client: FlaskClient, announced: Engine) -> None:
        assert press(client, "acknowledge", self.VALUE).status_code == 200

        assert sorted(plan(announced)[:2]) == ["chat acknowledged planned", "pager acknowledged planned"]
        assert incident_rows(announced, incidents.c.acknowledged_by) == [("Ann Lee in Slack",)]

    @pytest.mark.parametrize(("action", "hours"), [("silence_1h", 1), ("silence_8h", 8), ("silence", None)])
    def test_who_silences_it_hears_nothing_more(self, client: FlaskClient, announced: Engine, action: str, hours: int | None) -> None:
        press(client, action, self.VALUE)

        assert plan(announced)[0] == "chat muted planned"
        ((until,),) = incident_rows(announced, incidents.c.quiet_until)
        assert isinstance(until, datetime)
        assert until.year == 9999 if hours is None else 0 < (until - datetime.now(UTC)).total_seconds() <= hours * 3600

    def test_two_presses_are_two_although_they_say_the_same(self, client: FlaskClient, announced: Engine) -> None:
        press(client, "acknowledge", self.VALUE, at="1.0")
        tell(client, "incident.unacknowledged")
        press(client, "acknowledge", self.VALUE, at="2.0")

        told = [line for line in plan(announced) if line.startswith("chat") and "acknowledged" in line]
        assert [line.split()[1] for line in reversed(told)] == ["acknowledged", "unacknowledged", "acknowledged"]

    @pytest.mark.parametrize(
        ("action", "value"),
        [
            ("open_sentry", ""),
            ("acknowledge", ""),
            ("acknowledge", "issue:99"),
            ("acknowledge", "[" * 3000),
            ("acknowledge", "\ud800"),
            ("drop table", "issue:1"),
        ],
    )
    def test_what_changes_nothing_is_answered_and_changes_nothing(
        self, client: FlaskClient, announced: Engine, action: str, value: str
    ) -> None:
        assert press(client, action, value).status_code == 200

        assert plan(announced)[0] == "pager first sent"

    @pytest.mark.parametrize("fault", ["another secret", "of an hour ago", "of the next hour"])
    def test_what_slack_did_not_sign_just_now_is_refused(self, client: FlaskClient, announced: Engine, fault: str) -> None:
        times = {"of an hour ago": time.time() - 3600, "of the next hour": time.time() + 3600}
        secret = "another" if fault == "another secret" else SIGNING_SECRET

        answer = press(client, "acknowledge", self.VALUE, secret=secret, sent_at=times.get(fault, 0))

        assert answer.status_code == 401
        assert plan(announced)[0] == "pager first sent"

    @pytest.mark.parametrize(
        ("signature", "timestamp", "body"),
        [
            ("", "", b""),
            ("v0=", "0", b"payload=%00"),
            ("v0=é", "١٢٣", b"\xff\xfe"),
            ("v0=" + "0" * 64, "9" * 400, b"payload={}"),
            ("v0=" + "0" * 64, "-1", b"payload={}"),
            ("x" * 5000, "nan", b"payload={}"),
        ],
    )
    def test_whatever_the_headers_hold_it_is_refused(self, client: FlaskClient, signature: str, timestamp: str, body: bytes) -> None:
        environ = {"HTTP_X_SLACK_SIGNATURE": signature, "HTTP_X_SLACK_REQUEST_TIMESTAMP": timestamp}

        assert client.post("/slack/interactions", data=body, environ_overrides=environ).status_code == 401

    @pytest.mark.parametrize("payload", ["", "null", "[]", "{}", '{"actions": 5}', '{"actions": [5, null, {}]}', "[" * 100_000, "\ud800"])
    def test_whatever_is_signed_it_is_answered(self, client: FlaskClient, payload: str) -> None:
        body = urlencode({"payload": payload}, errors="replace")
        timestamp = str(int(time.time()))
        signature = SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=timestamp, body=body) or ""
        headers = {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": timestamp}

        assert client.post("/slack/interactions", data=body, headers=headers).status_code == 200


class TestWhy:
    """Who asks why an incident was told is answered, and nobody else sees it."""

    def test_it_is_answered_by_the_trace_of_the_last_alert_that_met_a_rule(self, client: FlaskClient, announced: Engine) -> None:
        press(client, "why", "issue:1")

        assert plan(announced)[0] == "chat answer planned"
        assert inspection.listed(announced)[0].why.splitlines()[1:] == [
            "• all matched: any alert",
            "• chat is told (first)",
            "• pager is told (first)",
        ]

    def test_it_changes_nothing(self, client: FlaskClient, announced: Engine) -> None:
        press(client, "why", "issue:1")
        plan(announced)
        sent(announced)
        press(client, "acknowledge", "issue:1")

        assert sorted(plan(announced)[:2]) == ["chat acknowledged planned", "pager acknowledged planned"]

    def test_of_an_incident_that_nobody_knows_nothing_is_answered(self, client: FlaskClient, announced: Engine) -> None:
        press(client, "why", "issue:99")

        assert plan(announced)[0] == "pager first sent"


class TestWhoMay:
    RULES = load(f"{TEXT}\nbuttons: {{acknowledge: ['@on-call', S0LEADS01]}}", kinds=KINDS, environment={})

    def decide(self, client: FlaskClient, engine: Engine, findings: Findings | None, action: str = "acknowledge") -> str:
        press(client, action, "issue:1")
        return plan(engine, self.RULES, lambda alerts, _: [findings] * len(alerts))[0]

    @pytest.mark.parametrize("group", ["@on-call", "S0LEADS01"])
    def test_a_member_of_any_of_the_groups_may(self, client: FlaskClient, announced: Engine, group: str) -> None:
        self.decide(client, announced, Findings(member_of=("@other", group)))

        assert incident_rows(announced, incidents.c.acknowledged_by) == [("Ann Lee in Slack",)]

    @pytest.mark.parametrize("findings", [None, Findings(), Findings(member_of=("@other",)), Findings(fault="usergroups.list: no")])
    def test_nobody_else_may_and_is_told_so(self, client: FlaskClient, announced: Engine, findings: Findings | None) -> None:
        assert self.decide(client, announced, findings) == "chat answer planned"

        assert incident_rows(announced, incidents.c.acknowledged_by) == [(None,)]
        assert "only members of @on-call, S0LEADS01 may do that" in inspection.listed(announced)[0].why

    def test_what_is_not_named_anybody_may(self, client: FlaskClient, announced: Engine) -> None:
        assert self.decide(client, announced, None, "silence_1h") == "chat muted planned"

    def test_what_is_done_in_other_places_is_not_slacks_to_forbid(self, client: FlaskClient, announced: Engine) -> None:
        tell(client, "incident.acknowledged")
        plan(announced, self.RULES)

        assert incident_rows(announced, incidents.c.acknowledged_by) == [("Ann Lee in PagerDuty",)]


class TestPagerDuty:
    def test_who_acknowledges_there_has_acknowledged_here(self, client: FlaskClient, announced: Engine) -> None:
        assert tell(client, "incident.acknowledged").status_code == 202

        assert plan(announced)[0] == "chat acknowledged planned"
        assert incident_rows(announced, incidents.c.acknowledged_by) == [("Ann Lee in PagerDuty",)]

    def test_what_is_resolved_there_is_resolved_here_and_made_sure_of_there(self, client: FlaskClient, announced: Engine) -> None:
        tell(client, "incident.resolved")

        assert sorted(plan(announced)[:2]) == ["chat resolved planned", "pager resolved planned"]
        assert incident_rows(announced, incidents.c.status) == [(Status.RESOLVED,)]

    def test_an_event_that_comes_again_is_done_once(self, client: FlaskClient, announced: Engine) -> None:
        tell(client, "incident.acknowledged", id_="e1")
        tell(client, "incident.unacknowledged", id_="e2")
        tell(client, "incident.acknowledged", id_="e1")

        assert plan(announced)[0] == "chat unacknowledged planned"
        assert incident_rows(announced, incidents.c.acknowledged_by) == [(None,)]

    @pytest.mark.parametrize("key", ["issue:2/pager", "", "somebody else's"])
    def test_what_we_did_not_announce_is_none_of_ours(self, client: FlaskClient, announced: Engine, key: str) -> None:
        tell(client, "incident.resolved", key=key)

        assert plan(announced)[0] == "pager first sent"
        assert incident_rows(announced, incidents.c.status) == [(Status.FIRING,)]

    def test_a_secret_may_be_rotated(self, client: FlaskClient) -> None:
        assert tell(client, "pagey.ping", secret=OLD_SUBSCRIPTION).status_code == 202

    @pytest.mark.parametrize("signature", ["", "v1=", "v1=é", "v1=" + "0" * 64, ",,,", "x" * 5000])
    def test_what_pagerduty_did_not_sign_is_refused(self, client: FlaskClient, signature: str) -> None:
        environ = {"HTTP_X_PAGERDUTY_SIGNATURE": signature}

        assert client.post("/webhooks/pagerduty", data=b"{}", environ_overrides=environ).status_code == 401

    @pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"{}", b'{"event": 5}', b'{"event": {"data": []}}', b"[" * 100_000, b"\xff"])
    def test_whatever_is_signed_stops_nobody(self, client: FlaskClient, announced: Engine, body: bytes) -> None:
        digest = hmac.new(SUBSCRIPTION.encode(), body, hashlib.sha256).hexdigest()

        assert client.post("/webhooks/pagerduty", data=body, headers={"X-PagerDuty-Signature": f"v1={digest}"}).status_code == 202
        assert plan(announced)[0] == "pager first sent"

    @pytest.mark.skipif(not specs.present(), reason="needs PagerDuty's own example, ../shared/specs, which is not here")
    def test_pagerdutys_own_example_is_taken(self, client: FlaskClient, announced: Engine) -> None:
        body = (specs.FOLDER / "pagerduty" / "webhook-v3.incident.priority_updated.example.json").read_bytes()
        digest = hmac.new(SUBSCRIPTION.encode(), body, hashlib.sha256).hexdigest()

        assert client.post("/webhooks/pagerduty", data=body, headers={"X-PagerDuty-Signature": f"v1={digest}"}).status_code == 202
        plan(announced)


@pytest.mark.parametrize("path", ["/slack/interactions", "/webhooks/pagerduty"])
def test_without_its_secret_a_path_is_not_there(sqlite_url: str, path: str) -> None:
    assert create_app(make_settings(sqlite_url)).test_client().post(path, data=b"{}").status_code == 404


def test_an_acknowledgement_stops_reminders_and_its_own_echo_changes_nothing(client: FlaskClient, announced: Engine) -> None:
    """We acknowledge in PagerDuty what was acknowledged in Slack; PagerDuty tells us so; that is the end of it."""
    press(client, "acknowledge", TestSlack.VALUE)
    plan(announced)
    sent(announced)

    tell(client, "incident.acknowledged")

    assert sorted(plan(announced)[:2]) == ["chat acknowledged sent", "pager acknowledged sent"]
    assert len(inspection.listed(announced)) == 4
