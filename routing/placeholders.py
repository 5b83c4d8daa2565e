"""Texts of rules.yaml with placeholders, `#team-{tags.team}`, and the lists of what may come of them. Knows the query language's keys.

What an alert says is hostile: nothing that is hidden comes through, and no more than a placeholder may take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from routing.alert import Alert
from routing.braces import BracesError, Piece, split
from routing.document import shown
from routing.plain_text import one_line
from routing.query import Context, Facts, Read
from routing.query_answers import reader_of, texts
from routing.query_comparison import Pattern, exact_pattern, is_like
from routing.query_keys import Kind, kind_of
from routing.query_syntax import parse_key
from routing.query_tree import Key

MAX_TEXT = 2000
"""Of a text with placeholders, as it is written."""
MAX_VALUE = 100
"""What a placeholder of a destination takes; of more a part would be another destination."""
MAX_SAID = 500
"""What a placeholder of a template shows."""
READERS = 1024
"""Size of the cache of readers: the same key gives the same function object, by which `Facts` remembers what it has read."""

_LONGEST = 8000
"""What is longer is not even looked at."""
_KEY = re.compile(r'[A-Za-z0-9_.:-]+|(?:tags|flags)\[(?:[A-Za-z0-9_.:-]+|"[A-Za-z0-9_.:-]+")\]')
_EXAMPLES = "write a key of the query language, like {project} or {tags.team}"


class PlaceholderError(BracesError):
    """A text with placeholders cannot be understood. It says at which character, what is wrong and what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """What stands between braces: `tags.team|platform`."""

    key: str
    """As it is written."""
    default: str
    """What is said where the alert says nothing; empty where there is none."""
    read: Read[str]
    """The first text that the alert has under the key, in one line; empty if it has none."""


Part: TypeAlias = str | Placeholder


@dataclass(frozen=True, slots=True)
class PlaceholderText:
    """A text with placeholders; two are equal if they are written the same."""

    text: str
    parts: tuple[Part, ...] = field(compare=False, repr=False)

    @property
    def is_plain(self) -> bool:
        """Whether there are no places, so that it says the same of all alerts."""
        return not self.keys

    @property
    def keys(self) -> tuple[str, ...]:
        """What it asks for, each once, as written."""
        return tuple(dict.fromkeys(part.key for part in self.parts if isinstance(part, Placeholder)))

    def fill(self, facts: Facts) -> str | None:
        """The text for an alert, None if one of its places cannot be filled."""
        values = [_value(part, facts) for part in self.parts]
        return "".join(values) if all(values) else None

    def unfilled(self, facts: Facts) -> tuple[str, ...]:
        """The keys that `fill` cannot fill: the alert has no such text, or one of more than a hundred characters."""
        return tuple(dict.fromkeys(part.key for part in self.parts if isinstance(part, Placeholder) and not _value(part, facts)))

    def say(self, facts: Facts) -> str:
        """The text for people: a place that cannot be filled is empty, what is long is cut."""
        return "".join(part if isinstance(part, str) else (facts[part.read] or part.default)[:MAX_SAID] for part in self.parts)

    def fill_with(self, word: str) -> str:
        """The text with the same word, or its own default, in each place."""
        return "".join(part if isinstance(part, str) else part.default or word for part in self.parts)


@dataclass(frozen=True, slots=True)
class AllowList:
    """What computed texts may be: patterns in which `*` stands for anything, upper and lower case are told apart."""

    patterns: tuple[str, ...]

    def allows(self, text: str) -> bool:
        """Whether the whole text is like one of the patterns. What cannot be printed never is."""
        return text.isprintable() and any(is_like(text, pattern) for pattern in self.split)

    @property
    def split(self) -> tuple[Pattern, ...]:
        """The patterns, taken apart at their stars."""
        return tuple(map(exact_pattern, self.patterns))


def parse(text: str) -> PlaceholderText:
    """Read a text: `{key}` stands for what the alert says, `{key|word}` has a default, `{{` and `}}` are the braces themselves.

    Raises:
        PlaceholderError: with the position of the first thing that is wrong, and what to write instead.
    """
    if len(text) > MAX_TEXT:
        raise PlaceholderError(f"longer than {MAX_TEXT} characters", position=MAX_TEXT)
    return PlaceholderText(text=text, parts=tuple(_parts(text)))


def _parts(text: str) -> Iterator[Part]:
    for piece in split(text, PlaceholderError):
        yield piece.written if piece.place is None else _placeholder(piece, piece.place)


def _placeholder(piece: Piece, written: str) -> Placeholder:
    name, _, default = written.partition("|")
    start = piece.position + 1
    if not name or "(" in name:
        fault = f"{name} is a figure over many alerts" if name else "no key between the braces"
        raise PlaceholderError(f"{fault}; {_EXAMPLES}", position=start)
    if not _KEY.fullmatch(name):
        way_out = f"write {{{name.strip()}}}" if _KEY.fullmatch(name.strip()) else _EXAMPLES
        raise PlaceholderError(f'"{shown(name)}" is no key; {way_out}', position=start)
    key = parse_key(name)
    if kind_of(key) in {Kind.STATE, Kind.PRESENCE}:
        raise PlaceholderError(f"`{name}:` asks and says nothing; {_EXAMPLES}", position=start)
    if one_line(default) != default or len(default) > MAX_VALUE:
        raise PlaceholderError(f"a default is one line of at most {MAX_VALUE} characters", position=start + len(name) + 1)
    return Placeholder(key=name, default=default, read=_reader(key))


@lru_cache(maxsize=READERS)
def _reader(key: Key) -> Read[str]:
    read = reader_of(key)

    def first_text(alert: Alert, _: Context) -> str:
        return next(filter(None, (one_line(text[:_LONGEST]) for text in texts(read(alert)))), "")

    return first_text


def _value(part: Part, facts: Facts) -> str:
    """What stands for a part, empty if nothing can."""
    if isinstance(part, str):
        return part
    value = facts[part.read] or part.default
    return value if len(value) <= MAX_VALUE else ""
