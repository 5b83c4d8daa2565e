"""A silence is told when it is longer than is usual at its time, and never because it is night, weekend or spring."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from routing.rhythm import HOUR, LEARNT_AFTER, SHORTEST, WEEKS, Rhythm, beginning_of_hour

MONDAY = datetime(2026, 2, 2, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)
SEEDS = range(2)

Rate = Callable[[datetime], float]
"""Webhooks an hour at a time."""


def office(peak: float) -> Rate:
    """People at work in Berlin, nobody at night or on weekends."""

    def rate(at: datetime) -> float:
        there = at.astimezone(BERLIN)
        return peak if there.weekday() < 5 and 8 <= there.hour < 18 else 0.0

    return rate


def shop(peak: float) -> Rate:
    """Customers all week, fewer at night."""

    def rate(at: datetime) -> float:
        hour = at.astimezone(BERLIN).hour
        return peak * (0.05 if hour < 6 else 0.5 if hour < 9 else 1.0) * (0.6 if at.weekday() >= 5 else 1.0)

    return rate


KINDS: dict[str, Rate] = {
    "a busy service": lambda _: 600.0,
    "a shop": shop(60.0),
    "a small shop": shop(4.0),
    "an office": office(30.0),
    "a small office": office(2.0),
    "a nightly job": lambda at: 20.0 if at.hour == 2 else 0.0,
    "a weekly job": lambda at: 5.0 if at.weekday() == 0 and at.hour == 4 else 0.0,
    "once in a while": lambda _: 0.02,
}


def came(rate: Rate, begin: datetime, end: datetime, chance: random.Random, *, bursts: bool) -> Iterator[datetime]:
    """When webhooks come: by chance, and, as errors do, some of them many at once."""
    at = begin
    while at < end:
        for _ in range(_poisson(rate(at) * (0.25 if bursts else 1.0), chance)):
            first = at + timedelta(seconds=chance.uniform(0, 3600))
            yield from (first + timedelta(seconds=number) for number in range(chance.choice((1, 1, 2, 12)) if bursts else 1))
        at += HOUR


def _poisson(mean: float, chance: random.Random) -> int:
    count, passed = 0, chance.expovariate(1.0)
    while passed < mean:
        count, passed = count + 1, passed + chance.expovariate(1.0)
    return count


class Seen:
    """Moments in their order, and what was known at a time."""

    def __init__(self, moments: Iterable[datetime]) -> None:
        self.moments = sorted(moments)
        self.hours = [*map(beginning_of_hour, self.moments)]

    def rhythm_at(self, now: datetime) -> Rhythm:
        begin, end = bisect_right(self.moments, now - timedelta(weeks=WEEKS)), bisect_right(self.moments, now)
        return Rhythm(Counter(self.hours[begin:end]), self.moments[end - 1])

    def alarms(self, begin: datetime, end: datetime, every: timedelta) -> list[datetime]:
        """When one would be told; looked at only where nothing has come for a time, as all else is none."""
        found, now = [], begin
        while now < end:
            if now - self.moments[bisect_right(self.moments, now) - 1] >= SHORTEST and self.rhythm_at(now).is_broken(now):
                found.append(now)
            now += every
        return found


@pytest.mark.parametrize("bursts", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "a busy service"])
def test_in_eight_weeks_of_ordinary_days_and_a_change_of_the_clocks_nothing_is_told(kind: str, *, bursts: bool) -> None:
    chance = random.Random(f"{kind} {bursts}")  # noqa: S311 - no secret
    end = MONDAY + timedelta(weeks=9)  # the clocks of Berlin are put forward in the eighth

    seen = Seen(came(KINDS[kind], MONDAY, end, chance, bursts=bursts))

    assert seen.alarms(MONDAY + LEARNT_AFTER, end, timedelta(hours=6)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_week_with_a_quiet_weekend_is_no_alarm(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    learnt = MONDAY + timedelta(weeks=4)
    end = learnt + timedelta(weeks=1)
    moments = [at for kind in ("a shop", "an office") for at in came(KINDS[kind], MONDAY, end, chance, bursts=True)]
    friday = learnt + timedelta(days=4, hours=18)
    quieter = [at for at in moments if not friday < at < friday + timedelta(days=2) or chance.random() < 0.5]

    assert Seen(quieter).alarms(learnt, end, timedelta(hours=1)) == []


BOUNDS = {
    "a busy service": (timedelta(hours=0), timedelta(minutes=11)),
    "a shop": (timedelta(hours=12), timedelta(hours=1, minutes=15)),
    "an office": (timedelta(hours=10), timedelta(hours=3)),
    "a small shop": (timedelta(hours=12), timedelta(hours=18)),
    "a small office": (timedelta(hours=10), timedelta(days=5)),
}
"""By kind at what time of a Monday Sentry falls silent, and how long it may take at most until that is told (docs/watch.md)."""


@pytest.mark.parametrize("kind", BOUNDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_sentry_that_falls_silent_is_found_in_time(kind: str, seed: int) -> None:
    at, bound = BOUNDS[kind]
    silent_from = MONDAY + timedelta(weeks=4) + at
    begin = MONDAY if kind != "a busy service" else MONDAY + timedelta(weeks=2) - timedelta(hours=1)
    chance = random.Random(seed)  # noqa: S311 - no secret
    rhythm = Seen(came(KINDS[kind], begin, silent_from, chance, bursts=False)).rhythm_at(silent_from)

    minutes = next(minutes for minutes in range(60 * 24 * 14) if rhythm.is_broken(silent_from + minutes * MINUTE))

    assert SHORTEST - MINUTE <= minutes * MINUTE <= bound


def test_what_was_not_seen_for_two_weeks_or_seldom_is_not_watched() -> None:
    hours = [MONDAY + HOUR * number for number in range(24 * 20)]
    for counts in (dict.fromkeys(hours[: 24 * 13], 9), dict.fromkeys(hours[:: 24 * 2], 1)):
        rhythm = Rhythm(counts, max(counts))

        assert not rhythm.is_learnt()
        assert not rhythm.is_broken(max(counts) + timedelta(days=30))


def test_it_counts_what_the_quietest_week_had() -> None:
    counts = {MONDAY + HOUR * number: 60 for number in range(24 * 21)}
    counts[MONDAY + timedelta(days=7)] = 12
    last = MONDAY + timedelta(days=21) - MINUTE
    rhythm = Rhythm(counts, last)

    assert rhythm.missed(last + HOUR + MINUTE) == pytest.approx(12 + 12 / 60, abs=0.5)
    assert not rhythm.is_broken(last + HOUR)
    assert rhythm.is_broken(last + 2 * HOUR)
