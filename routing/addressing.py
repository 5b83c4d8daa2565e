"""Where a receiver that rules name is found for one alert: its options may hang on the alert, and a fallback may stand in for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from routing.destinations import Changes, Destination, Refusal
from routing.query import Facts
from routing.rules import Receiver, RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where something is told, or would be."""

    receiver: Receiver
    changes: Changes = field(default_factory=dict)
    """The options that hang on the alert."""
    options: BaseModel = field(repr=False)
    """With these changes."""
    remark: str = ""
    """Which receiver it stands in for, and why."""
    is_lost: bool = False
    """The alert names no destination, and nothing stands in: nobody can be told."""

    def is_same(self, other: Address) -> bool:
        """Whether both are one destination, whatever the receivers are called."""
        if self.changes or other.changes:
            return self.receiver.kind == other.receiver.kind and self.options == other.options
        return self.receiver.name == other.receiver.name


def address(name: str, rules: RuleSet, facts: Facts) -> Address:
    """Where a receiver, or what stands in for it, is told of an alert."""
    receiver = rules.receivers[rules.twins[name]]
    refusals: list[str] = []
    while receiver.destination is not None:
        found = _resolved(receiver.destination, facts)
        if not isinstance(found, Refusal):
            changes, options = found
            return Address(receiver=receiver, changes=changes, options=options, remark=_stands_in(receiver, refusals))
        refusals.append(f"{receiver.name} cannot be told: {found.why}")
        if receiver.fallback is None:
            return Address(receiver=receiver, options=receiver.options, remark="; ".join(refusals), is_lost=True)
        receiver = rules.receivers[rules.twins[receiver.fallback]]
    return Address(receiver=receiver, options=receiver.options, remark=_stands_in(receiver, refusals))


def _resolved(destination: Destination, facts: Facts) -> tuple[Changes, BaseModel] | Refusal:
    changes = destination.resolve(facts)
    if isinstance(changes, Refusal):
        return changes
    options = destination.options(changes)
    return options if isinstance(options, Refusal) else (changes, options)


def _stands_in(receiver: Receiver, refusals: Sequence[str]) -> str:
    return "; ".join((*refusals, f"{receiver.name} is told instead")) if refusals else ""
