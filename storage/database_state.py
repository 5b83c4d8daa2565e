"""How the database does, as it says itself; nothing in it is changed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import SQLAlchemyError

from storage.database import OutOfReachError, in_words
from storage.tables import marks

_NEVER = "doctor:never-committed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """What matters of a PostgreSQL."""

    version: str
    settings: dict[str, str]
    """Those on which the promises rest: `fsync`, `synchronous_commit`, `full_page_writes`, `server_encoding`."""
    is_replica: bool
    connections: int
    most_connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """What matters of an SQLite file."""

    path: Path
    journal: str
    mode: int
    """Its permissions."""
    is_open_to_all: bool
    """Whether every user of the machine gets at it: its own permissions and those of all folders above let him."""
    size: int
    journal_size: int
    free: int
    """Of its disk, in bytes."""


def why_unwritable(engine: Engine) -> str:
    """What is said to whoever writes, empty if it would be taken: a row is written and taken back."""
    try:
        with engine.connect() as connection:
            connection.execute(insert(marks).values(name=_NEVER, at=datetime.now(UTC), value=""))
            connection.rollback()
    except SQLAlchemyError as error:
        return in_words(error)
    return ""


def server_state(engine: Engine) -> ServerState:
    """Of a PostgreSQL.

    Raises:
        OutOfReachError: it does not answer.
    """
    try:
        with engine.connect() as connection:
            names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "server_encoding", "max_connections")
            found = {name: str(connection.execute(text(f"SELECT current_setting('{name}')")).scalar_one()) for name in names}
            is_replica = bool(connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one())
            connections = int(
                connection.execute(text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")).scalar_one()
            )
    except SQLAlchemyError as error:
        raise OutOfReachError(f"the database cannot be asked: {in_words(error)}") from error
    version, most = found.pop("server_version"), int(found.pop("max_connections"))
    return ServerState(version=version, settings=found, is_replica=is_replica, connections=connections, most_connections=most)


def file_state(engine: Engine) -> FileState | None:
    """Of an SQLite file; None of one in memory.

    Raises:
        OutOfReachError: it cannot be read.
    """
    if not engine.url.database or engine.url.database == ":memory:":
        return None
    path = Path(engine.url.database)
    try:
        with engine.connect() as connection:
            journal = str(connection.execute(text("PRAGMA journal_mode")).scalar_one())
        found, wal = path.stat(), path.with_name(f"{path.name}-wal")
        journal_size = wal.stat().st_size if wal.exists() else 0
        free = shutil.disk_usage(path.parent).free
    except (SQLAlchemyError, OSError) as error:
        raise OutOfReachError(f"the database cannot be read: {in_words(error)}") from error
    is_open = bool(found.st_mode & 0o006) and all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)
    return FileState(
        is_open_to_all=is_open,
        path=path,
        journal=journal,
        mode=found.st_mode & 0o777,
        size=found.st_size,
        journal_size=journal_size,
        free=free,
    )
