"""What stands where the body of an old webhook stood: when it was deleted."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_PRUNED = re.compile(rb"\0pruned ([0-9-]{10} [0-9:]{8})")
"""No JSON, so no webhook that anything could be read from begins so."""


def pruned_body(now: datetime) -> bytes:
    """To be stored in place of the body."""
    return f"\0pruned {now.astimezone(UTC):%Y-%m-%d %H:%M:%S}".encode()


def said_of_pruned(body: bytes) -> str:
    """What to say of a body that was deleted for its age; empty if it was not."""
    found = _PRUNED.fullmatch(body)
    return f"the body was pruned at {found[1].decode()} UTC, for its age (RETAIN_BODIES)" if found else ""
