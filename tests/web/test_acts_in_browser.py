"""What people do about incidents, silences, deliveries and receivers, in a real browser; and what those pages look like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from notifiers.configuration import read_rules
from routing.notification import Lane, Outcome
from storage import claims, outcomes, rules_versions, silences
from storage.database import open_database
from tests.factories import NOW, make_silence
from tests.service import Service, environment
from tests.storage.planned import ended, issue, plan_all, store
from tests.test_app import make_settings
from tests.web.browser import Visitor, visited

RULES = """\
version: 1
receivers:
  chat: {kind: preview}
  slack-errors: {kind: slack, channel: "#errors", max_per_minute: 20, fallback: chat}
rules:
  - {name: payment, when: payment, notify: [chat], repeat: 4h, escalate: [{after: 1h, notify: [slack-errors]}]}
"""
PAGES = {
    "incidents": "/incidents",
    "incident": "/incidents/1",
    "silences": "/silences",
    "silence-new": "/silences/new?matcher=environment:production",
    "deliveries": "/deliveries",
    "delivery": "/deliveries/1",
    "delivery-waiting": "/deliveries/4",
    "send-again": "/deliveries/send-again?state=dead",
    "receivers": "/receivers",
    "receiver-test": "/receivers/test?name=slack-errors",
}


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Visitor]:
    """Somebody who looks at a service that has told of some incidents, and could not tell of others."""
    folder = tmp_path_factory.mktemp("acts")
    database = folder / "router.db"
    database.write_bytes(sqlite_template.read_bytes())
    fill(f"sqlite:///{database}")
    variables = environment(f"sqlite:///{database}", "redis://127.0.0.1:1/0", CONSOLE_OPEN_ON_LOOPBACK="true")
    with Service(environment=variables, folder=folder) as service:
        service.start_web()
        with visited(service) as somebody:
            yield somebody


def fill(database_url: str) -> None:
    engine, now = open_database(database_url), datetime.now(UTC)
    rules = read_rules(RULES, make_settings(database_url))
    rules_versions.remember(engine, rules.version, {"": RULES}, now)
    for number in range(4):
        at = now - timedelta(minutes=40 - number)
        store(engine, issue(number, title=f"PaymentError: the gateway refused order {number}, twice"), at=at)
        plan_all(engine, rules, at=at)
    for one in claims.claim(engine, Lane.NORMAL, worker="w", now=now, limit=2).taken:
        refused = ended(outcome=Outcome.REFUSED, status_code=404, excerpt="status 404: channel_not_found", payload="the message")
        outcomes.record(engine, [(one.id, replace(refused, began_at=now, ended_at=now + timedelta(milliseconds=231)))])
    silence = make_silence("environment:production", begins=now - NOW, lasts=timedelta(hours=4))
    silences.add(engine, silence, now)
    engine.dispose()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_in_light_and_dark_on_desk_and_phone(visitor: Visitor, name: str) -> None:
    visitor.shoot(PAGES[name], name)

    assert visitor.complaints == []


def test_somebody_takes_an_incident_on(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/incidents")
    page.get_by_role("link", name="order 2").click()
    page.get_by_role("button", name="Acknowledge").click()

    expect(page.get_by_text("You have taken it on")).to_be_visible()
    assert visitor.complaints == []


def test_somebody_silences_after_a_look_at_what_that_would_have_held(visitor: Visitor) -> None:
    page = visitor.page(has_script=False)
    page.goto("/silences/new?matcher=level:error")
    page.get_by_label("Which alerts").fill("level:(")
    page.get_by_label("Why").fill("The gateway is being moved")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#matchers-fault")).to_be_visible()
    page.get_by_label("Which alerts").fill("level:error")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="What it would have held")).to_be_visible()
    page.get_by_role("button", name="Silence", exact=True).click()

    expect(page.get_by_text("The gateway is being moved")).to_be_visible()
    page.get_by_role("button", name="Expire silence 2").click()
    expect(page.get_by_text("Silence 2 is over")).to_be_visible()


def test_somebody_sends_again_what_was_given_up(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/deliveries?state=dead")
    page.get_by_label("Choose delivery 1").check()
    page.get_by_role("button", name="Send the chosen again").click()
    expect(page.get_by_text("1 will be sent again")).to_be_visible()
    page.get_by_role("link", name="Send all of these again").click()
    page.get_by_role("button", name="Send 1 again").click()

    expect(page.get_by_text("1 will be sent again")).to_be_visible()


def test_somebody_tests_a_receiver(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/receivers")
    page.get_by_role("link", name="Test chat").click()
    page.get_by_role("button", name="Send the test message").click()

    expect(page.get_by_text("Nothing was sent.")).to_be_visible()
