"""What the tests of the web process share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Connection, Engine, event

from storage.database import open_database

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""A password takes a fifth of a second by design, and nearly every test here signs somebody in."""


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same algorithm, with less to do."""
    monkeypatch.setattr("storage.users._hasher", CHEAP)


@pytest.fixture
def stored(sqlite_url: str) -> Iterator[Engine]:
    """What the application of a test keeps."""
    engine = open_database(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def closed_at_the_end() -> Iterator[None]:
    """An application keeps its connections for as long as its process lives; those of a test end with it."""
    used: set[Engine] = set()

    def remember(connection: Connection) -> None:
        used.add(connection.engine)

    event.listen(Engine, "engine_connect", remember)
    yield
    event.remove(Engine, "engine_connect", remember)
    for engine in used:
        engine.dispose()
