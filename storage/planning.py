"""The planner's step: waiting events in, decisions and notifications out, a batch in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, Engine

from routing import sentry
from routing.alert import Alert, Status
from routing.fingerprint import content_key, incident_key
from routing.notification import Lane
from routing.plan import Disposition, History, Plan, plan
from routing.rules import RuleSet
from storage import events, incidents, notifications
from storage.database import PLANNER_LOCK, exclusive
from storage.events import Decision, Event
from storage.incidents import Incident

BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What one batch came to."""

    events: int
    """How many were looked at; none means that nothing waits."""
    lanes: frozenset[Lane]
    """Those that have something to send."""
    failures: tuple[tuple[int, str], ...] = ()
    """Events that could not be planned, with what went wrong."""


@dataclass(slots=True)
class _Ledger:
    """What the batch knows and learns: each event is decided with all that the ones before it did."""

    now: datetime
    incidents: dict[str, Incident]
    first_said: dict[str, int]
    said: dict[int, list[tuple[Alert, str | None]]] = field(default_factory=dict)
    spoken: dict[tuple[int, str], datetime] = field(default_factory=dict)

    def history(self, key: str, read: Decision, alert: Alert) -> History:
        """What plan() may know before this event."""
        incident = self.incidents.get(key)
        return History(
            incident_is_known=incident is not None,
            notified_at=incident.notified_at if incident else {},
            duplicate_of=self._first_to_say(read, alert, incident),
        )

    def learn(self, connection: Connection, key: str, read: Decision, alert: Alert, planned: Plan) -> int | None:
        """Remember for the next event what this one did; says which incident it belongs to, None if it began none."""
        incident = self.incidents.get(key)
        if incident is None:
            if alert.status is not Status.FIRING:
                return None
            incident = incidents.open_incident(connection, key, alert)
        spoke = dict.fromkeys(planned.speaking, self.now)
        change = incident.last_change if alert.status is Status.UNCHANGED else read.content_key
        self.incidents[key] = replace(incident, last_change=change, notified_at={**incident.notified_at, **spoke})
        self.spoken |= {(incident.id, rule): self.now for rule in spoke}
        self.said.setdefault(incident.id, []).append((alert, read.content_key))
        return incident.id

    def _first_to_say(self, read: Decision, alert: Alert, incident: Incident | None) -> int | None:
        """The earlier event that said the same, if this one only repeats it."""
        if read.content_key is None:
            return None
        first = self.first_said.setdefault(read.content_key, read.event.id)
        # Who resolves an issue, reopens it and resolves it again makes Sentry say the same thing twice, and means it.
        is_meant = alert.resource == "issue" and incident is not None and incident.last_change != read.content_key
        return None if first == read.event.id or is_meant else first


def plan_batch(engine: Engine, rules: RuleSet, clock: Callable[[], datetime], *, limit: int = BATCH) -> Planned:
    """Decide the oldest waiting events and store all that follows in one commit.

    Several planners may try at once: they take turns, and each finds only what the others have left.
    """
    with engine.connect() as connection:
        waiting = events.waiting(connection, limit)
    if not waiting:
        return Planned(events=0, lanes=frozenset())
    read = [_read(event) for event in waiting]
    with exclusive(engine, PLANNER_LOCK) as connection:
        now = clock()
        left = events.still_waiting(connection, waiting)
        decisions = _decide(connection, [decision for decision in read if decision.event.id in left], rules, now)
        events.record(connection, decisions, rules_version=rules.version, now=now)
        lanes = notifications.insert_planned(connection, decisions, now)
    failures = tuple((decision.event.id, decision.error) for decision in decisions if decision.error and not decision.disposition)
    return Planned(events=len(waiting), lanes=lanes, failures=failures)


def _read(event: Event) -> Decision:
    """What can be said of an event by itself."""
    try:
        alert = sentry.parse(event.resource, event.body, event.received_at)
        return Decision(event=event, disposition=None, alert=alert, content_key=content_key(alert))
    except sentry.UnreadableAlert as error:
        return Decision(event=event, disposition=Disposition.UNREADABLE, error=str(error))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the events behind this one
        return Decision(event=event, disposition=None, error=f"parse: {type(error).__name__}: {error}"[:500])


def _decide(connection: Connection, read: Sequence[Decision], rules: RuleSet, now: datetime) -> tuple[Decision, ...]:
    keys = {decision.event.id: incident_key(decision.alert) for decision in read if decision.alert}
    known = incidents.by_key(connection, tuple(set(keys.values())))
    said = events.first_with_content(connection, tuple({decision.content_key for decision in read if decision.content_key}))
    spoke_before = frozenset((incident.id, rule) for incident in known.values() for rule in incident.notified_at)
    ledger = _Ledger(now=now, incidents=known, first_said=said)
    decisions = tuple(_decide_one(connection, decision, keys.get(decision.event.id, ""), rules, ledger) for decision in read)
    incidents.record_alerts(connection, ledger.said)
    incidents.record_spoken(connection, ledger.spoken, known=spoke_before)
    return decisions


def _decide_one(connection: Connection, read: Decision, key: str, rules: RuleSet, ledger: _Ledger) -> Decision:
    alert = read.alert
    if alert is None:
        return read
    history = ledger.history(key, read, alert)
    try:
        planned = plan(alert, rules, history, ledger.now)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the events behind this one
        return replace(read, error=f"plan: {type(error).__name__}: {error}"[:500])
    if planned.disposition is Disposition.DUPLICATE:
        return replace(read, disposition=planned.disposition, duplicate_of=history.duplicate_of, plan=planned)
    if alert.resource not in sentry.RESOURCES:
        return replace(read, disposition=Disposition.UNKNOWN, plan=planned)
    incident_id = ledger.learn(connection, key, read, alert, planned)
    return replace(read, disposition=planned.disposition, plan=planned, incident_id=incident_id)
