"""The forms of a file of rule tests: which keys each part has, and how their values are written."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, PlainValidator

from routing.alert import Level
from routing.rules_forms import ConditionOfOne, Duration, Form, Name, Names, Period, Section
from routing.rules_reading import quoted
from routing.sentry import RESOURCES

METRIC_ORGANIZATION = "1"
"""That of the metric alerts that are written in short."""

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000}
_NO_MACHINE_ZONE = frozenset({"localtime", "Factory"})


class Reference(NamedTuple):
    """An incident, as a test names it."""

    kind: str
    """`issue`, `metric`, or empty for a whole key."""
    name: str

    @property
    def incident_key(self) -> str:
        """The key under which the service knows it."""
        match self.kind:
            case "issue":
                return f"issue:{self.name}"
            case "metric":
                return f"metric:{METRIC_ORGANIZATION}:{self.name}"
            case _:
                return self.name


def _reference(value: object) -> Reference:
    written = value if isinstance(value, str) else ""
    if found := re.fullmatch(r"(?:(issue|metric)[ ])?([1-9][0-9]{0,14})", written):
        return Reference(found[1] or "issue", found[2])
    if re.fullmatch(r"[a-z]+:\S{1,190}", written):
        return Reference("", written)
    raise ValueError(f"{quoted(value)} is no incident; write issue 1, metric 1, or the whole key of an incident")


def _error(value: object) -> object:
    """`PaymentError: declined` is a type and a value."""
    if not isinstance(value, str):
        return value
    kind, _, text = value.partition(": ")
    return {"type": kind, "value": text}


def _user(value: object) -> object:
    return {"id": value} if isinstance(value, str) else value


def _matchers(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _milliseconds(value: object) -> float:
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m)", value if isinstance(value, str) else "")
    if not found:
        raise ValueError(f"{quoted(value)} is no duration; write a number and ms, s or m, like 8.4s")
    return float(found[1]) * _MILLISECONDS[found[2]]


def _zone(value: object) -> ZoneInfo:
    try:
        if isinstance(value, str) and value not in _NO_MACHINE_ZONE:
            return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise ValueError(f"{quoted(value)} is no time zone; write one of the IANA database, like Europe/Berlin")


def _resource(value: object) -> str:
    if value not in RESOURCES:
        raise ValueError(f"{quoted(value)} is no resource of Sentry's; known are {', '.join(sorted(RESOURCES))}")
    return str(value)


def _measured(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,12})?%?", value):
        raise ValueError(f"{quoted(value)} is no number; write one like 1532, 0.073 or 7.3%")
    return value


def _threshold(value: object) -> float:
    written = _measured(value)
    return float(written.removesuffix("%")) / (100 if written.endswith("%") else 1)


Text = Annotated[str, Field(min_length=1)]
Number = Annotated[int, Field(ge=1, le=10**12)]
Milliseconds = Annotated[float, PlainValidator(_milliseconds)]
Zone = Annotated[ZoneInfo, PlainValidator(_zone)]
Incident = Annotated[Reference, PlainValidator(_reference)]
Resource = Annotated[str, PlainValidator(_resource)]


class ErrorForm(Form):
    """An exception."""

    type: Text
    value: str = ""
    handled: bool | None = None
    mechanism: Text | None = None
    file: Text | None = None
    """Where it was raised."""


class UserForm(Form):
    """Whom it happened to."""

    id: Text | None = None
    email: Text | None = None
    username: Text | None = None
    ip_address: Text | None = None


class SubjectForm(Form):
    """What an alert and an issue have in common."""

    issue: Number = 1
    title: Text | None = None
    level: Level = Level.ERROR
    error: Annotated[ErrorForm | None, BeforeValidator(_error)] = None
    project: Name = "app"
    platform: Text | None = None
    culprit: Text | None = None
    payload: Section = Field(default_factory=dict)


class AlertForm(SubjectForm):
    """An alert of an issue alert rule of Sentry's, in short."""

    event: Number | None = None
    message: Text | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    environment: Text | None = None
    release: Text | None = None
    transaction: Text | None = None
    duration: Milliseconds | None = None
    user: Annotated[UserForm | None, BeforeValidator(_user)] = None
    url: Text | None = None
    method: Text | None = None
    status: Annotated[int, Field(ge=100, le=999)] | None = None
    rule: Text = "Rule of the test"


class IssueForm(SubjectForm):
    """A change of an issue, in short."""

    action: Literal["created", "unresolved", "resolved", "archived", "assigned"]
    substatus: Text | None = None
    priority: Text | None = None
    category: Text = "error"
    users: Annotated[int, Field(ge=0)] = 1
    events: Annotated[int, Field(ge=0)] = 1
    assigned_to: Text | None = None


class MetricForm(Form):
    """A metric alert, in short."""

    metric: Number = 1
    action: Literal["critical", "warning", "resolved"] = "critical"
    name: Text = "Metric alert of the test"
    aggregate: Text = "failure_rate()"
    value: Annotated[str, PlainValidator(_measured)]
    threshold: Annotated[float, PlainValidator(_threshold)] | None = None
    window: Period = timedelta(minutes=5)
    project: Name = "app"
    environment: Text | None = None
    query: str = ""


class ReminderForm(Form):
    """A reminder of a silence, which the router itself raises."""

    silence: Number = 1
    author: Text = "test"
    comment: str = ""
    words: Text = "ends soon"
    matchers: tuple[Text, ...] = ()


class SilenceForm(Form):
    """A silence that begins with its step."""

    matchers: Annotated[tuple[ConditionOfOne, ...], BeforeValidator(_matchers), Field(min_length=1)]
    length: Period = Field(alias="for")
    author: Text = "test"
    comment: Text = "of a test"


class StepForm(Form):
    """What happens, and what is to follow."""

    after: Duration | None = None
    at: Text | None = None
    alert: Section | None = None
    issue: Section | None = None
    metric: Section | None = None
    reminder: Section | None = None
    webhook: Text | None = None
    resource: Resource | None = None
    resolved: Incident | None = None
    archived: Incident | None = None
    assigned: Incident | None = None
    acknowledge: Incident | None = None
    silence: Section | None = None
    expire: Number | None = None
    expect: object = None
    expect_at_least: object = None
    not_told: Names = ()
    outcome: Text | None = None
    incident: Text = ""
    rules: dict[str, Text] = Field(default_factory=dict)


class TestForm(StepForm):
    """A test; without steps it is its own one."""

    __test__ = False
    """Not for pytest."""
    name: Text
    description: str = ""
    zone: Zone | None = None
    steps: Annotated[tuple[Section, ...], Field(min_length=1)] = ()


class DefaultsForm(Form):
    """What tests leave out."""

    at: Text | None = None
    zone: Zone = ZoneInfo("UTC")
    alert: Section | None = None


class TestsForm(Form):
    """The file."""

    __test__ = False
    """Not for pytest."""
    rules: Text | None = None
    defaults: Section | None = None
    tests: Annotated[tuple[Section, ...], Field(min_length=1)]


class ToldForm(Form):
    """A notification that is expected, its parts one by one."""

    reason: Text | None = None
    """In the words of the short form."""
    rules: Names = ()
    why: Text = ""
    title: Text = ""
    others: Annotated[int, Field(ge=0)] | None = None


ALERTS = ("alert", "issue", "metric", "reminder", "webhook", "resolved", "archived", "assigned")
"""The keys of a step by which an alert comes."""
ACTIONS = (*ALERTS, "acknowledge", "silence", "expire")
"""Those of which a step has one at most."""
EXPECTATIONS = ("expect", "expect_at_least", "not_told", "outcome", "incident", "rules")
