"""Decides who is told about an alert, and says of every rule why it did or did not. The same call serves the worker and `explain`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from routing.alert import ENDS, Alert, Status
from routing.announcement import answers, closings, passed_on, updates
from routing.asking import ask, facts_of, noise
from routing.history import History
from routing.holding import Situation
from routing.incident import Timer
from routing.notification import PlannedNotification, Reason
from routing.query import Verdict
from routing.rules import Rule, RuleSet
from routing.silences import Silence
from routing.voice import Voice, next_step, notifications_of, timers_of


class Disposition(StrEnum):
    """What became of an event."""

    MATCHED = "matched"
    UNROUTED = "unrouted"
    """It fires, and no rule asks for it."""
    IGNORED = "ignored"
    """An entry of `ignore` says that it is noise."""
    NOTED = "noted"
    """It does not fire: a resolve, an assignment, a comment."""
    OVERTAKEN = "overtaken"
    """It tells of a state that was over when it came: a later webhook was quicker."""
    ECHO = "echo"
    """It tells what the router itself did there."""
    REFUSED = "refused"
    """Somebody did what he may not, by `buttons` of rules.yaml."""
    UNKNOWN = "unknown"
    """A resource that this version has never heard of."""
    DUPLICATE = "duplicate"
    """It says again what an earlier event has said."""
    UNREADABLE = "unreadable"
    """Signed, but no alert could be read from it."""


class RuleTrace(NamedTuple):
    """What one rule said to an alert."""

    rule: str
    matched: bool
    why: str
    """The conditions met with their values, or the first one that was not, with the wanted and the actual value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that follows from one alert."""

    disposition: Disposition
    notifications: tuple[PlannedNotification, ...] = ()
    asked: tuple[str, ...] = ()
    """The rules that were asked, in the order of the file."""
    verdicts: tuple[Verdict, ...] = ()
    """What each of them said."""
    ignored_by: str = ""
    """The entry of `ignore` that it met, and by what."""
    speaking: tuple[str, ...] = ()
    """The rules that tell of it now: their cooldown begins anew."""
    timers: tuple[Timer, ...] = ()
    """When rules come back to it by themselves."""
    explains: frozenset[str] = frozenset()
    """The keys under which its incident holds others as long as it fires."""
    throttles: tuple[str, ...] = ()
    """The keys of the throttles that count it as told."""
    inputs: History = field(default_factory=History, compare=False)
    """What of the history was looked at: with it the same call decides the same."""

    @property
    def trace(self) -> tuple[RuleTrace, ...]:
        """For every rule what it said."""
        return tuple(RuleTrace(rule, *verdict) for rule, verdict in zip(self.asked, self.verdicts, strict=True))


def plan(alert: Alert, rules: RuleSet, history: History, now: datetime, silences: Sequence[Silence] = ()) -> Plan:
    """Decide. Nothing but the arguments enters, so the same arguments give the same plan at any time."""
    if history.duplicate_of is not None:
        return Plan(disposition=Disposition.DUPLICATE, inputs=history)
    if history.is_overtaken or history.is_echo:
        return Plan(disposition=Disposition.ECHO if history.is_echo else Disposition.OVERTAKEN, inputs=_alone(history))
    if alert.status is not Status.FIRING:
        return _plan_change(alert, rules, history)
    facts = facts_of(alert, history, now)
    if found := noise(facts, rules):
        entry, why = found
        return Plan(disposition=Disposition.IGNORED, ignored_by=f"{entry.name}: {why}", inputs=_alone(history))
    verdicts = ask(facts, rules, history)
    situation = Situation(facts=facts, rules=rules, history=history, silences=silences, now=now)
    voices = [_voice(rule, why, situation) for rule, (is_met, why) in zip(rules.rules, verdicts, strict=True) if is_met]
    speaks = any(voice.speaks for voice in voices)
    return Plan(
        disposition=Disposition.MATCHED if voices else Disposition.UNROUTED,
        notifications=tuple(notifications_of(voices, rules, facts)),
        asked=rules.names,
        verdicts=verdicts,
        speaking=tuple([voice.rule.name for voice in voices if voice.speaks]),
        timers=tuple([timer for voice in voices for timer in timers_of(voice, now, is_first=voice.rule.name not in history.notified_at)]),
        explains=situation.explains,
        throttles=tuple(situation.throttles) if speaks else (),
        inputs=_looked_at(situation),
    )


def _plan_change(alert: Alert, rules: RuleSet, history: History) -> Plan:
    """What is told of that which does not fire."""
    if refusal := rules.refusal(alert):
        told = tuple(answers(alert, refusal, history.announced))
        return Plan(disposition=Disposition.REFUSED, notifications=told, inputs=_alone(history))
    # A vendor says in which state something is put; only here it is known whether that was over.
    alert = replace(alert, reopens=alert.reopens and history.was in ENDS)
    told = (*_follow_ups(alert, history), *_passed_on(alert, rules, history))
    if alert.asks:
        told = tuple(answers(alert, alert.text, history.announced))
    return Plan(disposition=Disposition.NOTED, notifications=told, inputs=_alone(history))


def _follow_ups(alert: Alert, history: History) -> Iterator[PlannedNotification]:
    """What is told of an incident's end, or of who has taken it on, where it was announced."""
    if alert.status in ENDS and not history.is_open_beside:
        yield from closings(alert, (one for one in history.announced if one.topic not in history.shared))
    elif reason := _news(alert, history):
        yield from updates(alert, reason, (one for one in history.announced if one.subject == history.incident))


def _passed_on(alert: Alert, rules: RuleSet, history: History) -> Iterator[PlannedNotification]:
    """What somebody did elsewhere to an incident, to be done to each of its issues in Sentry."""
    if alert.is_of_sentry or not _is_passed_on(alert, history):
        return
    for receiver in rules.receivers.values():
        if receiver.options.is_told_what_is_done(alert):
            for issue in history.open_issues:
                yield passed_on(alert, issue, receiver, history.announced)


def _is_passed_on(alert: Alert, history: History) -> bool:
    """Whether it changes something in Sentry."""
    if history.was is not Status.FIRING:
        return alert.reopens
    return alert.status in ENDS or bool(alert.assigns_to) or _news(alert, history) is not None


def _news(alert: Alert, history: History) -> Reason | None:
    """What somebody did to an incident that was not known yet."""
    if alert.silenced_until and history.was is Status.FIRING:
        return Reason.MUTED
    if alert.acknowledged is None or alert.acknowledged is history.acknowledged:
        return None
    return Reason.ACKNOWLEDGED if alert.acknowledged else Reason.UNACKNOWLEDGED


def _voice(rule: Rule, met: str, situation: Situation) -> Voice:
    """What a rule that an alert met does about it now."""
    history = situation.history
    # What holds a group is looked at when the group is told.
    hold = situation.cooldown(rule) if rule.grouping else situation.hold(rule)
    reason = Reason.REPEAT if rule.name in history.notified_at else Reason.FIRST
    voice = Voice(rule=rule, severity=situation.severity(rule), reason=reason, met=met, notify=rule.notify, subject=history.incident)
    if hold:
        return replace(voice, reason=hold.reason, remark=hold.why, until=hold.until)
    voice = replace(voice, then=next_step(rule, history, situation.now))
    if rule.grouping:
        group, due_at = situation.group(rule)
        remark = f"told together with others at {due_at:%Y-%m-%d %H:%M:%S} UTC"
        return replace(voice, reason=Reason.GROUP, remark=remark, until=due_at, group=group)
    return voice


def _alone(history: History) -> History:
    """What is known of the incident itself: nothing else was looked at."""
    return replace(history, explained_by={}, told_at={}, group_told_at={})


def _looked_at(situation: Situation) -> History:
    """Of the history only what was looked at: what is known of other incidents is not this one's."""
    return replace(
        situation.history,
        announced=(),
        shared=frozenset(),
        figures={rule: dict(figures) for rule, figures in situation.history.figures.items()},
        explained_by=situation.explained_by,
        told_at=situation.told_at,
        group_told_at=situation.group_told_at,
    )
