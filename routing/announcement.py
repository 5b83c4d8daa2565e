"""What a destination was told of an incident: it is to hear the end of it, whatever becomes of the rules in between."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from routing.alert import ENDS, UNTIL_ITS_END, Alert, Status
from routing.notification import PlannedNotification, Reason, Severity, State, worst_of
from routing.plain_text import one_line
from routing.rules import Receiver

MAX_NAME = 80
"""Of whoever has ended something, in characters."""

_WORDS: Mapping[Status, str] = {Status.RESOLVED: "resolved", Status.ARCHIVED: "archived"}
# https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issues and sentry-webhooks, 5.4
_HOW: Mapping[str, str] = {
    "archived_until_escalating": "until it escalates",
    "archived_until_condition_met": "until a condition is met",
    "archived_forever": "for good",
    "in_next_release": "in the next release",
    "in_upcoming_release": "in the upcoming release",
    "in_release": "in a release",
    "in_commit": "in a commit",
    "with_commit": "in a commit",
    "with_third_party_app": "by another app",
    "regressed": "after a regression",
    "escalating": "for it escalates",
}


GROUP = "group:"
"""How the subjects begin that are groups of incidents."""


class Topic(NamedTuple):
    """What tells one announcement of an incident from the others."""

    subject: str
    """What it is about to its destination: the incident's key, or that of a group of incidents."""
    place: str
    """The destination, as `Receiver.place` spells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Somebody wants to hear nothing of an incident for a time."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An incident was announced at a destination, and has not been closed there."""

    subject: str
    place: str
    receiver: str
    """As it was called when the last message was planned."""
    kind: str
    rules: tuple[str, ...]
    """Those that announced it."""
    severity: Severity
    """The worst that was told."""
    why: str
    """Why the last message came."""
    changes: Mapping[str, object] = field(default_factory=dict)
    """Options of the receiver that hung on the alert."""
    follows: frozenset[Reason] = frozenset({Reason.RESOLVED})
    """What the receiver wants to be told of what becomes of it."""
    event: int = 0
    """The number of the last event that it told of."""

    @property
    def topic(self) -> Topic:
        """Its key."""
        return Topic(self.subject, self.place)

    def heard(self, notification: PlannedNotification, event: int) -> Announcement:
        """With what a further message has told, of that event."""
        rules = tuple(dict.fromkeys((*self.rules, *notification.rules)))
        severity = worst_of((self.severity, notification.severity))
        return replace(announced_by(notification, event), rules=rules, severity=severity)


def announced_by(notification: PlannedNotification, event: int) -> Announcement:
    """What a message announces where nothing was before, by that event."""
    return Announcement(
        subject=notification.subject,
        place=notification.place,
        receiver=notification.receiver,
        kind=notification.kind,
        rules=notification.rules,
        severity=notification.severity,
        why=notification.why,
        changes=notification.changes,
        follows=notification.follows,
        event=event,
    )


def closings(alert: Alert, announced: Iterable[Announcement]) -> Iterator[PlannedNotification]:
    """What tells of the end of an incident wherever it was announced: no silence, no window and no edit of the rules holds it."""
    for one in announced:
        closing = _follow_up(one, Reason.RESOLVED, _how(alert))
        if not alert.is_of_sentry:
            closing = replace(closing, event=one.event)  # what others say of an end has no content of its own
        # Also where it was ended: what was on its way there when that was done may have begun it anew.
        if Reason.RESOLVED not in one.follows:
            untold = f"{one.receiver} is not told how incidents end (`resolved: true` changes that)"
            yield replace(closing, reason=Reason.ENDED, state=State.HELD, why=f"{closing.why}; {untold}")
        else:
            yield closing


def updates(alert: Alert, reason: Reason, announced: Iterable[Announcement]) -> Iterator[PlannedNotification]:
    """What shows what somebody did to an incident, wherever that is shown and not known already."""
    for one in announced:
        if reason in one.follows and one.place != alert.place:
            yield replace(_follow_up(one, reason, f"{_how(alert)}; told because {one.why}"), event=one.event)


def passed_on(alert: Alert, issue: str, receiver: Receiver, announced: Iterable[Announcement]) -> PlannedNotification:
    """What does to one of Sentry's issues what somebody did to the incident; the rules are those that have announced it."""
    rules = tuple(dict.fromkeys(rule for one in announced for rule in one.rules))
    return PlannedNotification(
        receiver=receiver.name,
        kind=receiver.kind,
        rules=rules or (Reason.PASSED_ON.value,),
        severity=Severity.INFO,
        reason=Reason.REOPENED if alert.reopens else Reason.PASSED_ON,
        why=_how(alert),
        state=State.PLANNED,
        subject=issue,
        place=receiver.place({}),
    )


def answers(alert: Alert, words: str, announced: Iterable[Announcement]) -> Iterator[PlannedNotification]:
    """What tells somebody, and nobody else, what he has asked, or that he may not do what he did: by one receiver of the same kind."""
    able = (one for one in announced if Reason.ANSWER in one.follows and one.kind == alert.origin.lower())
    for one in islice(able, 1):
        # Of a subject of its own: it is no message about the incident.
        asked = json.dumps([alert.incident, alert.actor, alert.payload.get("pressed")])
        subject = f"answer:{hashlib.sha256(asked.encode()).hexdigest()[:32]}"
        yield replace(_follow_up(one, Reason.ANSWER, words), severity=Severity.INFO, subject=subject)


def silence_of(alert: Alert) -> Quiet | None:
    """What an alert says of how long nothing is to be told."""
    return Quiet(until=alert.silenced_until, why=_how(alert)) if alert.silenced_until else None


def refresh(one: Announcement) -> PlannedNotification:
    """What brings up to date what stands there."""
    return replace(_follow_up(one, Reason.UPDATED, one.why), event=one.event)


def who(alert: Alert) -> str:
    """Who did something, and where: `Ann Lee in Slack`."""
    return f"{one_line(alert.actor)[:MAX_NAME]} in {alert.origin}" if alert.actor else f"somebody in {alert.origin}"


def _follow_up(one: Announcement, reason: Reason, why: str) -> PlannedNotification:
    return PlannedNotification(
        receiver=one.receiver,
        kind=one.kind,
        rules=one.rules,
        severity=one.severity,
        reason=reason,
        why=why,
        state=State.PLANNED,
        subject=one.subject,
        place=one.place,
        changes=one.changes,
    )


def manner(alert: Alert) -> str:
    """In what way an incident has ended or come back, as far as Sentry says it: `until it escalates`; empty if it does not."""
    return _HOW.get(alert.resolution or "") or _HOW.get(alert.substatus or "") or ""


def _how(alert: Alert) -> str:
    """What became of an incident, for people: `archived in Sentry by Ann Lee until it escalates`."""
    by = f" by {one_line(alert.actor)[:MAX_NAME]}" if alert.actor else ""
    how = manner(alert) if alert.status in ENDS else ""
    acknowledged = "acknowledged" if alert.acknowledged else "no longer acknowledged"
    wanted = "reopened" if alert.reopens else "taken over" if alert.assigns_to else None
    what = _WORDS.get(alert.status) or wanted or acknowledged
    if alert.silenced_until:
        end = "its end" if alert.silenced_until == UNTIL_ITS_END else f"{alert.silenced_until:%Y-%m-%d %H:%M} UTC"
        return f"silenced in {alert.origin}{by} until {end}"
    return f"{what} in {alert.origin}{by}{f' {how}' if how else ''}"
