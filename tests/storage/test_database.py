from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

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


def test_a_database_of_a_later_version_passes_for_what_is_there_only_grows(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))

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


def test_a_turn_of_one_that_is_frozen_goes_to_the_next(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "FROZEN_SECONDS", 1)
    frozen, next_one = open_database(postgresql_url), open_database(postgresql_url)

    with turn(frozen, Lock.PLANNER) as connection:
        assert connection
        time.sleep(1.5)  # as a process that is stopped
        with turn(next_one, Lock.PLANNER) as taken:
            assert taken
        with pytest.raises(DBAPIError):
            connection.execute(text("SELECT 1"))

    with turn(frozen, Lock.PLANNER) as again:
        assert again
    frozen.dispose()
    next_one.dispose()


def test_a_turn_leaves_the_session_as_it_was(postgresql_url: str) -> None:
    engine = open_database(postgresql_url, pool_size=1)
    limits = text("SELECT current_setting('idle_session_timeout'), current_setting('idle_in_transaction_session_timeout')")

    with turn(engine, Lock.PLANNER) as connection:
        assert connection
        within = connection.execute(limits).one()

    with engine.connect() as after:
        assert (tuple(within), tuple(after.execute(limits).one())) == (("8s", "8s"), ("0", "0"))
    engine.dispose()


def test_two_paths_to_one_file_are_one_turn(sqlite_url: str) -> None:
    path = Path(make_url(sqlite_url).database or "")
    (path.parent / "link.db").symlink_to(path)
    engine, by_link = open_database(sqlite_url), open_database(f"sqlite:///{path.parent}/link.db")

    with turn(engine, Lock.PLANNER) as ours, turn(by_link, Lock.PLANNER) as theirs:
        assert (ours is not None, theirs) == (True, None)
    engine.dispose()
    by_link.dispose()


def test_a_turn_ends_with_a_fault(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), turn(engine, Lock.PLANNER):
        raise ZeroDivisionError

    with turn(engine, Lock.PLANNER) as connection:
        assert connection
