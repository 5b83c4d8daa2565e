"""Each page in a real browser: what it looks like, and that nothing on it hinders anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import Service, environment
from tests.web.browser import Visitor, visited

PAGES = {"overview": "/", "sign-in": "/sign-in"}


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Visitor]:
    """Somebody who looks at a service that has had a day."""
    folder = tmp_path_factory.mktemp("console")
    database = folder / "router.db"
    database.write_bytes(sqlite_template.read_bytes())
    variables = environment(f"sqlite:///{database}", "redis://127.0.0.1:1/0", CONSOLE_OPEN_ON_LOOPBACK="true")
    with Service(environment=variables, folder=folder) as service:
        service.start_web()
        with visited(service) as somebody:
            yield somebody


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_in_light_and_dark_on_desk_and_phone(visitor: Visitor, name: str) -> None:
    visitor.shoot(PAGES[name], name)

    assert visitor.complaints == []


def test_the_colours_that_somebody_chose_stay(visitor: Visitor) -> None:
    page = visitor.page(has_script=False)
    page.goto("/")
    page.get_by_label("Colours").select_option("dark")
    page.get_by_role("button", name="Set colours").click()

    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    page.goto("/sign-in")
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
