"""Where webhooks' bodies and messages are gone, every page still opens, and what would need them says so."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from storage import rules_versions
from storage.tables import events, incidents, notifications
from tests.factories import NOW, issue_webhook
from tests.storage.planned import RULES, issue, make_rules, plan_all, prune_bodies, store
from tests.web.console import Browser, make_app

PAGES = (
    "/",
    "/alerts",
    "/alerts?q=level:error",
    "/alerts/{event}",
    "/alerts/{event}/rehearsal",
    "/incidents",
    "/incidents/{incident}",
    "/deliveries",
    "/deliveries/{notification}",
    "/receivers",
    "/dashboards/issues",
    "/silences",
    "/silences/new?event={event}",
    "/rules",
)


@pytest.fixture
def places(stored: Engine) -> dict[str, int]:
    """What is on them: an incident whose alerts are two months old."""
    store(stored, issue(1))
    store(stored, issue_webhook("assigned", id="1"))
    plan_all(stored)
    rules_versions.remember(stored, make_rules().version, {"": RULES}, NOW)
    prune_bodies(stored)
    with stored.connect() as connection:
        numbers = (connection.execute(select(table.c.id).limit(1)).scalar_one() for table in (events, incidents, notifications))
        return dict(zip(("event", "incident", "notification"), numbers, strict=True))


@pytest.mark.parametrize("page", PAGES)
def test_it_opens(sqlite_url: str, places: dict[str, int], page: str) -> None:
    browser = Browser(make_app(sqlite_url, CONSOLE_OPEN_ON_LOOPBACK="true"))

    assert browser.get(page.format(**places)).status_code == 200


def test_what_is_tried_with_a_pruned_alert_is_refused_in_words(sqlite_url: str, places: dict[str, int]) -> None:
    browser = Browser(make_app(sqlite_url, CONSOLE_OPEN_ON_LOOPBACK="true"))

    text = browser.post("/rules/try", text=RULES, event=str(places["event"]), what="try").get_data(as_text=True)

    assert "the body was pruned at 2026-05-03 10:15:32 UTC" in text
