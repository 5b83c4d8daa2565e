"""Decides what is told when the time of something has come: a window has ended, a group is complete, nobody has acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from routing.addressing import Address, address
from routing.alert import Alert, Status
from routing.announcement import GROUP
from routing.asking import facts_of
from routing.durations import spell_duration
from routing.history import History
from routing.holding import Situation
from routing.incident import Cause, Timer
from routing.notification import Mention, PlannedNotification, Reason
from routing.rules import Rule, RuleSet, Unless
from routing.silences import Silence
from routing.voice import Voice, is_called_off, next_step, notifications_of, timers_of

_LATE = frozenset({Cause.WINDOW, Cause.INHIBITION, Cause.GROUP})
"""What was not said when its alert came."""
MAX_TITLE = 300
"""Of each incident that a message of a group names beside the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A timer whose time has come, with the alert that it will tell of and what is known by now."""

    timer: Timer
    alert: Alert
    history: History


@dataclass(frozen=True, slots=True, kw_only=True)
class Comeback:
    """All that follows from timers that are due together."""

    notifications: tuple[tuple[Due, PlannedNotification], ...] = ()
    """Each with the one whose alert it tells of, or holds."""
    told: tuple[Due, ...] = ()
    """All that are told now."""
    timers: tuple[tuple[Due, Timer], ...] = ()
    """When the rule comes back again, and to which of them."""
    throttles: tuple[str, ...] = ()
    """The keys of the throttles that count what is told now."""


def come_due(due: Sequence[Due], rules: RuleSet, now: datetime, silences: Sequence[Silence] = ()) -> Comeback:
    """Decide what is told of timers that are due: of one by itself, of all of a group, or of all that rules could not say of an incident.

    Nothing is told of an incident that has ended, by a rule that is no longer in force, or of what somebody has called off. The worst
    of a group heads its message, and of those the newest; of one incident the newest alert is told, by one message to each destination.
    """
    in_force = [(one, rules.by_name[one.timer.rule]) for one in due if one.timer.rule in rules.by_name]
    answers = [(_Answer(one, _situation(one, rules, now, silences)), rule) for one, rule in in_force if _is_open(one, rule)]
    heard = [(answer, _voice(answer, rule)) for answer, rule in answers]
    speaking = sorted((pair for pair in heard if pair[1].speaks), key=_headline)
    return Comeback(
        notifications=(*_held(heard, rules), *_said(speaking, rules)),
        told=tuple(answer.due for answer, _ in speaking),
        timers=tuple((answer.due, timer) for answer, voice in heard for timer in _timers(answer.due, voice, now)),
        throttles=tuple(_counted(answer for answer, _ in speaking)),
    )


def _counted(told: Iterable[_Answer]) -> Iterator[str]:
    """The throttles that count what was not told when it came: each alert once, however many rules tell of it."""
    seen: set[tuple[int, str]] = set()
    for answer in told:
        for key in answer.situation.throttles if answer.due.timer.cause in _LATE else ():
            if (answer.due.timer.event, key) not in seen:
                seen.add((answer.due.timer.event, key))
                yield key


def _held(heard: Sequence[tuple[_Answer, Voice]], rules: RuleSet) -> Iterator[tuple[Due, PlannedNotification]]:
    """What is held now, but for what it was held by before."""
    for answer, voice in heard:
        if not voice.speaks and voice.reason is not answer.due.timer.held_by:
            for notification in notifications_of([voice], rules, answer.situation.facts):
                yield answer.due, notification


def _said(speaking: Sequence[tuple[_Answer, Voice]], rules: RuleSet) -> Iterator[tuple[Due, PlannedNotification]]:
    if not speaking:
        return
    if speaking[0][0].due.timer.group:
        for members in _by_address(speaking, rules):
            first, voice = members[0]
            others = tuple(_mention(other.due) for other, _ in members[1:])
            for notification in notifications_of([voice], rules, first.situation.facts, others):
                yield first.due, notification
    else:
        first = max((answer for answer, _ in speaking), key=lambda answer: answer.due.timer.event)
        for notification in notifications_of([voice for _, voice in speaking], rules, first.situation.facts):
            yield first.due, notification


def _by_address(members: Sequence[tuple[_Answer, Voice]], rules: RuleSet) -> Iterable[Sequence[tuple[_Answer, Voice]]]:
    """Those of a group that go to the same places: an alert may say itself where it goes, and is told nowhere else."""
    found: list[tuple[list[Address], list[tuple[_Answer, Voice]]]] = []
    for answer, voice in members:
        places = [address(receiver, rules, answer.situation.facts) for receiver in voice.notify]
        alike = next((those for other, those in found if all(map(Address.is_same, places, other))), None)
        if alike is None:
            found.append((places, [(answer, voice)]))
        else:
            alike.append((answer, voice))
    return [those for _, those in found]


def _situation(due: Due, rules: RuleSet, now: datetime, silences: Sequence[Silence]) -> Situation:
    facts = facts_of(due.alert, due.history, now)
    return Situation(facts=facts, rules=rules, history=due.history, silences=silences, now=now)


class _Answer(NamedTuple):
    due: Due
    situation: Situation


def _is_open(due: Due, rule: Rule) -> bool:
    """Whether there is still something to tell, and nobody has called it off."""
    timer, history = due.timer, due.history
    if history.was is not Status.FIRING:
        return False
    match timer.cause:
        case Cause.REPEAT:
            return rule.repeat is not None and not history.acknowledged
        case Cause.ESCALATION:
            return timer.step < len(rule.escalate) and not is_called_off(rule.escalate[timer.step].unless, history)
        case Cause.GROUP:
            return True
        case _:
            # It has spoken meanwhile: of a later alert that nothing held.
            told_at = history.notified_at.get(rule.name)
            return told_at is None or told_at + rule.cooldown <= timer.due_at


def _voice(answer: _Answer, rule: Rule) -> Voice:
    """What the rule says now."""
    timer, situation = answer.due.timer, answer.situation
    hold = situation.hold(rule, with_limits=False) or (situation.throttle if timer.cause in _LATE else None)
    reason, occasion, notify = _occasion(timer, rule, answer.due.history)
    voice = Voice(
        rule=rule,
        severity=situation.severity(rule),
        reason=reason,
        met=timer.why,
        remark=occasion,
        notify=notify,
        then=next_step(rule, answer.due.history, situation.now),
        group=timer.group,
        subject=_subject(timer, rule, answer.due.history),
    )
    return replace(voice, reason=hold.reason, remark=hold.why, until=hold.until) if hold else voice


def _occasion(timer: Timer, rule: Rule, history: History) -> tuple[Reason, str, tuple[str, ...]]:
    """For which reason it comes back, in words, and to whom."""
    match timer.cause:
        case Cause.REPEAT:
            return Reason.REMINDER, "still open", rule.notify
        case Cause.ESCALATION:
            step = rule.escalate[timer.step]
            unless = "" if step.unless is Unless.NEVER else f" and not {step.unless}"
            return Reason.ESCALATION, f"still open{unless} after {spell_duration(step.after)}", step.notify
        case Cause.GROUP:
            return (Reason.REPEAT if rule.name in history.notified_at else Reason.FIRST), "", rule.notify
        case _:
            return Reason.DELAYED, "told now", rule.notify


def _subject(timer: Timer, rule: Rule, history: History) -> str:
    """A group of several incidents is known to vendors by its own key, for another one may head its next message."""
    return f"{GROUP}{timer.group}" if timer.group and rule.grouping and rule.grouping.by else history.incident


def _timers(due: Due, voice: Voice, now: datetime) -> Iterator[Timer]:
    """When it comes back again: what is held once more keeps its own cause, and an escalation begins nothing."""
    timer, rule = due.timer, voice.rule
    if voice.speaks:
        if timer.cause is not Cause.ESCALATION:
            for following in timers_of(voice, now, is_first=rule.name not in due.history.notified_at):
                yield replace(following, event=timer.event)
    elif voice.until:
        yield replace(timer, due_at=voice.until, held_by=voice.reason)
    elif timer.cause is Cause.REPEAT and rule.repeat:
        # Nothing says when a silence is over: somebody may end it before its time. The next reminder comes when it would have come.
        yield replace(timer, due_at=now + rule.repeat, held_by=None)


def _headline(pair: tuple[_Answer, Voice]) -> tuple[int, float]:
    answer, voice = pair
    return voice.severity.rank, -answer.due.alert.occurred_at.timestamp()


def _mention(due: Due) -> Mention:
    alert = due.alert
    return Mention(title=alert.title[:MAX_TITLE], project=alert.project, link=alert.link, incident=due.history.incident)
