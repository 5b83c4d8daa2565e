"""Those who do the work: workers, what waits for them, and what waits on the disk for the database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from storage import figures, last_events, spool, troubles
from storage.figures import Figures
from storage.spool import FolderError, check_folder
from watch.doctor.finding import Finding, Says
from watch.doctor.patient import Patient

WORKERS, SPOOL = Says(group="workers"), Says(group="spool")
LATE = timedelta(minutes=1)
LITTLE = 1024**3
_START = "start `python worker.py`, or see its log: it says why it ended"


def look_at_workers(patient: Patient) -> Iterator[Finding]:
    """Alive, last plan, age of what waits, what was given up, who is told nothing for now."""
    if patient.engine is None:
        yield WORKERS.unchecked("alive", "there is no database to ask", "mend the database first")
        return
    now = patient.clock()
    try:
        found, last = figures.figures(patient.engine, now), last_events.last_events(patient.engine, 1000)
        noted = troubles.listed(patient.engine, is_open=True)
    except SQLAlchemyError as error:
        yield WORKERS.unchecked("alive", f"the database does not answer ({type(error).__name__})", "mend the database first")
        return
    yield WORKERS.ok("alive", f"{found.workers}") if found.workers else WORKERS.fault("alive", "none lives: nobody is told", _START)
    yield _last_plan(last.planned_at, now)
    yield _undecided(found, now)
    yield from _untold(found, now)
    yield from _given_up(found, now)
    for one in noted:
        seen = f"{one.said}, since {one.began_at:%Y-%m-%d %H:%M} UTC, told to {one.told_to or 'nobody'}"
        yield WORKERS.fault(f"trouble {one.check} {one.subject}".rstrip(), seen, one.way_out)


def _last_plan(planned_at: datetime | None, now: datetime) -> Finding:
    return WORKERS.ok("last plan", f"{_ago(now - planned_at)} ago" if planned_at else "nothing was decided yet")


def _undecided(found: Figures, now: datetime) -> Finding:
    age = now - found.waiting_since if found.waiting_since else timedelta()
    seen = f"{found.waiting} webhooks wait to be decided, the oldest for {_ago(age)}" if found.waiting else "nothing waits to be decided"
    if age < LATE:
        return WORKERS.ok("undecided", seen)
    return WORKERS.fault("undecided", seen, "see the worker's log (`sweep_failed`), and start it anew if it hangs")


def _untold(found: Figures, now: datetime) -> Iterator[Finding]:
    for lane, queue in found.queues.items():
        age = now - queue.oldest if queue.oldest else timedelta()
        if age < LATE:
            yield WORKERS.ok(f"lane {lane}", f"{queue.waiting} wait" if queue.waiting else "nothing waits")
        else:
            seen = f"{queue.waiting} messages wait, the oldest is due for {_ago(age)}"
            way_out = "see `closed` and the receivers below; else a vendor's limit (…_PER_MINUTE), or too few WORKER_THREADS"
            yield WORKERS.warning(f"lane {lane}", seen, way_out)


def _given_up(found: Figures, now: datetime) -> Iterator[Finding]:
    if found.failed:
        seen = f"{found.failed} events could not be decided"
        way_out = "the worker's log says why (`event_not_planned`); they are tried again when the rules or the code change"
        yield WORKERS.fault("failed", seen, way_out)
    if found.dead:
        seen = f"{found.dead} messages of the last day were given up, and told nobody else instead"
        way_out = "`flask notifications list --state dead` says why, `flask notifications requeue --all-dead` sends them again"
        yield WORKERS.warning("given up", seen, way_out)
    for one in found.closed:
        left = f"{_ago(one.until - now)} more"
        yield WORKERS.warning(f"closed {one.receiver}", f"it is told nothing for {left}: {one.why}", "see the receiver below")


def look_at_spool(patient: Patient) -> Iterator[Finding]:
    """The folder, what is in it, room on its disk."""
    folder = patient.settings.spool_dir
    if folder is None:
        yield _no_spool(patient.engine)
        return
    try:
        check_folder(folder)
        number, since = spool.waiting(folder)
        free = shutil.disk_usage(folder).free
    except (FolderError, OSError) as error:
        yield SPOOL.fault("folder", str(error), "give it to the user of the web process, or set SPOOL_DIR to another folder")
        return
    seen, way_out = f"{folder}, {free / 1024**3:.1f} GiB free", "make room there: what comes while the database is away is lost without"
    yield SPOOL.ok("folder", seen) if free > LITTLE else SPOOL.warning("folder", seen, way_out)
    age = patient.clock() - since if since else timedelta()
    if number and age > LATE:
        way_out = "mend the database, and start `web`: it reads them in; `spool_not_read_in` in its log says what hinders it"
        yield SPOOL.fault("waiting", f"{number} files of webhooks are not read in, the oldest for {_ago(age)}", way_out)
    else:
        yield SPOOL.ok("waiting", f"{number} files" if number else "nothing")


def _no_spool(engine: Engine | None) -> Finding:
    seen = "not set: while the database is away webhooks are refused, and Sentry sends each once"
    if engine is not None and engine.dialect.name == "sqlite":
        return SPOOL.ok("folder", f"{seen}; with SQLite that is when its disk fails")
    return SPOOL.warning("folder", seen, "set SPOOL_DIR to a folder on a disk of the web process' machine")


def _ago(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{max(seconds, 0)} s"
