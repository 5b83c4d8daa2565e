"""rules.yaml as values: what is asked of an alert and who is told. Knows the form of the file, not what it is applied to."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError

from routing import document, fingerprint_template
from routing.document import Content, Document, DocumentError, Path, Problem, shown
from routing.fingerprint import Fingerprint
from routing.fingerprint_template import Template, TemplateError
from routing.notification import Severity
from routing.query import Query, QueryError
from routing.query import parse as parse_query

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

FormT = TypeVar("FormT", bound=BaseModel)

DEFAULT_COOLDOWN = timedelta(minutes=30)
"""That of Sentry's own alert rules."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_MAX_MESSAGE = 800


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
    reading = _Reading(source=source, environment=environment, problems=list(source.problems), faulty=set(source.faults))
    reading.form(_File, ())
    defaults = reading.form(_Defaults, ("defaults",)) if source.value(("defaults",)) else _Defaults()
    receivers = tuple(_receivers(reading, kinds))
    fingerprints = tuple(reading.form(_Fingerprint, ("fingerprints", index)) for index in _items(source.value(("fingerprints",))))
    forms = tuple(reading.form(_Rule, ("rules", index)) for index in _items(source.value(("rules",))))
    _check_names(reading)
    _check_variables(reading)
    if reading.problems or not defaults:
        raise RulesError(tuple(reading.problems))
    return RuleSet(
        rules=tuple(_rule(form, defaults) for form in forms if form and form.enabled),
        receivers={receiver.name: receiver for receiver in receivers},
        version=hashlib.sha256(text.encode()).hexdigest()[:12],
        fingerprints=tuple(Fingerprint(when=form.when, key=form.key) for form in fingerprints if form),
    )


def _version(value: object) -> int:
    if value != "1":
        raise ValueError("this release reads version 1; write `version: 1`")
    return 1


def _duration(value: object) -> timedelta:
    """`90s`, `30m`, `4h`, `2d`, `1w`."""
    matched = re.fullmatch(r"([0-9]{1,6})([smhdw])", value) if isinstance(value, str) else None
    if not matched:
        raise ValueError(f"{_quoted(value)} is no duration; write a number and s, m, h, d or w, like 30m")
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
        raise ValueError(f'{_quoted(value)} is no name; write at most 100 of A-Z, a-z, 0-9, "-", "_" and ".", like critical-error')
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
    enabled: bool = True
    description: str = ""


_EXAMPLES = {
    "version": "version: 1",
    "receivers": 'receivers: {slack-errors: {kind: slack, channel: "#errors"}}',
    "rules": "rules: [{name: critical-error, when: 'tags.critical:true', notify: [slack-errors]}]",
    "fingerprints": "fingerprints: [{when: 'error.type:IntegrityError', key: '{error.type}.{constraint}'}]",
    "key": "key: '{error.type}.{constraint}'",
    "kind": "kind: slack",
    "name": "name: critical-error",
    "when": "when: 'tags.critical:true'",
    "notify": "notify: [slack-errors]",
}

_KEYS = "write keys with values: {key: value}, or one a line below it"
_ADVICE = {
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "int_parsing": "write a whole number",
    "string_type": "write one text, in quotes",
    "string_too_short": "empty; write a value, or take it out",
    "dict_type": _KEYS,
    "model_type": _KEYS,
    "tuple_type": "write a list, in brackets: [one, two]",
    "list_type": "write a list, in brackets: [one, two]",
    "too_short": "empty; write at least one",
}
"""By pydantic's name for a fault: https://docs.pydantic.dev/latest/errors/validation_errors."""


@dataclass(slots=True, kw_only=True)
class _Reading:
    """A file that is being checked, and what was wrong so far."""

    source: Document
    environment: Mapping[str, str]
    problems: list[Problem]
    faulty: set[Path]
    """Where something is wrong already: what follows from it is not told, neither there nor of what holds it."""

    def form(self, model: type[FormT], path: Path, *, without: str = "") -> FormT | None:
        """The part of the file at a path, less one key, in its form; None if it is faulty, and the faults are kept."""
        content = self.source.value(path)
        if isinstance(content, dict):
            content = {key: value for key, value in content.items() if key != without}
        elif path:
            return None  # the file's own form has said so
        try:
            return model.model_validate(_substitute(content, self.environment))
        except ValidationError as error:
            found = error.errors()
        # What a variable holds may be a secret, and errors quote: so they are told of stars in its place.
        stars = {name: "*" * len(value) for name, value in self.environment.items()}
        told = {fault["loc"]: fault for fault in _faults(model, _substitute(content, stars))}
        for fault in found:
            place = (*path, *(part for part in fault["loc"] if part != "[key]"))
            tellable = told.get(fault["loc"])
            message = _advice(tellable, self.source.value(place), place, model) if tellable else "cannot be used here"
            self.add(place, message, of_key=fault["type"] == "extra_forbidden" or "[key]" in fault["loc"])
        return None

    def add(self, path: Path, message: str, *, of_key: bool = False) -> None:
        """Keep the first problem of each path, and say which variables it hangs on."""
        if any(faulty[: len(path)] == path for faulty in self.faulty):
            return
        self.faulty.add(path)
        names = dict.fromkeys(name for _, written in _strings(self.source.value(path), path) for name in _VARIABLE.findall(written))
        notes = (f"from ${{{name}}}" if _is_set(name, self.environment) else f"${{{name}}} is not set" for name in names)
        note = f" ({', '.join(notes)})" if names and path else ""
        said = message[:_MAX_MESSAGE] + note
        self.problems.append(self.source.problem_of_key(path, said) if of_key else self.source.problem(path, said))

    def value(self, path: Path) -> Content:
        """What stands at a path, with what its variables hold."""
        return _substitute(self.source.value(path), self.environment)


def _rule(form: _Rule, defaults: _Defaults) -> Rule:
    cooldown = defaults.cooldown if form.cooldown is None else form.cooldown
    return Rule(name=form.name, when=form.when, severity=form.severity, notify=form.notify, cooldown=cooldown)


def _receivers(reading: _Reading, kinds: Mapping[str, type[BaseModel]]) -> Iterator[Receiver]:
    source = reading.source
    for name in _keys(source.value(("receivers",))):
        path = ("receivers", name)
        form = reading.form(_Receiver, path)
        if form and form.kind not in kinds:
            written = _quoted(source.value((*path, "kind")))
            known = f"kinds are {', '.join(sorted(kinds))}"
            reading.add((*path, "kind"), f"{written} is no kind of receiver; {_did_you_mean(written, kinds) or known}")
        elif form and (options := reading.form(kinds[form.kind], path, without="kind")):
            unset = dict(_unset(source.value(path), reading.environment))
            yield Receiver(name=name, kind=form.kind, options=options, position=source.position(path), unset=unset)


def _unset(options: Content, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Options that name a variable which is not set, with its name."""
    for path, written in _strings(options, ()):
        for name in _VARIABLE.findall(written):
            if path and not _is_set(name, environment):
                yield str(path[0]), name


def _check_names(reading: _Reading) -> None:
    """Names that are used twice, or used and never defined."""
    receivers = _keys(reading.source.value(("receivers",)))
    lines: dict[str, int] = {}
    for index in _items(reading.source.value(("rules",))):
        place: Path = ("rules", index, "name")
        name = reading.value(place)
        if isinstance(name, str) and name in lines:
            written = _quoted(reading.source.value(place))
            reading.add(place, f"{written} names the rule of line {lines[name]} already; rename one of them")
        elif isinstance(name, str):
            lines[name] = reading.source.position(place)[0]
        for position in _items(reading.source.value(("rules", index, "notify"))):
            place = ("rules", index, "notify", position)
            if isinstance(receiver := reading.value(place), str) and receiver not in receivers:
                written = _quoted(reading.source.value(place))
                reading.add(place, f"no receiver {written}; {_did_you_mean(written, receivers) or 'define it under receivers'}")


def _check_variables(reading: _Reading) -> None:
    """A condition that an unset variable leaves empty would be met by every alert, so no rule may name one."""
    for section in ("defaults", "fingerprints", "rules"):
        for path, written in _strings(reading.source.value((section,)), (section,)):
            if not all(_is_set(name, reading.environment) for name in _VARIABLE.findall(written)):
                reading.add(path, "write the value here, or set the variable")


def _advice(found: ErrorDetails, value: Content, path: Path, model: type[BaseModel]) -> str:
    """Pydantic's word for a fault, turned into what to write instead."""
    kind, key = found["type"], str(path[-1]) if path else ""
    example = f"`{_EXAMPLES.get(key, f'{key}: …')}`"
    if not path:
        return "a rules file has the keys version, receivers and rules" + ("; this one is empty" if value is None else "")
    if kind == "extra_forbidden":
        known = ", ".join(model.model_fields)
        hint = _did_you_mean(key, model.model_fields) or f"known here: {known or 'none'}"
        return f'unknown key "{shown(key)}"; {hint}'
    if kind == "missing":
        return f"missing; add {example}"
    if value is None:
        return f"empty; write {example}" if key in _EXAMPLES else "empty; write a value, or take it out"
    return _advice_on_value(found, value)


def _advice_on_value(found: ErrorDetails, value: Content) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if isinstance(cause := context.get("error"), QueryError | TemplateError):
        return f"{cause}{_picture(value, cause.position)}"
    if kind == "enum":
        return f"{_quoted(value)} is not known; write {context.get('expected')}"
    if kind == "tuple_type" and isinstance(value, str):
        return f"write a list, in brackets: [{shown(value)}]"
    return _ADVICE.get(kind, found["msg"].removeprefix("Value error, "))


def _faults(model: type[BaseModel], content: Content) -> list[ErrorDetails]:
    try:
        model.model_validate(content)
    except ValidationError as error:
        return error.errors()
    return []


def _picture(written: Content, position: int) -> str:
    """The condition or key with a mark below what is wrong with it; none where variables have moved it."""
    if not isinstance(written, str) or _VARIABLE.search(written):
        return ""
    start = max(0, position - document.MAX_SHOWN // 2)
    return f"\n    {shown(written[start:])}\n    {' ' * (position - start)}^"


def _quoted(value: object) -> str:
    return f'"{shown(value)}"' if isinstance(value, str) else "this"


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word.strip('"'), list(known), n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def _substitute(content: Content, environment: Mapping[str, str]) -> Content:
    """Put the environment's values for `${NAME}`. A value with an unset one is empty: half an address is worse than none."""
    match content:
        case str():
            names = _VARIABLE.findall(content)
            if not all(_is_set(name, environment) for name in names):
                return ""
            # A variable may hold any bytes, which Python shows as halves of surrogate pairs.
            return _VARIABLE.sub(lambda found: environment[found[1]].encode("utf-8", "replace").decode(), content)
        case dict():
            return {key: _substitute(value, environment) for key, value in content.items()}
        case list():
            return [_substitute(value, environment) for value in content]
    return content


def _strings(content: Content, path: Path) -> Iterator[tuple[Path, str]]:
    """All texts below a path."""
    match content:
        case str():
            yield path, content
        case dict():
            for key, value in content.items():
                yield from _strings(value, (*path, key))
        case list():
            for index, value in enumerate(content):
                yield from _strings(value, (*path, index))


def _is_set(name: str, environment: Mapping[str, str]) -> bool:
    return bool(environment.get(name, "").strip())


def _keys(content: Content) -> tuple[str, ...]:
    return tuple(content) if isinstance(content, dict) else ()


def _items(content: Content) -> range:
    return range(len(content) if isinstance(content, list) else 0)
