"""Silences: alerts of which nobody is to be told for a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from routing.query import Facts, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Who silenced which alerts, for how long and why."""

    id: int
    matchers: tuple[Query, ...]
    author: str
    comment: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime


def silenced_by(facts: Facts, silences: Sequence[Silence], now: datetime) -> Silence | None:
    """The first active one that an alert meets."""
    for silence in silences:
        if silence.starts_at <= now < silence.ends_at and any(matcher.check(facts).matched for matcher in silence.matchers):
            return silence
    return None
