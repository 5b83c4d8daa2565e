"""The database: whether it answers, takes what is written, has our tables, and keeps what it has said it keeps."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sqlalchemy import Engine

from storage import database, database_state
from storage.database import OutOfReachError
from storage.database_state import FileState, ServerState
from watch.doctor.finding import Finding, Says
from watch.doctor.patient import Patient

SAYS = Says(group="database")
SLOW_SECONDS = 0.1
LITTLE, TOO_LITTLE = 1024**3, 100 * 1024**2
"""Bytes of a disk that are left."""
LONG_JOURNAL = 1024**3
NEARLY_ALL = 0.8
OLDEST = 13
"""PostgreSQL's own support ends with each version after five years."""

_SAFE = {
    "fsync": ({"on"}, "what was accepted may be lost when the machine fails", "set fsync = on in postgresql.conf"),
    "synchronous_commit": (
        {"on", "remote_apply", "remote_write", "local"},
        "what was accepted may be lost when the server fails",
        "set synchronous_commit = on, for the server, this database and this user",
    ),
    "full_page_writes": ({"on"}, "a torn page may damage tables when the machine fails", "set full_page_writes = on in postgresql.conf"),
    "server_encoding": ({"UTF8"}, "texts of alerts cannot be stored", "make the database anew with ENCODING 'UTF8'"),
}


def look(patient: Patient) -> Iterator[Finding]:
    """Reachable, revision, write, latency, and what matters of its kind."""
    engine = patient.engine
    if engine is None:
        yield SAYS.fault("reachable", patient.engine_fault, "see to DATA_DIR or DATABASE_URL")
        return
    began = time.monotonic()
    try:
        revision = database.current_revision(engine)
    except OutOfReachError as error:
        yield SAYS.fault("reachable", str(error), _how_to_reach(engine))
        return
    yield SAYS.ok("reachable", f"{engine.dialect.name}, {_kind(engine)}")
    if revision is None or revision < database.REVISION:
        seen = f"the tables are at revision {revision or 'none'}, this code needs {database.REVISION}"
        yield SAYS.fault("revision", seen, "run `flask db upgrade`")
        return
    ahead = "" if revision == database.REVISION else f", ahead of this code's {database.REVISION}"
    yield SAYS.ok("revision", f"{revision}{ahead}")
    yield _latency(engine, began)
    if why := database_state.why_unwritable(engine):
        way_out = "see who holds its lock, whether its disk is full, and whether this user may write there"
        yield SAYS.fault("write", f"it takes nothing: {why}", way_out)
    else:
        yield SAYS.ok("write", "a row was written and taken back")
    yield from _of_file(engine) if engine.dialect.name == "sqlite" else _of_server(engine)


def _latency(engine: Engine, began: float) -> Finding:
    first = time.monotonic() - began
    began = time.monotonic()
    database.current_revision(engine)
    seconds = min(first, time.monotonic() - began)
    seen = f"{seconds * 1000:.0f} ms for a question"
    if seconds < SLOW_SECONDS:
        return SAYS.ok("latency", seen)
    return SAYS.warning("latency", seen, "bring the database nearer, or see what keeps it busy: Sentry waits one second for an answer")


def _of_file(engine: Engine) -> Iterator[Finding]:
    try:
        found = database_state.file_state(engine)
    except OutOfReachError as error:
        yield SAYS.fault("file", str(error), "see to the folder's permissions")
        return
    if found is None:
        yield SAYS.warning("file", "it is in memory: all is lost with the process", "set DATA_DIR or DATABASE_URL")
        return
    yield _journal(found)
    yield _permissions(found)
    yield _disk(found)


def _journal(found: FileState) -> Finding:
    if found.journal != "wal":
        seen = f"journal_mode is {found.journal}, so readers and the writer wait for each other"
        return SAYS.warning("journal", seen, "put the file on a local disk: WAL does not work on network file systems")
    if found.journal_size > LONG_JOURNAL:
        way_out = "end whoever keeps a transaction open for long (a shell with sqlite3?), and restart the service"
        return SAYS.warning("journal", f"WAL of {_bytes(found.journal_size)}, which somebody keeps from being written back", way_out)
    return SAYS.ok("journal", f"WAL of {_bytes(found.journal_size)}")


def _permissions(found: FileState) -> Finding:
    if found.is_open_to_all:
        seen = f"{found.path} is open to everybody on this machine ({found.mode:o}), and holds what alerts say of people"
        return SAYS.warning("permissions", seen, f"chmod o= {found.path}*, and umask 027 for the service")
    return SAYS.ok("permissions", f"{found.path}, {found.mode:o}")


def _disk(found: FileState) -> Finding:
    seen = f"{_bytes(found.free)} free, the database has {_bytes(found.size)}"
    way_out = f"make room on the disk of {found.path.parent}, or run `flask prune`"
    if found.free < TOO_LITTLE:
        return SAYS.fault("disk", seen, way_out)
    return SAYS.warning("disk", seen, way_out) if found.free < LITTLE else SAYS.ok("disk", seen)


def _of_server(engine: Engine) -> Iterator[Finding]:
    try:
        found = database_state.server_state(engine)
    except OutOfReachError as error:
        yield SAYS.fault("server", str(error), "see the server's log")
        return
    yield _version(found)
    if found.is_replica:
        yield SAYS.fault("replica", "the server is a replica, and takes nothing", "let DATABASE_URL lead to the primary")
    for name, (good, effect, way_out) in _SAFE.items():
        value = found.settings[name]
        yield SAYS.ok(name, value) if value in good else SAYS.fault(name, f"{value}: {effect}", way_out)
    used = found.connections / found.most_connections
    seen = f"{found.connections} of {found.most_connections} in use"
    way_out = "raise max_connections, or put PgBouncer (session mode) in front"
    yield SAYS.warning("connections", seen, way_out) if used > NEARLY_ALL else SAYS.ok("connections", seen)


def _version(found: ServerState) -> Finding:
    major = int(found.version.partition(".")[0].partition(" ")[0])
    if major < OLDEST:
        return SAYS.warning("version", f"PostgreSQL {found.version}", f"take {OLDEST} or newer: this one gets no fixes any more")
    return SAYS.ok("version", f"PostgreSQL {found.version}")


def _kind(engine: Engine) -> str:
    """Where it is, without user and password."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database or "in memory")
    return f"{engine.url.host or 'local socket'}, {engine.url.database}"


def _how_to_reach(engine: Engine) -> str:
    if engine.dialect.name == "sqlite":
        return "see to DATA_DIR: whether the folder is there, and this user may write in it"
    return "see whether it runs, to host, user and password in DATABASE_URL, and to pg_hba.conf and firewalls"


def _bytes(number: int) -> str:
    size = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
