"""Receivers whose options hang on the alert: `channel: "#team-{tags.team}"`. Knows the model of a kind's options, not the kinds.

What an alert says is hostile: it names a destination only if `allow` has it and the model takes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias, get_args

from pydantic import BaseModel, PlainValidator, SecretStr, ValidationError

from routing.placeholders import AllowList, PlaceholderError, PlaceholderText, parse
from routing.query import Facts
from routing.query_comparison import Pattern, quote, shorten

Option: TypeAlias = PlaceholderText | tuple[PlaceholderText, ...]
Changes: TypeAlias = Mapping[str, object]
"""Options of a receiver in place of those that are written: texts and lists of texts."""

MAX_WHY = 300
WORDS = ("example", "EXAMPLE", "#example", "C0123ABCD", "name@example.com", "+15551234567", "15551234567")
"""What may stand in a place for the sake of an example: one of them is a channel, a project, a label, an address, a number."""

_PLACE = "\0"
_VARIABLE = re.compile(r"\$\{\w+\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong in the options of a receiver."""

    path: tuple[str | int, ...]
    """Below the receiver: `channel`, or `to` and the number of the address."""
    message: str
    """With what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an alert is not told at a destination of its own."""

    why: str
    """One line, fit to be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """The options of a receiver in which there are braces, and what is wrong with them."""

    options: Mapping[str, Option]
    faults: tuple[Fault, ...]

    @property
    def places(self) -> Mapping[tuple[str | int, ...], PlaceholderText]:
        """Those texts that have places, by their paths."""
        found: dict[tuple[str | int, ...], PlaceholderText] = {}
        for name, option in self.options.items():
            found |= {(name, *rest): text for rest, text in _texts(option) if not text.is_plain}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A receiver's options, which each alert completes."""

    model: type[BaseModel]
    written: Mapping[str, object] = field(repr=False)
    """All options, with what their variables hold: secrets."""
    computed: Mapping[str, Option]
    allow: AllowList

    def resolve(self, facts: Facts) -> Changes | Refusal:
        """What takes the place of the written options for an alert, or why it has no destination here. Never raises."""
        changes: dict[str, object] = {}
        for name, option in self.computed.items():
            filled = [self._fill(name, text, facts) for _, text in _texts(option)]
            for text in filled:
                if isinstance(text, Refusal):
                    return text
            changes[name] = filled if isinstance(option, tuple) else filled[0]
        options = self.options(changes)
        return options if isinstance(options, Refusal) else changes

    def options(self, changes: Changes) -> BaseModel | Refusal:
        """The options with these changes, as `resolve` gave them."""
        try:
            return self.model.model_validate({**self.written, **changes})
        except ValidationError as error:
            return _refused(error, changes)

    def _fill(self, name: str, text: PlaceholderText, facts: Facts) -> str | Refusal:
        filled = text.fill(facts)
        if filled is None:
            missing = " and no ".join(text.unfilled(facts))
            return Refusal(why=f"{name}: the alert has no {missing} that could stand in {quote(text.text)}")
        if not text.is_plain and not self.allow.allows(filled):
            allowed = ", ".join(map(quote, self.allow.patterns))
            return Refusal(why=shorten(f"{name}: {quote(filled)} is not allowed; allowed: {allowed}", MAX_WHY))
        return filled


def find(written: Mapping[str, object], model: type[BaseModel]) -> Computed:
    """The options in which there are braces, credentials left alone: those that the model keeps secret, those from a variable.

    Args:
        written: the options as the document has them, `${NAME}` and all.
        model: that of the kind's options.
    """
    options: dict[str, Option] = {}
    faults: list[Fault] = []
    for name, value in written.items():
        if name not in model.model_fields or _holds_secret(model.model_fields[name].annotation):
            continue
        if isinstance(value, str) and _has_braces(value):
            options[name] = _read((name,), value, faults)
        elif isinstance(value, list | tuple) and all(isinstance(item, str) for item in value) and any(map(_has_braces, value)):
            options[name] = tuple(_read((name, index), item, faults) for index, item in enumerate(value))
    return Computed(options=options, faults=tuple(faults))


def check(computed: Computed, allow: AllowList | None) -> Iterator[Fault]:
    """What is wrong between the places of a receiver and what it allows."""
    places = computed.places
    if not places and allow is not None and not computed.faults:
        yield Fault(path=("allow",), message="no option has places like {tags.team}; take it out")
    for path, text in places.items():
        if allow is None:
            message = f'the alert is to say where this goes; add what may come of it: `allow: ["{_suggestion(text)}"]`'
            yield Fault(path=path, message=message)
            return
        if not any(_may_become(text, pattern) for pattern in allow.split):
            yield Fault(path=path, message=f'nothing that `allow` lists can come of this; add to it, say, "{_suggestion(text)}"')


def examples(computed: Computed, model: type[BaseModel], allow: AllowList | None) -> Changes:
    """Options that an alert could make of the computed ones, for the model to judge what is written around the places.

    One that the model takes, if any of some words, in the places or as `allow` has them, makes it take it.
    """
    patterns = allow.split if allow else ()
    return {name: _example(name, option, model, patterns) for name, option in computed.options.items()}


def read_allow_list(value: object) -> AllowList:
    """The value of `allow`, for pydantic.

    Raises:
        ValueError: with what to write.
    """
    if not isinstance(value, list | tuple) or not value or not all(isinstance(item, str) and item for item in value):
        raise ValueError('write a list of what may come of the places, in which * stands for anything: ["#team-*"]')
    return AllowList(tuple(value))


Allow = Annotated[AllowList, PlainValidator(read_allow_list)]
"""How a form takes `allow`."""


def _texts(option: Option) -> tuple[tuple[tuple[int, ...], PlaceholderText], ...]:
    """The texts of an option, each with its place in the list."""
    if isinstance(option, PlaceholderText):
        return (((), option),)
    return tuple(((index,), text) for index, text in enumerate(option))


def _has_braces(text: str) -> bool:
    return bool(set("{}") & set(_VARIABLE.sub("", text)))


def _read(path: tuple[str | int, ...], text: str, faults: list[Fault]) -> PlaceholderText:
    """The text in its parts; where it is faulty, as if it had no places."""
    try:
        if not _VARIABLE.search(text):
            return parse(text)
        faults.append(Fault(path=path, message="beside places no variable is put in; write here what it holds"))
    except PlaceholderError as error:
        faults.append(Fault(path=path, message=str(error)))
    return PlaceholderText(text=text, parts=(text,))


def _holds_secret(annotation: object) -> bool:
    """Whether a field's type is SecretStr, or may be."""
    return annotation is SecretStr or any(map(_holds_secret, get_args(annotation)))


def _example(name: str, option: Option, model: type[BaseModel], patterns: Sequence[Pattern]) -> object:
    if isinstance(option, PlaceholderText):
        return _likely(option, patterns, lambda text: _accepts(model, name, text))
    return [_likely(text, patterns, lambda item: _accepts(model, name, [item])) for text in option]


def _likely(text: PlaceholderText, patterns: Sequence[Pattern], accepts: Callable[[str], bool]) -> str:
    return next(filter(accepts, _candidates(text, patterns)), text.fill_with(WORDS[0]))


def _candidates(text: PlaceholderText, patterns: Sequence[Pattern]) -> Iterator[str]:
    """What could come of a text: with a word in its places, or as a pattern has it, with a word at its stars."""
    yield from map(text.fill_with, WORDS)
    begin, end = _edges(text)
    allowed = (word.join(pattern) for pattern in patterns for word in WORDS)
    yield from (like for like in allowed if like.startswith(begin) and like.endswith(end) and len(like) > len(begin) + len(end))


def _accepts(model: type[BaseModel], name: str, value: object) -> bool:
    """Whether the model has nothing against this option, whatever it misses beside it."""
    try:
        model.model_validate({name: value})
    except ValidationError as error:
        return all(fault["loc"][:1] != (name,) for fault in error.errors())
    return True


def _refused(error: ValidationError, changes: Changes) -> Refusal:
    """What the model has against an option that an alert named; of other options it tells nothing, they may be secrets."""
    for fault in error.errors():
        if fault["loc"] and (name := str(fault["loc"][0])) in changes:
            value = changes[name]
            shown = ", ".join(quote(str(item)) for item in (value if isinstance(value, list | tuple) else (value,)))
            message = fault["msg"].removeprefix("Value error, ")
            return Refusal(why=shorten(f"{name}: {shown} is not taken: {message}", MAX_WHY))
    return Refusal(why=f"{', '.join(changes)}: the receiver's options do not go together")


def _suggestion(text: PlaceholderText) -> str:
    return "".join(part.replace("*", r"\*") if isinstance(part, str) else "*" for part in text.parts)


def _may_become(text: PlaceholderText, pattern: Pattern) -> bool:
    """Whether a pattern has room for what stands before the first place and after the last one."""
    begin, end = _edges(text)
    first, last = pattern[0], pattern[-1]
    if len(pattern) == 1:
        return first.startswith(begin) and first.endswith(end) and len(first) > len(begin) + len(end)
    return (first.startswith(begin) or begin.startswith(first)) and (last.endswith(end) or end.endswith(last))


def _edges(text: PlaceholderText) -> tuple[str, str]:
    """What stands before the first place and after the last one; of a text without places all of it, and nothing."""
    literal = "".join(part if isinstance(part, str) else _PLACE for part in text.parts)
    return literal.partition(_PLACE)[0], literal.rpartition(_PLACE)[2] if _PLACE in literal else ""
