"""The dashboards in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.service import Service, environment
from tests.web.browser import Visitor, visited
from tests.web.test_dashboards import fill

PAGES = {
    "issues": "/dashboards",
    "performance": "/dashboards/performance",
    "releases": "/dashboards/releases?range=30d",
    "users": "/dashboards/users",
    "person": "/dashboards/users/of/2",
}


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Visitor]:
    """Somebody who looks at what an hour has brought."""
    folder = tmp_path_factory.mktemp("dashboards")
    database = folder / "router.db"
    database.write_bytes(sqlite_template.read_bytes())
    variables = environment(f"sqlite:///{database}", "redis://127.0.0.1:1/0", CONSOLE_OPEN_ON_LOOPBACK="true")
    with Service(environment=variables, folder=folder) as service:
        fill(service.database, datetime.now(UTC))
        service.start_web()
        with visited(service) as somebody:
            yield somebody


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_in_light_and_dark_on_desk_and_phone(visitor: Visitor, name: str) -> None:
    visitor.shoot(PAGES[name], f"dashboards-{name}")

    assert visitor.complaints == []


def test_time_environment_and_releases_are_picked_and_a_table_taken_along(visitor: Visitor) -> None:
    page = visitor.page(has_script=False)
    page.goto("/dashboards/releases")
    page.get_by_label("Time").select_option("30d")
    page.get_by_label("Compare").select_option("2.0")
    page.get_by_label("with", exact=True).select_option("1.0")
    page.get_by_role("button", name="Show").click()

    assert "Errors by type in 2.0 and in 1.0" in page.locator("main").inner_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV of Two releases").click()
    assert download.value.path().read_text().splitlines()[0] == "Type,2.0,1.0,Difference"
