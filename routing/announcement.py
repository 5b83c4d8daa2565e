"""What a destination was told of an incident: it is to hear the end of it, whatever becomes of the rules in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from routing.alert import Alert, Status
from routing.notification import PlannedNotification, Reason, Severity, State
from routing.plain_text import one_line

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
}

_WORST_FIRST = tuple(Severity)


class Topic(NamedTuple):
    """What tells one announcement of an incident from the others."""

    subject: str
    """What it is about to its destination: the incident's key, or that of a group of incidents."""
    place: str
    """The destination, as `Receiver.place` spells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An incident was announced at a destination, and has not been closed there."""

    subject: str
    place: str
    receiver: str
    """By its name at that time."""
    kind: str
    rules: tuple[str, ...]
    """Those that announced it."""
    severity: Severity
    """The worst that was told."""
    changes: Mapping[str, object] = field(default_factory=dict)
    """Options of the receiver that hung on the alert."""
    hears_end: bool = True
    """Whether the receiver wants to be told how incidents end."""

    @property
    def topic(self) -> Topic:
        """Its key."""
        return Topic(self.subject, self.place)

    def heard(self, notification: PlannedNotification) -> Announcement:
        """With what a further message has told."""
        rules = tuple(dict.fromkeys((*self.rules, *notification.rules)))
        return replace(self, rules=rules, severity=min(self.severity, notification.severity, key=_WORST_FIRST.index))


def announced_by(notification: PlannedNotification) -> Announcement:
    """What a message announces where nothing was before."""
    return Announcement(
        subject=notification.subject,
        place=notification.place,
        receiver=notification.receiver,
        kind=notification.kind,
        rules=notification.rules,
        severity=notification.severity,
        changes=notification.changes,
        hears_end=notification.hears_end,
    )


def closings(alert: Alert, announced: Iterable[Announcement]) -> Iterator[PlannedNotification]:
    """What tells of the end of an incident wherever it was announced: no silence, no window and no edit of the rules holds it."""
    for one in announced:
        untold = f"; {one.receiver} is not told how incidents end (`resolved: true` changes that)"
        yield PlannedNotification(
            receiver=one.receiver,
            kind=one.kind,
            rules=one.rules,
            severity=one.severity,
            reason=Reason.RESOLVED if one.hears_end else Reason.ENDED,
            why=_how(alert) + ("" if one.hears_end else untold),
            state=State.PLANNED if one.hears_end else State.HELD,
            subject=one.subject,
            place=one.place,
            changes=one.changes,
        )


def _how(alert: Alert) -> str:
    """How an incident has ended, for people: `archived in Sentry by Ann Lee until it escalates`."""
    by = f" by {one_line(alert.actor)[:MAX_NAME]}" if alert.actor else ""
    how = _HOW.get(alert.resolution or "") or _HOW.get(alert.substatus or "")
    return f"{_WORDS[alert.status]} in Sentry{by}{f' {how}' if how else ''}"
