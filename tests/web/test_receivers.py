"""Receivers in the console: who can be told, as far as everybody may know it, and a test of one."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from notifiers.configuration import read_rules
from notifiers.registry import KINDS
from routing.rules_loading import load
from storage import audit, rules_versions
from storage.users import Role
from tests.factories import NOW
from tests.test_app import make_settings
from tests.vendors import Vendors
from tests.web.console import Browser, signed_in
from web.receiver_options import from_environment, shown_options

RULES = """\
version: 1
receivers:
  slack-errors: {kind: slack, channel: "${CHANNEL}", max_per_minute: 5}
  slack-hook: {kind: slack, webhook_url: "${SLACK_WEBHOOK}"}
  pager: {kind: pagerduty, routing_key: "${PAGERDUTY_KEY}"}
  pager-unset: {kind: pagerduty, routing_key: "${NOT_SET}"}
  hook: {kind: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}
  jira: {kind: jira, project: OPS, fields: {customfield_1: ["${JIRA_NOTE}", "see ${JIRA_NOTE}"]}}
  mail: {kind: email, to: [team@thebot.local]}
  team: {kind: slack, channel: "#team-{tags.team}", allow: ["#team-*"], fallback: slack-errors}
  sentry: {kind: sentry}
rules:
  - {name: any, when: "level:fatal", notify: [slack-errors, slack-hook, pager, pager-unset, hook, jira, mail, team]}
"""
SECRETS = {
    "CHANNEL": "#hidden-channel",
    "SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/slack-secret",
    "PAGERDUTY_KEY": "0123456789abcdef0123456789abcdef",
    "HOOK_URL": "https://hooks.example.com/url-secret",
    "HOOK_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
    "JIRA_NOTE": "a note that is nobody's business",
    "SLACK_BOT_TOKEN": "xoxb-bot-secret",
    "JIRA_TOKEN": "jira-secret",
}


def put_in_force(engine: Engine, database_url: str, **variables: str) -> None:
    """The rules, as a worker has said."""
    rules = read_rules(RULES, make_settings(database_url, **variables))
    rules_versions.remember(engine, rules.version, {"": RULES}, NOW)


def text_of(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def options_of(name: str) -> dict[str, str]:
    receiver = load(RULES, kinds=KINDS, environment=SECRETS).receivers[name]
    return dict(shown_options(receiver, from_environment({"": RULES}, SECRETS)))


class TestOptions:
    @pytest.mark.parametrize(
        ("name", "option", "said"),
        [
            ("slack-errors", "channel", "${CHANNEL}"),
            ("slack-errors", "follow_up", "thread"),
            ("slack-hook", "webhook_url", "set, and secret"),
            ("pager", "routing_key", "set, and secret"),
            ("pager-unset", "routing_key", "not set: the variable NOT_SET is missing"),
            ("hook", "secret", "set, and secret"),
            ("hook", "allow_private", "no"),
            ("jira", "fields", '{"customfield_1":["${JIRA_NOTE}","see ${JIRA_NOTE}"]}'),
            ("mail", "to", "team@thebot.local"),
            ("team", "channel", "hangs on the alert: #team-{tags.team}"),
            ("sentry", "resolve", "slack, pagerduty, jira, console"),
        ],
    )
    def test_they_say_what_everybody_may_know(self, name: str, option: str, said: str) -> None:
        assert options_of(name)[option] == said

    @pytest.mark.parametrize("name", [*load(RULES, kinds=KINDS, environment=SECRETS).receivers])
    def test_no_kind_shows_what_the_environment_holds(self, name: str) -> None:
        text = repr(options_of(name))

        assert [variable for variable, value in SECRETS.items() if value in text] == []


class TestPages:
    def test_each_receiver_has_its_limits_and_whether_it_only_previews(self, sqlite_url: str, stored: Engine) -> None:
        put_in_force(stored, sqlite_url, **SECRETS)

        text = text_of(signed_in(sqlite_url, Role.VIEWER, **SECRETS), "/receivers")

        assert "max_per_minute: 5" in text
        assert "60 a minute for this destination" in text
        assert "NOT_SET is not set, so nothing is sent" in text
        assert [variable for variable, value in SECRETS.items() if value in text] == []
        assert "Test<span" not in text

    def test_without_rules_in_force_it_says_so(self, sqlite_url: str) -> None:
        assert "No rules are in force yet" in text_of(signed_in(sqlite_url), "/receivers")

    @pytest.mark.parametrize("name", ["nobody", "", "sentry"])
    def test_what_cannot_be_tested_is_not_there(self, sqlite_url: str, stored: Engine, name: str) -> None:
        put_in_force(stored, sqlite_url, **SECRETS)
        browser = signed_in(sqlite_url, Role.OPERATOR, **SECRETS)

        assert browser.get(f"/receivers/test?name={name}").status_code == 404
        assert browser.post("/receivers/test", name=name).status_code == 404

    def test_a_test_is_shown_before_it_is_sent(self, sqlite_url: str, stored: Engine) -> None:
        put_in_force(stored, sqlite_url, **SECRETS)

        text = text_of(signed_in(sqlite_url, Role.OPERATOR, **SECRETS), "/receivers/test?name=pager")

        assert "resolves it at once" in text
        assert "TEST: nothing is wrong; sent by operator to see whether pager can be told" in text
        assert SECRETS["PAGERDUTY_KEY"] not in text

    def test_a_test_is_sent_shown_with_its_status_and_written_down(self, sqlite_url: str, stored: Engine, vendors: Vendors) -> None:
        variables = {**SECRETS, **vendors.environment(), "PAGERDUTY_KEY": vendors.environment()["PAGERDUTY_CRITICAL_KEY"]}
        put_in_force(stored, sqlite_url, **variables)
        browser = signed_in(sqlite_url, Role.OPERATOR, **variables)

        answer = browser.post("/receivers/test", name="pager")

        text = answer.get_data(as_text=True)
        assert "It was sent." in text
        assert "Status 202" in text
        assert vendors.told()["pagerduty"] == 2
        [entry] = audit.listed(stored)
        assert (entry.who, entry.action, entry.subject) == ("operator", "receiver.test", "receiver pager")

    def test_one_without_its_credential_says_that_it_only_previews(self, sqlite_url: str, stored: Engine) -> None:
        put_in_force(stored, sqlite_url, **SECRETS)
        browser = signed_in(sqlite_url, Role.OPERATOR, **SECRETS)

        assert "only previews" in text_of(browser, "/receivers/test?name=pager-unset")
        assert "Nothing was sent." in browser.post("/receivers/test", name="pager-unset").get_data(as_text=True)
