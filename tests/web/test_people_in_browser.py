"""People, tokens and the audit in a real browser: what they look like, and that a token made there opens the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage import audit, tokens, users
from storage.database import open_database
from storage.tokens import Scope
from storage.users import Role
from tests.service import Service, environment
from tests.web.browser import Visitor, visited
from tests.web.console import PASSWORD

PAGES = {"people": "/people", "person": "/people/1", "tokens": "/people/tokens", "audit": "/audit", "me": "/people/me"}


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Visitor]:
    folder = tmp_path_factory.mktemp("people")
    database = folder / "router.db"
    database.write_bytes(sqlite_template.read_bytes())
    furnish(f"sqlite:///{database}")
    variables = environment(f"sqlite:///{database}", "redis://127.0.0.1:1/0", CONSOLE_OPEN_ON_LOOPBACK="true")
    with Service(environment=variables, folder=folder) as service:
        service.start_web()
        with visited(service) as somebody:
            yield somebody


def furnish(database_url: str) -> None:
    """People, tokens and changes with long names among them."""
    engine, now = open_database(database_url), datetime.now(UTC)
    users.add(engine, "ann", Role.ADMIN, now, password=PASSWORD)
    issuer = "https://sign-in.acme-organization.example/realms/production"
    users.add(engine, "maria.fernandez-gonzalez@acme-organization.example", Role.OPERATOR, now, origin=issuer, subject="u-1")
    for name, scope in (("deploy", Scope.OPERATE), ("grafana, the panel on the wall of the office", Scope.READ)):
        tokens.add(engine, name, scope, now, made_by="ann", expires_at=now + timedelta(days=90))
    for number in range(30):
        detail = "project:shop level:warning until 2026-03-04 23:30 UTC"
        audit.record(
            engine,
            at=now - timedelta(minutes=number),
            who="ann",
            origin="here",
            action="silence.add",
            subject=f"silence {number}",
            detail=detail,
        )
    engine.dispose()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_in_light_and_dark_on_desk_and_phone(visitor: Visitor, name: str) -> None:
    visitor.shoot(PAGES[name], name)

    assert visitor.complaints == []


def test_a_token_that_is_made_there_opens_the_api_until_it_is_revoked(visitor: Visitor) -> None:
    page = visitor.page(has_script=False)
    page.goto("/people/tokens")
    page.get_by_label("For what").fill("a script")
    page.get_by_label("operate", exact=False).check()
    page.get_by_role("button", name="Make it").click()
    made = {"Authorization": f"Bearer {page.locator('#token').inner_text()}"}

    before = page.request.get("/api/v1/silences", headers=made)
    page.get_by_role("button", name="Revoke a script").click()
    after = page.request.get("/api/v1/silences", headers=made)

    assert (before.status, after.status) == (200, 401)
    assert page.get_by_text("The token a script is revoked.").is_visible()
