"""The pages about rules in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifiers.registry import KINDS
from routing.rules_loading import load
from storage import rules_edits, rules_versions
from tests.factories import event_alert_webhook
from tests.service import ROOT, Service, environment
from tests.storage.planned import plan_all, store
from tests.web.browser import Visitor, visited


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Visitor]:
    """Somebody who looks at the shipped rules after one alert, while an edit of them was refused."""
    folder = tmp_path_factory.mktemp("rules")
    database = folder / "router.db"
    database.write_bytes(sqlite_template.read_bytes())
    variables = environment(f"sqlite:///{database}", "redis://127.0.0.1:1/0", CONSOLE_OPEN_ON_LOOPBACK="true")
    now, text = datetime.now(UTC), (ROOT / "rules.yaml").read_text(encoding="utf-8")
    rules = load(text, kinds=KINDS, environment={})
    with Service(environment=variables, folder=folder) as service:
        rules_versions.remember(
            service.database, "before", {"": text.replace("severity: critical", "severity: info")}, now - timedelta(days=1)
        )
        rules_versions.remember(service.database, rules.version, {"": text}, now)
        store(service.database, event_alert_webhook(), at=now)
        plan_all(service.database, rules, at=now)
        problems = 'rules.yaml:148:5: rules.critical-error.notify: no receiver "slack-eror"; did you mean "slack-errors"?'
        rules_edits.refuse(service.database, file="rules.yaml", problems=problems, by="worker-a", now=now)
        service.start_web()
        with visited(service) as somebody:
            yield somebody


@pytest.mark.parametrize(
    ("name", "path"), [("rules", "/rules"), ("rules-try", "/rules/try?event=1"), ("rules-versions", "/rules/versions?from=before&to={}")]
)
def test_a_page_is_whole_in_light_and_dark_on_desk_and_phone(visitor: Visitor, name: str, path: str) -> None:
    version = load((ROOT / "rules.yaml").read_text(encoding="utf-8"), kinds=KINDS, environment={}).version

    visitor.shoot(path.format(version), name)

    assert visitor.complaints == []


def test_a_rule_is_edited_and_tried_without_script(visitor: Visitor) -> None:
    page = visitor.page(has_script=False)
    page.goto("/rules/try")
    page.get_by_label("Rules", exact=True).fill(
        page.get_by_label("Rules", exact=True).input_value().replace("tags.critical:true", "level:debug")
    )
    page.get_by_label("Event").fill("1")
    page.get_by_role("button", name="Try").click()

    row = page.get_by_role("row", name="critical-error").filter(has_text="met in force")
    assert "level" in row.inner_text()


def test_what_would_happen_follows_what_is_written(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/rules/try")
    page.get_by_label("Event").fill("1")

    page.get_by_role("heading", name="What each rule says").wait_for()
    assert "Would be matched" in page.locator("#outcome").inner_text()


def test_the_outcome_looks_right(visitor: Visitor) -> None:
    """A page that comes of a form has no address to be shot by, so this is its picture."""
    page = visitor.page()
    page.goto("/rules/try?event=1")
    page.get_by_role("button", name="Try").click()
    page.get_by_role("heading", name="What each rule says").wait_for()
    page.screenshot(path=ROOT / "build" / "screenshots" / "rules-tried-light-desktop.png", full_page=True)
