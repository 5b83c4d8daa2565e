"""A short torture: all that can fail does, while webhooks come; `make torture` takes longer over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.__main__ import run

SEED = 20261126


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_whatever_befalls_it_the_service_loses_and_doubles_nothing(tmp_path: Path, database: str) -> None:
    report = run(tmp_path, seed=SEED, webhooks=500, database=database, calm_seconds=0.5)

    assert report.verdict.faults == (), report.table
    assert report.accepted >= 500
    assert len(report.befell) >= 7
