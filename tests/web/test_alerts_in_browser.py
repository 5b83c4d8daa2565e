"""The list of alerts and the page of one in a real browser: new ones come, a search narrows, and somebody acts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from routing.alert import Json
from storage import rules_versions
from tests.factories import event_alert_webhook, signed
from tests.service import Service, environment
from tests.storage.planned import RULES, issue, make_rules, plan_all, store
from tests.web.browser import Visitor, visited

CRUMBS: Json = {
    "values": [{"timestamp": 1772619325.5, "level": "info", "category": "http", "message": "GET /cart", "data": {"status": 200}}]
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Service]:
    """One to which some alerts have come."""
    folder = tmp_path_factory.mktemp("alerts")
    database = folder / "router.db"
    database.write_bytes(sqlite_template.read_bytes())
    variables = environment(f"sqlite:///{database}", "redis://127.0.0.1:1/0", CONSOLE_OPEN_ON_LOOPBACK="true")
    with Service(environment=variables, folder=folder) as found:
        rules_versions.remember(found.database, make_rules().version, {"": RULES}, datetime.now(UTC))
        add(found, *(issue(number, 1, title=f"ValueError: number {number} of a cart") for number in range(1, 4)))
        add(found, signed("event_alert", b"\x00no json"), event_alert_webhook(breadcrumbs=CRUMBS))
        found.start_web()
        yield found


@pytest.fixture(scope="module")
def visitor(service: Service) -> Iterator[Visitor]:
    with visited(service) as somebody:
        yield somebody


def add(service: Service, *webhooks: object) -> None:
    now = datetime.now(UTC)
    for one in webhooks:
        store(service.database, one, at=now)  # type: ignore[arg-type]
    plan_all(service.database, at=now)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("alerts", "/alerts"),
        ("alerts-mistake", "/alerts?q=count+>+5"),
        ("alert", "/alerts/5"),
        ("alert-unreadable", "/alerts/4"),
        ("alert-rehearsal", "/alerts/5/rehearsal"),
    ],
)
def test_a_page_is_whole_in_light_and_dark_on_desk_and_phone(visitor: Visitor, name: str, path: str) -> None:
    visitor.shoot(path, name)

    assert visitor.complaints == []


def test_a_new_alert_comes_on_top_by_itself(service: Service, visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/alerts?q=level:fatal")
    expect(page.get_by_text("Nothing that is wanted")).to_be_visible()
    with page.expect_response(lambda answer: "/alerts/stream" in answer.url):
        pass

    add(service, issue(50, 1, title="not wanted"), issue(51, 1, title="the new one", level="fatal"))

    expect(page.locator("tbody tr").first).to_contain_text("the new one", timeout=10_000)
    expect(page.get_by_role("status")).to_contain_text("1 new")
    assert page.locator("tbody tr").count() == 1
    assert visitor.complaints == []
    page.context.close()


def test_a_search_a_view_and_an_acknowledgement_work_without_script(service: Service, visitor: Visitor) -> None:
    page = visitor.page(has_script=False)
    page.goto("/alerts")
    page.get_by_role("searchbox").fill("error.type:PaymentError tags.critical:true")
    page.get_by_role("button", name="Search").click()
    page.get_by_label("Name of the view").fill("Critical payments")
    page.get_by_role("button", name="Save view").click()
    page.goto("/alerts")
    page.get_by_role("link", name="Critical payments").click()
    page.get_by_role("link", name="PaymentError: yookassa").click()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("The incident is acknowledged")).to_be_visible()
    plan_all(service.database, at=datetime.now(UTC))

    page.reload()

    expect(page.get_by_text("taken on by you")).to_be_visible()
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    assert visitor.complaints == []
    page.context.close()
