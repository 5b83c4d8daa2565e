"""What a query says, as values: a tree of conditions, each with its key, operator and typed values. Knows no alert and no grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

_BARE = re.compile(r"[A-Za-z0-9_.@*-][A-Za-z0-9_.@*/-]*")
"""What means the same with and without quotes; what begins with a slash might be taken for a regular expression."""


class QueryError(ValueError):
    """A query cannot be understood. The text says at which character, what is wrong and what to write instead."""

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(f"character {position + 1}: {message}")
        self.position = position
        """Offset of the character in the query, from 0."""


class Operator(StrEnum):
    """How a value is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="


class ValueType(StrEnum):
    """What a value was read as."""

    TEXT = "text"
    NUMBER = "number"
    DURATION = "duration"
    SIZE = "size"
    PERCENTAGE = "percentage"
    BOOLEAN = "boolean"
    DATE = "date"
    RELATIVE_DATE = "relative date"


class KeyKind(StrEnum):
    """What a key names."""

    FIELD = "field"
    """A field of Sentry's, or a tag where Sentry has no field of that name."""
    TAG = "tag"
    """`tags[name]`: a tag, whatever else has that name."""
    FLAG = "flag"
    """`flags[name]`: a feature flag."""
    PAYLOAD = "payload"
    """`payload[request.env]`: whatever the event, issue or metric alert holds at a path. Ours, not Sentry's."""
    AGGREGATE = "aggregate"
    """`count()`, `p95(transaction.duration)`: a figure over many events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a condition asks about."""

    name: str
    kind: KeyKind = KeyKind.FIELD
    arguments: tuple[str, ...] = ()
    """Of an aggregate, as written, quotes included."""
    type: str | None = None
    """`number` of `tags[name,number]`."""

    def __str__(self) -> str:
        if self.kind is KeyKind.AGGREGATE:
            return f"{self.name}({', '.join(self.arguments)})"
        name = f'"{self.name}"' if ":" in self.name else self.name
        if self.kind is KeyKind.FIELD:
            return name
        return f"{self.kind}{'' if self.kind is KeyKind.PAYLOAD else 's'}[{name}{',' + self.type if self.type else ''}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextValue:
    r"""Text, in which `*` stands for anything and `\*` for a star."""

    text: str
    quoted: bool = field(default=False, compare=False)
    type: ValueType = field(default=ValueType.TEXT, init=False, repr=False)

    def __str__(self) -> str:
        escaped = self.text.replace('"', '\\"')
        return f'"{escaped}"' if self.quoted and not _BARE.fullmatch(self.text) else escaped


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number, or something measured."""

    type: ValueType
    """Number, duration, size or percentage."""
    amount: float
    """Durations in milliseconds, sizes in bytes, percentages as fractions."""
    text: str = field(compare=False)
    """As written."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class BooleanValue:
    """Yes or no."""

    truth: bool
    text: str = field(compare=False)
    type: ValueType = field(default=ValueType.BOOLEAN, init=False, repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class DateValue:
    """A day, or a moment of it."""

    moment: datetime
    """Aware."""
    is_day: bool
    """No time was written: the whole UTC day is meant."""
    text: str = field(compare=False)
    type: ValueType = field(default=ValueType.DATE, init=False, repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeValue:
    """`-24h`: newer than that; `+24h`: older."""

    age: timedelta
    """Never negative."""
    is_older: bool
    text: str = field(compare=False)
    type: ValueType = field(default=ValueType.RELATIVE_DATE, init=False, repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class NowValue:
    """`now`, `now-1h`: not Sentry's, but the guide's."""

    offset: timedelta
    text: str = field(compare=False)
    type: ValueType = field(default=ValueType.RELATIVE_DATE, init=False, repr=False)

    def __str__(self) -> str:
        return self.text


Value: TypeAlias = TextValue | Quantity | BooleanValue | DateValue | AgeValue | NowValue


class Form(StrEnum):
    """How the values of a condition belong together."""

    ONE = "one"
    LIST = "list"
    """Any of them."""
    RANGE = "range"
    """From the first to the second, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One `key:value`."""

    key: Key
    operator: Operator = Operator.EQUAL
    negated: bool = False
    values: tuple[Value, ...]
    """Exactly one unless the form is a list or a range."""
    form: Form = Form.ONE
    position: int = field(default=0, compare=False)

    @property
    def value(self) -> Value:
        """The only value, or the first of several."""
        return self.values[0]

    def __str__(self) -> str:
        return f"{'!' if self.negated else ''}{self.key}:{self._right_side()}"

    def _right_side(self) -> str:
        if self.form is Form.LIST:
            return f"[{', '.join(map(str, self.values))}]"
        if self.form is Form.RANGE:
            return f"[{self.values[0]} TO {self.values[1]}]"
        value = str(self.value)
        is_ambiguous = value.startswith(("=", "!=", "<", ">"))
        return f"{'' if self.operator is Operator.EQUAL and not is_ambiguous else self.operator}{value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeText:
    """Text to be found anywhere in what the alert says."""

    text: str
    quoted: bool = field(default=False, compare=False)
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return '"{}"'.format(self.text.replace('"', '\\"')) if self.quoted else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class And:
    """All of them; of none: any alert at all."""

    parts: tuple[Node, ...] = ()

    def __str__(self) -> str:
        text = ""
        for number, part in enumerate(self.parts):
            spelled = f"({part})" if isinstance(part, And | Or) else str(part)
            text += _between(self.parts[number - 1], part) + spelled if number else spelled
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Or:
    """At least one of them."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return " OR ".join(f"({part})" if isinstance(part, Or) else str(part) for part in self.parts)


Node: TypeAlias = Term | FreeText | And | Or


def conditions(node: Node) -> Iterator[Term | FreeText]:
    """All conditions of a tree in the order in which they were written."""
    if isinstance(node, And | Or):
        for part in node.parts:
            yield from conditions(part)
    else:
        yield node


def _between(left: Node, right: Node) -> str:
    """AND is written where two texts would become one, or a value like `[a` and what follows a list."""
    if isinstance(left, Term) and left.form is Form.ONE:
        return " AND " if str(left.value).startswith("[") else " "
    return " " if isinstance(left, Term) or isinstance(right, Term) else " AND "
