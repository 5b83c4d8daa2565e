"""A test message: marked as one, really sent, within seconds, and closed where it would stand open."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from notifiers import trial
from notifiers.registry import KINDS
from routing.notification import Attempt, Outcome
from routing.rules import Receiver
from routing.rules_loading import load
from settings import Settings
from tests.factories import NOW, SECRET
from tests.vendors import Vendors

RECEIVERS = """\
version: 1
receivers:
  slack: {kind: slack, channel: "#errors"}
  pagerduty: {kind: pagerduty, routing_key: "${PAGERDUTY_CRITICAL_KEY}"}
  jira: {kind: jira, project: OPS}
  email: {kind: email, to: [team@thebot.local]}
  hook: {kind: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}", allow_private: true}
  computed: {kind: slack, channel: "#team-{tags.team}", allow: ["#team-*"], fallback: slack}
  preview: {kind: preview}
  sentry: {kind: sentry}
rules:
  - {name: any, when: "level:fatal", notify: [slack, pagerduty, jira, email, hook, computed, preview]}
"""
HOOK = {"HOOK_URL": "http://127.0.0.1:9/secret-path", "HOOK_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}


def named(name: str, environment: Mapping[str, str]) -> Receiver:
    return load(RECEIVERS, kinds=KINDS, environment=environment).receivers[name]


def tried(name: str, environment: Mapping[str, str], *, within_seconds: float = trial.WITHIN_SECONDS) -> Attempt:
    settings = Settings.from_variables({"SENTRY_CLIENT_SECRETS": SECRET, "DATABASE_URL": "sqlite://", **environment})
    return trial.send(named(name, environment), "Ann", settings, lambda: datetime.now(UTC), within_seconds=within_seconds)


@pytest.mark.parametrize("name", ["slack", "pagerduty", "jira", "email"])
def test_it_is_really_sent(vendors: Vendors, name: str) -> None:
    done = tried(name, vendors.environment())

    assert done.outcome is Outcome.DELIVERED, done.excerpt
    assert "TEST" in done.payload
    assert vendors.told()[name.replace("email", "mail")] > 0


@pytest.mark.parametrize(("name", "excerpt"), [("pagerduty", "closed again"), ("jira", "closed again")])
def test_what_it_opens_is_closed(vendors: Vendors, name: str, excerpt: str) -> None:
    assert tried(name, vendors.environment()).excerpt.endswith(excerpt)


def test_without_its_credential_it_says_what_would_be_sent_and_what_is_missing() -> None:
    done = tried("slack", {})

    assert done.outcome is Outcome.PREVIEWED
    assert "SLACK_BOT_TOKEN is not set; nothing was sent" in done.excerpt
    assert "#errors" in done.payload


def test_what_cannot_be_reached_is_said_without_a_secret() -> None:
    done = tried("hook", HOOK)

    assert done.outcome in {Outcome.RETRY, Outcome.AMBIGUOUS}
    assert done.excerpt
    assert "secret-path" not in done.excerpt


def test_a_destination_that_hangs_on_the_alert_cannot_be_tested(vendors: Vendors) -> None:
    done = tried("computed", vendors.environment())

    assert done.outcome is Outcome.REFUSED
    assert "hangs on the alert" in done.excerpt


def test_what_takes_too_long_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        began = time.monotonic()
        done = tried("hook", {**HOOK, "HOOK_URL": f"http://127.0.0.1:{never_answers.getsockname()[1]}/"}, within_seconds=0.2)

    assert time.monotonic() - began < trial.TIMEOUTS.read_seconds
    assert done.outcome is Outcome.AMBIGUOUS
    assert "may have gone out" in done.excerpt


@pytest.mark.parametrize("name", ["slack", "pagerduty", "jira", "email", "hook", "preview", "sentry"])
def test_what_would_be_sent_is_shown_of_every_kind(name: str) -> None:
    assert trial.rendered(named(name, HOOK), "Ann", NOW)
