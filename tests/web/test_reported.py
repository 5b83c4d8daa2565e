"""What is reported of a request of the console says who made it; what takes webhooks knows nobody, and does no more for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import Engine

from app import make_receiver
from storage import users
from storage.users import Role
from tests.stand_ins.sentry import Intake
from tests.stand_ins.server import Server
from tests.telemetry.reports import Fact, as_before, dsn, member, reported
from tests.test_app import make_settings
from tests.web.console import PASSWORD, Browser, make_app
from web.access import person


@pytest.fixture
def intake() -> Iterator[Server[Intake]]:
    with as_before(), Server(Intake()) as server:
        yield server


def console(intake: Server[Intake], database_url: str, **changes: str) -> Flask:
    """With two pages that fail: one that has looked who asks, and one that has not."""
    app = make_app(database_url, SENTRY_DSN=dsn(intake), SENTRY_PROFILES_SAMPLE_RATE="0", **changes)

    @app.get("/fails")
    def fails() -> str:
        raise KeyError(person() is None)

    @app.get("/fails/at/once")
    def fails_at_once() -> str:
        raise LookupError

    return app


def failure(intake: Server[Intake], transaction: str) -> Fact:
    return next(event for event in reported(intake) if event["transaction"] == transaction)


def test_a_report_says_by_whom_a_page_was_asked_in_which_session_and_from_which_network(
    intake: Server[Intake], database_url: str, engine: Engine
) -> None:
    browser = Browser(console(intake, database_url))
    ann = users.add(engine, "ann@example.com", Role.OPERATOR, datetime.now(UTC), password=PASSWORD)
    browser.sign_in("ann@example.com")

    with pytest.raises(KeyError):
        browser.get("/fails")

    event = failure(intake, "fails")
    assert event["user"] == {"id": str(ann.id), "role": "operator"}
    assert len(str(member(event, "tags", "session"))) == 12
    assert member(event, "contexts", "client", "address") == "127.0.0.0"
    assert "ann@example.com" not in str(event)


def test_nobody_is_taken_for_who_asked_before(intake: Server[Intake], database_url: str, engine: Engine) -> None:
    app = console(intake, database_url)
    users.add(engine, "ann", Role.ADMIN, datetime.now(UTC), password=PASSWORD)
    signed_in, stranger = Browser(app), Browser(app)
    signed_in.sign_in("ann")
    signed_in.get("/alerts")

    with pytest.raises(LookupError):
        stranger.get("/fails/at/once")

    event = failure(intake, "fails_at_once")
    assert not event.get("user")
    assert member(event, "tags", "session") == "none"


def test_one_session_has_one_name(intake: Server[Intake], database_url: str, engine: Engine) -> None:
    app = console(intake, database_url)
    users.add(engine, "ann", Role.ADMIN, datetime.now(UTC), password=PASSWORD)
    first, second = Browser(app), Browser(app)
    for browser in (first, second):
        browser.sign_in("ann")

    for path in ("/fails", "/fails/at/once"):
        with pytest.raises(LookupError):
            first.get(path)

    names = {member(event, "tags", "session") for event in reported(intake)}
    assert len(names) == 1
    assert names != {"none"}


def test_what_takes_webhooks_does_nothing_for_it(intake: Server[Intake], sqlite_url: str) -> None:
    app = console(intake, sqlite_url)
    receiver = make_receiver(make_settings(sqlite_url, SENTRY_DSN=dsn(intake)), lambda _resource, _body: 1)

    assert [one for one in app.before_request_funcs[None] if "reported" in one.__qualname__]
    assert not receiver.before_request_funcs
    assert not receiver.teardown_request_funcs


def test_without_a_dsn_the_console_does_nothing_for_it_either(sqlite_url: str) -> None:
    names = [one.__qualname__ for one in make_app(sqlite_url).before_request_funcs.get(None, [])]

    assert [name for name in names if "reported" in name] == []
