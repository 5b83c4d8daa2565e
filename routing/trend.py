"""How often an incident was heard of in each hour of the last day, and how that is shown in one line."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

HOURS = 24
MIN_ALERTS = 3
"""Of fewer there is no trend."""
_BARS = "▁▂▃▄▅▆▇█"

Trend: TypeAlias = tuple[tuple[int, int], ...]
"""By hour, counted from 1970, how many alerts came; oldest first, none for an hour without."""


def counted(trend: Trend, at: datetime) -> Trend:
    """With one more alert at this time; what is a day older goes."""
    counts = dict(trend)
    hour = _hour(at)
    counts[hour] = counts.get(hour, 0) + 1
    return tuple(sorted((known, count) for known, count in counts.items() if known > max(counts) - HOURS))


def shown(trend: Trend, now: datetime) -> str:
    """`▁▁▂█ 14`, a bar for each hour of the last day up to now, and how many there were; empty where there is no trend."""
    first = _hour(now) - HOURS + 1
    counts = [dict(trend).get(hour, 0) for hour in range(first, first + HOURS)]
    if sum(counts) < MIN_ALERTS:
        return ""
    highest = len(_BARS) - 1
    return "".join(_BARS[-(-count * highest // max(counts))] for count in counts) + f" {sum(counts)}"


def _hour(at: datetime) -> int:
    return int(at.timestamp()) // 3600
