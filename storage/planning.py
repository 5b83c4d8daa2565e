"""The planner's step: waiting events in, decisions and notifications out, a batch in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, Engine

from routing import sentry
from routing.incident import Incident
from routing.notification import Lane, State
from routing.plan import Disposition
from routing.rules import RuleSet
from routing.world import NOT_COUNTED, SHOWN_ONLY, Heard
from storage import counting, events, notifications, readings, tallies
from storage.database import Lock, turn
from storage.events import Decision
from storage.memory import Coming, Memory
from storage.notifications import Said
from storage.pacing import paced
from storage.readings import Inquire, Reading, in_words
from storage.refreshing import refreshes

BATCH = 100


class Onlooker(Protocol):
    """Who hears of each step of a batch, in the planner's thread; raises nothing."""

    def step(self, name: str, event_ids: Sequence[int]) -> None:
        """One is done for these events."""

    def fault(self, event_id: int, error: Exception) -> None:
        """An event could not be decided by a fault of ours, which is being handled."""


class Nobody:
    """An onlooker that looks away."""

    def step(self, name: str, event_ids: Sequence[int]) -> None:
        """One is done."""

    def fault(self, event_id: int, error: Exception) -> None:
        """One has failed."""


NOBODY = Nobody()


class Decided(NamedTuple):
    """What became of one event, in numbers."""

    event_id: int
    incident_id: int | None
    disposition: Disposition
    to_send: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What one batch came to."""

    events: int
    """How many were looked at; none means that nothing waits, or that somebody else is planning."""
    are_all: bool = True
    """Whether nothing more waited, so that nobody needs to look again before something happens."""
    lanes: frozenset[Lane] = frozenset()
    """Those that have something to send."""
    until: datetime | None = None
    """All that came before is planned; None where that is not known."""
    failures: tuple[tuple[int, str], ...] = ()
    """Events that could not be planned, with what went wrong."""
    decided: tuple[Decided, ...] = ()
    """The others."""


def plan_batch(
    engine: Engine,
    rules: RuleSet,
    clock: Callable[[], datetime],
    *,
    inquire: Inquire | None = None,
    limit: int = BATCH,
    onlooker: Onlooker = NOBODY,
) -> Planned:
    """Decide the oldest waiting events and store all that follows, in one commit.

    Planners take turns, and each finds only what the others have left. Rules and vendors are asked while no transaction is open:
    however long they take, nobody waits for them who only wants to write, least of all the web process, which Sentry waits for.

    Args:
        engine: where the events wait.
        rules: those in force.
        clock: for what is stored.
        inquire: finds out what alerts do not say themselves. It sees to it that this takes no longer than it is worth.
        limit: how many are decided at most.
        onlooker: hears of the steps.
    """
    with turn(engine, Lock.PLANNER) as connection:
        waiting = events.waiting(connection, limit) if connection else events.Waiting()
        if not connection or not waiting.events:
            return Planned(events=0)
        read = readings.recognize(connection, [readings.read(event) for event in waiting.events])
        if inquire:
            connection.rollback()  # nobody waits for a vendor
            read = readings.find_out(read, inquire, rules)
        event_ids = [one.event.id for one in read]
        onlooker.step("read", event_ids)
        memory = _remember(connection, read, rules, clock())
        connection.rollback()  # all is read
        decisions = [_decide(one, rules, memory, onlooker) for one in read]
        onlooker.step("decided", event_ids)
        with connection.begin():
            now = clock()
            memory.save(connection, rules, now)
            events.record(connection, decisions, ids=memory.ids, rules_version=rules.version, now=now)
            events.add(connection, [event for one in read for event in one.follows])
            said = paced(connection, list(_said(decisions, memory)), rules.receivers, now)
            said = notifications.call_off(connection, said, now)
            said += refreshes(connection, _heard(decisions, memory), said, now)
            lanes = notifications.insert_planned(connection, said, now)
            tallies.add(connection, counting.of_decisions(decisions, said))
        onlooker.step("stored", event_ids)
    failures = tuple((decision.event.id, decision.error) for decision in decisions if decision.error and not decision.disposition)
    are_all = waiting.are_all and not any(one.follows for one in read)
    decided = tuple(_decided(decisions, memory.ids))
    return Planned(events=len(read), are_all=are_all, lanes=lanes, until=read[-1].event.received_at, failures=failures, decided=decided)


def _decided(decisions: Sequence[Decision], ids: Mapping[str, int]) -> Iterator[Decided]:
    for one in decisions:
        if one.disposition:
            told = one.plan.notifications if one.plan else ()
            to_send = sum(notification.state is State.PLANNED for notification in told)
            yield Decided(one.event.id, ids.get(one.incident_key or ""), one.disposition, to_send, len(told) - to_send)


def _heard(decisions: Sequence[Decision], memory: Memory) -> list[tuple[int, Incident]]:
    """The incidents of which Sentry has said something, with their numbers."""
    keys = {one.incident_key for one in decisions if one.incident_key and one.alert and one.alert.is_of_sentry}
    ids = memory.ids
    return [(ids[key], memory.world.incidents[key]) for key in sorted(keys)]


def _said(decisions: Sequence[Decision], memory: Memory) -> Iterator[Said]:
    ids = memory.ids
    for decision in decisions:
        if decision.plan and decision.incident_key and (incident_id := ids.get(decision.incident_key)):
            for notification in decision.plan.notifications:
                came = decision.event.id
                # A follow-up about an earlier event can come several times; its occasion tells them apart.
                about, occasion = (notification.event or came, f"{notification.reason}:{came}") if notification.event else (came, "")
                yield Said(event_id=about, incident_id=incident_id, notification=notification, occasion=occasion)


def _remember(connection: Connection, read: Sequence[Reading], rules: RuleSet, now: datetime) -> Memory:
    coming = [Coming(one.alert, one.incident_key, one.event.received_at) for one in read if one.alert]
    memory = Memory.for_alerts(connection, coming, rules, now)
    content_keys = tuple({one.content_key for one in read if one.content_key})
    memory.world.first_said.update(events.first_with_content(connection, content_keys))
    return memory


def _decide(read: Reading, rules: RuleSet, memory: Memory, onlooker: Onlooker) -> Decision:
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
        onlooker.fault(read.event.id, error)
        decision.error = in_words("plan", error)
        return decision
    decision.plan, decision.trace = planned, events.pack_trace(planned)
    decision.disposition = planned.disposition
    decision.duplicate_of = planned.inputs.duplicate_of
    if planned.disposition in SHOWN_ONLY:
        decision.incident_key = planned.inputs.incident
    elif planned.disposition not in NOT_COUNTED and memory.knows(planned.inputs.incident):
        memory.count(alert, planned.inputs.incident)
        decision.incident_key = planned.inputs.incident
    return decision
