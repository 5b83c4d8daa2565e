"""What the tests of the web process share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, event


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
