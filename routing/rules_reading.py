"""A rules file that is being checked: its parts in their forms, and what a person is told of their faults. The forms are the caller's."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from routing import document
from routing.braces import BracesError
from routing.document import Content, Document, Path, Problem, shown
from routing.query import QueryError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

FormT = TypeVar("FormT", bound=BaseModel)

_NOTHING: Mapping[str, object] = {}
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_MAX_MESSAGE = 800

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
    "windows": "windows: {quiet-hours: {times: [22:00-07:00], zone: Europe/Berlin, allow: critical}}",
    "active": "active: [working-hours]",
    "mute": "mute: [quiet-hours]",
    "weekdays": "weekdays: [mon..fri]",
    "days_of_month": "days_of_month: [1..7, -1]",
    "months": "months: [jan, nov..dec]",
    "times": "times: [09:00-17:30, 22:00-07:00]",
    "spans": "spans: [{weekdays: [sat..sun]}, {times: [22:00-07:00]}]",
    "zone": "zone: Europe/Berlin",
    "allow": "allow: critical",
    "ignore": "ignore: [{name: missing-assets, when: 'http.status_code:404 url:*/static/*'}]",
    "inhibit": "inhibit: [{name: database-down, source: 'tags.component:database', target: 'tags.component:api', equal: [environment]}]",
    "source": "source: 'tags.component:database level:fatal'",
    "target": "target: 'tags.component:api'",
    "equal": "equal: [environment]",
    "throttles": "throttles: [{name: noisy-project, when: 'project:shop', by: [project], limit: 20, per: 1h}]",
    "by": "by: [project]",
    "limit": "limit: 20",
    "per": "per: 1h",
    "else": "else: [{name: other-errors, when: 'level:error', notify: [slack-errors]}]",
    "escalate": "escalate: [{after: 15m, unless: acknowledged, notify: [pagerduty-on-call]}]",
    "after": "after: 15m",
    "unless": "unless: acknowledged",
    "group_by": "group_by: [project, tags.team]",
    "group_wait": "group_wait: 30s",
    "group_interval": "group_interval: 5m",
    "window": "window: 5m",
    "template": "template: short",
    "templates": "templates: {short: {title: '[{project}] {title}'}}",
    "fallback": "fallback: slack-alerts",
    "buttons": "buttons: {resolve: ['@leads'], silence: ['@on-call', S0123ABCD]}",
    "repeat": "repeat: 4h",
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
class Reading:
    """A file that is being checked, and what was wrong so far."""

    source: Document
    environment: Mapping[str, str]
    problems: list[Problem]
    faulty: set[Path]
    """Where something is wrong already: what follows from it is not told, neither there nor of what holds it."""

    def form(
        self, model: type[FormT], path: Path, *, without: Collection[str] = (), instead: Mapping[str, object] = _NOTHING
    ) -> FormT | None:
        """The part of the file at a path in its form, less some keys, and with some values put in; None if it is faulty."""
        content = self.source.value(path)
        if isinstance(content, dict):
            content = {key: value for key, value in content.items() if key not in {*without, *instead}}
        elif path:
            return None  # the file's own form has said so
        try:
            return model.model_validate(_with(_substitute(content, self.environment), instead))
        except ValidationError as error:
            found = error.errors()
        # What a variable holds may be a secret, and errors quote: so they are told of stars in its place.
        stars = {name: "*" * len(value) for name, value in self.environment.items()}
        told = {fault["loc"]: fault for fault in _faults(model, _with(_substitute(content, stars), instead))}
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


def quoted(value: object) -> str:
    """What was written, as a message shows it."""
    return f'"{shown(value)}"' if isinstance(value, str) else "this"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The one of the known words that was perhaps meant, as a question; empty if none comes near."""
    close = difflib.get_close_matches(word.strip('"'), list(known), n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def unset_variables(content: Content, environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Where below a value a variable is named that is not set, and its name."""
    for path, written in _strings(content, ()):
        for name in _VARIABLE.findall(written):
            if not _is_set(name, environment):
                yield path, name


def _advice(found: ErrorDetails, value: Content, path: Path, model: type[BaseModel]) -> str:
    """Pydantic's word for a fault, turned into what to write instead."""
    kind, key = found["type"], str(path[-1]) if path else ""
    example = f"`{_EXAMPLES.get(key, f'{key}: …')}`"
    if not path:
        return "a rules file has the keys version, receivers and rules" + ("; this one is empty" if value is None else "")
    if kind == "extra_forbidden":
        names = [field.alias or name for name, field in model.model_fields.items()]
        hint = did_you_mean(key, names) or f"known here: {', '.join(names) or 'none'}"
        return f'unknown key "{shown(key)}"; {hint}'
    if kind == "missing":
        return f"missing; add {example}"
    if value is None:
        return f"empty; write {example}" if key in _EXAMPLES else "empty; write a value, or take it out"
    return _advice_on_value(found, value)


def _advice_on_value(found: ErrorDetails, value: Content) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if isinstance(cause := context.get("error"), QueryError | BracesError):
        return f"{cause}{_picture(value, cause.position)}"
    if kind == "enum":
        return f"{quoted(value)} is not known; write {context.get('expected')}"
    if kind == "tuple_type" and isinstance(value, str):
        return f"write a list, in brackets: [{shown(value)}]"
    return _ADVICE.get(kind, found["msg"].removeprefix("Value error, "))


def _with(content: Content, instead: Mapping[str, object]) -> object:
    return {**content, **instead} if isinstance(content, dict) else content


def _faults(model: type[BaseModel], content: object) -> list[ErrorDetails]:
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
