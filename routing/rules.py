"""rules.yaml as values: what is asked of an alert and who is told. Knows the form of the file, not what it is applied to."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError

from routing import document
from routing.document import Document, DocumentError, Path, Problem
from routing.notification import Severity
from routing.query import Query, QueryError
from routing.query import parse as parse_query

DEFAULT_COOLDOWN = timedelta(minutes=30)
"""That of Sentry's own alert rules."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class RulesError(Exception):
    """rules.yaml cannot be put in force; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A named destination."""

    name: str
    kind: str
    options: BaseModel
    """Of the model that the kind declares."""
    position: tuple[int, int] = (1, 1)
    """Line and column in the file."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """A rules.yaml in force."""

    rules: tuple[Rule, ...]
    """Only those that are enabled, in the order of the file."""
    receivers: Mapping[str, Receiver]
    version: str
    """The first twelve digits of the SHA-256 of the text."""


def load(text: str, *, kinds: Mapping[str, type[BaseModel]], environment: Mapping[str, str]) -> RuleSet:
    """Read the text of a rules.yaml.

    Args:
        text: the file's content.
        kinds: for each kind of receiver the model of its options.
        environment: what `${NAME}` stands for. An unset name in a secret option means that the credential is not set.

    Raises:
        RulesError: with every problem, each with its line, column and what to write instead.
    """
    try:
        source = document.read(text)
        form = _File.model_validate(_substitute(source.content, environment))
    except DocumentError as error:
        raise RulesError(error.problems) from None
    except ValidationError as error:
        raise RulesError(tuple(_form_problems(error, source, _File, ()))) from None
    receivers, problems = _receivers(form, source, kinds)
    problems += tuple(_reference_problems(form, source))
    if problems:
        raise RulesError(tuple(sorted(problems, key=lambda problem: (problem.line, problem.column))))
    rules = tuple(_rule(rule, form.defaults) for rule in form.rules if rule.enabled)
    return RuleSet(rules=rules, receivers=receivers, version=hashlib.sha256(text.encode()).hexdigest()[:12])


def _duration(value: object) -> timedelta:
    """`90s`, `30m`, `4h`, `2d`, `1w`."""
    matched = re.fullmatch(r"(\d{1,6})([smhdw])", str(value))
    if not matched:
        raise ValueError(f'"{value}" is no duration; write a number and s, m, h, d or w, like 30m')
    return timedelta(seconds=int(matched[1]) * _UNITS[matched[2]])


def _query(value: object) -> Query:
    if not isinstance(value, str):
        raise ValueError(f"write a condition in Sentry's search language, in quotes: '{value}'")  # noqa: TRY004 - pydantic collects ValueError
    try:
        return parse_query(value)
    except QueryError as error:
        raise ValueError(f"{error}\n    {value}\n    {' ' * error.position}^") from None


def _name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", value):
        raise ValueError(f'"{value}" is no name; write letters, digits, "-", "_" and ".", like critical-error')
    return value


Duration = Annotated[timedelta, PlainValidator(_duration)]
Name = Annotated[str, BeforeValidator(_name)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)


class _Defaults(_Form):
    cooldown: Duration = DEFAULT_COOLDOWN


class _Receiver(BaseModel):
    """The options beside `kind` are checked by the kind's own model."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)
    kind: str


class _Rule(_Form):
    name: Name
    when: Annotated[Query, PlainValidator(_query)]
    notify: Annotated[tuple[Name, ...], Field(min_length=1)]
    severity: Severity | None = None
    cooldown: Duration | None = None
    enabled: bool = True
    description: str = ""


class _File(_Form):
    version: Literal[1]
    defaults: _Defaults = _Defaults()
    receivers: dict[Name, _Receiver]
    rules: tuple[_Rule, ...]


_EXAMPLES = {
    "version": "version: 1",
    "receivers": 'receivers: {slack-errors: {kind: slack, channel: "#errors"}}',
    "rules": "rules: [{name: critical-error, when: 'tags.critical:true', notify: [slack-errors]}]",
    "kind": "kind: slack",
    "name": "name: critical-error",
    "when": "when: 'tags.critical:true'",
    "notify": "notify: [slack-errors]",
}


def _rule(form: _Rule, defaults: _Defaults) -> Rule:
    cooldown = defaults.cooldown if form.cooldown is None else form.cooldown
    return Rule(name=form.name, when=form.when, severity=form.severity, notify=form.notify, cooldown=cooldown)


def _receivers(form: _File, source: Document, kinds: Mapping[str, type[BaseModel]]) -> tuple[dict[str, Receiver], tuple[Problem, ...]]:
    receivers: dict[str, Receiver] = {}
    problems: list[Problem] = []
    for name, receiver in form.receivers.items():
        model = kinds.get(receiver.kind)
        if model is None:
            known = f'"{receiver.kind}" is no kind of receiver{_did_you_mean(receiver.kind, kinds)}; kinds are {", ".join(sorted(kinds))}'
            problems.append(_problem(source, ("receivers", name, "kind"), known))
            continue
        try:
            options = model.model_validate(receiver.model_extra)
            receivers[name] = Receiver(name=name, kind=receiver.kind, options=options, position=source.position(("receivers", name)))
        except ValidationError as error:
            problems += _form_problems(error, source, model, ("receivers", name))
    return receivers, tuple(problems)


def _reference_problems(form: _File, source: Document) -> Iterator[Problem]:
    """Names that are used twice, or used and never defined."""
    seen: set[str] = set()
    for index, rule in enumerate(form.rules):
        if rule.name in seen:
            yield _problem(source, ("rules", index, "name"), f'"{rule.name}" names a rule above already; rename one of them')
        seen.add(rule.name)
        for position, receiver in enumerate(rule.notify):
            if receiver not in form.receivers:
                message = f'no receiver "{receiver}"{_did_you_mean(receiver, form.receivers)}; define it under receivers'
                yield _problem(source, ("rules", index, "notify", position), message)


def _form_problems(error: ValidationError, source: Document, model: type[BaseModel], prefix: Path) -> Iterator[Problem]:
    for found in error.errors():
        path = (*prefix, *(part for part in found["loc"] if part != "[key]"))
        yield _problem(source, path, _advice(found["type"], found["msg"], path, model))


def _advice(kind: str, message: str, path: Path, model: type[BaseModel]) -> str:
    """Pydantic's word for a fault, turned into what to write instead."""
    key = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        return f'unknown key "{key}"{_did_you_mean(key, _known_keys(model))}'
    if kind == "missing":
        return "missing" + (f"; add `{_EXAMPLES[key]}`" if key in _EXAMPLES else "")
    return message.removeprefix("Value error, ").replace("Input should be", "should be")


def _known_keys(model: type[BaseModel]) -> frozenset[str]:
    """For a fault in the file itself the keys of all its parts: the path tells a reader which part is meant."""
    forms: tuple[type[BaseModel], ...] = (_File, _Defaults, _Rule) if model is _File else (model,)
    return frozenset(key for form in forms for key in form.model_fields)


def _did_you_mean(word: str, known: Mapping[str, object] | frozenset[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _problem(source: Document, path: Path, message: str) -> Problem:
    line, column = source.position(path)
    return Problem(line=line, column=column, place=_place(source, path), message=message)


def _place(source: Document, path: Path) -> str:
    """The path with rules called by their names: `rules.critical-error.notify`."""
    match path:
        case ("rules", int(index), *rest):
            rules: Any = source.content.get("rules") if isinstance(source.content, dict) else None  # Any: whatever YAML held
            rule = rules[index] if isinstance(rules, list) and index < len(rules) else None
            name = rule.get("name", index) if isinstance(rule, dict) else index
            return ".".join(map(str, ("rules", name, *rest)))
    return ".".join(map(str, path))


def _substitute(content: object, environment: Mapping[str, str]) -> object:
    """Put the environment's values for `${NAME}`; an unset one leaves nothing, which is how an option says "not set"."""
    match content:
        case str():
            return _VARIABLE.sub(lambda found: environment.get(found[1], ""), content)
        case dict():
            return {key: _substitute(value, environment) for key, value in content.items()}
        case list():
            return [_substitute(value, environment) for value in content]
    return content
