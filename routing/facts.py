"""What is known of one alert when conditions ask about it. Compares nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from routing.alert import Alert, Status

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known beside the alert itself."""

    is_new: bool | None = None
    """Whether this incident was never seen before; None if nobody knows."""
    is_new_here: bool | None = None
    """Whether it was never seen in this release or environment, for who asks for that; None for who does not, and where there is none."""
    was: Status | None = None
    """What the incident had come to before this alert; None if nobody knows, or if this is its first."""
    aggregates: Mapping[str, float] = field(default_factory=dict)
    """Figures over the rule's window by the names in `Query.aggregates`, in the units of `Metric.value`."""
    now: datetime | None = None
    """What ages are counted from; None: when the alert was received."""


class Verdict(NamedTuple):
    """What a query says to an alert. One is made for every rule and alert; a frozen dataclass takes three times as long to make."""

    matched: bool
    why: str
    """The conditions that were met with the values that met them, or the first that was not, with the wanted and the actual value.

    One line; of each value at most 80 characters.
    """


class Facts(dict["Read[object]", object]):
    """What is known of one alert, each thing read once, however many rules ask for it."""

    __slots__ = ("alert", "context")

    def __init__(self, alert: Alert, context: Context | None = None) -> None:
        super().__init__()
        self.alert = alert
        self.context = context or _NO_CONTEXT

    if TYPE_CHECKING:

        def __getitem__(self, read: Read[Found], /) -> Found: ...

    else:

        def __missing__(self, read: Read[Found], /) -> Found:
            found = self[read] = read(self.alert, self.context)
            return found


Read: TypeAlias = Callable[[Alert, Context], Found]
Check: TypeAlias = Callable[[Facts], Verdict]

_NO_CONTEXT = Context()
