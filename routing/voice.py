"""A rule that matched an alert: whom it tells and how bad it is, whether it speaks now, and when it comes back to it by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from routing.addressing import Address, address
from routing.history import History
from routing.incident import Cause, Timer
from routing.notification import Mention, PlannedNotification, Reason, Severity, State, worst_of
from routing.own_failures import kept_from_the_failing
from routing.query import Facts
from routing.rules import Rule, RuleSet, Step, Unless

SILENT = frozenset({Reason.COOLDOWN, Reason.GROUP, Reason.INHIBITED, Reason.SILENCED, Reason.THROTTLED, Reason.WINDOW})
"""Reasons for which a rule does not speak now."""

_CAUSES = {Reason.WINDOW: Cause.WINDOW, Reason.INHIBITED: Cause.INHIBITION, Reason.GROUP: Cause.GROUP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What a rule does about an alert now."""

    rule: Rule
    severity: Severity
    reason: Reason
    met: str
    """By what the rule was met."""
    notify: tuple[str, ...]
    subject: str
    """What its message is about: the incident's key, or that of a group."""
    then: str = ""
    """Whom it tells next if nobody acts, and when."""
    remark: str = ""
    """What keeps it silent now, or on what occasion it speaks."""
    until: datetime | None = None
    """When a rule that is silent looks again."""
    group: str = ""
    """The key of the group that is told together."""

    @property
    def why(self) -> str:
        """All of that, for people."""
        return f"{self.met}; {self.remark}" if self.remark else self.met

    @property
    def speaks(self) -> bool:
        """Whether it tells of the alert now."""
        return self.reason not in SILENT

    def severity_for(self, receiver: str) -> Severity:
        """What one receiver is told."""
        return self.rule.severities.get(receiver, self.severity)


def worst(voices: Sequence[Voice], receiver: str | None = None) -> Severity:
    """How bad the worst of them says it is, to one receiver or by itself."""
    said = [voice.severity_for(receiver) if receiver else voice.severity for voice in voices]
    return worst_of(said)


def notifications_of(
    voices: Sequence[Voice], rules: RuleSet, facts: Facts, others: tuple[Mention, ...] = ()
) -> Iterator[PlannedNotification]:
    """One for each destination, naming all the rules that tell it now; if none does, all that would. None is told of its own failure."""
    yield from kept_from_the_failing([*_asked_for(voices, rules, facts, others)], rules, facts)


def _asked_for(voices: Sequence[Voice], rules: RuleSet, facts: Facts, others: tuple[Mention, ...]) -> Iterator[PlannedNotification]:
    for where, asking in _by_destination(voices, rules, facts):
        speaking = [] if where.is_lost else [voice for voice in asking if voice.speaks]
        named = speaking or asking
        yield PlannedNotification(
            receiver=where.receiver.name,
            kind=where.receiver.kind,
            changes=where.changes,
            rules=tuple(voice.rule.name for voice in named),
            severity=worst(named, where.receiver.name),
            reason=Reason.NOWHERE if where.is_lost else named[0].reason,
            why="; ".join((*(voice.why for voice in named), *filter(None, (where.remark,)))),
            state=State.PLANNED if speaking else State.HELD,
            others=others if speaking else (),
            then="; ".join(dict.fromkeys(filter(None, (voice.then for voice in speaking)))),
            subject=named[0].subject,
            place=where.receiver.place(where.changes),
            follows=where.receiver.options.follows,
        )


def _by_destination(voices: Sequence[Voice], rules: RuleSet, facts: Facts) -> Iterator[tuple[Address, list[Voice]]]:
    """The rules that ask for each destination, whatever they call it."""
    found: list[tuple[Address, list[Voice]]] = []
    for name in dict.fromkeys(receiver for voice in voices for receiver in voice.notify):
        where = address(name, rules, facts)
        asking = [voice for voice in voices if name in voice.notify]
        known = next((voices for other, voices in found if where.is_same(other)), None)
        if known is None:
            found.append((where, asking))
        else:
            known += [voice for voice in asking if voice not in known]
    yield from found


def next_step(rule: Rule, history: History, now: datetime) -> str:
    """Whom a rule that speaks now tells next if nobody acts, and when: `pager at 10:30 UTC unless acknowledged`; empty: nobody."""
    is_first = rule.name not in history.notified_at
    coming = [(now + step.after, step) for step in rule.escalate] if is_first else _pending(rule, history, now)
    due = [(at, step) for at, step in coming if not is_called_off(step.unless, history)]
    if not due:
        return ""
    at, step = min(due, key=lambda pair: pair[0])
    unless = "" if step.unless is Unless.NEVER else f" unless {step.unless}"
    return f"{', '.join(step.notify)} at {at:%Y-%m-%d %H:%M} UTC{unless}"


def is_called_off(unless: Unless, history: History) -> bool:
    """Whether somebody has done what calls a step of an escalation off."""
    match unless:
        case Unless.ACKNOWLEDGED:
            return history.acknowledged
        case Unless.ASSIGNED:
            return history.assigned or history.acknowledged
        case Unless.NEVER:
            return False


def _pending(rule: Rule, history: History, now: datetime) -> list[tuple[datetime, Step]]:
    steps = history.escalates_at.get(rule.name, {})
    return [(at, rule.escalate[number]) for number, at in steps.items() if at > now and number < len(rule.escalate)]


def timers_of(voice: Voice, now: datetime, *, is_first: bool) -> Iterator[Timer]:
    """When a rule that an alert met comes back to it: to say what it could not say now, to repeat itself, to tell others.

    Only what it says of an incident first begins an escalation.
    """
    rule = voice.rule
    if voice.until and voice.reason in _CAUSES:
        cause = _CAUSES[voice.reason]
        yield Timer(rule=rule.name, cause=cause, due_at=voice.until, group=voice.group, why=voice.met, held_by=voice.reason)
    if voice.speaks and rule.repeat:
        yield Timer(rule=rule.name, cause=Cause.REPEAT, due_at=now + rule.repeat, group=voice.group, why=voice.met)
    if voice.speaks and is_first:
        for number, step in enumerate(rule.escalate):
            yield Timer(rule=rule.name, cause=Cause.ESCALATION, due_at=now + step.after, step=number, group=voice.group, why=voice.met)
