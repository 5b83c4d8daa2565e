"""Decides who is told about an alert, and says of every rule why it did or did not. The same call serves the worker and `explain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from routing.alert import Alert, Level, Status
from routing.notification import Lane, Reason, Severity, State
from routing.query import Context, Facts, Verdict
from routing.rules import Rule, RuleSet

_SEVERITY_OF_LEVEL = {
    Level.FATAL: Severity.CRITICAL,
    Level.ERROR: Severity.WARNING,
    Level.WARNING: Severity.WARNING,
    Level.INFO: Severity.INFO,
    Level.DEBUG: Severity.INFO,
}
_WORST_FIRST = tuple(Severity)


class Disposition(StrEnum):
    """What became of an event."""

    MATCHED = "matched"
    UNROUTED = "unrouted"
    """It fires, and no rule asks for it."""
    NOTED = "noted"
    """It does not fire: a resolve, an assignment, a comment."""
    UNKNOWN = "unknown"
    """A resource that this version has never heard of."""
    DUPLICATE = "duplicate"
    """It says again what an earlier event has said."""
    UNREADABLE = "unreadable"
    """Signed, but no alert could be read from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was known before the alert came."""

    incident_is_known: bool = False
    """Whether any earlier alert belongs to the same incident."""
    notified_at: Mapping[str, datetime] = field(default_factory=dict)
    """By rule: when it last spoke of this incident."""
    duplicate_of: int | None = None
    """The earlier event that said the same thing."""


class RuleTrace(NamedTuple):
    """What one rule said to an alert."""

    rule: str
    matched: bool
    why: str
    """The conditions met with their values, or the first one that was not, with the wanted and the actual value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNotification:
    """One message to be sent, or held for a reason."""

    receiver: str
    kind: str
    rules: tuple[str, ...]
    severity: Severity
    reason: Reason
    why: str
    state: State

    @property
    def lane(self) -> Lane:
        """Critical ones travel apart."""
        return Lane.CRITICAL if self.severity is Severity.CRITICAL else Lane.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that follows from one alert."""

    disposition: Disposition
    notifications: tuple[PlannedNotification, ...] = ()
    asked: tuple[str, ...] = ()
    """The rules that were asked, in the order of the file."""
    verdicts: tuple[Verdict, ...] = ()
    """What each of them said."""
    speaking: tuple[str, ...] = ()
    """The rules whose cooldown begins anew."""

    @property
    def trace(self) -> tuple[RuleTrace, ...]:
        """For every rule what it said."""
        return tuple(RuleTrace(rule, *verdict) for rule, verdict in zip(self.asked, self.verdicts, strict=True))


def plan(alert: Alert, rules: RuleSet, history: History, now: datetime) -> Plan:
    """Decide. Nothing but the arguments enters, so the same arguments give the same plan at any time."""
    if history.duplicate_of is not None:
        return Plan(disposition=Disposition.DUPLICATE)
    if alert.status is not Status.FIRING:
        return Plan(disposition=Disposition.NOTED)
    facts = Facts(alert, Context(is_new=not history.incident_is_known, now=now))
    verdicts = tuple([rule.when.check(facts) for rule in rules.rules])
    matched = [(rule, why) for rule, (is_met, why) in zip(rules.rules, verdicts, strict=True) if is_met]
    reasons = {rule.name: _reason(rule, history, now) for rule, _ in matched}
    return Plan(
        disposition=Disposition.MATCHED if matched else Disposition.UNROUTED,
        notifications=tuple(_notifications(alert, rules, matched, reasons)),
        asked=rules.names,
        verdicts=verdicts,
        speaking=tuple(name for name, reason in reasons.items() if reason is not Reason.COOLDOWN),
    )


def _reason(rule: Rule, history: History, now: datetime) -> Reason:
    """Why the rule speaks now, or that its cooldown holds it."""
    notified_at = history.notified_at.get(rule.name)
    if notified_at is None:
        return Reason.FIRST
    return Reason.COOLDOWN if now - notified_at < rule.cooldown else Reason.REPEAT


def _notifications(
    alert: Alert, rules: RuleSet, matched: Sequence[tuple[Rule, str]], reasons: Mapping[str, Reason]
) -> list[PlannedNotification]:
    """One for each receiver, naming all the rules that ask for it."""
    receivers = dict.fromkeys(receiver for rule, _ in matched for receiver in rule.notify)
    planned = []
    for receiver in receivers:
        asking = [(rule, why) for rule, why in matched if receiver in rule.notify]
        speaking = [(rule, why) for rule, why in asking if reasons[rule.name] is not Reason.COOLDOWN]
        voices = speaking or asking
        planned.append(
            PlannedNotification(
                receiver=receiver,
                kind=rules.receivers[receiver].kind,
                rules=tuple(rule.name for rule, _ in voices),
                severity=min((_severity(rule, alert) for rule, _ in voices), key=_WORST_FIRST.index),
                reason=reasons[voices[0][0].name],
                why="; ".join(why for _, why in voices),
                state=State.PLANNED if speaking else State.HELD,
            )
        )
    return planned


def _severity(rule: Rule, alert: Alert) -> Severity:
    return rule.severity or _SEVERITY_OF_LEVEL[alert.level]
