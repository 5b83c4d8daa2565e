"""The API as a program has it: a token, JSON, and nothing that a browser keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from routing.alert import Json
from storage import rules_versions, tokens
from storage.database import open_database
from storage.tokens import Scope
from tests.factories import NOW
from tests.web.console import make_app


class Program:
    """One that has a token of this scope, or none."""

    def __init__(self, app: Flask, engine: Engine, scope: Scope | None = Scope.READ) -> None:
        self.client = app.test_client(use_cookies=False)
        self.headers = {"Authorization": f"Bearer {make_token(engine, scope)}"} if scope else {}

    def get(self, path: str, **query: str) -> TestResponse:
        return self.client.get(f"/api/v1{path}", headers=self.headers, query_string=query)

    def post(self, path: str, body: Json = None) -> TestResponse:
        return self.client.post(f"/api/v1{path}", headers=self.headers, **({} if body is None else {"json": body}))


def make_token(engine: Engine, scope: Scope = Scope.READ, *, now: datetime | None = None, expires_at: datetime | None = None) -> str:
    """The text of a new one, by name like its scope."""
    _, plain = tokens.add(engine, f"a {scope} token", scope, now or datetime.now(UTC), made_by="ann", expires_at=expires_at)
    return plain


RULES = """\
version: 1
receivers: {chat: {kind: slack, channel: '#a'}}
rules: [{name: one, when: 'payment', notify: [chat]}]
"""


def put_in_force(engine: Engine, text: str = RULES) -> str:
    """Rules, as a worker does; their version."""
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    rules_versions.remember(engine, version, {"": text}, NOW)
    return version


@contextmanager
def api(database_url: str, **changes: str) -> Iterator[tuple[Flask, Engine]]:
    """An application, and its database."""
    engine, app = open_database(database_url), make_app(database_url, **changes)
    yield app, engine
    app.extensions["desk"].engine.dispose()
    engine.dispose()
