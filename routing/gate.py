"""Whether, and how fast, a destination may be told: a vendor's limit, its own wish to wait, and a circuit breaker. Pure.

A gate is a destination's, or that of an account by which all destinations of a kind are reached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple, Self

from routing.notification import Reason

ACCOUNTS = frozenset({"email", "jira", "sentry", "sms"})
"""Kinds of receivers of which one account, or server, reaches every destination: it answers all of them or none."""
UPDATES = " updates"
"""Suffix of the gate for changing messages that stand already: vendors limit that apart."""
AT_ONCE = 0.05
"""The share of a minute's messages that may go at once, unless a vendor is known to take more."""
WINDOW = timedelta(minutes=1)
"""Failures are counted over this."""
MIN_FAILURES = 5
"""Fewer trip nothing, whatever their share is."""
TRIP_SHARE = 0.5
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
TRIAL = timedelta(seconds=30)
"""So long a trial may take before another one is made: longer than any request."""


class End(Enum):
    """How an attempt ended, as far as the destination is judged by it."""

    FINE = auto()
    """It answers; also with a no."""
    FAILED = auto()
    PUT_OFF = auto()
    """It says when to come back."""
    UNUSED = auto()
    """Nothing was asked of it."""


class Said(NamedTuple):
    """What an attempt says of the destination."""

    end: End
    until: datetime | None = None
    """When it may be told again, if the vendor says that."""
    words: str = ""
    began_at: datetime | None = None
    """When it was begun; None: nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A token bucket."""

    per_second: float
    burst: int

    @classmethod
    def per_minute(cls, most: int, *, at_once: float = AT_ONCE) -> Self:
        """No minute holds more than so many, and of those this share may come at once."""
        burst = max(1, int(most * at_once))
        return cls(per_second=(most - burst + 1) / 60, burst=burst)

    @property
    def step(self) -> timedelta:
        """What one message takes."""
        return timedelta(seconds=1 / self.per_second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate, as all workers see it."""

    paid_until: datetime | None = None
    """When all that was taken is paid for, at the pace of the limit (the GCRA's theoretical arrival time)."""
    closed_until: datetime | None = None
    why: str = ""
    """Why it is closed."""
    window_began_at: datetime | None = None
    """Since when attempts are counted; of one that was closed for failures, from when on it may be tried."""
    fine: int = 0
    """How many attempts of the window ended so."""
    failed: int = 0
    trips: int = 0
    """How often it was closed for failures since it was fine."""

    def allowed(self, limit: Limit | None, now: datetime) -> int | None:
        """How many may be begun now; None: as many as there are."""
        if self.closed_until and self.closed_until > now:
            return 0
        if self.trips:
            return 1
        if limit is None:
            return None
        owed = max((self.paid_until or now) - now, timedelta())
        return max(0, limit.burst - -(-owed // limit.step))

    def took(self, count: int, limit: Limit | None, now: datetime) -> Gate:
        """So many are begun."""
        gate = self
        if self.trips and count:
            gate = replace(gate, closed_until=now + TRIAL)
        return replace(gate, paid_until=max(self.paid_until or now, now) + count * limit.step) if limit else gate

    def opens_at(self, limit: Limit | None, now: datetime) -> datetime:
        """When the next one may be begun."""
        opens = self.closed_until or now
        if limit and self.paid_until:
            opens = max(opens, self.paid_until - (limit.burst - 1) * limit.step)
        return opens

    def put_back(self, by: timedelta) -> Gate:
        """The same gate with all its times moved back by this much."""
        times = ("paid_until", "closed_until", "window_began_at")
        return replace(self, **{name: getattr(self, name) and getattr(self, name) - by for name in times})

    def heard(self, said: Said, limit: Limit | None, now: datetime) -> Gate:
        """With how one more attempt has ended."""
        if said.end is End.UNUSED:
            return replace(self, paid_until=self.paid_until - limit.step) if limit and self.paid_until else self
        return _judged(_in_window(self, now), said, now)


def gate_of(kind: str, reason: Reason, place: str) -> str:
    """The name of the gate by which a notification goes."""
    if reason is Reason.UPDATED:
        return kind + UPDATES
    return kind if kind in ACCOUNTS else place


def _in_window(gate: Gate, now: datetime) -> Gate:
    if gate.window_began_at and (gate.trips or now - gate.window_began_at < WINDOW):
        return gate
    return replace(gate, window_began_at=now, fine=0, failed=0)


def _judged(gate: Gate, said: Said, now: datetime) -> Gate:
    match said.end:
        case End.FINE:
            opened = replace(gate, trips=0, closed_until=None, why="", failed=0) if gate.trips else gate
            return replace(opened, fine=opened.fine + 1)
        case End.PUT_OFF:
            return replace(gate, closed_until=max(said.until or now, gate.closed_until or now), why=said.words)
        case _ if _was_under_way(gate, said):
            return gate  # hundreds of them are one failure, not as many trials
        case _:
            gate = replace(gate, failed=gate.failed + 1)
            is_broken = gate.failed >= MIN_FAILURES and gate.failed >= TRIP_SHARE * (gate.failed + gate.fine)
            return _tripped(gate, said.words, now) if gate.trips or is_broken else gate


def _tripped(gate: Gate, words: str, now: datetime) -> Gate:
    pause = min(FIRST_PAUSE * 2**gate.trips, LONGEST_PAUSE)
    return replace(gate, trips=min(gate.trips + 1, 10), closed_until=now + pause, why=words, window_began_at=now + pause, failed=0, fine=0)


def _was_under_way(gate: Gate, said: Said) -> bool:
    """Whether an attempt is no trial of a gate that was closed for failures: it was claimed before that."""
    return bool(gate.trips and said.began_at and gate.window_began_at and said.began_at < gate.window_began_at)
