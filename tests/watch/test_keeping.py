"""What is old goes by itself, as the settings say."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine
from structlog.testing import capture_logs

from settings import Settings
from storage import audit
from storage.database import Lock, turn
from storage.sizes import last_measured
from tests.factories import NOW
from watch.keeping import measure, prune_old, retention

DAY = timedelta(days=1)
SETTINGS = Settings.from_variables({"ALLOW_UNSIGNED": "true", "RETAIN_RECORDS": "2w"})


def test_what_is_older_than_the_settings_say_goes_and_is_said(engine: Engine) -> None:
    audit.record(engine, at=NOW, who="ann", origin="x", action="silence.add", subject="1")

    with capture_logs() as lines:
        for days in (13, 15, 15):
            prune_old(engine, SETTINGS, lambda days=days: NOW + days * DAY)  # type: ignore[misc]  # mypy does not infer it

    assert lines == [{"event": "old_rows_pruned", "rows": {"audit": 1}, "log_level": "info"}]


def test_the_ages_are_those_of_the_settings() -> None:
    found = retention(SETTINGS)

    assert (found.bodies, found.events, found.records) == (30 * DAY, 90 * DAY, 14 * DAY)


def test_what_is_stored_is_measured(engine: Engine) -> None:
    measure(engine, lambda: NOW)

    found = last_measured(engine)
    assert found
    assert found.at == NOW


def test_the_planner_s_turn_is_given_back(engine: Engine) -> None:
    prune_old(engine, SETTINGS, lambda: NOW)

    with turn(engine, Lock.PLANNER) as connection:
        assert connection
