from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from storage import database
from storage.database import Lock, SchemaError, check_schema, exclusive, open_database, turn, upgrade
from storage.tables import metadata


def test_the_migrations_make_exactly_the_tables_of_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert differences == []


def test_a_database_of_this_revision_passes(engine: Engine) -> None:
    check_schema(engine)

    assert database.current_revision(engine) == database.REVISION


def test_an_empty_database_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/new/router.db")

    with pytest.raises(SchemaError, match=r"at revision none, this code needs .*: run `flask db upgrade`"):
        check_schema(engine)


def test_a_database_that_is_not_there_is_refused_with_the_reason() -> None:
    engine = open_database("postgresql+psycopg://nobody@127.0.0.1:1/none")

    with pytest.raises(SchemaError, match="the database cannot be opened"):
        check_schema(engine)


def test_upgrading_twice_at_once_upgrades_once(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/router.db")
    racers = [threading.Thread(target=upgrade, args=(engine,)) for _ in range(2)]

    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    check_schema(engine)


def test_sqlite_keeps_what_it_committed() -> None:
    engine = open_database("sqlite://")

    with engine.connect() as connection:
        synchronous = connection.execute(text("PRAGMA synchronous")).scalar_one()

    full = 2
    assert synchronous == full


def test_exclusive_transactions_take_turns(engine: Engine) -> None:
    inside, order = threading.Event(), []

    def second() -> None:
        inside.wait()
        with exclusive(engine, Lock.MIGRATION):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with exclusive(engine, Lock.MIGRATION):
        inside.set()
        thread.join(0.2)
        order.append("first")
    thread.join()

    assert order == ["first", "second"]


def test_only_one_at_a_time_has_its_turn_and_the_next_one_waits_for_it(engine: Engine) -> None:
    inside, order = threading.Event(), []

    def second() -> None:
        inside.wait()
        with turn(engine, Lock.PLANNER) as connection:
            order.append("second" if connection else "nobody")

    thread = threading.Thread(target=second)
    thread.start()
    with turn(engine, Lock.PLANNER):
        inside.set()
        thread.join(0.2)
        order.append("first")
    thread.join()

    assert order == ["first", "second"]


def test_who_waits_too_long_for_its_turn_goes_without(engine: Engine) -> None:
    with turn(engine, Lock.PLANNER) as ours, turn(engine, Lock.PLANNER) as not_ours, turn(engine, Lock.MIGRATION) as another:
        assert ours
        assert not_ours is None
        assert another


def test_a_turn_holds_up_nobody_who_writes(engine: Engine) -> None:
    with turn(engine, Lock.PLANNER), engine.begin() as writing:
        assert writing.execute(text("DELETE FROM cooldowns")).rowcount == 0


def test_a_turn_ends_with_a_fault(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), turn(engine, Lock.PLANNER):
        raise ZeroDivisionError

    with turn(engine, Lock.PLANNER) as connection:
        assert connection
