"""Durations as people write them: `90s`, `30m`, `4h`, `2d`, `1w`."""

from __future__ import annotations

import re
from datetime import timedelta

LONGEST = timedelta(weeks=520)
"""More is an error of whoever wrote it, and a date that no database holds."""

_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


def read_duration(text: str) -> timedelta:
    """A number and a unit.

    Raises:
        ValueError: it is no duration, or longer than `LONGEST`; says what one looks like.
    """
    matched = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if not matched:
        raise ValueError("no duration; write a number and s, m, h, d or w, like 30m")
    duration = timedelta(seconds=int(matched[1]) * _UNITS[matched[2]])
    if duration > LONGEST:
        raise ValueError(f"too long; write at most {spell_duration(LONGEST)}")
    return duration


def spell_duration(duration: timedelta) -> str:
    """In the largest unit that measures it, in whole seconds."""
    seconds = int(duration.total_seconds())
    unit = next((unit for unit, length in _UNITS.items() if seconds and seconds % length == 0), "s")
    return f"{seconds // _UNITS[unit]}{unit}"
