"""Opens the database and says whether its tables are those of this code."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

REVISION = "0004"
"""The newest migration; `flask db upgrade` brings a database to it. They are numbered, and each only adds to what was there."""

ANSWER_MILLISECONDS = 800
"""Under the second that Sentry waits (sentry-webhooks, 3.1), so that a refusal still reaches it."""

TURN_SECONDS = 1.0
"""How long to wait for the turn: the caller has other duties, and somebody else is doing this one."""

FROZEN_SECONDS = 8
"""Whoever has its turn and says nothing to the server for so long, or is not reached by it, has lost it. Vendors are asked for less."""

SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    # FULL: a commit is on the disk when it returns, which is what the 202 promises.
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={ANSWER_MILLISECONDS}",
)


class Lock(IntEnum):
    """What only one may do at a time; numbers of our own among PostgreSQL's advisory locks."""

    MIGRATION = 1952545900
    PLANNER = 1952545901


class SchemaError(Exception):
    """The database cannot be used: it is out of reach, or its tables are not those of this code. The text says what to do."""


class OutOfReachError(SchemaError):
    """It cannot be asked, so nobody knows what tables it has."""


def open_database(url: str, *, pool_size: int = 5, must_answer: bool = False) -> Engine:
    """An engine for SQLite or PostgreSQL with the settings on which the promises rest. Opens no connection yet.

    `must_answer` is for the process that Sentry waits for: what takes longer than it may is given up and raises, and each statement
    is a transaction by itself, because to begin and to end one would be two more round trips.

    Raises:
        SchemaError: the folder of an SQLite file cannot be made.
    """
    address = make_url(url)
    at_once = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None} if must_answer else {}
    if address.get_backend_name() == "sqlite":
        return _open_sqlite(address, must_answer=must_answer, pool_size=pool_size, **at_once)
    limits = f"-c statement_timeout={ANSWER_MILLISECONDS} -c lock_timeout={ANSWER_MILLISECONDS}" if must_answer else ""
    return create_engine(
        address,
        pool_size=pool_size,
        # Who must answer tries again by itself, and saves this round trip, too.
        pool_pre_ping=not must_answer,
        pool_timeout=1 if must_answer else 30,
        connect_args={
            "connect_timeout": 1,
            "options": limits,
            "tcp_user_timeout": ANSWER_MILLISECONDS if must_answer else 5000,
            # Firewalls forget a connection that is silent, and then its first statement hangs.
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 2,
        },
        **at_once,
    )


@contextmanager
def exclusive(engine: Engine, lock: Lock) -> Iterator[Connection]:
    """A transaction that runs alone among those with the same lock number; whoever dies inside lets go of it."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock.value})
        else:
            # SQLite has one writer: to be it from the start is to be alone, and nothing read here is out of date when written.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


@contextmanager
def turn(engine: Engine, lock: Lock) -> Iterator[Connection | None]:
    """A connection in no transaction, whose holder is alone among those with the same lock number; None if somebody else keeps the lock.

    Unlike `exclusive` it holds up nobody who only wants to write. Whoever dies inside lets go of it.
    """
    with engine.connect() as connection:
        take = _turn_on_server if connection.dialect.name == "postgresql" else _turn_on_file
        with take(connection, lock) as is_ours:
            yield connection if is_ours else None


@contextmanager
def _turn_on_server(connection: Connection, lock: Lock) -> Iterator[bool]:
    def is_ours() -> bool:
        with connection.begin():
            return bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": lock.value}).scalar_one())

    if not _comes(is_ours):
        yield False
        return
    try:
        _be_watched(connection)
        yield True
    finally:
        try:
            connection.rollback()
            resets = "; ".join(f"RESET {name}" for name in _watches(connection))
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({lock.value}); {resets}")
            connection.commit()
        except DBAPIError:
            connection.invalidate()  # with the session the lock ends, too


def _be_watched(connection: Connection) -> None:
    """Let the server end this session, and with it the turn, where this process is frozen or its machine is gone."""
    with connection.begin():
        connection.exec_driver_sql("; ".join(f"SET {name} = {value}" for name, value in _watches(connection).items()))


def _watches(connection: Connection) -> Mapping[str, int]:
    """By the server's settings: https://www.postgresql.org/docs/current/runtime-config-client.html and ...-connection.html."""
    third, milliseconds = FROZEN_SECONDS // 3, FROZEN_SECONDS * 1000
    watches = {"tcp_keepalives_idle": third, "tcp_keepalives_interval": third, "tcp_keepalives_count": 2}
    watches |= {"tcp_user_timeout": milliseconds, "idle_in_transaction_session_timeout": milliseconds}
    # PostgreSQL 13 has no such setting: there a planner that is frozen between its statements keeps its turn.
    is_of_14 = (connection.dialect.server_version_info or (0,)) >= (14,)
    return watches | ({"idle_session_timeout": milliseconds} if is_of_14 else {})


@contextmanager
def _turn_on_file(connection: Connection, lock: Lock) -> Iterator[bool]:
    """By a file beside the database: a lock in the database itself would be a transaction that writes."""
    # Resolved, so that all spellings of the path share one lock file.
    path = Path(f"{Path(connection.engine.url.database or '').resolve()}-{lock.name.lower()}.lock")
    with path.open("wb") as file:

        def is_ours() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        yield _comes(is_ours)


def _comes(is_ours: Callable[[], bool]) -> bool:
    """Whether the turn comes soon."""
    until = time.monotonic() + TURN_SECONDS
    while not is_ours():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def check_schema(engine: Engine) -> None:
    """Do nothing if the tables have all that this code wants: they may be those of a later one, beside which it works.

    Raises:
        SchemaError: they are older or missing; says what to run.
    """
    found = current_revision(engine)
    if found is None or found < REVISION:
        raise SchemaError(f"the database is at revision {found or 'none'}, this code needs {REVISION}: run `flask db upgrade`")


def current_revision(engine: Engine) -> str | None:
    """The migration that the database is at, None if it is empty.

    Raises:
        OutOfReachError: it cannot be asked.
    """
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    except DBAPIError as error:
        raise OutOfReachError(f"the database cannot be opened: {in_words(error)}") from error


@contextmanager
def faults_in_words(engine: Engine) -> Iterator[None]:
    """For commands: what a database raises inside becomes a sentence.

    Raises:
        SchemaError: with what is wrong and what to do.
    """
    try:
        yield
    except DBAPIError as error:
        check_schema(engine)
        raise SchemaError(f"the database failed: {in_words(error)}") from error


def upgrade(engine: Engine) -> None:
    """Bring the tables to this code's revision; two at once take turns.

    Raises:
        SchemaError: the database is out of reach, or newer than this code.
    """
    from alembic import command  # noqa: PLC0415 - alembic costs 0.1 s, and only this needs it
    from alembic.config import Config  # noqa: PLC0415 - the same
    from alembic.util import CommandError  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    found = current_revision(engine)
    try:
        with exclusive(engine, Lock.MIGRATION) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError:
        raise SchemaError(f"the database is at revision {found}, which is newer than this code: run the newer code") from None


def _open_sqlite(address: URL, *, must_answer: bool, **options: object) -> Engine:
    if address.database and address.database != ":memory:":
        _make_folder(Path(address.database).parent)
    engine = create_engine(address, **options)
    event.listen(engine, "connect", _set_pragmas)
    _watch_file(engine, Path(address.database or ":memory:"))
    if must_answer:
        event.listen(engine, "connect", _wait_elsewhere)
    return engine


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SchemaError(f"the folder {path} of the database cannot be made: {error.strerror}; set DATA_DIR or DATABASE_URL") from None


def in_words(error: Exception) -> str:
    """What went wrong, without statement and parameters."""
    if isinstance(error, DBAPIError):
        return " ".join(str(error.orig).split())
    return getattr(error, "strerror", None) or type(error).__name__


def _wait_elsewhere(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """`storage.intake` tries again by itself, in shorter steps than SQLite would."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=2")
    cursor.close()


def _set_pragmas(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _watch_file(engine: Engine, file: Path) -> None:
    """Write to no file that was deleted or replaced: what goes there is lost with this process, however well it was committed."""

    def identity() -> tuple[int, int] | None:
        try:
            found = file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def remember(_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info["file"] = identity()

    def check(connection: Connection) -> None:
        if connection.info["file"] != identity():
            connection.invalidate()
            raise DisconnectionError(f"{file} is another file now: the old one was deleted or replaced")

    event.listen(engine, "connect", remember)
    event.listen(engine, "begin", check)
