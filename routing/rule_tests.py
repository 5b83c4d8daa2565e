"""Tests of rules, as values: what comes when, and who is to be told of it. Knows neither their file nor how they are run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from routing.notification import Reason, Severity, State
from routing.plan import Disposition
from routing.silences import Silence
from routing.simulation import Saying


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Sentry sends something."""

    resource: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Somebody takes an incident on."""

    incident: str
    """Its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silencing:
    """Somebody adds a silence."""

    silence: Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Somebody ends a silence."""

    silence: int
    """Its number in the test, from 1."""


Action: TypeAlias = Webhook | Acknowledgement | Silencing | Expiry | None
"""What happens in a step; None: nothing but that time passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A notification that is to be made. What is None or empty may be anything."""

    receiver: str
    is_told: bool | None = None
    """Whether it is sent, as opposed to held."""
    reason: Reason | None = None
    severity: Severity | None = None
    rules: frozenset[str] = frozenset()
    """All that are named."""
    why: str = ""
    """What its reason must contain."""
    title: str = ""
    """What the title of the alert that it tells of must contain."""
    others: int | None = None
    """How many further incidents it mentions."""

    def fits(self, saying: Saying) -> bool:
        """Whether this is it."""
        one = saying.notification
        return (
            one.receiver == self.receiver
            and self.is_told in {None, one.state is State.PLANNED}
            and self.reason in {None, one.reason}
            and self.severity in {None, one.severity}
            and self.rules in {frozenset(), frozenset(one.rules)}
            and self.why in one.why
            and self.title in saying.alert.title
            and self.others in {None, len(one.others)}
        )

    @property
    def strictness(self) -> int:
        """How much it asks for: what asks for more chooses first."""
        wanted = (self.is_told is not None, self.reason, self.severity, self.rules, self.why, self.title, self.others is not None)
        return sum(map(bool, wanted))

    def __str__(self) -> str:
        return f"{self.receiver}: {' '.join(self._words()) or 'anything'}"

    def _words(self) -> Iterator[str]:
        if self.is_told is False:
            yield "held"
        elif self.is_told and not self.reason:
            yield "told"
        yield from map(str, filter(None, (self.reason, self.severity)))
        if self.rules:
            yield f"by {', '.join(sorted(self.rules))}"
        if self.others is not None:
            yield f"with {self.others} others"
        yield from (f'{name} "{text}"' for name, text in (("title", self.title), ("why", self.why)) if text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happens at a time, and what is to follow."""

    line: int
    """Where it stands in the file."""
    at: datetime
    action: Action = None
    expected: tuple[Expected, ...] | None = None
    """Nothing else may be told or held; None: nobody looks."""
    among: tuple[Expected, ...] = ()
    """They are to be there, whatever else is."""
    not_told: tuple[str, ...] = ()
    """Receivers that nothing is sent to."""
    outcome: Disposition | None = None
    """What becomes of the alert."""
    ignored_by: str = ""
    """The entry of `ignore` that it meets."""
    incident: str = ""
    """The key of the incident to which the alert belongs."""
    rules: Mapping[str, str] = field(default_factory=dict)
    """By rule what it says: `matched`, `not matched`, or what its reason must contain."""

    @property
    def expects(self) -> bool:
        """Whether it can fail."""
        return bool(self.expected is not None or self.among or self.not_told or self.outcome or self.incident or self.rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """A story, and what the rules are to make of it."""

    name: str
    line: int
    steps: tuple[Step, ...]
    """In the order of their times."""
