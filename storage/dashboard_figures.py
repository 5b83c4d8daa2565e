"""What dashboards say of alerts: counts and percentiles by type, endpoint, release and person. Asks nobody."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from routing.incident import Turn
from storage.dashboards import Happened, Turned

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Timed = TypeVar("Timed", Happened, Turned)
STEPS = 24
"""Parts of the time that is looked at."""
_BEGIN, _END = frozenset({Turn.BEGAN, Turn.REOPENED}), frozenset({Turn.RESOLVED, Turn.ARCHIVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What alerts that have something in common come to."""

    alerts: int
    users: int
    incidents: int
    first: datetime
    last: datetime
    newest: int
    """The number of the last event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the transactions of an endpoint took, in milliseconds. Only those that are slow enough for an alert are known."""

    transactions: int
    p50: float
    p75: float
    p95: float
    p99: float
    slowest: float
    database_share: float | None
    """Of the time of those whose spans are known, what was spent in databases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What became of incidents in a part of the time."""

    until: datetime
    began: int
    reopened: int
    acknowledged: int
    ended: int
    open: int
    """How many fired at its end."""


def percentile(values: Sequence[float], share: float) -> float:
    """Of sorted values the smallest that at least this share of them does not exceed."""
    return values[max(0, math.ceil(share * len(values)) - 1)]


def shares(alerts: Iterable[Happened], key: Callable[[Happened], Key | None]) -> dict[Key, Share]:
    """By what alerts have in common, the newest of which come first, the most first; those that have it not are left out."""
    groups: defaultdict[Key, list[Happened]] = defaultdict(list)
    for one in alerts:
        if (value := key(one)) is not None:
            groups[value].append(one)
    found = {value: _share(group) for value, group in groups.items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1].alerts, -item[1].newest)))


def paces(alerts: Iterable[Happened]) -> dict[str, Pace]:
    """By endpoint how long transactions took, the slowest first."""
    groups: defaultdict[str, list[Happened]] = defaultdict(list)
    for one in alerts:
        if one.duration_ms is not None:
            groups[one.endpoint or ""].append(one)
    found = {endpoint: _pace(group) for endpoint, group in groups.items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1].p95, item[0])))


def slowest(alerts: Iterable[Happened], most: int) -> list[Happened]:
    """The transactions that took longest."""
    timed = [one for one in alerts if one.duration_ms is not None]
    return sorted(timed, key=lambda one: (-(one.duration_ms or 0.0), -one.id))[:most]


def new_in(alerts: Iterable[Happened], begun: frozenset[int]) -> Mapping[str, frozenset[int]]:
    """By release the incidents that began with it, of those that have begun in the time."""
    # The newest come first, so the last one to be set is the first that came.
    first = {one.incident_id: one for one in alerts if one.incident_id is not None and one.incident_id in begun}
    found: defaultdict[str, set[int]] = defaultdict(set)
    for incident, one in first.items():
        if one.release:
            found[one.release].add(incident)
    return {release: frozenset(ids) for release, ids in found.items()}


def by_type(alerts: Iterable[Happened], release: str) -> Counter[str]:
    """How many errors of each type a release has had."""
    return Counter(one.error_type or "" for one in alerts if one.release == release and one.is_error)


def incidents_of(alerts: Iterable[Happened], release: str) -> frozenset[int]:
    """Those that have had errors in a release."""
    return frozenset(one.incident_id for one in alerts if one.release == release and one.is_error and one.incident_id is not None)


def edges(since: datetime, until: datetime) -> list[datetime]:
    """The ends of the parts of a time."""
    return [since + (until - since) * (number + 1) / STEPS for number in range(STEPS)]


def by_step(some: Sequence[Timed], since: datetime, until: datetime) -> list[Sequence[Timed]]:
    """Of what is given, the newest first, what came in each part of a time."""
    ends = [bisect_left(some, -end.timestamp(), key=_backwards) for end in (since, *edges(since, until))]
    return [some[later:earlier] for earlier, later in pairwise(ends)]


def course(alerts: Sequence[Happened], since: datetime, until: datetime) -> dict[str, list[int]]:
    """By category how many alerts there were in each part of a time, the most first."""
    counts = [Counter(one.category or "other" for one in group) for group in by_step(alerts, since, until)]
    whole = sum(counts, Counter[str]())
    return {category: [count[category] for count in counts] for category, _ in whole.most_common()}


def p95_course(alerts: Sequence[Happened], since: datetime, until: datetime) -> list[float | None]:
    """The p95 of transactions in each part of a time, None where there was none."""
    durations = ([one.duration_ms for one in group if one.duration_ms is not None] for group in by_step(alerts, since, until))
    return [percentile(sorted(values), 0.95) if values else None for values in durations]


def states(turns: Sequence[Turned], firing: int, since: datetime, until: datetime) -> list[Step]:
    """What became of incidents in each part of a time; how many were open is counted back from those that fire at its end."""
    counts = [Counter(one.turn for one in group) for group in by_step(turns, since, until)]
    found: list[Step] = []
    for turned, end in zip(reversed(counts), reversed(edges(since, until)), strict=True):
        begun, ended = sum(turned[turn] for turn in _BEGIN), sum(turned[turn] for turn in _END)
        found.append(
            Step(
                until=end,
                began=turned[Turn.BEGAN],
                reopened=turned[Turn.REOPENED],
                acknowledged=turned[Turn.ACKNOWLEDGED],
                ended=ended,
                open=max(0, firing),
            )
        )
        firing += ended - begun
    return found[::-1]


def _backwards(one: Happened | Turned) -> float:
    return -one.at.timestamp()


def _share(group: Sequence[Happened]) -> Share:
    """Of a group of which the newest is the first."""
    return Share(
        alerts=len(group),
        users=len({one.person for one in group} - {None}),
        incidents=len({one.incident_id for one in group} - {None}),
        first=group[-1].at,
        last=group[0].at,
        newest=group[0].id,
    )


def _pace(group: Sequence[Happened]) -> Pace:
    durations = sorted(one.duration_ms for one in group if one.duration_ms is not None)
    known = [(one.database_ms, one.duration_ms) for one in group if one.database_ms is not None and one.duration_ms]
    whole = math.fsum(duration for _, duration in known)
    return Pace(
        transactions=len(durations),
        p50=percentile(durations, 0.5),
        p75=percentile(durations, 0.75),
        p95=percentile(durations, 0.95),
        p99=percentile(durations, 0.99),
        slowest=durations[-1],
        database_share=math.fsum(database for database, _ in known) / whole if whole else None,
    )
