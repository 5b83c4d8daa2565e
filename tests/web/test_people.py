"""People, tokens and the audit: what admins change there, and what everybody may change of themselves."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from storage import audit, tokens, users
from storage.tokens import Scope
from storage.users import Role, User
from tests.web.console import PASSWORD, SAME_SITE, Browser, make_user, signed_in

NEW = "another good password"


@pytest.fixture
def admin(sqlite_url: str) -> Browser:
    return signed_in(sqlite_url)


def found(engine: Engine, name: str) -> User:
    user = users.named(engine, name)
    assert user
    return user


def noted(engine: Engine) -> list[tuple[str, str, str]]:
    return [(one.who, one.action, one.subject) for one in audit.listed(engine)]


def test_an_admin_lets_somebody_in(admin: Browser, stored: Engine) -> None:
    answer = admin.post("/people", name="Ann", password=PASSWORD, role="operator")

    assert answer.location == "/people"
    assert "ann may sign in" in admin.get("/people").get_data(as_text=True)
    assert found(stored, "ann").role is Role.OPERATOR
    assert Browser(admin.client.application).sign_in("ann").status_code == 302
    assert noted(stored) == [("admin", "user.add", "user ann")]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "ann", "password": "short", "role": "viewer"}, "12 to 1000 characters"),
        ({"name": " ", "password": PASSWORD, "role": "viewer"}, "a name has"),
        ({"name": "ADMIN", "password": PASSWORD, "role": "viewer"}, "called admin already"),
        ({"name": "ann", "password": PASSWORD, "role": "emperor"}, "no such role"),
    ],
)
def test_what_makes_no_sense_is_said(admin: Browser, stored: Engine, fields: dict[str, str], words: str) -> None:
    answer = admin.post("/people", SAME_SITE, **fields)

    assert answer.status_code == 400
    page = answer.get_data(as_text=True)
    assert words in page
    assert PASSWORD not in page
    assert len(users.listed(stored)) == 1


@pytest.mark.parametrize(
    ("act", "fields", "action"),
    [
        ("role", {"role": "admin"}, "user.role"),
        ("password", {"password": NEW}, "user.password"),
        ("off", {}, "user.off"),
    ],
)
def test_a_change_ends_the_sessions_of_whom_it_is_about(
    admin: Browser, stored: Engine, act: str, fields: dict[str, str], action: str
) -> None:
    ann = make_user(stored, Role.OPERATOR, "ann")
    hers = Browser(admin.client.application)
    hers.sign_in("ann")

    admin.post(f"/people/{ann.id}/{act}", SAME_SITE, **fields)

    assert hers.get("/").status_code == 302
    assert noted(stored) == [("admin", action, "user ann")]
    assert NEW not in audit.listed(stored)[0].detail


def test_who_was_switched_off_comes_back_when_switched_on(admin: Browser, stored: Engine) -> None:
    ann = make_user(stored, Role.VIEWER, "ann")
    hers = Browser(admin.client.application)

    admin.post(f"/people/{ann.id}/off")
    assert hers.sign_in("ann").status_code == 401
    admin.post(f"/people/{ann.id}/on")

    assert hers.sign_in("ann").status_code == 302


def test_the_last_admin_cannot_lock_everybody_out(admin: Browser, stored: Engine) -> None:
    me = found(stored, "admin")

    for act, fields in (("off", {}), ("role", {"role": "viewer"})):
        admin.post(f"/people/{me.id}/{act}", SAME_SITE, **fields)
        assert "last admin" in admin.get(f"/people/{me.id}").get_data(as_text=True)

    assert found(stored, "admin") == users.named(stored, "admin")
    assert found(stored, "admin").is_active
    assert noted(stored) == []


def test_whoever_signs_in_elsewhere_gets_no_password_here(admin: Browser, stored: Engine) -> None:
    ann = users.add(stored, "ann", Role.VIEWER, datetime.now(UTC), origin="https://issuer.example", subject="u-1")

    admin.post(f"/people/{ann.id}/password", password=NEW)

    assert "without a password" in admin.get(f"/people/{ann.id}").get_data(as_text=True)
    assert Browser(admin.client.application).sign_in("ann", NEW).status_code == 401


def test_everybody_changes_their_own_password(sqlite_url: str, stored: Engine) -> None:
    browser = signed_in(sqlite_url, Role.VIEWER)
    elsewhere = Browser(browser.client.application)
    elsewhere.sign_in("viewer")

    wrong = browser.post("/people/me/password", old="wrong", password=NEW)
    short = browser.post("/people/me/password", old=PASSWORD, password="short")
    right = browser.post("/people/me/password", old=PASSWORD, password=NEW)

    assert [one.status_code for one in (wrong, short, right)] == [400, 400, 302]
    assert browser.get("/people/me").status_code == 200
    assert elsewhere.get("/").status_code == 302
    assert elsewhere.sign_in("viewer", NEW).status_code == 302
    assert noted(stored) == [("viewer", "user.password", "user viewer")]


def test_ones_own_password_cannot_be_guessed_in_an_open_browser(sqlite_url: str) -> None:
    browser = signed_in(sqlite_url, Role.VIEWER)

    statuses = [browser.post("/people/me/password", old="wrong", password=NEW).status_code for _ in range(6)]

    assert statuses == [400] * 5 + [429]


def test_one_signs_out_everywhere_else(sqlite_url: str) -> None:
    browser = signed_in(sqlite_url, Role.VIEWER)
    elsewhere = Browser(browser.client.application)
    elsewhere.sign_in("viewer")

    browser.post("/people/me/sign-out")

    assert (browser.get("/").status_code, elsewhere.get("/").status_code) == (200, 302)


def test_a_token_is_shown_once(admin: Browser, stored: Engine) -> None:
    made = admin.post("/people/tokens", name="ci", scope="operate", lasts="90")

    plain = re.findall(r"sar_[\w-]{43}", made.get_data(as_text=True))
    later = admin.get("/people/tokens").get_data(as_text=True)
    assert len(plain) == 1
    assert made.headers["Cache-Control"] == "no-store"
    assert "sar_" not in later
    assert "ci" in later
    token = tokens.holder(stored, plain[0], datetime.now(UTC))
    assert token
    assert (token.scope, token.made_by) == (Scope.OPERATE, "admin")
    assert token.expires_at
    assert 89 <= (token.expires_at - datetime.now(UTC)).days <= 90
    entry = audit.listed(stored)[0]
    assert (entry.action, entry.detail) == ("token.add", "ci, operate, 90 days")


def test_a_token_that_is_revoked_opens_nothing(admin: Browser, stored: Engine) -> None:
    plain = re.findall(r"sar_[\w-]{43}", admin.post("/people/tokens", name="ci", scope="read", lasts="").get_data(as_text=True))[0]
    asked = {"Authorization": f"Bearer {plain}"}

    before = admin.client.get("/api/v1/events", headers=asked)
    admin.post("/people/tokens/1/revoke")
    again = admin.post("/people/tokens/1/revoke")

    assert (before.status_code, admin.client.get("/api/v1/events", headers=asked).status_code, again.status_code) == (200, 401, 404)
    assert [action for _, action, _ in noted(stored)] == ["token.revoke", "token.add"]


@pytest.mark.parametrize("fields", [{"scope": "all", "lasts": ""}, {"scope": "read", "lasts": "9999999"}, {"lasts": ""}, {"scope": "read"}])
def test_a_token_of_no_such_scope_or_time_is_not_made(admin: Browser, stored: Engine, fields: dict[str, str]) -> None:
    assert admin.post("/people/tokens", SAME_SITE, name="ci", **fields).status_code == 400
    assert tokens.listed(stored) == ()


def test_the_audit_goes_on_by_the_number_of_the_last_entry(admin: Browser, stored: Engine) -> None:
    for number in range(150):
        audit.record(stored, at=datetime.now(UTC), who="ann", origin="here", action="silence.add", subject=f"silence <{number}>")

    first = admin.get("/audit").get_data(as_text=True)
    older = re.findall(r'href="(/audit\?before=\d+)"', first)
    second = admin.get(older[0]).get_data(as_text=True)

    shown = [re.findall(r"silence &lt;(\d+)&gt;", page) for page in (first, second)]
    assert [int(number) for page in shown for number in page] == [*range(149, -1, -1)]
    assert "Older" not in second
    assert admin.get("/audit?before=nonsense").status_code == 200
