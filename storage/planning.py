"""The planner's step: waiting events in, decisions and notifications out, a batch in one transaction."""

from __future__ import annotations

import time
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

LOCK_SECONDS = 0.1
"""No commit decides for longer: on SQLite the receiver waits for the lock, and Sentry waits a second for the receiver."""
PAUSE_SECONDS = 0.02


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

    incidents: dict[str, Incident]
    first_said: dict[str, int]
    closed: set[int] = field(default_factory=set)
    """Incidents that ended meanwhile, and with them every cooldown."""
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
        if alert.status is Status.RESOLVED:
            incident = self._close(incident)
        spoke = dict.fromkeys(planned.speaking, read.event.received_at)
        change = incident.last_change if alert.status is Status.UNCHANGED else read.content_key
        self.incidents[key] = replace(incident, last_change=change, notified_at={**incident.notified_at, **spoke})
        self.spoken |= {(incident.id, rule): at for rule, at in spoke.items()}
        self.said.setdefault(incident.id, []).append((alert, read.content_key))
        return incident.id

    def _close(self, incident: Incident) -> Incident:
        """What begins again after its end is news: no cooldown of the old trouble holds it."""
        self.closed.add(incident.id)
        self.spoken = {pair: at for pair, at in self.spoken.items() if pair[0] != incident.id}
        return replace(incident, notified_at={})

    def _first_to_say(self, read: Decision, alert: Alert, incident: Incident | None) -> int | None:
        """The earlier event that said the same, if this one only repeats it."""
        if read.content_key is None:
            return None
        first = self.first_said.setdefault(read.content_key, read.event.id)
        # Who resolves an issue, reopens it and resolves it again makes Sentry say the same thing twice, and means it.
        is_meant = alert.resource == "issue" and incident is not None and incident.last_change != read.content_key
        return None if first == read.event.id or is_meant else first


def plan_batch(engine: Engine, rules: RuleSet, clock: Callable[[], datetime], *, limit: int = BATCH) -> Planned:
    """Decide the oldest waiting events and store all that follows, in one commit or, where the rules take long, in a few.

    Several planners may try at once: they take turns, and each finds only what the others have left.
    """
    with engine.connect() as connection:
        waiting = events.waiting(connection, limit)
    read = [_read(event) for event in waiting]
    decisions: list[Decision] = []
    lanes: frozenset[Lane] = frozenset()
    while len(decisions) < len(read):
        if decisions:
            # For whoever waits to write: SQLite gives the lock to the one that happens to ask while it is free.
            time.sleep(PAUSE_SECONDS)
        decided, ringing = _decide_some(engine, read[len(decisions) :], rules, clock)
        decisions += decided
        lanes |= ringing
    failures = tuple((decision.event.id, decision.error) for decision in decisions if decision.error and not decision.disposition)
    return Planned(events=len(waiting), lanes=lanes, failures=failures)


def _decide_some(
    engine: Engine, read: Sequence[Decision], rules: RuleSet, clock: Callable[[], datetime]
) -> tuple[Sequence[Decision], frozenset[Lane]]:
    """Decide and store the first of these events, as many as the time for one commit allows; those that others have decided as they are."""
    with exclusive(engine, PLANNER_LOCK) as connection:
        now = clock()
        left = events.still_waiting(connection, [decision.event for decision in read])
        ours = [decision for decision in read if decision.event.id in left]
        decisions = _decide(connection, ours, rules)
        events.record(connection, decisions, rules_version=rules.version, now=now)
        lanes = notifications.insert_planned(connection, decisions, now)
    by_id = {decision.event.id: decision for decision in decisions}
    done = len(read) if len(decisions) == len(ours) else read.index(ours[len(decisions)])
    return [by_id.get(decision.event.id, decision) for decision in read[:done]], lanes


def _read(event: Event) -> Decision:
    """What can be said of an event by itself."""
    try:
        alert = sentry.parse(event.resource, event.body, event.received_at)
        return Decision(event=event, disposition=None, alert=alert, content_key=content_key(alert))
    except sentry.UnreadableAlert as error:
        return Decision(event=event, disposition=Disposition.UNREADABLE, error=str(error))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the events behind this one
        return Decision(event=event, disposition=None, error=f"parse: {type(error).__name__}: {error}"[:500])


def _decide(connection: Connection, read: Sequence[Decision], rules: RuleSet) -> tuple[Decision, ...]:
    """Decide in order, as many as the time for one batch allows; the others go on waiting."""
    until = time.monotonic() + LOCK_SECONDS
    keys = {decision.event.id: incident_key(decision.alert) for decision in read if decision.alert}
    known = incidents.by_key(connection, tuple(set(keys.values())))
    said = events.first_with_content(connection, tuple({decision.content_key for decision in read if decision.content_key}))
    spoke_before = {(incident.id, rule) for incident in known.values() for rule in incident.notified_at}
    ledger = _Ledger(incidents=known, first_said=said)
    decisions = []
    for decision in read:
        decisions.append(_decide_one(connection, decision, keys.get(decision.event.id, ""), rules, ledger))
        if time.monotonic() > until:
            break
    incidents.record_alerts(connection, ledger.said)
    incidents.end_cooldowns(connection, ledger.closed)
    incidents.record_spoken(connection, ledger.spoken, known=frozenset(pair for pair in spoke_before if pair[0] not in ledger.closed))
    return tuple(decisions)


def _decide_one(connection: Connection, read: Decision, key: str, rules: RuleSet, ledger: _Ledger) -> Decision:
    alert = read.alert
    if alert is None:
        return read
    history = ledger.history(key, read, alert)
    try:
        # Its own time, not the planner's: the same events give the same decisions however late they are planned.
        planned = plan(alert, rules, history, read.event.received_at)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the events behind this one
        return replace(read, error=f"plan: {type(error).__name__}: {error}"[:500])
    if planned.disposition is Disposition.DUPLICATE:
        return replace(read, disposition=planned.disposition, duplicate_of=history.duplicate_of, plan=planned)
    if alert.resource not in sentry.RESOURCES:
        return replace(read, disposition=Disposition.UNKNOWN, plan=planned)
    incident_id = ledger.learn(connection, key, read, alert, planned)
    return replace(read, disposition=planned.disposition, plan=planned, incident_id=incident_id)
