"""rules.yaml as values: what is asked of an alert and who is told. Knows the form of the file, not what it is applied to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from routing import document, fingerprint_template
from routing.document import Content, DocumentError, Path, Problem
from routing.fingerprint import Fingerprint
from routing.fingerprint_template import Template
from routing.notification import Severity
from routing.query import Query
from routing.query import parse as parse_query
from routing.rules_reading import Reading, did_you_mean, quoted, unset_variables
from routing.windows import Window, WindowForm

DEFAULT_COOLDOWN = timedelta(minutes=30)
"""That of Sentry's own alert rules."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class RulesError(Exception):
    """rules.yaml cannot be put in force; `problems` lists everything that is wrong with it, the text a line for each."""

    def __init__(self, problems: tuple[Problem, ...], *, file: str | None = None) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        super().__init__("\n".join(f"{file}:{problem}" if file else str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A named destination."""

    name: str
    kind: str
    options: BaseModel
    """Of the model that the kind declares."""
    position: tuple[int, int] = (1, 1)
    """Line and column in the file."""
    unset: Mapping[str, str] = field(default_factory=dict)
    """By option the variable that it names and that is not set."""

    def problem(self, message: str) -> Problem:
        """Something wrong with it, said where it stands."""
        line, column = self.position
        return Problem(line=line, column=column, place=f"receivers.{self.name}", message=message)


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
    active: tuple[Window, ...] = ()
    """It speaks only within one of them; at any time if there are none."""
    mute: tuple[Window, ...] = ()
    """Within any of them it does not speak."""


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """A rules.yaml in force."""

    rules: tuple[Rule, ...]
    """Only those that are enabled, in the order of the file."""
    receivers: Mapping[str, Receiver]
    version: str
    """The first twelve digits of the SHA-256 of the text."""
    fingerprints: tuple[Fingerprint, ...] = ()
    """In the order of the file, the first one that an alert can fill counts."""
    windows: Mapping[str, Window] = field(default_factory=dict)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Those of the rules."""
        return tuple(rule.name for rule in self.rules)


def load(text: str, *, kinds: Mapping[str, type[BaseModel]], environment: Mapping[str, str]) -> RuleSet:
    """Read the text of a rules.yaml.

    Args:
        text: the file's content.
        kinds: for each kind of receiver the model of its options.
        environment: what `${NAME}` stands for. A value that names an unset variable is empty, which in a secret option means that
            the credential is not set; rules and defaults must not name one.

    Raises:
        RulesError: with every problem, each with its line, column and what to write instead. No value of the environment shows.
    """
    try:
        source = document.read(text)
    except DocumentError as error:
        raise RulesError(error.problems) from None
    reading = Reading(source=source, environment=environment, problems=list(source.problems), faulty=set(source.faults))
    reading.form(_File, ())
    defaults = reading.form(_Defaults, ("defaults",)) if source.value(("defaults",)) else _Defaults()
    receivers = tuple(_receivers(reading, kinds))
    fingerprints = tuple(reading.form(_Fingerprint, ("fingerprints", index)) for index in _items(source.value(("fingerprints",))))
    windows = dict(_windows(reading))
    forms = tuple(reading.form(_Rule, ("rules", index)) for index in _items(source.value(("rules",))))
    _check_names(reading)
    _check_variables(reading)
    if reading.problems or not defaults:
        raise RulesError(tuple(reading.problems))
    return RuleSet(
        rules=tuple(_rule(form, defaults, windows) for form in forms if form and form.enabled),
        receivers={receiver.name: receiver for receiver in receivers},
        version=hashlib.sha256(text.encode()).hexdigest()[:12],
        fingerprints=tuple(Fingerprint(when=form.when, key=form.key) for form in fingerprints if form),
        windows=windows,
    )


def _version(value: object) -> int:
    if value != "1":
        raise ValueError("this release reads version 1; write `version: 1`")
    return 1


def _duration(value: object) -> timedelta:
    """`90s`, `30m`, `4h`, `2d`, `1w`."""
    matched = re.fullmatch(r"([0-9]{1,6})([smhdw])", value) if isinstance(value, str) else None
    if not matched:
        raise ValueError(f"{quoted(value)} is no duration; write a number and s, m, h, d or w, like 30m")
    return timedelta(seconds=int(matched[1]) * _UNITS[matched[2]])


def _query(value: object) -> Query:
    if not isinstance(value, str):
        raise ValueError("write one condition, in quotes: 'level:error tags.critical:true'")  # noqa: TRY004 - pydantic collects ValueError
    return parse_query(value.rstrip())


def _query_of_one(value: object) -> Query:
    query = _query(value)
    if query.aggregates:
        raise ValueError(f"{min(query.aggregates)} is a figure over many alerts; a fingerprint is that of one")
    return query


def _template(value: object) -> Template:
    if not isinstance(value, str):
        raise ValueError("write one key, in quotes: '{error.type}.{constraint}'")  # noqa: TRY004 - pydantic collects ValueError
    return fingerprint_template.parse(value)


def _name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", value):
        raise ValueError(f'{quoted(value)} is no name; write at most 100 of A-Z, a-z, 0-9, "-", "_" and ".", like critical-error')
    return value


Duration = Annotated[timedelta, PlainValidator(_duration)]
Name = Annotated[str, BeforeValidator(_name)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)


class _File(_Form):
    """Only the shape: what is in the parts is checked part by part, so that a fault in one hides none in another."""

    version: Annotated[int, BeforeValidator(_version)]
    defaults: dict[str, object] = Field(default_factory=dict)
    receivers: dict[Name, dict[str, object]]
    windows: dict[Name, dict[str, object]] = Field(default_factory=dict)
    fingerprints: tuple[dict[str, object], ...] = ()
    rules: tuple[dict[str, object], ...]


class _Defaults(_Form):
    cooldown: Duration = DEFAULT_COOLDOWN


class _Receiver(BaseModel):
    """The options beside `kind` are checked by the kind's own model."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    kind: str


class _Fingerprint(_Form):
    when: Annotated[Query, PlainValidator(_query_of_one)]
    key: Annotated[Template, PlainValidator(_template)]
    description: str = ""


class _Rule(_Form):
    name: Name
    when: Annotated[Query, PlainValidator(_query)]
    notify: Annotated[tuple[str, ...], Field(min_length=1)]
    severity: Severity | None = None
    cooldown: Duration | None = None
    active: Annotated[tuple[str, ...], Field(min_length=1)] = ()
    mute: Annotated[tuple[str, ...], Field(min_length=1)] = ()
    enabled: bool = True
    description: str = ""


def _rule(form: _Rule, defaults: _Defaults, windows: Mapping[str, Window]) -> Rule:
    return Rule(
        name=form.name,
        when=form.when,
        severity=form.severity,
        notify=form.notify,
        cooldown=defaults.cooldown if form.cooldown is None else form.cooldown,
        active=tuple(windows[name] for name in form.active),
        mute=tuple(windows[name] for name in form.mute),
    )


def _windows(reading: Reading) -> Iterator[tuple[str, Window]]:
    for name in _keys(reading.source.value(("windows",))):
        if form := reading.form(WindowForm, ("windows", name)):
            yield name, form.window(name)


def _receivers(reading: Reading, kinds: Mapping[str, type[BaseModel]]) -> Iterator[Receiver]:
    source = reading.source
    for name in _keys(source.value(("receivers",))):
        path = ("receivers", name)
        form = reading.form(_Receiver, path)
        if form and form.kind not in kinds:
            written = quoted(source.value((*path, "kind")))
            known = f"kinds are {', '.join(sorted(kinds))}"
            reading.add((*path, "kind"), f"{written} is no kind of receiver; {did_you_mean(written, kinds) or known}")
        elif form and (options := reading.form(kinds[form.kind], path, without="kind")):
            unset = dict(_unset(source.value(path), reading.environment))
            yield Receiver(name=name, kind=form.kind, options=options, position=source.position(path), unset=unset)


def _unset(options: Content, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Options that name a variable which is not set, with its name."""
    for path, name in unset_variables(options, environment):
        if path:
            yield str(path[0]), name


def _check_names(reading: Reading) -> None:
    """Names that are used twice, or used and never defined."""
    lines: dict[str, int] = {}
    for index in _items(reading.source.value(("rules",))):
        place: Path = ("rules", index, "name")
        name = reading.value(place)
        if isinstance(name, str) and name in lines:
            written = quoted(reading.source.value(place))
            reading.add(place, f"{written} names the rule of line {lines[name]} already; rename one of them")
        elif isinstance(name, str):
            lines[name] = reading.source.position(place)[0]
        for key, section in (("notify", "receivers"), ("active", "windows"), ("mute", "windows")):
            _check_defined(reading, ("rules", index, key), section)


def _check_defined(reading: Reading, path: Path, section: str) -> None:
    """A list of names: each must be a key of the section."""
    known = _keys(reading.source.value((section,)))
    for position in _items(reading.source.value(path)):
        place = (*path, position)
        if isinstance(name := reading.value(place), str) and name not in known:
            written = quoted(reading.source.value(place))
            reading.add(place, f"no {section[:-1]} {written}; {did_you_mean(written, known) or f'define it under {section}'}")


def _check_variables(reading: Reading) -> None:
    """A condition that an unset variable leaves empty would be met by every alert, so no rule may name one."""
    for section in ("defaults", "windows", "fingerprints", "rules"):
        for path, _ in unset_variables(reading.source.value((section,)), reading.environment):
            reading.add((section, *path), "write the value here, or set the variable")


def _keys(content: Content) -> tuple[str, ...]:
    return tuple(content) if isinstance(content, dict) else ()


def _items(content: Content) -> range:
    return range(len(content) if isinstance(content, list) else 0)
