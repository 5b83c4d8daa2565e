"""The planner's step: waiting events in, decisions and notifications out, a batch in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from routing import sentry
from routing.alert import Alert, Status
from routing.fingerprint import content_key, incident_key
from routing.notification import Lane
from routing.plan import Disposition, History, Plan, plan
from routing.rules import RuleSet
from storage import events, incidents, notifications
from storage.database import Lock, turn
from storage.events import Decision, Event
from storage.incidents import Incident

BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What one batch came to."""

    events: int
    """How many were looked at; none means that nothing waits, or that somebody else is planning."""
    lanes: frozenset[Lane] = frozenset()
    """Those that have something to send."""
    failures: tuple[tuple[int, str], ...] = ()
    """Events that could not be planned, with what went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What an event says by itself; without an alert, why there is none."""

    event: Event
    alert: Alert | None = None
    incident_key: str = ""
    content_key: str | None = None
    disposition: Disposition | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """What is known before a batch, and what each of its events adds for those behind it."""

    incidents: dict[str, Incident]
    """By key."""
    first_said: dict[str, int]
    """By content key the first event that said so."""

    def history(self, read: _Reading, alert: Alert) -> History:
        """What plan() may know before this event."""
        incident = self.incidents.get(read.incident_key)
        return History(
            incident_is_known=incident is not None,
            notified_at=incident.notified_at if incident else {},
            duplicate_of=self._first_to_say(read, alert, incident),
        )

    def learn(self, read: _Reading, alert: Alert, planned: Plan) -> Incident | None:
        """Take in what this event did; says which incident it belongs to, None if it begins none."""
        if read.incident_key not in self.incidents and alert.status is not Status.FIRING:
            return None
        incident = self.incidents.setdefault(read.incident_key, Incident(key=read.incident_key))
        incident.hear(alert, read.content_key, speaking=planned.speaking, at=read.event.received_at)
        return incident

    def _first_to_say(self, read: _Reading, alert: Alert, incident: Incident | None) -> int | None:
        """The earlier event that said the same, if this one only repeats it."""
        if read.content_key is None:
            return None
        first = self.first_said.setdefault(read.content_key, read.event.id)
        # Who resolves an issue, reopens it and resolves it again makes Sentry say the same thing twice, and means it.
        is_meant = alert.resource == "issue" and incident is not None and incident.last_change != read.content_key
        return None if first == read.event.id or is_meant else first


def plan_batch(engine: Engine, rules: RuleSet, clock: Callable[[], datetime], *, limit: int = BATCH) -> Planned:
    """Decide the oldest waiting events and store all that follows, in one commit.

    Planners take turns, and each finds only what the others have left. The rules are asked while no transaction is open: however
    long they take, nobody waits for them who only wants to write, least of all the receiver.
    """
    with turn(engine, Lock.PLANNER) as connection:
        read = [_read(event) for event in events.waiting(connection, limit)] if connection else []
        if not connection or not read:
            return Planned(events=0)
        memory = _remember(connection, read)
        connection.rollback()  # all is read
        decisions = [_decide(one, rules, memory) for one in read]
        with connection.begin():
            now = clock()
            incidents.save(connection, memory.incidents.values())
            events.record(connection, decisions, rules_version=rules.version, now=now)
            lanes = notifications.insert_planned(connection, decisions, now)
    failures = tuple((decision.event.id, decision.error) for decision in decisions if decision.error and not decision.disposition)
    return Planned(events=len(read), lanes=lanes, failures=failures)


def _read(event: Event) -> _Reading:
    try:
        alert = sentry.parse(event.resource, event.body, event.received_at)
        return _Reading(event=event, alert=alert, incident_key=incident_key(alert), content_key=content_key(alert))
    except sentry.UnreadableAlert as error:
        return _Reading(event=event, disposition=Disposition.UNREADABLE, error=str(error))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the events behind this one
        return _Reading(event=event, error=_words("parse", error))


def _remember(connection: Connection, read: Sequence[_Reading]) -> _Memory:
    return _Memory(
        incidents=incidents.by_key(connection, tuple({one.incident_key for one in read if one.alert})),
        first_said=events.first_with_content(connection, tuple({one.content_key for one in read if one.content_key})),
    )


def _decide(read: _Reading, rules: RuleSet, memory: _Memory) -> Decision:
    """What becomes of one event, after all those before it."""
    alert = read.alert
    decision = Decision(event=read.event, alert=alert, content_key=read.content_key, disposition=read.disposition, error=read.error)
    if alert is None:
        return decision
    history = memory.history(read, alert)
    try:
        # Its own time, not the planner's: the same events give the same decisions however late they are planned.
        planned = plan(alert, rules, history, read.event.received_at)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the events behind this one
        decision.error = _words("plan", error)
        return decision
    decision.plan = planned
    decision.disposition = planned.disposition
    if planned.disposition is Disposition.DUPLICATE:
        decision.duplicate_of = history.duplicate_of
    elif alert.resource not in sentry.RESOURCES:
        decision.disposition = Disposition.UNKNOWN
    else:
        decision.incident = memory.learn(read, alert, planned)
    return decision


def _words(step: str, error: Exception) -> str:
    return f"{step}: {type(error).__name__}: {error}"[:500]
