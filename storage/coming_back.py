"""The planner's other step: rules come back to incidents when the time of something has come. Timers in, notifications out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from routing import sentry
from routing.alert import Alert
from routing.comeback import Due
from routing.incident import BRINGS_ALL, Cause, Incident, Timer, TimerKey
from routing.notification import PlannedNotification
from routing.rules import RuleSet
from routing.world import World, due_together
from storage import counting, events, incidents, notifications, tallies
from storage.database import Lock, turn
from storage.memory import Memory
from storage.notifications import Said
from storage.pacing import paced
from storage.pairs import is_one_of
from storage.planning import Planned
from storage.tables import timers

BATCH = 100
PAUSE_AFTER_FAULT = timedelta(minutes=5)
MAX_MEMBERS = 1000
"""So many of the groups that are due are looked at together; what is more follows in the next message."""


def is_due(engine: Engine, now: datetime) -> bool:
    """Whether any timer is due."""
    with engine.connect() as connection:
        return connection.execute(select(timers.c.rule).where(timers.c.due_at <= now).limit(1)).first() is not None


def plan_due(engine: Engine, rules: RuleSet, clock: Callable[[], datetime]) -> Planned:
    """Decide what is told of the oldest timers that are due, and store all that follows, in one commit; `events` counts the timers."""
    with turn(engine, Lock.PLANNER) as connection:
        now = clock()
        due = _due(connection, now) if connection else []
        if not connection or not due:
            return Planned(events=0)
        memory = Memory.of(connection, incidents.by_id(connection, {row.incident_id for row in due}), rules, now)
        alerts = _alerts(connection, {row.event_id for row in due})
        connection.rollback()  # all is read
        said, failures = _come_due(_timers(due, memory), alerts, memory.world, rules, now)
        with connection.begin():
            memory.save(connection, rules, now)
            ids = memory.ids
            planned = [_said(one, ids[one.history.incident], notification) for one, notification in said]
            planned = paced(connection, planned, rules.receivers, now)
            lanes = notifications.insert_planned(connection, planned, now)
            tallies.add(connection, counting.of_said(planned))
    return Planned(events=len(due), are_all=False, lanes=lanes, failures=tuple(failures))


def _timers(due: Iterable[Row[Any]], memory: Memory) -> list[tuple[Incident, Timer]]:
    keys = {id_: key for key, id_ in memory.ids.items()}
    rows = ((memory.world.incidents[keys[row.incident_id]], row) for row in due)
    return [(incident, incident.timers[TimerKey(row.rule, Cause(row.cause), row.step, row.group_key)]) for incident, row in rows]


def _come_due(
    timers: Sequence[tuple[Incident, Timer]], alerts: Mapping[int, Alert], world: World, rules: RuleSet, now: datetime
) -> tuple[list[tuple[Due, PlannedNotification]], list[tuple[int, str]]]:
    """What is said of each, or of each group. What fails is tried again later, so that it holds up nothing that is due after it."""
    said: list[tuple[Due, PlannedNotification]] = []
    failures = []
    for batch in due_together(timers, now):
        try:
            said += world.come_due(batch, alerts, rules, now).notifications
        except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the timers behind this one
            failures.append((batch[0][1].event, f"come back: {type(error).__name__}: {error}"[:500]))
            for incident, timer in batch:
                incident.set_timers([replace(timer, due_at=now + PAUSE_AFTER_FAULT)])
    return said, failures


def _said(due: Due, incident_id: int, notification: PlannedNotification) -> Said:
    timer = due.timer
    occasion = f"{timer.cause}:{timer.step}:{timer.due_at:%Y%m%dT%H%M%S.%f}:{timer.rule}"
    return Said(event_id=timer.event, incident_id=incident_id, notification=notification, occasion=occasion)


def _due(connection: Connection, now: datetime) -> list[Row[Any]]:
    """The oldest that are due; of a group all that wait with it."""
    columns = (timers.c.incident_id, timers.c.rule, timers.c.cause, timers.c.step, timers.c.event_id, timers.c.group_key)
    first = connection.execute(
        select(*columns).where(timers.c.due_at <= now).order_by(timers.c.due_at, timers.c.incident_id, timers.c.rule).limit(BATCH)
    ).all()
    groups = {(row.cause, row.group_key) for row in first if row.group_key and row.cause in BRINGS_ALL}
    is_member = is_one_of([(key, cause) for cause, key in groups], timers.c.group_key, timers.c.cause)
    members = connection.execute(select(*columns).where(is_member).order_by(timers.c.due_at).limit(MAX_MEMBERS)) if groups else ()
    return [*(row for row in first if (row.cause, row.group_key) not in groups), *members]


def _alerts(connection: Connection, event_ids: Iterable[int]) -> dict[int, Alert]:
    """By event; an event that can no longer be read is left out."""
    found = {}
    for event in events.of(connection, event_ids):
        with suppress(sentry.UnreadableAlert):
            found[event.id] = sentry.parse(event.resource, event.body, event.received_at, findings=event.findings)
    return found
