"""What happens next to an incident by itself, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from routing.incident import Cause, Timer
from routing.rules import Rule, RuleSet, Unless
from storage.incident_desk import Life
from storage.incident_story import Message
from storage.waiting import Turn

_UNLESS = {
    Unless.ACKNOWLEDGED: "unless somebody has acknowledged it",
    Unless.ASSIGNED: "unless it is assigned",
    Unless.NEVER: "whoever has taken it on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """Something that will happen if nobody acts and nothing is heard."""

    at: datetime
    words: str
    delivery: int | None = None
    """The number of the notification that waits."""


def coming(life: Life, rules: RuleSet | None, waits: Sequence[tuple[Message, Turn | None]]) -> Iterator[Coming]:
    """All of it, in no order."""
    for timer in life.timers:
        rule = rules.by_name.get(timer.rule) if rules else None
        yield Coming(at=timer.due_at, words=_of_timer(timer, rule))
    for message, turn in waits:
        at = turn.expected_at if turn else message.next_attempt_at
        yield Coming(at=at, words=_of_message(message, turn), delivery=message.id)


def _of_timer(timer: Timer, rule: Rule | None) -> str:
    match timer.cause:
        case Cause.WINDOW:
            return f"The window ends that keeps {timer.rule} silent: it is told then, if it still fires."
        case Cause.INHIBITION:
            return f"{timer.rule} looks again whether another incident explains it; if none does, it is told."
        case Cause.GROUP:
            return f"{timer.rule} tells it to {_names(rule.notify if rule else ())}, together with the others of its group."
        case Cause.REPEAT:
            whom = _names(rule.notify if rule else ())
            return f"{timer.rule} reminds {whom}, if it still fires and nobody has acknowledged it."
        case Cause.ESCALATION:
            step = rule.escalate[timer.step] if rule and timer.step < len(rule.escalate) else None
            unless = _UNLESS[step.unless] if step else "if it still fires"
            return f"{timer.rule} escalates to {_names(step.notify if step else ())}, {unless}."


def _of_message(message: Message, turn: Turn | None) -> str:
    before = f", {turn.ahead} {'goes' if turn.ahead == 1 else 'go'} before it" if turn and turn.ahead else ""
    why = f": {turn.why}" if turn and turn.why else ""
    return f"{message.receiver} is told ({message.reason}){before}{why}."


def _names(receivers: Sequence[str]) -> str:
    return ", ".join(receivers) or "its receivers"
