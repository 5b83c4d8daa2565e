"""The console as a person in front of a browser has it: signed in, with a role."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from app import create_app
from storage import users
from storage.database import open_database
from storage.users import Role, User
from tests.test_app import make_settings

PASSWORD = "correct horse battery"
SAME_SITE: Mapping[str, str] = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}


def make_app(database_url: str, **changes: str) -> Flask:
    app = create_app(make_settings(database_url, **changes))
    app.testing = True
    return app


def make_user(engine: Engine, role: Role = Role.ADMIN, name: str = "") -> User:
    return users.add(engine, name or role.value, role, datetime.now(UTC), password=PASSWORD)


class Browser:
    """A browser without a screen or script, that keeps cookies and fills in forms."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers=headers, buffered=True)

    def token(self) -> str:
        """The CSRF token of this session, as every page has it."""
        text = self.client.get("/sign-in", follow_redirects=True).get_data(as_text=True)
        return text.partition('name="csrf_token" value="')[2].partition('"')[0]

    def post(self, path: str, headers: Mapping[str, str] = SAME_SITE, **fields: str) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token(), **fields}, headers=dict(headers))

    def sign_in(self, name: str, password: str = PASSWORD) -> TestResponse:
        return self.post("/sign-in", name=name, password=password)


def signed_in(database_url: str, role: Role = Role.ADMIN, **changes: str) -> Browser:
    """A browser in which somebody of this role has signed in."""
    engine = open_database(database_url)
    make_user(engine, role)
    engine.dispose()
    browser = Browser(make_app(database_url, **changes))
    assert browser.sign_in(role.value).status_code == 302
    return browser
