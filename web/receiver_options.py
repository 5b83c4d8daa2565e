"""The options of a receiver as people may see them: what comes from the environment by its name, what is secret not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec
from pydantic import BaseModel, SecretStr

from routing.rules import Receiver

SHORT = 4
"""A value that is shorter is taken for one of the environment only if it is all there is."""
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def shown_options(receiver: Receiver, hidden: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """By option what it says; those that are left out and have no default are not there.

    Args:
        receiver: whose.
        hidden: by what is not to be shown what is shown instead.
    """
    options = receiver.options
    for name in type(options).model_fields:
        value = getattr(options, name)
        if name in receiver.unset:
            yield name, f"not set: the variable {receiver.unset[name]} is missing"
        elif isinstance(value, SecretStr):
            yield name, "set, and secret"
        elif receiver.destination and name in receiver.destination.computed:
            yield name, f"hangs on the alert: {_written(receiver, name)}"
        elif value is not None and value not in ((), {}, frozenset()):
            yield name, _text(_without(value, hidden))


def from_environment(texts: Mapping[str, str], environment: Mapping[str, str]) -> Mapping[str, str]:
    """By value of each variable that these texts name: how they name it, so that no value is shown that was kept out of the file."""
    names = {name for text in texts.values() for name in _VARIABLE.findall(text)}
    return {environment[name]: f"${{{name}}}" for name in sorted(names) if environment.get(name)}


def _written(receiver: Receiver, name: str) -> str:
    written = receiver.address.get(name)
    return _text(written) if written is not None else "see rules.yaml"


def _without(value: object, hidden: Mapping[str, str]) -> object:
    """The same with names in place of what is hidden, however deep that is."""
    match value:
        case SecretStr():
            return "secret"
        case BaseModel():
            return {name: _without(getattr(value, name), hidden) for name in type(value).model_fields}
        case Mapping():
            return {str(_without(key, hidden)): _without(one, hidden) for key, one in value.items()}
        case str():
            return _replaced(str(value), hidden)
        case Sequence() | AbstractSet():
            return [_without(one, hidden) for one in value]
    return hidden.get(str(value), value)


def _replaced(text: str, hidden: Mapping[str, str]) -> str:
    if text in hidden:
        return hidden[text]
    for value in sorted((one for one in hidden if len(one) >= SHORT), key=len, reverse=True):
        text = text.replace(value, hidden[value])
    return text


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list() | tuple() if all(isinstance(one, str) for one in value):
            return ", ".join(value)
        case str():
            return value
    return msgspec.json.encode(value, enc_hook=str).decode()
