"""How much is stored is measured by one, and known to all."""

from __future__ import annotations

from sqlalchemy import Engine

from storage.sizes import last_measured, measure
from tests.factories import NOW
from tests.storage.planned import make_many


def test_nobody_knows_before_it_was_measured(engine: Engine) -> None:
    assert last_measured(engine) is None


def test_what_was_measured_is_rows_bytes_and_the_oldest_by_kind(engine: Engine) -> None:
    make_many(engine, 1, 2, 3)

    found = measure(engine, NOW)
    kinds = {one.name: one for one in found.kinds}

    assert last_measured(engine) == found
    assert {name: one.rows for name, one in kinds.items()} == {"events": 3, "notifications": 3, "incidents": 3, "audit": 0}
    assert all(one.bytes for one in found.kinds)
    assert found.total_bytes is not None
    assert sum(one.bytes or 0 for one in found.kinds) < found.total_bytes
    assert kinds["events"].oldest == min(filter(None, (one.oldest for one in found.kinds)))
    assert kinds["audit"].oldest is None
    assert (found.free_bytes is None) == (engine.dialect.name == "postgresql")
