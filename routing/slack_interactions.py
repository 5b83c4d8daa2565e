"""What Slack's buttons send: proves that Slack sent the bytes, and reads what somebody pressed.

https://docs.slack.dev/authentication/verifying-requests-from-slack and .../reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from routing.alert import Json
from routing.own_events import Change
from routing.payload import UnreadableJsonError, decode, first_text, mapping, sequence, text

WINDOW = timedelta(minutes=5)
"""What is older was recorded, and is played again."""
MAX_KEY = 200
"""Of an incident, in characters."""

_VERSION = "v0"
_CHANGES: Mapping[str, Mapping[str, Json]] = {
    "acknowledge": {"change": Change.ACKNOWLEDGED},
    "silence_1h": {"change": Change.SILENCED, "hours": 1},
    "silence_8h": {"change": Change.SILENCED, "hours": 8},
    "silence": {"change": Change.SILENCED},
}
"""By the `action_id` of a button what it does."""


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
    user = mapping(content.get("user"))
    for pressed in map(mapping, sequence(content.get("actions"))):
        change = _CHANGES.get(text(pressed.get("action_id")) or "")
        incident = text(pressed.get("value"))
        if change and incident:
            who = first_text(user.get("name"), user.get("username"), user.get("id"))
            # The moment keeps two presses apart.
            yield {**change, "incident": incident[:MAX_KEY], "who": who, "where": "Slack", "pressed": text(pressed.get("action_ts"))}
