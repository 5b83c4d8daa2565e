"""Prints what followed from each sample, for people."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from demo.samples import Sample
from routing.notification import Reason, State
from storage.inspection import Listed, Shown

_WORDS = ("text", "summary", "severity", "why", "body", "description", "subject", "Body")
"""The keys under which the vendors' payloads hold what people read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A sample, and all that followed."""

    sample: Sample
    posted_at: datetime
    event: Shown
    notifications: tuple[Listed, ...]

    @property
    def has_fired(self) -> bool:
        """Whether the rule that it is made for matched it."""
        return any(rule.matched and rule.rule == self.sample.rule for rule in self.event.trace)

    @property
    def went_well(self) -> bool:
        """Whether it fired, and each notification was sent, or previewed for want of a credential."""
        return self.has_fired and bool(self.notifications) and all(map(_ended_well, self.notifications))

    @property
    def milliseconds(self) -> float | None:
        """From the post to the end of the last delivery, None while one is under way."""
        ends = [one.finished_at for one in self.notifications]
        return max((end - self.posted_at).total_seconds() * 1000 for end in ends if end) if ends and all(ends) else None


def report(told: Sequence[Told]) -> bool:
    """Print everything; whether all went well."""
    for one in told:
        print("\n".join(_lines(one)), flush=True)
    fired = sum(one.has_fired for one in told)
    all_notifications = [notification for one in told for notification in one.notifications]
    previews = sum(notification.reason is Reason.PREVIEW for notification in all_notifications)
    print(f"\n{fired} of {len(told)} rules fired, {len(all_notifications)} notifications.")
    if previews:
        print(f"NOTHING WAS SENT for {previews} of them: their receivers have no credential. README.md says which variables to set.")
    return all(one.went_well for one in told)


def _lines(told: Told) -> Iterator[str]:
    event = told.event
    yield f"\n━━ {told.sample.rule} ".ljust(100, "━")
    yield f"event     #{event.id} {event.resource}.{event.action}: {event.title} ({event.project}, {event.environment or 'no environment'})"
    for rule in event.trace:
        if rule.matched:
            yield f"matched   {rule.rule}: {rule.why}"
    if not told.has_fired:
        yield f"MISSED    {told.sample.rule} did not fire: {event.disposition or event.state} {event.error or ''}"
    for notification in told.notifications:
        yield f"{notification.state:<9} {notification.receiver}: {notification.last_excerpt or notification.reason}"
        yield textwrap.indent("\n".join(_words(notification.last_payload)), "          │ ", lambda _: True)
    took = told.milliseconds
    yield (
        f"took      {took:.0f} ms from the post to the end of the last delivery"
        if took is not None
        else "LATE      a delivery is still under way"
    )


def _words(payload: str) -> Iterator[str]:
    """What a person would read of a payload; JSON is walked for its texts, anything else is read as it is."""
    try:
        content = json.loads(payload)
    except ValueError:
        yield from payload.splitlines()
        return
    for text in _texts(content):
        yield from filter(str.strip, text.splitlines())


def _texts(content: object) -> Iterator[str]:
    match content:
        case dict():
            for key, value in content.items():
                if isinstance(value, str) and key in _WORDS:
                    yield value
                else:
                    yield from _texts(value)
        case list():
            for value in content:
                yield from _texts(value)


def _ended_well(notification: Listed) -> bool:
    return notification.state is State.SENT or (notification.state is State.HELD and notification.reason is Reason.PREVIEW)
