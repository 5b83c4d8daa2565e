"""Whatever alerts say is text in the console: nothing of it runs, and nothing of it is lost from view."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Dialog, Page

from storage import rules_versions
from tests.service import Service, environment
from tests.storage.planned import RULES, make_rules, plan_all, store
from tests.web.browser import Visitor, visited
from tests.web.hostile import STRINGS, said, webhook

EVENTS = dict(zip(STRINGS, range(1, len(STRINGS) + 1), strict=True))
WHERE_FROM = "scripts => scripts.map(script => script.src || script.textContent)"


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Visitor]:
    """Somebody who looks at a service to which all of it was said."""
    folder = tmp_path_factory.mktemp("hostile")
    database = folder / "router.db"
    database.write_bytes(sqlite_template.read_bytes())
    variables = environment(f"sqlite:///{database}", "redis://127.0.0.1:1/0", CONSOLE_OPEN_ON_LOOPBACK="true")
    with Service(environment=variables, folder=folder) as service:
        now = datetime.now(UTC)
        rules_versions.remember(service.database, make_rules().version, {"": RULES}, now)
        for text, number in EVENTS.items():
            assert store(service.database, webhook(text, number), at=now) == number
        plan_all(service.database, at=now)
        service.start_web()
        with visited(service) as somebody:
            yield somebody


@pytest.fixture(scope="module")
def page(visitor: Visitor) -> Page:
    def hear(dialog: Dialog) -> None:
        visitor.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    found = visitor.page()
    found.on("dialog", hear)
    return found


def look(page: Page, path: str) -> str:
    """All text of a page, whatever is folded; and no script, frame or address on it is of an alert's making."""
    page.goto(path)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.removeAttribute('name'); one.open = true })")
    page.evaluate("document.querySelectorAll('main *').forEach(one => one.dispatchEvent(new MouseEvent('mouseover', {bubbles: true})))")
    base = page.evaluate("location.origin + '/static/'")
    assert all(source.startswith(base) for source in page.eval_on_selector_all("script", WHERE_FROM))
    assert page.locator("main :is(iframe, object, embed, base, meta, link, style, svg, math, img, textarea)").count() == 0
    addresses = page.eval_on_selector_all(
        "main [href], main [action], main [src]", "all => all.map(one => one.href || one.action || one.src)"
    )
    assert [one for one in addresses if not one.startswith(("http://127.0.0.1", "https://sentry.io/organizations/"))] == []
    attributes = page.eval_on_selector_all(
        "main *", "all => all.flatMap(one => one.getAttributeNames()).filter(name => name.startsWith('on'))"
    )
    assert attributes == []
    text: str = page.evaluate("document.querySelector('main').innerText")
    return text


@pytest.mark.parametrize("text", STRINGS)
def test_what_an_alert_says_shows_as_it_is_and_does_nothing(visitor: Visitor, page: Page, text: str) -> None:
    seen = as_words(look(page, f"/alerts/{EVENTS[text]}"))

    assert [one for one in said(text) if as_words(one) not in seen] == []
    assert visitor.complaints == []


def test_nor_does_it_in_the_list_in_a_rehearsal_or_in_a_search(visitor: Visitor, page: Page) -> None:
    for path in ("/alerts", f"/alerts/{EVENTS[STRINGS[0]]}/rehearsal"):
        look(page, path)
    for text in STRINGS[::4]:
        page.goto(f"/alerts?{urlencode({'q': text, 'project': text, 'level': text})}")
        assert page.get_by_role("searchbox").input_value() == text
    listed = as_words(look(page, "/alerts"))

    assert [text for text in STRINGS if as_words(f"title {text}") not in listed] == []
    assert visitor.complaints == []


def as_words(text: str) -> str:
    """Without regard to blanks: how many there are is the layout's."""
    return " ".join(text.split())
