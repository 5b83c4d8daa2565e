"""Signing in at an issuer: who comes in, as what, and which tokens are believed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from routing.alert import Json
from storage import audit, users
from storage.users import Role, User
from tests.stand_ins.issuer import CLIENT, CLIENT_SECRET, Issuer
from tests.stand_ins.server import Server
from tests.web.console import Browser, make_app, make_user

NO_TRUST = "cannot be trusted"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Server(Issuer()) as server:
        server.app.url = server.url
        yield server.app


@pytest.fixture
def browser(sqlite_url: str, issuer: Issuer) -> Browser:
    return make_browser(sqlite_url, issuer)


def make_browser(database_url: str, issuer: Issuer, **changes: str) -> Browser:
    settings = {
        "OIDC_ISSUER": issuer.url,
        "OIDC_CLIENT_ID": CLIENT,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "PUBLIC_URL": "http://localhost",
        "OIDC_ADMINS": "platform",
        "OIDC_OPERATORS": "shop,payments",
        **changes,
    }
    return Browser(make_app(database_url, **settings))


def sign_in(browser: Browser, issuer: Issuer, following: str = "/") -> TestResponse:
    begun = browser.client.get("/sign-in/oidc", query_string={"next": following})
    assert begun.status_code == 302, begun.get_data(as_text=True)
    return browser.get(issuer.authorize(begun.location))


def said(browser: Browser, answer: TestResponse) -> str:
    """Why nobody was signed in, as the page says it that one is sent to."""
    assert (answer.status_code, answer.location) == (302, "/sign-in")
    return browser.get("/sign-in").get_data(as_text=True)


def who(engine: Engine, issuer: Issuer) -> User:
    found = users.of_subject(engine, issuer.url, "u-1")
    assert found
    return found


def test_whoever_the_issuer_sends_is_signed_in_and_comes_back(browser: Browser, issuer: Issuer, stored: Engine) -> None:
    page = browser.get("/sign-in").get_data(as_text=True)
    answer = sign_in(browser, issuer, "/?a=1")

    assert "Sign in with your organization" in page
    assert (answer.status_code, answer.location) == (302, "/?a=1")
    assert "ann (viewer)" in browser.get("/").get_data(as_text=True)
    user = who(stored, issuer)
    assert (user.name, user.origin, user.role) == ("ann", issuer.url, Role.VIEWER)
    assert [(one.who, one.action, one.subject) for one in audit.listed(stored)] == [("ann", "user.add", "user ann")]


@pytest.mark.parametrize(
    ("claim", "claims", "role"),
    [
        ("groups", {"groups": ["shop", "others"]}, Role.OPERATOR),
        ("groups", {"groups": ["shop", "platform"]}, Role.ADMIN),
        ("groups", {"groups": "platform"}, Role.ADMIN),
        ("groups", {"groups": ["Platform"]}, Role.VIEWER),
        ("groups", {"groups": [{"platform": 1}, None, 7]}, Role.VIEWER),
        ("realm_access.roles", {"realm_access": {"roles": ["payments"]}}, Role.OPERATOR),
        ("https://acme/roles", {"https://acme/roles": ["platform"]}, Role.ADMIN),
        ("realm_access.roles", {"realm_access": ["platform"]}, Role.VIEWER),
    ],
)
def test_a_claim_decides_the_role(
    sqlite_url: str, issuer: Issuer, stored: Engine, *, claim: str, claims: dict[str, Json], role: Role
) -> None:
    issuer.claims |= claims

    sign_in(make_browser(sqlite_url, issuer, OIDC_ROLE_CLAIM=claim), issuer)

    assert who(stored, issuer).role is role


@pytest.mark.parametrize(("about", "role"), [("u-1", Role.ADMIN), ("u-2", Role.VIEWER)])
def test_the_claim_may_be_in_userinfo_if_that_is_about_the_same_person(
    browser: Browser, issuer: Issuer, stored: Engine, about: str, role: Role
) -> None:
    issuer.more = {"sub": about, "groups": ["platform"]}

    sign_in(browser, issuer)

    assert who(stored, issuer).role is role


def test_the_role_is_that_of_each_sign_in_and_ends_the_sessions_of_before(
    sqlite_url: str, browser: Browser, issuer: Issuer, stored: Engine
) -> None:
    issuer.claims["groups"] = ["platform"]
    sign_in(browser, issuer)
    issuer.claims["groups"] = []
    another = make_browser(sqlite_url, issuer)
    sign_in(another, issuer)

    assert who(stored, issuer).role is Role.VIEWER
    assert browser.get("/").status_code == 302
    assert another.get("/").status_code == 200
    assert audit.listed(stored)[0].action == "user.role"


def test_somebody_who_was_switched_off_stays_out_whatever_their_name_is_by_now(browser: Browser, issuer: Issuer, stored: Engine) -> None:
    make_user(stored, name="boss")
    sign_in(browser, issuer)
    users.change(stored, who(stored, issuer).id, datetime.now(UTC), is_active=False)
    issuer.claims["preferred_username"] = "another"

    answer = sign_in(browser, issuer)

    assert "switched off" in said(browser, answer)
    assert browser.get("/").status_code == 302


def test_the_same_name_at_the_issuer_and_here_is_two_people(browser: Browser, issuer: Issuer, stored: Engine) -> None:
    make_user(stored, name="ann")

    sign_in(browser, issuer)
    issuer.claims = {"sub": "u-2", "preferred_username": "Ann"}
    sign_in(browser, issuer)

    assert [(one.name, one.subject) for one in users.listed(stored)] == [("ann", None), ("ann", "u-1"), ("ann (u-2)", "u-2")]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"claims": {"aud": "another"}}, NO_TRUST),
        ({"claims": {"aud": ["another", "third"], "azp": CLIENT}}, NO_TRUST),
        ({"claims": {"aud": [CLIENT, "another"], "azp": "another"}}, NO_TRUST),
        ({"claims": {"iss": "https://evil.example"}}, NO_TRUST),
        ({"claims": {"nonce": "another"}}, NO_TRUST),
        ({"without": ("nonce",)}, NO_TRUST),
        ({"without": ("aud",)}, NO_TRUST),
        ({"without": ("iss",)}, NO_TRUST),
        ({"without": ("exp",)}, NO_TRUST),
        ({"without": ("sub",)}, NO_TRUST),
        ({"claims": {"exp": int(time.time()) - 200, "iat": int(time.time()) - 900}}, NO_TRUST),
        ({"header": {"alg": "none"}}, NO_TRUST),
        ({"header": {"alg": "none"}, "described": {"id_token_signing_alg_values_supported": ["none", "RS256"]}}, NO_TRUST),
        ({"header": {"alg": "HS256"}, "described": {"id_token_signing_alg_values_supported": ["HS256", "RS256"]}}, NO_TRUST),
        ({"signs_with": RSAKey.generate_key(2048, {"kid": "k1"})}, NO_TRUST),
        ({"has_id_token": False}, "did not say who you are"),
        ({"claims": {"sub": "x" * 256}}, "more than OpenID Connect allows"),
        ({"claims": {"preferred_username": "a\u0000b"}}, "a name has 1 to 100 characters"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, dict) else "",
)
def test_a_token_that_is_wrong_signs_nobody_in(
    browser: Browser, issuer: Issuer, stored: Engine, wrong: dict[str, object], words: str
) -> None:
    for name, value in wrong.items():
        setattr(issuer, name, {**issuer.claims, **value} if name == "claims" and isinstance(value, dict) else value)

    answer = sign_in(browser, issuer)

    assert words in said(browser, answer)
    assert users.listed(stored) == ()
    assert browser.get("/").status_code == 302


def test_a_token_for_several_may_be_for_us(browser: Browser, issuer: Issuer) -> None:
    issuer.claims |= {"aud": [CLIENT, "another"], "azp": CLIENT}

    assert sign_in(browser, issuer).location == "/"


def test_the_way_back_is_for_the_browser_that_began_and_works_once(sqlite_url: str, browser: Browser, issuer: Issuer) -> None:
    back = issuer.authorize(browser.get("/sign-in/oidc").location)
    other = make_browser(sqlite_url, issuer)

    stolen, forged = other.get(back), browser.get(back.replace("state=", "state=x"))
    first, again = browser.get(back), browser.get(back)

    assert [one.location for one in (stolen, forged, first, again)] == ["/sign-in", "/sign-in", "/", "/sign-in"]
    assert "begin again" in said(other, stolen)


def test_a_code_of_another_sign_in_is_refused(browser: Browser, issuer: Issuer) -> None:
    first = issuer.authorize(browser.get("/sign-in/oidc").location)
    second = issuer.authorize(browser.get("/sign-in/oidc").location)

    mixed = second.replace("code-1", "code-0")

    assert mixed != second
    assert browser.get(mixed).location == "/sign-in"
    assert browser.get(first).location == "/sign-in"


def test_a_browser_that_begins_again_and_again_keeps_the_last_ones(browser: Browser, issuer: Issuer) -> None:
    begun = [browser.get("/sign-in/oidc").location for _ in range(6)]

    assert browser.get(issuer.authorize(begun[0])).location == "/sign-in"
    assert browser.get(issuer.authorize(begun[-2])).location == "/"


@pytest.mark.parametrize(("error", "words"), [("access_denied", "turned it down"), ("server_error", "could not sign you in")])
def test_what_the_address_says_is_not_repeated(browser: Browser, error: str, words: str) -> None:
    answer = browser.client.get("/sign-in/oidc/back", query_string={"error": error, "error_description": "Call 555 0100"})

    page = said(browser, answer)
    assert words in page
    assert "555" not in page


@pytest.mark.parametrize("address", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_nobody_is_sent_to_another_site(browser: Browser, issuer: Issuer, address: str) -> None:
    assert sign_in(browser, issuer, address).location == "/"


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"issuer": "https://evil.example"}, "calls itself otherwise"),
        ({"authorization_endpoint": None}, "as no issuer should"),
        ({"id_token_signing_alg_values_supported": 7}, "as no issuer should"),
    ],
)
def test_an_issuer_that_is_set_up_wrongly_is_said(browser: Browser, issuer: Issuer, described: dict[str, Json], words: str) -> None:
    issuer.described = described

    answer = browser.get("/sign-in/oidc")

    assert words in said(browser, answer)


def test_an_issuer_that_is_away_keeps_nobody_from_a_password(sqlite_url: str, stored: Engine) -> None:
    make_user(stored)
    browser = make_browser(sqlite_url, Issuer(url="http://127.0.0.1:1"))

    answer = browser.get("/sign-in/oidc")

    assert "does not answer" in said(browser, answer)
    assert browser.sign_in("admin").status_code == 302


def test_without_an_issuer_there_is_no_such_way(sqlite_url: str) -> None:
    browser = Browser(make_app(sqlite_url))

    assert [browser.get(path).status_code for path in ("/sign-in/oidc", "/sign-in/oidc/back")] == [404, 404]
    assert "organization" not in browser.get("/sign-in").get_data(as_text=True)
