"""How things stand now, in figures that go up and down: for metrics. Each statement reads little, whatever is stored."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, null, select, union_all

from routing.notification import Lane, State
from storage import counting, dashboards, fallbacks, gates, rules_edits, rules_versions, workers
from storage.canaries import MARK
from storage.dashboard_figures import percentile
from storage.dashboards import Happened
from storage.events import EventState, is_yet
from storage.gates import Closed
from storage.sizes import Sizes, last_measured
from storage.tables import UtcDateTime, events, marks, notifications, refusals, tallies
from storage.tallies import labels_of

LATELY = timedelta(minutes=5)
"""Of this the rate of alerts is told, and how long endpoints took of the last hour."""
MOST_ENDPOINTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits in a lane."""

    waiting: int
    oldest: datetime | None
    """When the first of it was to be sent."""


NOTHING = Queue(waiting=0, oldest=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """How the last canary came to a receiver."""

    ok: bool
    at: datetime
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All of them, as of one moment."""

    waiting: int
    """Events that are not planned."""
    waiting_since: datetime | None
    failed: int
    """Events that could not be planned."""
    queues: Mapping[Lane, Queue]
    sending: int
    dead: int
    """Given up within a day, and told nobody else instead."""
    closed: tuple[Closed, ...]
    workers: int
    rules_version: str | None
    rules_at: datetime | None
    rules_refused: bool
    refused: Mapping[tuple[str, int], int]
    """Requests, by path and status."""
    per_second: Mapping[str, float]
    """Alerts that fire, by level."""
    p95_seconds: Mapping[str, float]
    """By endpoint; those with the most alerts."""
    canaries: Mapping[str, Canary]
    sizes: Sizes | None
    """As they were measured last."""


def figures(engine: Engine, now: datetime) -> Figures:
    """As they are now."""
    lately = dashboards.look(engine, now - timedelta(hours=1), now, wanted=("endpoint", "duration_ms"))
    rules = next(iter(rules_versions.listed(engine, limit=1)), None)
    closed, refused_edit = gates.closed(engine, now), rules_edits.last_refused(engine)
    with engine.connect() as connection:
        waiting = is_yet(EventState.WAITING)
        return Figures(
            waiting=_count(connection, events.c.id, waiting),
            waiting_since=connection.execute(select(events.c.received_at).where(waiting).order_by(events.c.id).limit(1)).scalar(),
            failed=_count(connection, events.c.id, is_yet(EventState.FAILED)),
            queues=_queues(connection),
            sending=_count(connection, notifications.c.id, notifications.c.state == State.SENDING),
            dead=_count(
                connection,
                notifications.c.id,
                fallbacks.told_nobody(),
                notifications.c.created_at > now - timedelta(days=1),
            ),
            closed=closed,
            workers=workers.living(engine),
            rules_version=rules.version if rules else None,
            rules_at=rules.in_force_at if rules else None,
            rules_refused=refused_edit is not None,
            refused=_refused(connection),
            per_second=_per_second(connection, now),
            p95_seconds=_p95(lately.alerts),
            canaries=_canaries(connection),
            sizes=last_measured(engine),
        )


def _count(connection: Connection, column: ColumnElement[Any], *which: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count(column)).where(*which)).scalar_one()


def _queues(connection: Connection) -> dict[Lane, Queue]:
    first = func.min(notifications.c.next_attempt_at, type_=UtcDateTime()).label("oldest")
    query = select(notifications.c.lane, func.count().label("number"), first).where(notifications.c.state == State.PLANNED)
    found = {Lane(row.lane): row for row in connection.execute(query.group_by(notifications.c.lane))}
    return {
        lane: Queue(waiting=found[lane].number, oldest=found[lane].oldest) if lane in found else Queue(waiting=0, oldest=None)
        for lane in Lane
    }


def _refused(connection: Connection) -> dict[tuple[str, int], int]:
    """Of all days, also of those that are kept no longer. By one statement: between two, days could pass from one to the other."""
    by_day = select(refusals.c.path, refusals.c.status, null().label("labels"), func.sum(refusals.c.count).label("number"))
    by_day = by_day.group_by(refusals.c.path, refusals.c.status)
    nobody, nothing = null().label("path"), null().label("status")
    before = select(nobody, nothing, tallies.c.labels, tallies.c.value).where(tallies.c.name == counting.REFUSED)
    found: Counter[tuple[str, int]] = Counter()
    for path, status, labels, number in connection.execute(union_all(by_day, before)):
        said = dict(labels_of(labels)) if labels else {"path": path, "status": status}
        found[said["path"], int(said["status"])] += int(number)
    return dict(found)


def _per_second(connection: Connection, now: datetime) -> dict[str, float]:
    which = (events.c.received_at > now - LATELY, events.c.received_at <= now, events.c.level.is_not(None))
    rows = connection.execute(select(events.c.level, func.count().label("number")).where(*which).group_by(events.c.level))
    return {row.level: row.number / LATELY.total_seconds() for row in rows}


def _p95(alerts: tuple[Happened, ...]) -> dict[str, float]:
    durations: dict[str, list[float]] = defaultdict(list)
    for one in alerts:
        if one.endpoint and one.duration_ms is not None:
            durations[one.endpoint].append(one.duration_ms / 1000)
    most = sorted(durations, key=lambda endpoint: (-len(durations[endpoint]), endpoint))[:MOST_ENDPOINTS]
    return {endpoint: percentile(sorted(durations[endpoint]), 0.95) for endpoint in most}


def _canaries(connection: Connection) -> dict[str, Canary]:
    query = select(marks.c.name, marks.c.at, marks.c.value).where(marks.c.name.startswith(MARK, autoescape=True))
    found = {}
    for row in connection.execute(query):
        said = json.loads(row.value or "{}")
        found[row.name.removeprefix(MARK)] = Canary(ok=bool(said.get("ok")), at=row.at, seconds=float(said.get("seconds") or 0))
    return found
