"""Whether a word of `is:` is true of an alert's issue, by Sentry's word or by what came before. Knows no queries."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from routing.alert import Alert, Status

WORDS = frozenset(
    {
        *("new", "ongoing", "escalating", "regressed", "reappeared", "reprocessing", "for_review", "linked", "unlinked"),
        *("assigned", "unassigned", "unresolved", "resolved", "ignored", "archived", "muted"),
        *("until_escalating", "until_condition_met", "forever"),
        *("archived_until_escalating", "archived_until_condition_met", "archived_forever"),
    }
)
"""Sentry's, by docs.sentry.io/concepts/search/searchable-properties/issues, and `reappeared`, which is ours."""


class Return(StrEnum):
    """A word for an incident that fires after it had ended."""

    REGRESSED = "regressed"
    ESCALATING = "escalating"
    REAPPEARED = "reappeared"


_ENDED: Mapping[Return, Status] = {
    Return.REGRESSED: Status.RESOLVED,
    Return.ESCALATING: Status.ARCHIVED,
    Return.REAPPEARED: Status.ARCHIVED,
}
"""What the incident had come to before. Sentry takes an issue out of the archive where it escalates."""
_STATUS_WORDS = {Status.FIRING: "unresolved", Status.RESOLVED: "resolved", Status.ARCHIVED: "ignored"}
_STATUSES = {
    "unresolved": ("unresolved",),
    "resolved": ("resolved", "resolvedInNextRelease"),
    **dict.fromkeys(("ignored", "archived", "muted"), ("ignored", "archived", "muted")),
    "reprocessing": ("reprocessing",),
}


def holds(word: str, alert: Alert, *, is_new: bool | None = None, was: Status | None = None) -> bool | None:
    """Whether a word is true; None where nobody tells.

    Sentry's substatus goes before what we know: whether the incident `is_new` to us, and what it `was` before this alert.
    """
    if word in _STATUSES:
        status = _STATUS_WORDS.get(alert.status) or alert.payload.get("status")
        return status in _STATUSES[word] if isinstance(status, str) else None
    if word in {"assigned", "unassigned"}:
        is_assigned = _is_assigned(alert)
        return None if is_assigned is None else is_assigned is (word == "assigned")
    if word in {"linked", "unlinked"}:
        links = alert.payload.get("annotations")
        return None if links is None else bool(links) is (word == "linked")
    return _in_time(word, alert, is_new=is_new, was=was)


def _in_time(word: str, alert: Alert, *, is_new: bool | None, was: Status | None) -> bool | None:
    """The words that compare with the time before."""
    substatus = None if alert.substatus is None else alert.substatus.lower()
    if word == "for_review":
        truths = [_in_time(each, alert, is_new=is_new, was=was) for each in ("new", "regressed", "escalating")]
        return True if any(truths) else None if None in truths else False
    if word == "new":
        return _is_new(alert, substatus, is_new=is_new)
    if word == Return.REAPPEARED or (substatus is None and word in _ENDED):
        return _has_returned(Return(word), alert, is_new=is_new, was=was)
    return None if substatus is None else substatus in {word, f"archived_{word}"}


def _is_new(alert: Alert, substatus: str | None, *, is_new: bool | None) -> bool | None:
    if alert.resource == "issue" and alert.action == "created":
        return True
    return is_new if substatus is None else substatus == "new"


def _has_returned(word: Return, alert: Alert, *, is_new: bool | None, was: Status | None) -> bool | None:
    if alert.status in {Status.RESOLVED, Status.ARCHIVED} or is_new:
        return False
    return None if was is None or alert.status is Status.UNCHANGED else was is _ENDED[word]


def _is_assigned(alert: Alert) -> bool | None:
    if alert.resource == "issue" and alert.action == "assigned":
        return True
    return bool(alert.payload["assignedTo"]) if "assignedTo" in alert.payload else None
