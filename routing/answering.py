"""What somebody is answered who asks why an incident was told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from routing.notification import Reason, State
from routing.plan import RuleTrace

MAX_UNMET = 10
"""Of the rules that did not match, and are named."""


class Told(NamedTuple):
    """A notification that came of an alert."""

    receiver: str
    state: State
    reason: Reason
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided of the last alert of an incident that met any rule."""

    event: int
    received_at: datetime
    rules_version: str
    trace: Sequence[RuleTrace]
    told: Sequence[Told]


def why_told(decided: Decided | None) -> str:
    """In words, a line for each rule that matched and for each receiver."""
    return "\n".join(_lines(decided)) if decided else "No alert of this incident is known that met any rule."


def _lines(decided: Decided) -> Iterator[str]:
    at = f"{decided.received_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"Event {decided.event}, which came at {at}, under the rules {decided.rules_version}:"
    yield from (f"• {one.rule} matched: {one.why}" for one in decided.trace if one.matched)
    yield from (f"• {one.receiver} {_became(one)}" for one in decided.told)
    unmet = [one for one in decided.trace if not one.matched]
    yield from (f"• {one.rule} did not match: {one.why}" for one in unmet[:MAX_UNMET])
    if len(unmet) > MAX_UNMET:
        yield f"• {len(unmet) - MAX_UNMET} more did not match: flask alerts explain {decided.event}"


def _became(told: Told) -> str:
    if told.state is State.HELD:
        return f"was not told ({told.reason}): {told.why}"
    return f"{'could not be told' if told.state is State.DEAD else 'is told'} ({told.reason})"
