"""How often a project's webhooks come, hour by hour of the week, and whether a silence is longer than that lets expect.

Two questions, for busy projects and for slow ones, each answered from the quietest that was seen: how many webhooks the quietest of the
last weeks had in as long a time, and how likely it is that hours stay empty which never, or seldom, were. An hour stands for its
neighbours, too: clocks are put forward in spring, and people come earlier or later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
WEEKS = 8
"""What is older is forgotten."""
LEARNT_AFTER = timedelta(days=14)
"""With less than two weeks nobody knows a weekend."""
FEWEST = 30
"""A project with fewer webhooks in all that time has no rhythm."""
MISSED = 20.0
"""So many webhooks the quietest week had in that time: none of them is no chance."""
UNLIKELY = math.log(1e-6)
SHORTEST = timedelta(minutes=10)
LONGER = 1.5
"""Than the longest silence that was nothing, in whole hours."""


@dataclass(frozen=True)
class Rhythm:
    """What was seen of one project."""

    counts: Mapping[datetime, int]
    """Webhooks by the beginning of their hour, in UTC; hours without any are not named."""
    last_at: datetime
    """When the last one came."""

    def is_learnt(self) -> bool:
        """Whether enough was seen to tell what is usual."""
        return self.last_at - self._first >= LEARNT_AFTER and sum(self.counts.values()) >= FEWEST

    def is_broken(self, now: datetime) -> bool:
        """Whether no webhook has come for longer than is usual at this time."""
        gap = now - self.last_at
        if gap < SHORTEST or not self.is_learnt():
            return False
        if self.missed(now) >= MISSED:
            return True
        return gap >= self._longest_silence * LONGER and self._likelihood_of_none(now) <= UNLIKELY

    def missed(self, now: datetime) -> float:
        """How many webhooks the quietest week had in as long a time as has passed since the last one."""
        return sum(share * min(self._around(hour)) for hour, share in _hours(self.last_at, now))

    def _likelihood_of_none(self, now: datetime) -> float:
        """The logarithm of how likely the hours since the last one are empty, only whole ones counted."""
        found = 0.0
        for hour, share in _hours(self.last_at, now):
            if share == 1:
                seen = self._around(hour)
                busy = sum(1 for count in seen if count)
                found += math.log((len(seen) - busy + 0.5) / (len(seen) + 1))
        return found

    def _around(self, hour: datetime) -> list[int]:
        """What came at this hour, and an hour before and after, in each of the weeks before."""
        at = [hour - WEEK * week + HOUR * beside for week in range(1, WEEKS + 1) for beside in (-1, 0, 1)]
        return [self.counts.get(one, 0) for one in at if one >= self._first] or [0]

    @cached_property
    def _first(self) -> datetime:
        return min(self.counts)

    @cached_property
    def _longest_silence(self) -> timedelta:
        return max((later - hour - HOUR for hour, later in pairwise(sorted(self.counts))), default=timedelta())


def beginning_of_hour(at: datetime) -> datetime:
    """The hour in which it is."""
    return at.replace(minute=0, second=0, microsecond=0)


def _hours(since: datetime, until: datetime) -> Iterator[tuple[datetime, float]]:
    """The hours between, each with the share of it that lies between."""
    hour = beginning_of_hour(since)
    while hour < until:
        begin, end = max(hour, since), min(hour + HOUR, until)
        yield hour, (end - begin) / HOUR
        hour += HOUR
