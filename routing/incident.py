"""What is remembered of one incident between its alerts. Changes only by what it is told; knows no storage and no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from routing.alert import Alert, Status
from routing.notification import Reason
from routing.query_states import holds
from routing.samples import plain

_ENDS = frozenset({Status.RESOLVED, Status.ARCHIVED})


class Cause(StrEnum):
    """Why a rule will come back to an incident by itself."""

    WINDOW = "window"
    """A window of time ends that kept it silent."""
    INHIBITION = "inhibition"
    """What explained the incident may have ended."""
    GROUP = "group"
    """The message about a group is due."""
    REPEAT = "repeat"
    ESCALATION = "escalation"


BRINGS_ALL = frozenset({Cause.GROUP, Cause.REPEAT})
"""When one of a group is due, all of it come; each step of an escalation comes in its own time."""


class TimerKey(NamedTuple):
    """There is one timer of each kind."""

    rule: str
    cause: Cause
    step: int
    """Of an escalation, from 0."""
    group: str
    """An incident may have alerts in several groups of one rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """When a rule comes back to an incident, and what it will speak of."""

    rule: str
    cause: Cause
    due_at: datetime
    event: int = 0
    """The number of the event that it will tell of."""
    step: int = 0
    group: str = ""
    """The key of the group that is told together."""
    why: str = ""
    """What met the rule when its alert came."""
    held_by: Reason | None = None
    """What holds the rule until then, and has been said."""

    @property
    def key(self) -> TimerKey:
        """What it takes the place of."""
        return TimerKey(self.rule, self.cause, self.step, self.group)


@dataclass(slots=True, kw_only=True)
class Incident:
    """One trouble, from its first sign to its end."""

    key: str
    status: Status | None = None
    """What it has come to; None until its first alert."""
    last_change: str | None = None
    """The content key of what changed its status last."""
    acknowledged: bool = False
    """Somebody has taken it on; it ends with the incident."""
    assigned: bool = False
    """In Sentry."""
    notified_at: dict[str, datetime] = field(default_factory=dict)
    """By rule: when it last spoke of it, since the incident began."""
    timers: dict[TimerKey, Timer] = field(default_factory=dict)
    seen_in: set[str] = field(default_factory=set)
    """The releases and environments in which it was seen, as `release:4.2.0`."""
    explains: set[str] = field(default_factory=set)
    """The keys of the inhibitions by which it holds others, as long as it fires."""
    issues: dict[str, bool] = field(default_factory=dict)
    """Where a fingerprint has joined several of Sentry's issues: by the key of each whether it is open."""

    def hear(self, alert: Alert, content_key: str | None, issue: str | None = None) -> None:
        """Take in what an alert says of it; with an issue: of this one of those that are joined in it."""
        status = alert.status if issue is None else self._status_by(issue, alert.status)
        if alert.status is not Status.UNCHANGED:
            self.last_change = content_key
        if status is not Status.UNCHANGED:
            self.status = status
        if (assigned := holds("assigned", alert)) is not None:
            self.assigned = assigned
        if alert.status is Status.FIRING:
            self.seen_in |= places(alert)
        if status in _ENDS:
            # What begins again after its end is news: no cooldown of the old trouble holds it.
            self.notified_at.clear()
            self.acknowledged = False
            self.timers.clear()
            self.explains.clear()

    def _status_by(self, issue: str, status: Status) -> Status:
        """What an issue's change means for all of them: it is over with the last one of them."""
        if status is Status.UNCHANGED:
            return status
        self.issues[issue] = status not in _ENDS
        return Status.UNCHANGED if status in _ENDS and any(self.issues.values()) else status

    def spoke(self, rules: Iterable[str], at: datetime) -> None:
        """These rules have spoken of it: what they held back until later is said."""
        for rule in rules:
            self.notified_at[rule] = at
            for cause in (Cause.WINDOW, Cause.INHIBITION):
                self.timers.pop(TimerKey(rule, cause, 0, ""), None)

    def set_timers(self, timers: Iterable[Timer], event: int | None = None) -> None:
        """These rules will come back to it; with an event: to tell of that one."""
        for timer in timers:
            self.timers[timer.key] = timer if event is None else replace(timer, event=event)


def places(alert: Alert) -> frozenset[str]:
    """The release and the environment of an alert, as `Incident.seen_in` has them."""
    named = (("release", alert.release), ("environment", alert.environment))
    return frozenset(f"{kind}:{plain(value)}" for kind, value in named if value)
