"""What the doctor has found: each a value, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from watch.doctor.patient import Patient


class State(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    """It works now."""
    FAULT = "fault"
    UNCHECKED = "not checked"
    """It could not be looked at; the way out says what that needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    group: str
    name: str
    state: State
    seen: str
    """What was seen, without a secret."""
    way_out: str = ""
    """How to mend it; never empty where something is not ok."""


Look: TypeAlias = "Callable[[Patient], Iterator[Finding]]"
"""Looks, and says each thing as soon as it is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """Makes the findings of one group."""

    group: str

    def ok(self, name: str, seen: str) -> Finding:
        """As it should be."""
        return Finding(group=self.group, name=name, state=State.OK, seen=seen)

    def warning(self, name: str, seen: str, way_out: str) -> Finding:
        """It works now."""
        return Finding(group=self.group, name=name, state=State.WARNING, seen=seen, way_out=way_out)

    def fault(self, name: str, seen: str, way_out: str) -> Finding:
        """It does not work."""
        return Finding(group=self.group, name=name, state=State.FAULT, seen=seen, way_out=way_out)

    def unchecked(self, name: str, seen: str, way_out: str) -> Finding:
        """It could not be looked at."""
        return Finding(group=self.group, name=name, state=State.UNCHECKED, seen=seen, way_out=way_out)
