"""Silences: alerts of which nobody is to be told for a time, by whom and why. Knows no storage and no clock.

The semantics are those of Alertmanager's silences (https://prometheus.io/docs/alerting/latest/alertmanager/#silences).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from routing.facts import Facts
from routing.query import Query, QueryError, parse_condition
from routing.satisfiability import Claim, is_never

MAX_MATCHERS = 20
MAX_AUTHOR = 100
MAX_COMMENT = 1000
LONG = timedelta(days=1)
"""Of a silence that lasts longer its end is told beforehand."""
BEFORE_END = timedelta(hours=1)
OLD = timedelta(days=7)
"""Of a silence that is older is told again and again: somebody may have forgotten it."""


class SilenceError(ValueError):
    """No silence can be made of what was asked, or not what was asked be done to it. The text says what to write instead."""


class SilenceState(StrEnum):
    """Where a silence is in its life."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class Reminder(NamedTuple):
    """Something to be told of a silence, once."""

    key: str
    """The same for the same thing."""
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Who silenced which alerts, for how long and why."""

    id: int
    matchers: tuple[Query, ...]
    """An alert that any of them meets is silenced."""
    author: str
    comment: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime

    def state(self, now: datetime) -> SilenceState:
        """Its begin is part of it, its end is not."""
        if now < self.starts_at:
            return SilenceState.PENDING
        return SilenceState.ACTIVE if now < self.ends_at else SilenceState.EXPIRED

    def expired(self, now: datetime) -> Silence:
        """The same, over from now on.

        Raises:
            SilenceError: it is over already.
        """
        match self.state(now):
            case SilenceState.PENDING:
                return replace(self, starts_at=now, ends_at=now)
            case SilenceState.ACTIVE:
                return replace(self, ends_at=now)
            case SilenceState.EXPIRED:
                raise SilenceError(f"silence {self.id} ended {_clock(self.ends_at)} already")

    def reminders(self, now: datetime) -> Iterator[Reminder]:
        """What is to be told of it by now, whether it was told before or not."""
        if self.state(now) is not SilenceState.ACTIVE:
            return
        if self.ends_at - self.starts_at > LONG and self.ends_at - BEFORE_END <= now:
            yield Reminder("end", f"ends {_clock(self.ends_at)}; what it matches is told again from then on")
        weeks = (now - self.created_at) // OLD
        if weeks:
            days = weeks * OLD.days
            yield Reminder(f"week {weeks}", f"is {days} days old and holds until {_clock(self.ends_at)}; expire it if it is not needed")


def silenced_by(facts: Facts, silences: Sequence[Silence], now: datetime) -> Silence | None:
    """The first active one that an alert meets."""
    for silence in silences:
        if silence.state(now) is SilenceState.ACTIVE and is_matched(silence.matchers, facts):
            return silence
    return None


def is_matched(matchers: Sequence[Query], facts: Facts) -> bool:
    """Whether an alert meets any of them."""
    return any(matcher.check(facts).matched for matcher in matchers)


def read_matchers(texts: Sequence[str]) -> tuple[Query, ...]:
    """Which alerts are meant, in the language of rules.yaml.

    Raises:
        SilenceError: a text cannot be understood, would match any alert, or asks for a figure over many.
    """
    if not 0 < len(texts) <= MAX_MATCHERS:
        raise SilenceError(f"write one condition, or at most {MAX_MATCHERS}, like 'project:shop level:warning'")
    return tuple(map(_matcher, texts))


def check(silence: Silence, now: datetime) -> None:
    """Refuse a silence that makes no sense when it is made.

    Raises:
        SilenceError: with what to write instead.
    """
    if silence.ends_at <= silence.starts_at:
        raise SilenceError(f"it would end {_clock(silence.ends_at)}, before it begins {_clock(silence.starts_at)}; write a later end")
    if silence.ends_at <= now:
        raise SilenceError(f"it would have ended {_clock(silence.ends_at)} already; write an end to come")
    for name, text, limit in (("author", silence.author, MAX_AUTHOR), ("comment", silence.comment, MAX_COMMENT)):
        if not text.strip():
            raise SilenceError(f"the {name} is missing; others want to know {'who' if name == 'author' else 'why'}")
        if len(text) > limit:
            raise SilenceError(f"the {name} has {len(text)} characters; at most {limit} are kept")


def _matcher(text: str) -> Query:
    try:
        query = parse_condition(text)
    except QueryError as error:
        raise SilenceError(f"{text[:200]!r}: {error}") from None
    # A star is text, of which nothing can be proved.
    if not text.strip('()*" ') or is_never(Claim(tree=query.tree, is_met=False)):
        said = repr(text[:200]) if text.strip() else "an empty condition"
        raise SilenceError(f"{said} would silence every alert; write which are meant, like 'project:shop'")
    if query.aggregates:
        raise SilenceError(f"{min(query.aggregates)} is a figure over many alerts; a silence is asked of each by itself")
    return query


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
