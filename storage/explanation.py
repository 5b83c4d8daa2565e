"""What became of an alert, or would: what each rule said to it, who was or would be told, and what would come later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine

from routing import sentry
from routing.alert import Alert
from routing.notification import PlannedNotification
from routing.plan import Plan
from routing.rules import RuleSet
from storage import dry_run, events, inspection
from storage.inspection import Listed, Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A notification, or one that would be."""

    id: int | None = None
    receiver: str
    state: str
    reason: str
    severity: str
    rules: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What became of an alert, or would."""

    what: str
    title: str
    outcome: str
    rules_version: str
    rules: tuple[tuple[str, bool, str], ...]
    told: tuple[Told, ...]
    later: tuple[str, ...] = ()
    """When rules would come back to it."""


def of_event(engine: Engine, event_id: int) -> Explanation:
    """What became of an event.

    Raises:
        NoSuchEventError: there is none of this number.
    """
    event = inspection.find_event(engine, event_id)
    outcome = f"{event.disposition} of event {event.duplicate_of}" if event.duplicate_of else str(event.disposition or event.state)
    because = event.error or event.ignored_by
    listed = inspection.listed(engine, event_id=event_id, oldest_first=True)
    return Explanation(
        what=f"event {event.id}, {_kind(event.resource, event.action)}, received {clock(event.received_at)}" + _pruned(event),
        title=f"{event.title} ({event.project or 'no project'}, {event.environment or 'no environment'})" if event.title else "",
        outcome=outcome + (f": {because}" if because else ""),
        rules_version=event.rules_version or "",
        rules=tuple((trace.rule, trace.matched, trace.why) for trace in event.trace),
        told=tuple(_told(one, one.id) for one in listed),
    )


def of_plan(alert: Alert, planned: Plan, *, version: str, what: str) -> Explanation:
    """What would become of an alert."""
    return Explanation(
        what=f"{what}, {_kind(alert.resource, alert.action)}",
        title=f"{alert.title} ({alert.project or 'no project'}, {alert.environment or 'no environment'})",
        outcome=f"would be {planned.disposition}" + (f": {planned.ignored_by}" if planned.ignored_by else ""),
        rules_version=version,
        rules=tuple((trace.rule, trace.matched, trace.why) for trace in planned.trace),
        told=tuple(map(_told, planned.notifications)),
        later=tuple(f"{clock(timer.due_at)}  {timer.cause}  {timer.rule}" for timer in planned.timers),
    )


def would(engine: Engine | None, alert: Alert, rules: RuleSet, at: datetime, what: str) -> Explanation:
    """What these rules would make of an alert that came at this time, by what is remembered now; nothing is changed.

    Args:
        engine: where it is remembered; None: as if nothing had ever come before.
        alert: what comes.
        rules: those in force then.
        at: when it comes.
        what: how people call it.
    """
    known = "" if engine else ", as if nothing had come before (no database)"
    return of_plan(alert, dry_run.decide(engine, alert, rules, at), version=rules.version, what=f"{what} at {clock(at)}{known}")


def alert_of_event(engine: Engine, event_id: int) -> Alert:
    """What an event said, as it was understood when it came.

    Raises:
        NoSuchEventError: there is none of this number.
        UnreadableAlert: nothing can be read from it.
    """
    event = dry_run.find(engine, event_id)
    return sentry.parse(event.resource, event.body, event.received_at, findings=event.findings)


def alerts_of_events(engine: Engine, ids: Iterable[int]) -> Mapping[int, Alert]:
    """What a few events said, by number; those that cannot be read are left out."""
    with engine.connect() as connection:
        found = events.of(connection, ids)
    alerts = {}
    for event in found:
        with suppress(sentry.UnreadableAlert):
            alerts[event.id] = sentry.parse(event.resource, event.body, event.received_at, findings=event.findings)
    return alerts


def clock(moment: datetime) -> str:
    """A moment as people read it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _told(one: Listed | PlannedNotification, id_: int | None = None) -> Told:
    return Told(id=id_, receiver=one.receiver, state=one.state, reason=one.reason, severity=one.severity, rules=one.rules, why=one.why)


def _pruned(event: Shown) -> str:
    return f"; its body was pruned {clock(event.pruned_at)}" if event.pruned_at else ""


def _kind(resource: str, action: str | None) -> str:
    return ".".join(filter(None, (resource, action))) or "of no resource"
