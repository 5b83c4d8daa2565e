"""Reads YAML so that every value knows its line; what YAML itself would swallow (a key twice, a lost quote) is a problem here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import yaml

Path: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 1024 * 1024


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

    content: object
    positions: dict[Path, tuple[int, int]]

    def position(self, path: Path) -> tuple[int, int]:
        """Line and column of the value at a path, or of the nearest thing around it that exists."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, (1, 1))


def read(text: str) -> Document:
    """Read one YAML document.

    Raises:
        DocumentError: with every problem found.
    """
    if len(text) > MAX_BYTES:
        raise DocumentError((Problem(line=1, column=1, place="", message="larger than 1 MiB; split it"),))
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return Document(content=None, positions={})
        problems = tuple(_problems(root, ()))
        if problems:
            raise DocumentError(problems)
        return Document(content=loader.construct_document(root), positions=dict(_positions(root, ())))
    except yaml.MarkedYAMLError as error:
        raise DocumentError((_syntax_problem(error),)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DocumentError((Problem(line=1, column=1, place="", message=f"not readable as YAML: {error}"),)) from None
    finally:
        loader.dispose()


def _positions(node: yaml.Node, path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    yield path, _position(node)
    for key, child in _children(node):
        yield from _positions(child, (*path, key))


def _problems(node: yaml.Node, path: Path) -> Iterator[Problem]:
    """Doubled keys, of which YAML keeps the last, and tags and aliases, which hide more than they say."""
    if node.tag.startswith("!"):
        yield _problem(node, path, f"{node.tag!r} at the start of a value is a YAML tag; put the value in quotes: '{node.tag} …'")
        return
    seen: set[str | int] = set()
    for key, child in _children(node):
        if isinstance(node, yaml.MappingNode) and key in seen:
            yield _problem(child, (*path, key), "written twice; keep one of them")
        seen.add(key)
        yield from _problems(child, (*path, key))


def _children(node: yaml.Node) -> Iterator[tuple[str | int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), value
    elif isinstance(node, yaml.SequenceNode):
        yield from enumerate(node.value)


def _problem(node: yaml.Node, path: Path, message: str) -> Problem:
    line, column = _position(node)
    return Problem(line=line, column=column, place=".".join(map(str, path)), message=message)


def _position(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _syntax_problem(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    said = " ".join(filter(None, (error.context, error.problem)))
    hint = ""
    if "token" in said or "mapping values" in said:
        hint = "; a value that holds `: `, or begins with one of # ! [ { * & % @ `, must be in quotes"
    return Problem(line=mark.line + 1 if mark else 1, column=mark.column + 1 if mark else 1, place="", message=said + hint)
