"""What is remembered of one incident between its alerts. Changes only by what it is told; knows no storage and no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeVar

from routing.alert import ENDS, Alert, Status
from routing.announcement import Announcement, Quiet, Topic, announced_by, silence_of, who
from routing.echo import CLOCKS_DIFFER
from routing.fingerprint import is_of_metric, issue_of
from routing.notification import Numbers, PlannedNotification, Reason
from routing.query_states import holds
from routing.samples import plain
from routing.trend import counted


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


LATEST = timedelta(minutes=15)
"""So long after its time a webhook may come: Sentry tries three times more, each time five minutes later (sentry-webhooks, 3.2)."""

PASSED_ON_WITHIN = timedelta(hours=9)
"""So long it takes at most until what is passed on is done, or dead."""

MAX_ASSIGNEE = 100
MAX_LINK = 2000
Number = TypeVar("Number", int, datetime)

_TELL_CHANGES = frozenset({"issue", "metric_alert"})
_STATES_OF_ENDS, _OPEN = frozenset({"resolved", "ignored"}), "unresolved"
"""Sentry's `status` of an issue, as it was when the webhook was rendered: perhaps later than what the webhook tells of."""

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


class Turn(StrEnum):
    """What becomes of an incident."""

    BEGAN = "began"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    SILENCED = "silenced"
    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"
    RESOLVED = "resolved"
    ARCHIVED = "archived"


class Standing(NamedTuple):
    """Where an incident stands, as far as people say what becomes of it."""

    status: Status | None
    acknowledged_by: str | None
    quiet: Quiet | None
    assigned: bool


class Change(NamedTuple):
    """When something became of an issue."""

    at: datetime
    """By Sentry's own account."""
    heard_at: datetime


@dataclass(slots=True, kw_only=True)
class Incident:
    """One trouble, from its first sign to its end."""

    key: str
    status: Status | None = None
    """What it has come to; None until its first alert."""
    began_at: datetime | None = None
    """When it was last heard to begin."""
    ended_at: datetime | None = None
    """When it was last heard to end."""
    last_change: str | None = None
    """The content key of what changed its status last."""
    acknowledged_by: str | None = None
    """Who has taken it on, and where; None: nobody has. It ends with the incident."""
    quiet: Quiet | None = None
    """Somebody wants to hear nothing of it for a time; it ends with the incident."""
    assigned: bool = False
    """In Sentry."""
    numbers: Numbers = field(default_factory=Numbers)
    """What whatever was said of it last says of them."""
    notified_at: dict[str, datetime] = field(default_factory=dict)
    """By rule: when it last spoke of it, since the incident began."""
    timers: dict[TimerKey, Timer] = field(default_factory=dict)
    seen_in: set[str] = field(default_factory=set)
    """The releases and environments in which it was seen, as `release:4.2.0`."""
    explains: set[str] = field(default_factory=set)
    """The keys of the inhibitions by which it holds others, as long as it fires."""
    announced: dict[Topic, Announcement] = field(default_factory=dict)
    """Where it was announced since it began, and has to be closed."""
    issues: dict[str, bool] = field(default_factory=dict)
    """Where several of Sentry's issues are joined in it: by the key of each whether it is open."""
    changes: dict[str, Change] = field(default_factory=dict)
    """The last change of each of its issues; of itself, where none are joined."""
    links: dict[str, str] = field(default_factory=dict)
    """By the place that has said so, as people call it: where it is seen there."""
    passed_on: dict[str, datetime] = field(default_factory=dict)
    """By the key of an issue: when its end, which somebody had made elsewhere, was passed on to Sentry, which has not told of it yet."""
    done_at: dict[str, datetime] = field(default_factory=dict)
    """By destination: when people did there what was heard of last, by the vendor's own account."""

    def hear(self, alert: Alert, content_key: str | None, at: datetime, issue: str | None = None) -> None:
        """Take in what an alert says of it; with an issue: of this one of those that are joined in it."""
        status = self._status_of_all(alert.status) if issue is None else self._status_by(issue, alert.status)
        if alert.status is not Status.UNCHANGED:
            self.last_change = content_key
            if alert.resource in _TELL_CHANGES:
                self.changes[self._speaker(issue)] = Change(alert.occurred_at, at)
        if alert.place and alert.reference and alert.changes_state:
            self.done_at[alert.place] = alert.occurred_at
        if status is not Status.UNCHANGED:
            self._turn(status, at)
        if self.status is Status.FIRING:
            self._hear_of_people(alert)
        if (assigned := holds("assigned", alert)) is not None:
            self.assigned = assigned
        self.numbers = _with(self.numbers, alert, at)
        if not alert.is_of_sentry and alert.link and len(alert.link) <= MAX_LINK:
            self.links[alert.origin] = alert.link
        if alert.status is Status.FIRING:
            self.seen_in |= places(alert)
        if status in ENDS:
            self._end()

    def _turn(self, status: Status, at: datetime) -> None:
        if status is Status.FIRING and self.status is not Status.FIRING:
            self.began_at = at
        elif status in ENDS and self.status not in ENDS:
            self.ended_at = at
        self.status = status

    def _hear_of_people(self, alert: Alert) -> None:
        if alert.acknowledged is not None:
            self.acknowledged_by = who(alert) if alert.acknowledged else None
        if alert.silenced_until:
            self.quiet = silence_of(alert)

    def _end(self) -> None:
        # What begins again after its end is news: no cooldown of the old trouble holds it.
        self.notified_at.clear()
        self.acknowledged_by = self.quiet = None
        self.timers.clear()
        self.explains.clear()
        self.announced.clear()

    def is_overtaken(self, alert: Alert, at: datetime, issue: str | None = None) -> bool:
        """Whether what an alert says was over before it came: Sentry's webhooks overtake each other (sentry-webhooks, 3.4).

        Changes of an issue are compared by when it was last seen, which only grows. An event is older than the end of its issue if
        it was not later than the last one that the issue had seen. Nothing is overtaken after `LATEST`: clocks differ, and an alert
        that is told in vain does less harm than one that is not told.
        """
        if not alert.is_of_sentry:
            return alert.reference is not None and self._was_done_before(alert)
        last = self.changes.get(self._speaker(issue))
        if last is None or at - last.heard_at > LATEST or alert.status is Status.UNCHANGED:
            return False
        has_ended = self.status in ENDS if issue is None else not self.issues.get(issue, True)
        if alert.resource != "issue":
            return alert.status is Status.FIRING and has_ended and alert.occurred_at <= last.at
        became = alert.payload.get("status")
        is_over = became in _STATES_OF_ENDS if alert.status is Status.FIRING else became == _OPEN
        return alert.occurred_at < last.at or (is_over and has_ended is (alert.status is Status.FIRING))

    def _was_done_before(self, alert: Alert) -> bool:
        """Whether a vendor tells late of what people did: before the incident began or ended last, or before what they did there last.

        Vendors try for days; what was done then was done to an earlier trouble.
        """
        turned_at = self.ended_at if self.status in ENDS else self.began_at
        if turned_at and alert.occurred_at < turned_at - CLOCKS_DIFFER:
            return True
        done_at = self.done_at.get(alert.place or "")
        return done_at is not None and alert.changes_state and alert.occurred_at < done_at

    def is_echo(self, alert: Alert, at: datetime, issue: str | None = None) -> bool:
        """Whether Sentry tells of an end that was passed on to it from here: the incident may fire again since (sentry-webhooks, 9)."""
        passed_on = self.passed_on.get(issue or self.key)
        is_end = alert.is_of_sentry and alert.resource == "issue" and alert.by_app and alert.status in ENDS
        return is_end and passed_on is not None and at - passed_on < PASSED_ON_WITHIN

    def is_open_beside(self, issue: str | None) -> bool:
        """Whether the end of an issue leaves another one open that is joined in the incident; that of the whole incident leaves none."""
        return issue is not None and not is_of_metric(self.key) and any(is_open for key, is_open in self.issues.items() if key != issue)

    def announce(self, notification: PlannedNotification, event: int) -> None:
        """A message goes out that tells of this event: where it goes, the end is to be told."""
        topic = Topic(notification.subject, notification.place)
        known = self.announced.get(topic)
        self.announced[topic] = known.heard(notification, event) if known else announced_by(notification, event)

    def _speaker(self, issue: str | None) -> str:
        """By what the changes of an issue are known: what a metric alert and its issue say is of one thing."""
        return self.key if issue is None or is_of_metric(self.key) else issue

    def _status_of_all(self, status: Status) -> Status:
        """What is said of the incident as a whole is said of all issues that are joined in it."""
        if status in ENDS:
            self.issues = dict.fromkeys(self.issues, False)
        return status

    def _status_by(self, issue: str, status: Status) -> Status:
        """What an issue's change means for all of them: it is over with the last one of them; of a metric alert, with the first."""
        if status is Status.UNCHANGED:
            return status
        is_over = status in ENDS and not self.is_open_beside(issue)
        self.issues = {key: is_open and not is_over for key, is_open in self.issues.items()} | {issue: status not in ENDS}
        return Status.UNCHANGED if status in ENDS and not is_over else status

    @property
    def standing(self) -> Standing:
        """Where it stands."""
        return Standing(self.status, self.acknowledged_by, self.quiet, self.assigned)

    @property
    def open_issues(self) -> tuple[str, ...]:
        """The keys of those of Sentry's issues that are open in it; its own, where none are joined."""
        issues = [key for key, is_open in self.issues.items() if is_open] or [self.key]
        return tuple(key for key in issues if issue_of(key))

    @property
    def acknowledged(self) -> bool:
        """Whether somebody has taken it on."""
        return self.acknowledged_by is not None

    @property
    def escalates_at(self) -> dict[str, dict[int, datetime]]:
        """By rule and number of the step: when it will be escalated."""
        found: dict[str, dict[int, datetime]] = {}
        for timer in self.timers.values():
            if timer.cause is Cause.ESCALATION:
                found.setdefault(timer.rule, {})[timer.step] = timer.due_at
        return found

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


def _with(numbers: Numbers, alert: Alert, at: datetime) -> Numbers:
    """What is known with an alert; counts and times only grow, for webhooks overtake each other."""
    said = alert.payload.get("assignedTo")
    assignee = said.get("name") if isinstance(said, Mapping) else None
    is_seen = alert.status is Status.FIRING or alert.last_seen is not None
    return Numbers(
        event_count=_larger(numbers.event_count, alert.event_count),
        user_count=_larger(numbers.user_count, alert.user_count),
        first_seen=_earlier(numbers.first_seen, alert.first_seen or (alert.occurred_at if is_seen else None)),
        last_seen=_larger(numbers.last_seen, alert.last_seen or alert.occurred_at) if is_seen else numbers.last_seen,
        trend=counted(numbers.trend, at) if alert.status is Status.FIRING else numbers.trend,
        assignee=(str(assignee)[:MAX_ASSIGNEE] if assignee else None) if "assignedTo" in alert.payload else numbers.assignee,
    )


def _larger(one: Number | None, other: Number | None) -> Number | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)


def places(alert: Alert) -> frozenset[str]:
    """The release and the environment of an alert, as `Incident.seen_in` has them."""
    named = (("release", alert.release), ("environment", alert.environment))
    return frozenset(f"{kind}:{plain(value)}" for kind, value in named if value)


def turns(before: Standing, after: Standing) -> Iterator[Turn]:
    """What became of an incident between two times."""
    if after.status is not before.status:
        match after.status:
            case Status.FIRING:
                yield Turn.BEGAN if before.status is None else Turn.REOPENED
            case Status.RESOLVED:
                yield Turn.RESOLVED
            case Status.ARCHIVED:
                yield Turn.ARCHIVED
        if after.status in ENDS:
            return  # with its end goes who had taken it on
    if after.acknowledged_by != before.acknowledged_by:
        yield Turn.ACKNOWLEDGED if after.acknowledged_by else Turn.UNACKNOWLEDGED
    if after.quiet and after.quiet != before.quiet:
        yield Turn.SILENCED
    if after.assigned is not before.assigned:
        yield Turn.ASSIGNED if after.assigned else Turn.UNASSIGNED
