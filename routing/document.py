"""Reads YAML so that every value knows its line and stays the word that was written: `no` is no boolean here, `1:30` no number.

What YAML itself would swallow (a key twice, a lost quote, a comment in a value's place) is a problem here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

import yaml
from yaml.events import AliasEvent, Event, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent
from yaml.reader import ReaderError

Path: TypeAlias = tuple[str | int, ...]
Content: TypeAlias = "str | list[Content] | dict[str, Content] | None"
"""None is a value that was left empty."""

MAX_CHARACTERS = 256 * 1024
"""A thousand rules. PyYAML needs up to four seconds for as much, in which a worker says nothing of being alive."""

MAX_DEPTH = 20
MAX_SHOWN = 60

_QUOTE_IT = "put the value in quotes"
_SECOND_DOCUMENT = "a second document begins here; a file holds one"
_FAULTS = (
    (r"'<document start>'", _SECOND_DOCUMENT),
    (r"'\\t'", "a tab; indent with blanks"),
    (r"cannot start any token|the node content", f"no value begins with this character; {_QUOTE_IT}"),
    (r"scanning an a(lias|nchor)", f"a value that begins with * or & is an alias to YAML; {_QUOTE_IT}"),
    (r"\btag\b", f"a value that begins with ! is a tag to YAML; {_QUOTE_IT}"),
    (r"escape character|hexdecimal", "a backslash within double quotes has a meaning of its own; use single quotes"),
    (r"a block scalar", f"`|` and `>` begin a text on the next line; {_QUOTE_IT}"),
    (r"sequence entries|but found '-'", "a list begins on a line of its own below its key, or is written in brackets: [a, b]"),
    (r"<block end>, but found '<scalar>'", "this stands behind a value that has ended; put the whole value in one pair of quotes"),
    (r"<block end>", "this line is not aligned with those it belongs to"),
)
"""What PyYAML says, and what to say instead."""
_FAULTS_WHERE_IT_BEGAN = (
    (r"could not find expected ':'", "this is no `key: value`; after the key belong a colon and a blank"),
    (r"a (double-)?quoted scalar", "this quote is opened and never closed"),
)

_EMPTY = frozenset({"", "~", "null", "Null", "NULL"})
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_MASKED = re.compile("\\$\ue000(\\w+)\ue001")
_LOST = re.compile(r"[ \t]*(#[^\s#][^\n]*)")
_LOST_IN_BRACKETS = re.compile(r"[\[{](?:[^\n\]}]*?[\s\[{,])??(#[^\s#,}\]]+)")
_EXCERPT = re.compile(r"[^\n,\]}]+")
_UNFIT = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a document, with the way out."""

    line: int
    """Counted from 1."""
    column: int
    """Counted from 1."""
    place: str
    """The keys that lead there, `rules.critical-error.notify`; empty for the document as a whole."""
    message: str
    file: str = ""
    """Where it is not the first file."""

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: " + (f"{self.place}: " if self.place else "") + self.message


class DocumentError(Exception):
    """The text is no YAML, or not of the kind that can be trusted."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A YAML document as plain values, and where each of them stands."""

    content: Content
    positions: Mapping[Path, tuple[int, int]]
    key_positions: Mapping[Path, tuple[int, int]]
    faults: Mapping[Path, str]
    """What is wrong although it can be read: a key twice, a lost quote. The values at these paths are not what was meant."""
    files: Mapping[Path, str] = field(default_factory=dict)
    """By section and item the file that holds it, where that is not the first one."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The faults, each where it stands."""
        return tuple(self.problem_of_key(path, message) for path, message in self.faults.items())

    def problem(self, path: Path, message: str) -> Problem:
        """Something wrong with the value at a path, said where it stands; or the nearest thing around it that exists."""
        return self._problem(path, message, self.positions)

    def problem_of_key(self, path: Path, message: str) -> Problem:
        """Something wrong with a key itself."""
        return self._problem(path, message, self.key_positions)

    def value(self, path: Path) -> Content:
        """What stands at a path, None if there is nothing."""
        content = self.content
        for key in path:
            if isinstance(content, dict) and isinstance(key, str):
                content = content.get(key)
            elif isinstance(content, list) and isinstance(key, int) and key < len(content):
                content = content[key]
            else:
                return None
        return content

    def position(self, path: Path) -> tuple[int, int]:
        """Line and column of the value at a path, or of the nearest thing around it that exists."""
        return _nearest(path, self.positions)

    def _problem(self, path: Path, message: str, positions: Mapping[Path, tuple[int, int]]) -> Problem:
        line, column = _nearest(path, positions)
        return Problem(line=line, column=column, place=self._place(path), message=message, file=self.file(path))

    def file(self, path: Path) -> str:
        """The file that holds what is at a path; empty for the first one."""
        return self.files.get(path[:2], "")

    def _place(self, path: Path) -> str:
        """The path, with the items of a list called by their names: `rules.critical-error.notify`."""
        return ".".join(str(self._name(path[: depth + 1])) for depth in range(len(path)))

    def _name(self, path: Path) -> str | int:
        item = self.value(path) if isinstance(path[-1], int) else None
        name = item.get("name") if isinstance(item, dict) else None
        return shown(name) if isinstance(name, str) and name else path[-1]


def read(text: str) -> Document:
    """Read one YAML document. `${NAME}` may stand without quotes anywhere, which YAML itself would not take within `{ }`.

    Raises:
        DocumentError: it breaks YAML's own rules; with all problems up to there, for what follows cannot be read.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"longer than {MAX_CHARACTERS:,} characters; is this the right file?"
        raise DocumentError((Problem(line=1, column=1, place="", message=message),))
    reader = _Reader(_VARIABLE.sub("$\ue000\\1\ue001", text))
    content: Content = None
    broken: Problem | None = None
    try:
        content = reader.content()
    except _BrokenError as error:
        broken = _problem_at(error.spot, str(error))
    except ReaderError as error:
        broken = _unprintable(error, text)
    except yaml.MarkedYAMLError as error:
        broken = _syntax_problem(error, text)
    except (ValueError, OverflowError):
        broken = _problem_at(_BEGIN, "not readable as YAML: an escape or a number in it is out of range")
    document = Document(content=content, positions=reader.positions, key_positions=reader.key_positions, faults=reader.faults)
    if broken:
        raise DocumentError((*document.problems, broken))
    return document


def shown(text: str) -> str:
    """The beginning of a text of the file, in one line, fit for a terminal and a log."""
    return "".join(character if character.isprintable() else " " for character in text[:MAX_SHOWN])


class _Mark(Protocol):
    """Where PyYAML says that something is, counted from 0."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...

    @property
    def index(self) -> int: ...


class _Spot(NamedTuple):
    line: int
    """This and the column count from 1."""
    column: int
    offset: int
    """Into the text."""


_BEGIN = _Spot(1, 1, 0)


class _BrokenError(Exception):
    """What cannot be read on from."""

    def __init__(self, message: str, spot: _Spot) -> None:
        super().__init__(message)
        self.spot = spot


class _Reader:
    """Makes values of YAML's events, and keeps where they stand and what is wrong with them."""

    def __init__(self, text: str) -> None:
        self.positions: dict[Path, tuple[int, int]] = {}
        self.key_positions: dict[Path, tuple[int, int]] = {}
        self.faults: dict[Path, str] = {}
        self._text = text
        self._events: Iterator[Event] = (event for event in yaml.parse(text, Loader=yaml.SafeLoader) if _is_content(event))

    def content(self) -> Content:
        first = next(self._events, None)
        if first is None:
            return None
        content = self._value(first, ())
        for second in self._events:
            raise _BrokenError(_SECOND_DOCUMENT, _spot(second.start_mark))
        return content

    def _value(self, event: Event, path: Path) -> Content:
        self._check(event, path)
        match event:
            case MappingStartEvent():
                return self._mapping(path)
            case SequenceStartEvent():
                return [self._value(item, (*path, index)) for index, item in enumerate(self._until(SequenceEndEvent))]
            case ScalarEvent():
                return self._scalar(event, path)
        return None

    def _mapping(self, path: Path) -> dict[str, Content]:
        mapping: dict[str, Content] = {}
        for key_event in self._until(MappingEndEvent):
            if not isinstance(key_event, ScalarEvent):
                raise _BrokenError("a key must be one word", _spot(key_event.start_mark))
            key = _unmasked(key_event.value)
            place = (*path, key)
            self.key_positions[place] = _spot(key_event.start_mark)[:2]
            if key in mapping:
                self.faults[place] = "written twice; keep one of them"
            mapping[key] = self._value(next(self._events), place)
            if self.positions[place][0] != self.key_positions[place][0]:
                self.positions[place] = self.key_positions[place]
        return mapping

    def _scalar(self, event: ScalarEvent, path: Path) -> str | None:
        if not event.implicit[0] or event.value not in _EMPTY:
            if _UNFIT.search(event.value):
                self.faults[path] = "holds a character that cannot be stored; take its escape out"
            return _unmasked(event.value)
        if lost := _LOST.match(self._text, _spot(event.end_mark).offset):
            self.faults[path] = f'empty, for `#` begins a comment; {_QUOTE_IT}: "{shown(_unmasked(lost[1]).strip())}"'
        return None

    def _check(self, event: Event, path: Path) -> None:
        """Tags, anchors and aliases hide more than they say, and are mostly a condition without its quotes."""
        self.positions[path] = _spot(event.start_mark)[:2]
        if path and isinstance(path[-1], int):
            self.key_positions[path] = self.positions[path]
        if len(path) > MAX_DEPTH:
            raise _BrokenError(f"nested more than {MAX_DEPTH} deep", _spot(event.start_mark))
        written = _EXCERPT.match(self._text, _spot(event.start_mark).offset)
        quoted = f"'{shown(_unmasked(written[0]).strip())}'" if written else ""
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            self.faults[path] = f"anchors and aliases (& and *) are not taken; write the value out, or in quotes if it is text: {quoted}"
        elif getattr(event, "tag", None):
            self.faults[path] = f"a value that begins with ! is a tag to YAML; {_QUOTE_IT}: {quoted}"

    def _until(self, end: type[Event]) -> Iterator[Event]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event


def _is_content(event: Event) -> bool:
    return isinstance(event, AliasEvent | ScalarEvent | yaml.CollectionStartEvent | yaml.CollectionEndEvent)


def _unmasked(text: str) -> str:
    return _MASKED.sub(r"${\1}", text)


def _nearest(path: Path, positions: Mapping[Path, tuple[int, int]]) -> tuple[int, int]:
    while path and path not in positions:
        path = path[:-1]
    return positions.get(path, (1, 1))


def _spot(mark: _Mark | None) -> _Spot:
    return _Spot(mark.line + 1, mark.column + 1, mark.index) if mark else _BEGIN


def _spot_at(text: str, index: int) -> _Spot:
    return _Spot(text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index), index)


def _problem_at(spot: _Spot, message: str) -> Problem:
    return Problem(line=spot.line, column=spot.column, place="", message=message)


def _unprintable(error: ReaderError, text: str) -> Problem:
    message = f"the character U+{ord(text[error.position]):04X} cannot be in YAML; remove it"
    return _problem_at(_spot_at(text, error.position), message)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    """What a person did, in place of what the parser met."""
    met, began = _spot(error.problem_mark), _spot(error.context_mark)
    said = " ".join(filter(None, (error.context, error.problem)))
    if "a flow" in said:
        return _bracket_problem(began, met, text)
    if "mapping values" in said:
        return _problem_at(met, _colon_fault(text, met))
    for pattern, message in _FAULTS:
        if re.search(pattern, said):
            return _problem_at(met, message)
    for pattern, message in _FAULTS_WHERE_IT_BEGAN:
        if re.search(pattern, said):
            return _problem_at(began, message)
    return _problem_at(met, said)


def _bracket_problem(began: _Spot, met: _Spot, text: str) -> Problem:
    start = began.offset if began.offset < met.offset else 0
    if lost := list(_LOST_IN_BRACKETS.finditer(text, start, met.offset)):
        message = f'`#` begins a comment, and the rest of the line is lost; {_QUOTE_IT}: "{lost[-1][1]}"'
        return _problem_at(_spot_at(text, lost[-1].start(1)), message)
    if began.line == met.line:
        return _problem_at(met, f"a comma is missing before this, or {_QUOTE_IT}")
    return _problem_at(began, f"`{text[began.offset]}` is opened here and never closed")


def _colon_fault(text: str, met: _Spot) -> str:
    """A colon too many, in a value or because of the line above."""
    before = text[text.rfind("\n", 0, met.offset) + 1 : met.offset]
    if re.search(r":\s", before):
        return f"a second colon with a blank; {_QUOTE_IT}"
    return "this line is not aligned with the one above, or a blank is missing behind that one's colon"
