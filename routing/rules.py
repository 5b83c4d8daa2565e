"""rules.yaml in force, as values: what is asked of an alert and who is told. Knows neither the file nor what it is applied to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import ClassVar

from pydantic import BaseModel

from routing.alert import Alert
from routing.destinations import Changes, Destination
from routing.document import Problem
from routing.figures import Asked, asked
from routing.fingerprint import Fingerprint
from routing.notification import Reason, Severity
from routing.own_events import Change
from routing.query import Query
from routing.query_tree import Key
from routing.slack_interactions import SLACK
from routing.templates import MessageTemplate
from routing.watch import Watch
from routing.windows import Window

DEFAULT_MAX_DELAY = timedelta(minutes=1)
DEFAULT_FALLBACK_AFTER = timedelta(minutes=10)


class RulesError(Exception):
    """rules.yaml cannot be put in force; `problems` lists everything that is wrong with it, the text a line for each."""

    def __init__(self, problems: tuple[Problem, ...], *, file: str | None = None) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column)))
        named = ((problem.file or file, problem) for problem in self.problems)
        super().__init__("\n".join(f"{name}:{problem}" if name else str(problem) for name, problem in named))


class Options(BaseModel):
    """What the options of every kind of receiver have."""

    address: ClassVar[tuple[str, ...]] = ()
    """Those that say where; a kind without any is told apart by the receivers' names."""
    shows: ClassVar[frozenset[Reason]] = frozenset()
    """What it shows of an incident between its announcement and its end."""
    resolved: bool = True
    """Whether it is told how incidents end that were announced there."""

    @property
    def follows(self) -> frozenset[Reason]:
        """What it is told of what becomes of an incident that was announced there."""
        return self.shows | ({Reason.RESOLVED} if self.resolved else frozenset())

    @property
    def is_told_again(self) -> bool:
        """Whether it is told again what it was told of an incident, although that has not got worse."""
        return True

    @property
    def offers(self) -> frozenset[Change]:
        """What people may ask for in other places, and is done by it."""
        return frozenset()

    def is_told_what_is_done(self, alert: Alert) -> bool:  # noqa: ARG002 - most are not, whatever it is
        """Whether it is told of this that somebody did to an incident elsewhere, announced there or not."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A named destination."""

    name: str
    kind: str
    options: Options
    """Of the model that the kind declares."""
    address: Mapping[str, object] = field(default_factory=dict)
    """The options that say where, as they are written: `${NAME}` and all."""
    destination: Destination | None = None
    """Where some options hang on the alert; None where none does."""
    fallback: str | None = None
    """The receiver that is told instead where this one cannot be."""
    fallback_after: timedelta = DEFAULT_FALLBACK_AFTER
    """So long it may take to tell this one, before its fallback is told."""
    template: MessageTemplate | None = None
    max_per_minute: int | None = None
    """What comes faster waits its turn; critical messages do not wait."""
    max_delay: timedelta = DEFAULT_MAX_DELAY
    """Where messages would wait longer for their turn, they are told in summaries."""
    position: tuple[int, int] = (1, 1)
    """Line and column in the file."""
    file: str = ""
    """Where it is not the first one."""
    unset: Mapping[str, str] = field(default_factory=dict)
    """By option the variable that it names and that is not set."""

    def place(self, changes: Changes) -> str:
        """What tells a destination from others: the same whatever it is called, 16 hexadecimal digits.

        Args:
            changes: the options that hang on an alert.
        """
        where = {**self.address, **changes} or self.name
        return hashlib.sha256(json.dumps((self.kind, where), sort_keys=True).encode()).hexdigest()[:16]

    def problem(self, message: str) -> Problem:
        """Something wrong with it, said where it stands."""
        line, column = self.position
        return Problem(line=line, column=column, place=f"receivers.{self.name}", message=message, file=self.file)


class NewIn(StrEnum):
    """Where an error may be new although it is known elsewhere."""

    RELEASE = "release"
    ENVIRONMENT = "environment"


class Unless(StrEnum):
    """What calls an escalation off, beside the end of the incident."""

    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Alerts that are told together, by Alertmanager's timers (its configuration page, `route`)."""

    by: tuple[Key, ...]
    """What they have in common; of nothing: each incident is a group of its own."""
    wait: timedelta
    """From the first alert of a group to its first message, so that more can join."""
    interval: timedelta
    """Between two messages about a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Whom else to tell of what stays open."""

    after: timedelta
    """Since the rule spoke of the incident for the first time."""
    unless: Unless
    notify: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Whom to tell about which alerts."""

    name: str
    when: Query
    severity: Severity | None
    """None: as bad as the alert's own level says."""
    notify: tuple[str, ...]
    cooldown: timedelta
    """How long the rule stays silent about an incident after it spoke of it."""
    severities: Mapping[str, Severity] = field(default_factory=dict)
    """By receiver, where it is told another severity."""
    window: timedelta | None = None
    """The time that the figures in `when` are about."""
    over: str = "incident"
    """The alerts that they are about: those of the `incident`, of its `project`, of `everything`, or those alike under a key."""
    per: NewIn | None = None
    """`is:new` means new there."""
    otherwise: str | None = None
    """It is asked only if the rule of this name was asked and its condition was not met."""
    stop: bool = False
    """If it matches, no rule after it is asked."""
    active: tuple[Window, ...] = ()
    """It speaks only within one of them; at any time if there are none."""
    mute: tuple[Window, ...] = ()
    """Within any of them it does not speak."""
    grouping: Grouping | None = None
    repeat: timedelta | None = None
    """Says it again at such intervals for as long as the incident fires and nobody has acknowledged it."""
    escalate: tuple[Step, ...] = ()
    template: MessageTemplate | None = None
    """Instead of that of the receivers."""
    owner: str = ""
    runbook: str = ""
    """The address of a page that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Alerts that are kept and counted, and of which no rule is asked."""

    name: str
    when: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """What need not be told while something that explains it fires."""

    name: str
    source: Query
    target: Query
    equal: tuple[Key, ...]
    """What source and target must have in common; what neither has, they have in common, as in Alertmanager."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """At most so many alerts are told in such a time, of those that meet a condition and are alike."""

    name: str
    when: Query
    by: tuple[Key, ...]
    limit: int
    per: timedelta


def is_twin(one: Receiver, other: Receiver) -> bool:
    """Whether both are one destination by two names; of those that name none, or whose variables are not set, nobody knows."""
    named = type(one.options).address and not (one.unset or other.unset or one.destination or other.destination)
    return bool(named) and one.kind == other.kind and one.options == other.options


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """A rules.yaml in force."""

    rules: tuple[Rule, ...]
    """Only those that are enabled, in the order of the file; those under `else` come after theirs."""
    receivers: Mapping[str, Receiver]
    version: str
    """The first twelve digits of the SHA-256 of the text."""
    fingerprints: tuple[Fingerprint, ...] = ()
    """In the order of the file, the first one that an alert can fill counts."""
    windows: Mapping[str, Window] = field(default_factory=dict)
    ignore: tuple[Noise, ...] = ()
    inhibit: tuple[Inhibition, ...] = ()
    throttles: tuple[Throttle, ...] = ()
    buttons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By what it does, `Change` spells it: the user groups in Slack, by handle or id, whose members may press a button. None: anybody."""

    dead_letters: tuple[str, ...] = ()
    """Receivers: what could not be told, and has no fallback, is told to the first that is another destination."""

    watch: Watch = field(default_factory=Watch)
    own_project: str = ""
    """The number of the Sentry project to which this service reports itself; not of the file, but of the environment. Empty: to none."""

    def refusal(self, alert: Alert) -> str:
        """Why somebody may not do what he did by a button; empty if he may, or pressed none."""
        allowed = self.buttons.get(alert.action) if alert.resource == "change" and alert.origin == SLACK else None
        if not allowed or set(allowed) & set(alert.member_of):
            return ""
        groups = ", ".join(allowed)
        if alert.unknown:
            return f"Nothing was done: only members of {groups} may do that, and Slack did not say who they are ({alert.unknown})."
        return f"Nothing was done: only members of {groups} may do that (`buttons` in rules.yaml)."

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Those of the rules."""
        return tuple(rule.name for rule in self.rules)

    @cached_property
    def has_flow(self) -> bool:
        """Whether any rule decides if another one is asked."""
        return any(rule.stop or rule.otherwise for rule in self.rules)

    @cached_property
    def asked(self) -> Asked:
        """The figures over many alerts for which the rules ask."""
        return asked(self.rules)

    @cached_property
    def longest_throttle(self) -> timedelta:
        """How long it matters that an alert was told."""
        return max((throttle.per for throttle in self.throttles), default=timedelta())

    @cached_property
    def twins(self) -> Mapping[str, str]:
        """By receiver the first one of the file that is the same destination by another name; most are their own."""
        first: list[Receiver] = []
        found = {}
        for receiver in self.receivers.values():
            twin = next((one for one in first if is_twin(one, receiver)), None)
            if twin is None:
                first.append(receiver)
            found[receiver.name] = (twin or receiver).name
        return found

    @cached_property
    def by_name(self) -> Mapping[str, Rule]:
        """The rules."""
        return {rule.name: rule for rule in self.rules}
