"""Decides who is told about an alert, and says of every rule why it did or did not. The same call serves the worker and `explain`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from routing.alert import Alert, Level, Status
from routing.notification import Lane, Reason, Severity, State
from routing.query import Context, Facts, Verdict
from routing.rules import Rule, RuleSet
from routing.windows import held_until

_SEVERITY_OF_LEVEL = {
    Level.FATAL: Severity.CRITICAL,
    Level.ERROR: Severity.WARNING,
    Level.WARNING: Severity.WARNING,
    Level.INFO: Severity.INFO,
    Level.DEBUG: Severity.INFO,
}
_WORST_FIRST = tuple(Severity)
_SILENT = frozenset({Reason.COOLDOWN, Reason.WINDOW})


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
    voices = [_voice(rule, why, alert, history, now) for rule, (is_met, why) in zip(rules.rules, verdicts, strict=True) if is_met]
    return Plan(
        disposition=Disposition.MATCHED if voices else Disposition.UNROUTED,
        notifications=tuple(_notifications(voices, rules)),
        asked=rules.names,
        verdicts=verdicts,
        speaking=tuple(voice.rule.name for voice in voices if voice.speaks),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Voice:
    """A rule that matched: how bad it says it is, and whether it speaks of it now."""

    rule: Rule
    severity: Severity
    reason: Reason
    why: str

    @property
    def speaks(self) -> bool:
        return self.reason not in _SILENT


def _voice(rule: Rule, why: str, alert: Alert, history: History, now: datetime) -> _Voice:
    """What holds a rule is asked in the order of Alertmanager: windows of time before what was said lately."""
    severity = rule.severity or _SEVERITY_OF_LEVEL[alert.level]
    hold = held_until(rule.active, rule.mute, severity, now) if rule.active or rule.mute else None
    if hold:
        end = f"until {hold.until:%Y-%m-%d %H:%M} UTC" if hold.until else "for good"
        return _Voice(rule=rule, severity=severity, reason=Reason.WINDOW, why=f'{why}; held by window "{hold.window}" {end}')
    notified_at = history.notified_at.get(rule.name)
    if notified_at is None:
        return _Voice(rule=rule, severity=severity, reason=Reason.FIRST, why=why)
    reason = Reason.COOLDOWN if now - notified_at < rule.cooldown else Reason.REPEAT
    return _Voice(rule=rule, severity=severity, reason=reason, why=why)


def _notifications(voices: Sequence[_Voice], rules: RuleSet) -> Iterator[PlannedNotification]:
    """One for each receiver, naming all the rules that tell it now; if none does, all that would."""
    for receiver in dict.fromkeys(receiver for voice in voices for receiver in voice.rule.notify):
        asking = [voice for voice in voices if receiver in voice.rule.notify]
        speaking = [voice for voice in asking if voice.speaks]
        named = speaking or asking
        yield PlannedNotification(
            receiver=receiver,
            kind=rules.receivers[receiver].kind,
            rules=tuple(voice.rule.name for voice in named),
            severity=min((voice.severity for voice in named), key=_WORST_FIRST.index),
            reason=named[0].reason,
            why="; ".join(voice.why for voice in named),
            state=State.PLANNED if speaking else State.HELD,
        )
