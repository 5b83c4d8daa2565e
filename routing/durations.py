"""Durations as people write them, `90s`, `30m`, `4h`, `2d`, `1w`, and times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

LONGEST = timedelta(weeks=520)
"""More is an error of whoever wrote it, and a date that no database holds."""

YEARS = range(1971, 3000)
"""So far from the ends of the calendar that any duration can be added."""
SPAN = f"from {YEARS.start} to before {YEARS.stop}"
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


def read_moment(text: str) -> datetime:
    """A time as ISO 8601 spells it, in UTC unless it says otherwise.

    Raises:
        ValueError: it is none; says what one looks like.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("no time; write one like 2026-03-04T23:30, in UTC") from None
    if found.year not in YEARS:
        raise ValueError(f"too far away; write a time {SPAN}")
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def spell_duration(duration: timedelta) -> str:
    """In the largest unit that measures it, in whole seconds."""
    seconds = int(duration.total_seconds())
    unit = next((unit for unit, length in _UNITS.items() if seconds and seconds % length == 0), "s")
    return f"{seconds // _UNITS[unit]}{unit}"
