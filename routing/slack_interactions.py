"""What Slack's buttons send: proves that Slack sent the bytes, and reads what somebody pressed.

https://docs.slack.dev/authentication/verifying-requests-from-slack and .../reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qs

from routing.alert import Json
from routing.own_events import Change
from routing.payload import UnreadableJsonError, decode, first_text, mapping, sequence, text

WINDOW = timedelta(minutes=5)
"""What is older was recorded, and is played again."""
MAX_KEY = 200
"""Of an incident, in characters."""

_VERSION = "v0"

SLACK = "Slack"
"""As people call it."""


class Button(NamedTuple):
    """What people press below a message."""

    text: str
    change: Change
    hours: int | None = None
    """So long; None: until its end."""
    is_done_in_sentry: bool = False
    """Without anybody who does it there, nobody is offered it."""


BUTTONS: Mapping[str, Button] = {
    "acknowledge": Button("Acknowledge", Change.ACKNOWLEDGED),
    "resolve": Button("Resolve in Sentry", Change.RESOLVED, is_done_in_sentry=True),
    "assign": Button("Assign to me", Change.ASSIGNED, is_done_in_sentry=True),
    "silence_1h": Button("Silence 1 h", Change.SILENCED, hours=1),
    "silence_8h": Button("Silence 8 h", Change.SILENCED, hours=8),
    "silence": Button("Silence until resolved", Change.SILENCED),
    "why": Button("Why am I seeing this", Change.ASKED),
}
"""By `action_id`, in the order in which they are shown."""


def verify_signature(body: bytes, signature: str, timestamp: str, secret: str, now: datetime) -> bool:
    """Whether the signature is Slack's for these bytes, and not from another time. Raises nothing, whatever the headers hold."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 12):
        return False
    if abs(now.timestamp() - int(timestamp)) > WINDOW.total_seconds():
        return False
    digest = hmac.digest(secret.encode(), f"{_VERSION}:{timestamp}:".encode() + body, "sha256").hex()
    return hmac.compare_digest(f"{_VERSION}={digest}".encode(), signature.encode("ascii", "replace"))


def read(body: bytes) -> Iterator[Mapping[str, Json]]:
    """What was pressed, as events of kind CHANGE hold it; nothing for what changes nothing, a button that opens a page among it.

    A button's value is the key of its incident.
    """
    try:
        payload = decode((parse_qs(body.decode("ascii", "replace")).get("payload") or [""])[0].encode())
    except UnreadableJsonError:
        return
    content = mapping(payload)
    user, channel = mapping(content.get("user")), mapping(content.get("channel"))
    for pressed in map(mapping, sequence(content.get("actions"))):
        button = BUTTONS.get(text(pressed.get("action_id")) or "")
        incident = text(pressed.get("value"))
        if button and incident:
            who = first_text(user.get("name"), user.get("username"), user.get("id"))
            pressed_at = text(pressed.get("action_ts"))  # keeps two presses apart
            change: Mapping[str, Json] = {"change": button.change, "hours": button.hours, "incident": incident[:MAX_KEY]}
            yield {
                **change,
                "who": who,
                "where": SLACK,
                "pressed": pressed_at,
                # By which Slack knows them: to answer.
                "user": text(user.get("id")),
                "channel": text(channel.get("id")),
            }
