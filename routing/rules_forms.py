"""The forms of rules.yaml: which keys each part has, and how their values are written. Knows nothing of other parts of the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, NamedTuple, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, field_validator

from routing import fingerprint_template
from routing.destinations import Allow
from routing.durations import read_duration
from routing.fingerprint_template import Template
from routing.notification import Severity
from routing.own_events import Change
from routing.query import Query, parse_condition
from routing.query_syntax import parse_key
from routing.query_tree import Key
from routing.rules import DEFAULT_FALLBACK_AFTER, DEFAULT_MAX_DELAY, NewIn, Unless
from routing.rules_reading import quoted
from routing.watch import Watch

DEFAULT_COOLDOWN = timedelta(minutes=30)
"""That of Sentry's own alert rules."""
DEFAULT_GROUP_WAIT = timedelta(seconds=30)
DEFAULT_GROUP_INTERVAL = timedelta(minutes=5)
"""Those of Alertmanager."""
MAX_DEPTH = 8
"""How deep `else` may be nested."""


class Told(NamedTuple):
    """A receiver of a rule."""

    receiver: str
    severity: Severity | None
    """Where it is not the rule's."""


_OVER = ("incident", "project", "everything")


def _version(value: object) -> int:
    if value != "1":
        raise ValueError("this release reads version 1; write `version: 1`")
    return 1


def is_beside(pattern: str) -> bool:
    """Whether a pattern can only mean files of the folder or below."""
    return pattern != "" and not pattern.startswith(("/", "~")) and ".." not in pattern.split("/")


def _pattern(value: object) -> str:
    """A file beside this one or below: what a service may read is not for its rules to say."""
    if not isinstance(value, str) or not is_beside(value):
        raise ValueError(f"{quoted(value)} is no file beside this one or below; write one like rules.d/*.yaml")
    return value


def _duration(value: object) -> timedelta:
    try:
        return read_duration(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"{quoted(value)} is {error}") from None


def _some_time(value: object) -> timedelta:
    duration = _duration(value)
    if not duration:
        raise ValueError("must last; write a duration like 5m, or take it out")
    return duration


def _query(value: object) -> Query:
    if not isinstance(value, str):
        raise ValueError("write one condition, in quotes: 'level:error tags.critical:true'")  # noqa: TRY004 - pydantic collects ValueError
    return parse_condition(value.rstrip())


def _query_of_one(value: object) -> Query:
    query = _query(value)
    if query.aggregates:
        raise ValueError(f"{min(query.aggregates)} is a figure over many alerts; only the `when` of a rule may ask for one")
    return query


def _template(value: object) -> Template:
    if not isinstance(value, str):
        raise ValueError("write one key, in quotes: '{error.type}.{constraint}'")  # noqa: TRY004 - pydantic collects ValueError
    return fingerprint_template.parse(value)


def _name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", value):
        raise ValueError(f'{quoted(value)} is no name; write at most 100 of A-Z, a-z, 0-9, "-", "_" and ".", like critical-error')
    return value


def _key(value: object) -> Key:
    if not isinstance(value, str):
        raise ValueError("write a key of the query language, like project or tags.team")  # noqa: TRY004 - pydantic collects ValueError
    key = parse_key(value)
    if "(" in value:
        raise ValueError(f"{key} is a figure over many alerts; write what each alert says by itself, like project or tags.team")
    return key


def _over(value: object) -> str:
    return value if isinstance(value, str) and value in _OVER else str(_key(value))


def _user_group(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"@[^\s@,]{1,80}|S[A-Z0-9]{2,20}", value):
        raise ValueError(f'{quoted(value)} is no user group of Slack; write its handle in quotes, "@on-call", or its id, S0123ABCD')
    return value


def _told(value: object) -> Told:
    """`slack-errors`, or `{pagerduty-critical: {severity: critical}}`."""
    if isinstance(value, str):
        return Told(value, None)
    if isinstance(value, dict) and len(value) == 1:
        ((receiver, changes),) = value.items()
        severities = {severity.value: severity for severity in Severity}
        if isinstance(changes, dict) and list(changes) == ["severity"] and changes["severity"] in severities:
            return Told(str(receiver), severities[changes["severity"]])
    raise ValueError("write the name of a receiver, or {name: {severity: critical}} with critical, warning or info")


Duration = Annotated[timedelta, PlainValidator(_duration)]
Period = Annotated[timedelta, PlainValidator(_some_time)]
Name = Annotated[str, BeforeValidator(_name)]
Condition = Annotated[Query, PlainValidator(_query)]
ConditionOfOne = Annotated[Query, PlainValidator(_query_of_one)]
Keys = Annotated[tuple[Annotated[Key, PlainValidator(_key)], ...], Field(min_length=1)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]
UserGroups = Annotated[tuple[Annotated[str, PlainValidator(_user_group)], ...], Field(min_length=1)]
Section: TypeAlias = dict[str, object]


class Form(BaseModel):
    """A part of the file. What it quotes in its errors is shown by `rules_reading`, never by pydantic."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)


class FileForm(Form):
    """Only the shape: what is in the parts is checked part by part, so that a fault in one hides none in another."""

    version: Annotated[int, BeforeValidator(_version)]
    include: Annotated[tuple[Annotated[str, BeforeValidator(_pattern)], ...], Field(min_length=1)] = ()
    defaults: Section = Field(default_factory=dict)
    receivers: dict[Name, Section] = Field(default_factory=dict)
    windows: dict[Name, Section] = Field(default_factory=dict)
    fingerprints: tuple[Section, ...] = ()
    ignore: tuple[Section, ...] = ()
    inhibit: tuple[Section, ...] = ()
    throttles: tuple[Section, ...] = ()
    templates: dict[Name, Section] = Field(default_factory=dict)
    buttons: Section = Field(default_factory=dict)
    dead_letters: tuple[str, ...] = ()
    watch: Section = Field(default_factory=dict)
    rules: tuple[Section, ...]


class DefaultsForm(Form):
    """What rules leave out."""

    cooldown: Duration = DEFAULT_COOLDOWN
    group_wait: Duration = DEFAULT_GROUP_WAIT
    group_interval: Period = DEFAULT_GROUP_INTERVAL


class WatchForm(Form):
    """What the service looks after beside alerts."""

    canary: Duration = Watch().canary
    canary_to: str | None = None
    quiet: bool = True
    notify: Names | None = None


class ReceiverForm(BaseModel):
    """What every kind of receiver has; the options beside are checked by the kind's own model."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True, hide_input_in_errors=True)
    kind: str
    fallback: str | None = None
    fallback_after: Period = DEFAULT_FALLBACK_AFTER
    max_per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = None
    max_delay: Period = DEFAULT_MAX_DELAY
    allow: Allow | None = None
    template: str | None = None


class FingerprintForm(Form):
    """Alerts that are one trouble."""

    when: ConditionOfOne
    key: Annotated[Template, PlainValidator(_template)]
    description: str = ""


class NoiseForm(Form):
    """Alerts of which no rule is asked."""

    name: Name
    when: ConditionOfOne
    description: str = ""


class InhibitionForm(Form):
    """What need not be told while something that explains it fires."""

    name: Name
    source: ConditionOfOne
    target: ConditionOfOne
    equal: Keys = ()
    description: str = ""


class ThrottleForm(Form):
    """At most so many in such a time."""

    name: Name
    when: ConditionOfOne
    by: Keys = ()
    limit: Annotated[int, Field(ge=1, le=100_000)]
    per: Period
    description: str = ""


class ButtonsForm(Form):
    """The user groups whose members may press a button in Slack; of one that is not named here, whoever sees it."""

    acknowledge: UserGroups = ()
    silence: UserGroups = ()
    resolve: UserGroups = ()
    assign: UserGroups = ()

    @property
    def by_change(self) -> Mapping[str, tuple[str, ...]]:
        """By what a button does."""
        named = {
            Change.ACKNOWLEDGED: self.acknowledge,
            Change.SILENCED: self.silence,
            Change.RESOLVED: self.resolve,
            Change.ASSIGNED: self.assign,
        }
        return {change.value: groups for change, groups in named.items() if groups}


class StepForm(Form):
    """Whom else to tell of what stays open."""

    after: Period
    unless: Unless = Unless.ACKNOWLEDGED
    notify: Names


class RuleForm(Form):
    """Whom to tell about which alerts."""

    name: Name
    when: Condition
    notify: Annotated[tuple[Annotated[Told, PlainValidator(_told)], ...], Field(min_length=1)]
    severity: Severity | None = None
    cooldown: Duration | None = None
    repeat: Period | None = None
    window: Period | None = None
    over: Annotated[str, PlainValidator(_over)] = "incident"
    per: NewIn | None = None
    stop: bool = False
    active: Names = ()
    mute: Names = ()
    group_by: Keys = ()
    group_wait: Duration | None = None
    group_interval: Period | None = None
    escalate: Annotated[tuple[StepForm, ...], Field(min_length=1)] = ()
    enabled: bool = True
    template: str | None = None
    owner: Annotated[str, Field(max_length=200)] = ""
    runbook: str = ""
    description: str = ""
    otherwise: tuple[Section, ...] = Field(default=(), alias="else")

    @field_validator("runbook")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://\S{1,1000}", value):
            raise ValueError("write the address of a page, like https://wiki.example/payments")
        return value
