"""The planner's step: waiting events in, decisions and notifications out, a batch in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Connection, Engine

from routing import sentry
from routing.alert import SENTRY, Alert
from routing.findings import Findings, enriched
from routing.fingerprint import content_key, incident_key
from routing.incident import Incident
from routing.notification import Lane
from routing.plan import Disposition
from routing.rules import RuleSet
from routing.world import OF_NO_CONSEQUENCE, TELLS_NOTHING, Heard
from storage import events, notifications
from storage.answers import answer
from storage.database import Lock, turn
from storage.events import Decision, Event
from storage.memory import Coming, Memory
from storage.notifications import Said
from storage.pacing import paced
from storage.refreshing import refreshes
from storage.told import Standing, known_as

BATCH = 100

Inquire: TypeAlias = Callable[[Sequence[Alert], RuleSet], Sequence[Findings | None]]
"""For each alert what others say of it; None: nobody has to be asked. Raises nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What one batch came to."""

    events: int
    """How many were looked at; none means that nothing waits, or that somebody else is planning."""
    lanes: frozenset[Lane] = frozenset()
    """Those that have something to send."""
    until: datetime | None = None
    """All that came before is planned; None where that is not known."""
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


def plan_batch(
    engine: Engine, rules: RuleSet, clock: Callable[[], datetime], *, inquire: Inquire | None = None, limit: int = BATCH
) -> Planned:
    """Decide the oldest waiting events and store all that follows, in one commit.

    Planners take turns, and each finds only what the others have left. Rules and vendors are asked while no transaction is open:
    however long they take, nobody waits for them who only wants to write, least of all the receiver.

    Args:
        engine: where the events wait.
        rules: those in force.
        clock: for what is stored.
        inquire: finds out what alerts do not say themselves. It sees to it that this takes no longer than it is worth.
        limit: how many are decided at most.
    """
    with turn(engine, Lock.PLANNER) as connection:
        read = [_read(event) for event in events.waiting(connection, limit)] if connection else []
        if not connection or not read:
            return Planned(events=0)
        read = _answered(connection, _recognize(connection, read))
        connection.rollback()  # nobody waits for a vendor
        read = _found_out(read, inquire, rules)
        memory = _remember(connection, read, rules, clock())
        connection.rollback()  # all is read
        decisions = [_decide(one, rules, memory) for one in read]
        with connection.begin():
            now = clock()
            memory.save(connection, rules, now)
            events.record(connection, decisions, ids=memory.ids, rules_version=rules.version, now=now)
            said = paced(connection, list(_said(decisions, memory)), rules.receivers, now)
            said = notifications.call_off(connection, said, now)
            said += refreshes(connection, _heard(decisions, memory), said, now)
            lanes = notifications.insert_planned(connection, said, now)
    failures = tuple((decision.event.id, decision.error) for decision in decisions if decision.error and not decision.disposition)
    return Planned(events=len(read), lanes=lanes, until=read[-1].event.received_at, failures=failures)


def _heard(decisions: Sequence[Decision], memory: Memory) -> list[tuple[int, Incident]]:
    """The incidents of which Sentry has said something, with their numbers."""
    keys = {one.incident_key for one in decisions if one.incident_key and one.alert and one.alert.origin == SENTRY}
    return [(memory.ids[key], memory.world.incidents[key]) for key in sorted(keys)]


def _said(decisions: Sequence[Decision], memory: Memory) -> Iterator[Said]:
    ids = memory.ids
    for decision in decisions:
        if decision.plan and decision.incident_key and (incident_id := ids.get(decision.incident_key)):
            for notification in decision.plan.notifications:
                came = decision.event.id
                # Of a follow-up that tells of an earlier event there may be several.
                about, occasion = (notification.event or came, f"{notification.reason}:{came}") if notification.event else (came, "")
                yield Said(event_id=about, incident_id=incident_id, notification=notification, occasion=occasion)


def _read(event: Event) -> _Reading:
    try:
        alert = sentry.parse(event.resource, event.body, event.received_at, findings=event.findings)
        return _Reading(event=event, alert=alert, incident_key=incident_key(alert), content_key=content_key(alert))
    except sentry.UnreadableAlert as error:
        return _Reading(event=event, disposition=Disposition.UNREADABLE, error=str(error))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the events behind this one
        return _Reading(event=event, error=_words("parse", error))


def _recognize(connection: Connection, read: Sequence[_Reading]) -> list[_Reading]:
    """With the incidents of those that a vendor names by its own name for them."""
    names = {one.event.id: (one.alert.resource, one.alert.reference or "") for one in read if one.alert and _is_of_vendor(one.alert)}
    standing = known_as(connection, tuple(names.values())) if names else {}
    return [_recognized(one, standing.get(names[one.event.id])) if one.event.id in names else one for one in read]


def _is_of_vendor(alert: Alert) -> bool:
    """Whether the incident has to be known by what a vendor calls it."""
    return alert.origin != SENTRY and alert.incident is None


def _recognized(read: _Reading, standing: Standing | None) -> _Reading:
    if read.alert is None or standing is None:
        return replace(read, disposition=Disposition.NOTED)
    return replace(read, alert=replace(read.alert, incident=standing.incident, place=standing.place), incident_key=standing.incident)


def _answered(connection: Connection, read: Sequence[_Reading]) -> list[_Reading]:
    """With what is answered to those that ask."""
    return [
        replace(one, alert=replace(one.alert, text=answer(connection, one.alert.incident)))
        if one.alert and one.alert.asks and one.alert.incident
        else one
        for one in read
    ]


def _found_out(read: Sequence[_Reading], inquire: Inquire | None, rules: RuleSet) -> list[_Reading]:
    """With what others say of the alerts that do not say it themselves. They are asked once: the same decides the same."""
    alerts = [one.alert for one in read if one.alert and one.disposition is None and one.event.findings is None]
    found = iter(inquire(alerts, rules) if inquire and alerts else [None] * len(alerts))
    return [
        _with(one, one.alert, next(found)) if one.alert and one.disposition is None and one.event.findings is None else one for one in read
    ]


def _with(read: _Reading, alert: Alert, findings: Findings | None) -> _Reading:
    return replace(read, alert=enriched(alert, findings), event=replace(read.event, findings=findings)) if findings else read


def _remember(connection: Connection, read: Sequence[_Reading], rules: RuleSet, now: datetime) -> Memory:
    coming = [Coming(one.alert, one.incident_key, one.event.received_at) for one in read if one.alert]
    memory = Memory.for_alerts(connection, coming, rules, now)
    content_keys = tuple({one.content_key for one in read if one.content_key})
    memory.world.first_said.update(events.first_with_content(connection, content_keys))
    return memory


def _decide(read: _Reading, rules: RuleSet, memory: Memory) -> Decision:
    """What becomes of one event, after all those before it."""
    alert = read.alert
    decision = Decision(event=read.event, alert=alert, content_key=read.content_key, disposition=read.disposition, error=read.error)
    if alert is None or read.disposition:
        return decision
    if alert.resource not in sentry.RESOURCES:
        decision.disposition = Disposition.UNKNOWN
        return decision
    heard = Heard(event=read.event.id, alert=alert, incident_key=read.incident_key, content_key=read.content_key)
    try:
        # Its own time, not the planner's: the same events give the same decisions however late they are planned.
        planned = memory.world.hear(heard, rules, read.event.received_at)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the events behind this one
        decision.error = _words("plan", error)
        return decision
    decision.plan = planned
    decision.disposition = planned.disposition
    decision.duplicate_of = planned.inputs.duplicate_of
    if planned.disposition in OF_NO_CONSEQUENCE or (
        planned.disposition not in TELLS_NOTHING and memory.counts(alert, planned.inputs.incident)
    ):
        decision.incident_key = planned.inputs.incident
    return decision


def _words(step: str, error: Exception) -> str:
    return f"{step}: {type(error).__name__}: {error}"[:500]
