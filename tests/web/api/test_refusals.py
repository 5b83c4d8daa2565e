"""The API: who may ask, and how it is said what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine
from werkzeug.routing import Rule

from storage.refusals import counted
from storage.tokens import Scope
from tests.storage.test_refusals import eventually
from tests.web.console import signed_in
from tests.web.programs import Program, api, make_token
from tests.web.test_access import address
from web.api.operations import operation_of

SOON = timedelta(hours=1)
OPEN = {"api.describe"}
"""Those that need no token."""


class TestWhoMayAsk:
    def rules(self, app: Flask) -> Iterator[tuple[str, str, Rule]]:
        for rule in app.url_map.iter_rules():
            if rule.endpoint.startswith("api."):
                for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
                    yield method, address(rule), rule

    def test_every_path_says_which_scope_it_needs(self, app: Flask) -> None:
        said = {rule.endpoint: operation_of(app.view_functions[rule.endpoint]) for _, _, rule in self.rules(app)}

        assert len(said) > 15
        assert {endpoint for endpoint, one in said.items() if one is None} == set()
        assert {endpoint for endpoint, one in said.items() if one and one.scope is None} == OPEN
        changes = {rule.endpoint for method, _, rule in self.rules(app) if method != "GET"}
        looks = {"api.preview_silence", "api.check_rules", "api.explain"}
        assert {endpoint for endpoint in changes - looks if (one := said[endpoint]) and one.scope is Scope.READ} == set()

    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer sar_wrong", "Basic YTpi", "bearer \x80", "Token x"])
    def test_without_a_good_token_nothing_is_answered(self, app: Flask, header: str | None) -> None:
        headers = {} if header is None else {"Authorization": header}

        answers = {
            rule.endpoint: app.test_client().open(path, method=method, headers=headers, json={})
            for method, path, rule in self.rules(app)
            if rule.endpoint not in OPEN
        }

        assert {endpoint: one.status_code for endpoint, one in answers.items() if one.status_code != 401} == {}
        assert all(one.headers["WWW-Authenticate"].startswith("Bearer") for one in answers.values())

    @pytest.mark.parametrize("scope", [Scope.READ, Scope.OPERATE])
    def test_with_too_small_a_scope_nothing_is_answered(self, app: Flask, engine: Engine, scope: Scope) -> None:
        program = Program(app, engine, scope)

        statuses = {
            rule.endpoint: program.client.open(path, method=method, headers=program.headers, json={}).status_code
            for method, path, rule in self.rules(app)
            if (said := operation_of(app.view_functions[rule.endpoint])) and said.scope and not scope.covers(said.scope)
        }

        assert set(statuses.values()) == {403}

    def test_a_session_counts_for_nothing(self, sqlite_url: str) -> None:
        browser = signed_in(sqlite_url)

        answer = browser.get("/api/v1/events")

        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers

    def test_nor_does_this_machine_or_a_proxy(self, sqlite_url: str) -> None:
        changes = {"CONSOLE_OPEN_ON_LOOPBACK": "true", "PROXY_USER_HEADER": "X-User", "PROXY_ADDRESSES": "127.0.0.1"}
        with api(sqlite_url, **changes) as (app, _):
            assert app.test_client().get("/api/v1/events", headers={"X-User": "ann"}).status_code == 401

    def test_a_token_that_has_expired_is_none(self, app: Flask, engine: Engine) -> None:
        yesterday = datetime.now(UTC) - timedelta(days=1)
        plain = make_token(engine, now=yesterday, expires_at=yesterday + SOON)

        answer = app.test_client().get("/api/v1/events", headers={"Authorization": f"Bearer {plain}"})

        assert answer.status_code == 401
        assert "error=invalid_token" in answer.headers["WWW-Authenticate"]


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("method", "path", "sent", "status"),
        [
            ("GET", "/nowhere", {}, 404),
            ("GET", "/events/99", {}, 404),
            ("GET", "/events/99999999999999999999", {}, 404),
            ("DELETE", "/events", {}, 405),
            ("POST", "/silences", {"data": "{}", "content_type": "text/plain"}, 415),
            ("POST", "/silences", {"data": "{", "content_type": "application/json"}, 400),
            ("POST", "/silences", {"data": b'"\xff"', "content_type": "application/json"}, 400),
            ("POST", "/silences", {"json": {}}, 422),
            ("POST", "/silences", {"json": []}, 422),
            ("POST", "/silences", {"data": "x" * 6_000_000, "content_type": "application/json"}, 413),
            ("GET", "/events?limit=0", {}, 422),
            ("GET", "/events?limti=1", {}, 422),
            ("GET", "/events?cursor=nonsense", {}, 422),
            ("GET", "/events?cursor=W3RydWVd", {}, 422),  # [true]
            ("GET", "/notifications?since=0001-01-01T00:00:00%2B14:00", {}, 422),
            ("POST", "/notifications/requeue", {"json": {"all": "dead", "until": "9999-12-31T23:59:59-14:00"}}, 422),
            ("POST", "/silences", {"json": {"matchers": ["level:error"], "comment": "a", "ends_at": "9999-12-31T23:59:59-14:00"}}, 422),
            ("POST", "/rules/explain", {"json": {"event_id": 1, "body": {}}}, 422),
            ("POST", "/notifications/requeue", {"json": {"all": "dead", "ids": [1]}}, 422),
        ],
    )
    def test_it_is_said_as_rfc_9457_has_it(self, operator: Program, method: str, path: str, sent: dict[str, str], status: int) -> None:
        answer = operator.client.open(f"/api/v1{path}", method=method, headers=operator.headers, **sent)  # type: ignore[arg-type]

        assert answer.status_code == status
        assert answer.mimetype == "application/problem+json"
        assert answer.json
        assert answer.json["status"] == status
        assert answer.json["detail"]

    def test_a_fault_of_ours_is_said_without_what_it_was(self, app: Flask, reader: Program) -> None:
        app.testing = False

        def stumble() -> str:
            raise ZeroDivisionError

        app.view_functions["api.list_events"] = stumble

        answer = reader.get("/events")

        assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
        assert "Zero" not in answer.get_data(as_text=True)

    def test_who_asks_too_often_has_to_wait(self, app: Flask, engine: Engine) -> None:
        program = Program(app, engine, scope=None)

        answers = [program.client.get("/api/v1/openapi.json", headers={"Authorization": "Bearer x"}) for _ in range(601)]

        assert [one.status_code for one in answers] == [200] * 600 + [429]
        assert int(answers[-1].headers["Retry-After"]) <= 60
        assert answers[-1].mimetype == "application/problem+json"

    def test_it_is_not_counted_among_refused_webhooks(self, app: Flask, engine: Engine, reader: Program) -> None:
        reader.get("/nowhere")
        reader.get("/events/99")
        app.test_client().post("/webhooks/nobody")

        eventually(lambda: bool(counted(engine, limit=9)))
        assert [count for _, count in counted(engine, limit=9)] == [1]
