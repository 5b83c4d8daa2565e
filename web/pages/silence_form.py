"""The form of a new silence: what somebody has typed, and what is wrong with it, field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from routing.durations import read_duration, read_moment
from routing.query import Query
from routing.silences import MAX_COMMENT, Silence, SilenceError, check, read_matchers
from web.personal import refused_search

MOST_TEXT = 10_000


class Field(NamedTuple):
    """A line of the form."""

    label: str
    hint: str


FIELDS = {
    "lasts": Field("For", "90s, 30m, 4h, 2d or 1w"),
    "until": Field("Or until", "2026-03-04T23:30, in UTC; instead of how long"),
    "starts": Field("From", "2026-03-04T22:00, in UTC; now if left out"),
    "comment": Field("Why", "for others, who wonder why nobody was told"),
}
"""Below the conditions, which are several."""


class Filled(NamedTuple):
    """A silence, or by field why it is none."""

    silence: Silence | None
    errors: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What somebody has typed."""

    matchers: str = ""
    """A condition in each line."""
    lasts: str = "4h"
    until: str = ""
    starts: str = ""
    comment: str = ""

    @classmethod
    def of(cls, typed: Mapping[str, str]) -> Self:
        """As a browser sends it."""
        return cls(**{name: typed.get(name, "").strip()[:MOST_TEXT] for name in cls.__dataclass_fields__})

    @classmethod
    def prefilled(cls, matchers: Sequence[str], typed: Mapping[str, str]) -> Self:
        """With what another page suggests."""
        suggested = {name: typed[name][:MOST_TEXT] for name in FIELDS if typed.get(name)}
        return cls(matchers="\n".join(matchers)[:MOST_TEXT], **suggested)

    @property
    def values(self) -> Mapping[str, str]:
        """By field."""
        return asdict(self)

    def read(self, author: str, now: datetime) -> Filled:
        """The silence that is meant, or all that is wrong."""
        errors: dict[str, Sequence[str]] = {}
        matchers, faults = self._conditions()
        if faults:
            errors["matchers"] = faults
        begin = self._time("starts", errors) or now
        end = self._time("until", errors) or begin + self._duration(errors)
        if not self.comment:
            errors["comment"] = ["Missing: others want to know why."]
        elif len(self.comment) > MAX_COMMENT:
            errors["comment"] = [f"It has {len(self.comment)} characters; at most {MAX_COMMENT} are kept."]
        if errors:
            return Filled(None, errors)
        silence = Silence(id=0, matchers=matchers, author=author, comment=self.comment, starts_at=begin, ends_at=end, created_at=now)
        try:
            check(silence, now)
        except SilenceError as error:
            return Filled(None, {"until" if self.until else "lasts": [str(error)]})
        return Filled(silence, {})

    def _conditions(self) -> tuple[tuple[Query, ...], Sequence[str]]:
        """Each line by itself, so that all faults are said at once. A preview tells who meets them: so they ask for what may be seen."""
        lines = [line.strip() for line in self.matchers.splitlines() if line.strip()]
        faults = [fault for line in lines if (fault := _fault([line]))] or [fault for fault in [_fault(lines)] if fault]
        found = () if faults else read_matchers(lines)
        refused = [why for one in found if (why := refused_search(one))]
        return found, faults or refused

    def _time(self, name: str, errors: dict[str, Sequence[str]]) -> datetime | None:
        text = self.values[name]
        if not text:
            return None
        try:
            return read_moment(text)
        except ValueError as error:
            errors[name] = [f"This is {error}."]
            return None

    def _duration(self, errors: dict[str, Sequence[str]]) -> timedelta:
        if self.until:
            return timedelta()
        try:
            return read_duration(self.lasts)
        except ValueError as error:
            errors["lasts"] = [f"This is {error}."]
            return timedelta()


def _fault(lines: Sequence[str]) -> str:
    try:
        read_matchers(lines)
    except SilenceError as error:
        return str(error)
    return ""
