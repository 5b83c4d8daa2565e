"""Signing in: who may, how often one may try, and how the first admin comes in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine

from app import create_app
from storage import audit, users
from storage.kept_secrets import kept_secret
from storage.users import Role, UserError
from tests.test_app import make_settings
from tests.web.console import PASSWORD, Browser, make_app, make_user, signed_in
from web.pages.sign_in import SESSION_KEY, first_admin_token, say_first_admin

ISSUER = {
    "OIDC_ISSUER": "https://issuer.example",
    "OIDC_CLIENT_ID": "console",
    "OIDC_CLIENT_SECRET": "secret",
    "PUBLIC_URL": "https://alerts.example.com",
}


@pytest.fixture
def app(sqlite_url: str) -> Flask:
    return make_app(sqlite_url)


def test_whoever_is_not_signed_in_is_sent_there_and_comes_back(app: Flask, stored: Engine) -> None:
    make_user(stored)
    browser = Browser(app)

    sent = browser.get("/?a=1")
    back = browser.post(sent.location, name="admin", password=PASSWORD)

    assert (sent.status_code, sent.location) == (302, "/sign-in?next=/?a%3D1")
    assert (back.status_code, back.location) == (302, "/?a=1")
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(
    "address", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/%0aevil\n", "//[", "/\t/evil.example"]
)
def test_nobody_is_sent_to_another_site(app: Flask, stored: Engine, address: str) -> None:
    make_user(stored)
    browser = Browser(app)

    answer = browser.client.post(
        "/sign-in", query_string={"next": address}, data={"csrf_token": browser.token(), "name": "admin", "password": PASSWORD}
    )

    assert answer.location == "/"


@pytest.mark.parametrize(("name", "password"), [("admin", "wrong"), ("nobody", PASSWORD), ("", ""), ("admin", ""), ("\0", PASSWORD)])
def test_a_wrong_name_or_password_is_refused_in_the_same_words(app: Flask, stored: Engine, name: str, password: str) -> None:
    make_user(stored)

    answer = Browser(app).sign_in(name, password)

    assert answer.status_code == 401
    assert "No one has this name and this password." in answer.get_data(as_text=True)


def test_a_name_is_the_same_however_it_is_spelt(app: Flask, stored: Engine) -> None:
    make_user(stored, name="Ann")

    assert Browser(app).sign_in(" ANN ").status_code == 302
    with pytest.raises(UserError, match="already"):
        make_user(stored, name="aNN")


def test_after_five_tries_in_a_minute_one_has_to_wait(app: Flask, stored: Engine) -> None:
    make_user(stored)
    browser = Browser(app)

    statuses = [browser.sign_in("admin", "wrong").status_code for _ in range(6)]

    assert statuses == [401] * 5 + [429]
    assert browser.sign_in("admin").status_code == 429


def test_a_name_has_no_more_tries_for_being_spelt_in_other_ways(app: Flask, stored: Engine) -> None:
    make_user(stored)
    browser = Browser(app)

    statuses = [browser.sign_in(name, "wrong").status_code for name in ("admin", " admin", "admin ", "ADMIN", "\uff41dmin", "  admin")]

    assert statuses == [401] * 5 + [429]
    assert browser.sign_in("another", "wrong").status_code == 401


def test_after_a_week_one_signs_in_anew_however_busy(sqlite_url: str) -> None:
    browser = signed_in(sqlite_url)
    app = browser.client.application
    at = app.extensions["desk"]

    statuses = []
    for hours in (160, 169):
        later = datetime.now(UTC) + timedelta(hours=hours)
        app.extensions["desk"] = replace(at, clock=lambda later=later: later)
        statuses.append(browser.get("/").status_code)

    assert statuses == [200, 302]


@pytest.mark.parametrize(
    ("changes", "is_said"),
    [
        ({}, True),
        ({"CONSOLE_OPEN_ON_LOOPBACK": "true"}, False),
        ({**ISSUER, "OIDC_ADMINS": "platform"}, False),
        (ISSUER, True),
        ({"PROXY_USER_HEADER": "X-User", "PROXY_ADDRESSES": "10.0.0.7", "PROXY_ROLE": "admin"}, False),
        ({"PROXY_USER_HEADER": "X-User", "PROXY_ADDRESSES": "10.0.0.7"}, True),
    ],
)
def test_the_log_says_how_the_first_admin_comes_in_where_nobody_else_would_become_one(
    sqlite_url: str, capsys: pytest.CaptureFixture[str], *, changes: dict[str, str], is_said: bool
) -> None:
    settings = make_settings(sqlite_url, **changes)

    say_first_admin(create_app(settings), settings)

    out = capsys.readouterr()
    assert ("/first-admin/" in out.out + out.err) is is_said


def test_signing_out_ends_the_session(sqlite_url: str) -> None:
    browser = signed_in(sqlite_url)

    browser.post("/sign-out")

    assert browser.get("/").status_code == 302


@pytest.mark.parametrize("change", [{"password": "another password"}, {"role": Role.VIEWER}, {"is_active": False}])
def test_a_change_of_somebody_ends_their_sessions(sqlite_url: str, stored: Engine, change: dict[str, object]) -> None:
    browser = signed_in(sqlite_url, Role.OPERATOR)
    make_user(stored, name="boss")
    user = users.named(stored, "operator")
    assert user

    users.change(stored, user.id, datetime.now(UTC), **change)  # type: ignore[arg-type]

    assert browser.get("/").status_code == 302


def test_the_last_admin_stays_one(stored: Engine) -> None:
    user = make_user(stored)

    with pytest.raises(UserError, match="last admin"):
        users.change(stored, user.id, datetime.now(UTC), role=Role.VIEWER)

    assert users.has_admin(stored)


def test_the_first_admin_comes_in_by_a_link_that_works_once(app: Flask, stored: Engine) -> None:
    link = f"/first-admin/{first_admin_token(kept_secret(stored, SESSION_KEY))}"
    browser = Browser(app)

    short = browser.post(link, name="ann", password="short")
    made = browser.post(link, name="ann", password=PASSWORD)

    assert (short.status_code, made.status_code, made.location) == (400, 302, "/")
    assert "a password has 12 to 1000 characters" in short.get_data(as_text=True)
    assert browser.get("/").status_code == 200
    assert Browser(app).get(link).status_code == 404
    assert [(entry.who, entry.action, entry.subject) for entry in audit.listed(stored)] == [("ann", "user.add", "user ann")]


def test_a_wrong_link_makes_nobody_an_admin(app: Flask) -> None:
    assert Browser(app).get("/first-admin/0123456789abcdef0123456789abcdef").status_code == 404
