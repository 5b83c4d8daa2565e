"""What an alert leaves behind for figures over many alerts: its values, and where it counts. Computes nothing, stores nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from routing.aggregates import TRANSACTION_STATUS, Value, bounded
from routing.alert import Alert
from routing.query import Context, Facts, Read, parse
from routing.query_answers import Scalar, reader_of, spell
from routing.query_syntax import parse_key

INCIDENT, PROJECT, EVERYTHING = "incident", "project", "everything"

_PLAIN = re.compile(r"[ -~]{1,200}")
_LARGEST = 1e300
_NEAREST_LAST = ("error.", "stack.")
"""Of a chain of exceptions the last one was raised, of frames the last one raised it."""


class Scope(NamedTuple):
    """The alerts that a figure is about: those of one incident, of one project, all, or those that say the same under a key."""

    over: str
    """`incident`, `project`, `everything` or a key."""
    value: str
    """Which one of these, in the spelling of `plain`."""

    @property
    def key(self) -> str:
        """Both in one text, in the same spelling."""
        return plain(f"{self.over}={self.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What an alert leaves behind for figures."""

    at: datetime
    values: Mapping[str, Value] = field(default_factory=dict)
    """By column, only what was there."""
    event: str | None = None
    """Sentry's id of the event: however many alerts tell of it, it counts once."""


def plain(text: str) -> str:
    """As every database takes it and gives it back: ASCII, at most 200 characters; of any other text a hash."""
    return text if _PLAIN.fullmatch(text) else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def sample(facts: Facts, columns: Iterable[str], at: datetime) -> Sample:
    """What an alert that came at this time leaves behind."""
    found = {column: value for column in columns if (value := facts[_reader(column)]) is not None}
    return Sample(at=at, values=found, event=plain(facts.alert.event_id) if facts.alert.event_id else None)


def scopes(over: Iterable[str], facts: Facts, incident_key: str) -> tuple[Scope, ...]:
    """Where an alert counts; nowhere where it says nothing under the key, or has no project."""
    found = (_scope(one, facts, incident_key) for one in over)
    return tuple(scope for scope in found if scope)


def _scope(over: str, facts: Facts, incident_key: str) -> Scope | None:
    if over == EVERYTHING:
        return Scope(over, "")
    value = incident_key if over == INCIDENT else facts[_reader(over)]
    return None if value is None else Scope(over, plain(str(value)))


@lru_cache(maxsize=4096)
def _reader(column: str) -> Read[Value | None]:
    if column.startswith('"'):
        condition = parse(column[1:-1])
        return lambda alert, context: 1.0 if condition.evaluate(alert, context).matched else None
    if column == TRANSACTION_STATUS:
        return _transaction_status
    read, place = reader_of(parse_key(column)), -1 if column.startswith(_NEAREST_LAST) else 0

    def value(alert: Alert, _: Context) -> Value | None:
        found = read(alert)
        return _plain(found[place]) if found else None

    return value


def _transaction_status(alert: Alert, _: Context) -> Value | None:
    """Of transactions alone: errors within one may carry the status of the trace. Sentry takes a missing one for unknown."""
    if alert.event_type != "transaction":
        return None
    found = reader_of(parse_key(TRANSACTION_STATUS))(alert)
    return bounded(spell(found[0])) if found else "unknown"


def _plain(scalar: Scalar) -> Value | None:
    """Numbers as such as far as sums of them can be."""
    if isinstance(scalar, int | float) and not isinstance(scalar, bool):
        return float(scalar) if -_LARGEST < scalar < _LARGEST else None
    return bounded(spell(scalar))
