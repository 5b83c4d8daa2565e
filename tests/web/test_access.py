"""Nobody sees or changes what is not theirs to: for every path that there is, so that a new one cannot forget."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.routing import Rule

from storage.users import Role
from tests.web.console import SAME_SITE, Browser, make_app, signed_in
from web import access
from web.addresses import client_address
from web.security import HEADERS

FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
OPEN = {
    "console.sign_in",
    "console.sign_out",
    "console.first_admin",
    "console.oidc_begin",
    "console.oidc_back",
    "console.dark_by_system",
    "console.choose_theme",
    "console.static",
}
"""Those that whoever is not signed in may ask for."""


PROXY = {"PROXY_USER_HEADER": "X-Forwarded-User", "PROXY_ADDRESSES": "10.0.0.0/24,127.0.0.9", "PROXY_ROLE": "operator"}


@pytest.fixture
def app(sqlite_url: str) -> Flask:
    return make_app(sqlite_url)


def rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("console.")]


def address(rule: Rule) -> str:
    """An address of it; it need not lead to anything that is there."""
    _, path = rule.build(dict.fromkeys(rule.arguments, 1)) or ("", "")
    return path


def changing(app: Flask) -> list[tuple[str, str, Rule]]:
    return [(method, address(rule), rule) for rule in rules(app) for method in sorted((rule.methods or set()) - access.CHANGES_NOTHING)]


def test_only_what_is_known_to_be_open_is_open(app: Flask) -> None:
    found = {rule.endpoint for rule in rules(app) if access.needed_role(app.view_functions[rule.endpoint]) is None}

    assert found <= OPEN


def test_every_other_path_wants_somebody_who_is_signed_in(app: Flask) -> None:
    browser = Browser(app)

    let_in = [
        rule.endpoint
        for rule in rules(app)
        if rule.endpoint not in OPEN and "GET" in (rule.methods or ()) and browser.get(address(rule)).status_code != 302
    ]

    assert let_in == []


def test_no_change_is_made_without_a_session(app: Flask) -> None:
    browser = Browser(app)

    made = [
        (rule.endpoint, method)
        for method, path, rule in changing(app)
        if rule.endpoint not in OPEN
        and browser.client.open(path, method=method, data={"csrf_token": browser.token()}, headers=dict(SAME_SITE)).status_code != 401
    ]

    assert made == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_no_change_is_made_by_whoever_has_not_the_role(sqlite_url: str, role: Role) -> None:
    browser = signed_in(sqlite_url, role)
    app = browser.client.application

    made = [
        (rule.endpoint, method)
        for method, path, rule in changing(app)
        if (needed := access.needed_role(app.view_functions[rule.endpoint]))
        and needed.rank > role.rank
        and browser.client.open(path, method=method, data={"csrf_token": browser.token()}, headers=dict(SAME_SITE)).status_code != 403
    ]

    assert made == []


@pytest.mark.parametrize(("headers", "has_token"), [(dict(SAME_SITE), False), (FOREIGN, True), ({"Origin": "null"}, True)])
def test_no_change_is_made_for_another_site_or_without_a_token(sqlite_url: str, headers: dict[str, str], *, has_token: bool) -> None:
    browser = signed_in(sqlite_url)
    token = browser.token()

    made = [
        (rule.endpoint, method)
        for method, path, rule in changing(browser.client.application)
        if browser.client.open(path, method=method, data={"csrf_token": token} if has_token else {}, headers=headers).status_code != 400
    ]

    assert made == []


def test_every_answer_that_a_browser_may_show_has_the_headers(app: Flask) -> None:
    for path in ("/", "/sign-in", "/theme.css", "/static/console.css", "/nowhere", "/api/v1/openapi.json"):
        answer = Browser(app).get(path)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path


def test_over_https_cookies_are_for_https_only(sqlite_url: str) -> None:
    browser = Browser(make_app(sqlite_url, PUBLIC_URL="https://alerts.example.com"))

    answer = browser.get("/sign-in")

    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-")
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_change_may_be_asked_for_at_the_address_that_a_proxy_serves(sqlite_url: str) -> None:
    browser = Browser(make_app(sqlite_url, PUBLIC_URL="http://alerts.example.com"))
    path, token = "/theme", browser.token()

    ours, foreign = (
        browser.client.post(path, data={"csrf_token": token, "theme": "dark"}, headers={"Origin": origin})
        for origin in ("http://alerts.example.com", "http://alerts.example.com.evil.example")
    )

    assert (ours.status_code, foreign.status_code) == (302, 400)


def test_an_origin_that_is_none_is_a_foreign_one(app: Flask) -> None:
    browser = Browser(app)

    answers = [
        browser.post("/theme", headers={"Origin": origin}, theme="dark").status_code
        for origin in ("http://[", "localhost", "//localhost", "http://localhost@evil.example", "http://evil.example://localhost", "")
    ]

    assert answers == [400] * 6


class TestWhileTheDatabaseIsAway:
    AWAY = "postgresql+psycopg://router:secret@127.0.0.1:1/router"

    @pytest.mark.parametrize("path", ["/", "/sign-in", "/alerts"])
    @pytest.mark.parametrize("has_key", [False, True])
    def test_people_get_a_page_that_says_so(self, path: str, *, has_key: bool) -> None:
        app = make_app(self.AWAY, CONSOLE_OPEN_ON_LOOPBACK="true")
        app.testing, app.secret_key = False, "as it was read before" if has_key else None

        answer = Browser(app).client.get(path, follow_redirects=True)

        assert (answer.status_code, answer.mimetype) == (500, "text/html")
        text = answer.get_data(as_text=True)
        assert "The database may not answer" in text
        assert "secret" not in text

    @pytest.mark.parametrize("path", ["/theme.css", "/static/console.css"])
    def test_that_page_has_its_colours(self, path: str) -> None:
        assert Browser(make_app(self.AWAY)).get(path).status_code == 200


class TestOnLoopback:
    def test_it_is_open_where_the_settings_say_so(self, sqlite_url: str) -> None:
        browser = Browser(make_app(sqlite_url, CONSOLE_OPEN_ON_LOOPBACK="true"))

        assert browser.get("/").status_code == 200

    @pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"X-Forwarded-For": "10.0.0.1"}, {"Forwarded": "for=10.0.0.1"}])
    def test_not_to_who_comes_by_another_name_or_through_a_proxy(self, sqlite_url: str, headers: dict[str, str]) -> None:
        browser = Browser(make_app(sqlite_url, CONSOLE_OPEN_ON_LOOPBACK="true"))

        assert browser.get("/", **headers).status_code == 302

    def test_not_to_another_machine(self, sqlite_url: str) -> None:
        browser = Browser(make_app(sqlite_url, CONSOLE_OPEN_ON_LOOPBACK="true"))

        assert browser.client.get("/", environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 302


class TestBehindAProxy:
    def test_whom_it_names_is_signed_in(self, sqlite_url: str) -> None:
        browser = Browser(make_app(sqlite_url, **PROXY))

        answer = browser.client.get("/", headers={"X-Forwarded-User": "ann"}, environ_base={"REMOTE_ADDR": "10.0.0.7"})

        assert answer.status_code == 200
        assert "ann (operator)" in answer.get_data(as_text=True)

    def test_its_address_may_be_written_as_one_of_ipv6(self, sqlite_url: str) -> None:
        browser = Browser(make_app(sqlite_url, **PROXY))

        answer = browser.client.get("/", headers={"X-Forwarded-User": "ann"}, environ_base={"REMOTE_ADDR": "::ffff:10.0.0.7"})

        assert answer.status_code == 200

    def test_another_address_is_not_believed(self, sqlite_url: str) -> None:
        browser = Browser(make_app(sqlite_url, **PROXY))

        assert browser.get("/", **{"X-Forwarded-User": "ann"}).status_code == 302

    @pytest.mark.parametrize(
        ("peer", "passed_on", "expected"),
        [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("10.0.0.7", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.7", "1.1.1.1, 198.51.100.1, 10.0.0.8", "198.51.100.1"),
            ("::ffff:10.0.0.7", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.7", "198.51.100.1, unknown", "10.0.0.7"),
            ("10.0.0.7", "", "10.0.0.7"),
        ],
    )
    def test_who_asks_is_whom_the_proxy_has_seen(self, sqlite_url: str, peer: str, passed_on: str, expected: str) -> None:
        app = make_app(sqlite_url, **PROXY)

        with app.test_request_context("/", environ_base={"REMOTE_ADDR": peer}, headers={"X-Forwarded-For": passed_on}):
            assert client_address() == expected

    def test_one_who_tries_passwords_takes_no_tries_of_others(self, sqlite_url: str) -> None:
        browser = Browser(make_app(sqlite_url, PROXY_ADDRESSES="127.0.0.1"))

        def status(address: str) -> int:
            fields = {"csrf_token": browser.token(), "name": "admin", "password": "wrong"}
            return browser.client.post("/sign-in", data=fields, headers={**SAME_SITE, "X-Forwarded-For": address}).status_code

        assert [status("198.51.100.1") for _ in range(6)] == [401] * 5 + [429]
        assert status("198.51.100.2") == 401
