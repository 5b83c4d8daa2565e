"""Several files of rules as one document, in which each thing still knows its own file and line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from routing.document import Content, Document, Path

ONLY_FIRST = frozenset({"defaults", "include"})
"""What holds for all files stands in the first one."""

Value = TypeVar("Value")


def merge(first: Document, others: Mapping[str, Document], *, sections: Collection[str]) -> Document:
    """The first file with what the others add to its sections, in their order.

    Lists are appended, and mappings joined; a name twice is a fault at the second place, and so is what only the first file may say.
    `sections` are the lists and mappings that may be added to.
    """
    if not isinstance(first.content, dict):
        return first
    merged = _Merged(
        content=dict(first.content),
        positions=dict(first.positions),
        key_positions=dict(first.key_positions),
        faults=dict(first.faults),
    )
    for file, document in others.items():
        if isinstance(document.content, dict):
            for section, value in document.content.items():
                if section in sections:
                    merged.add(section, value, document, file)
                elif section != "version":
                    merged.refuse(section, document, file)
    return Document(
        content=merged.content, positions=merged.positions, key_positions=merged.key_positions, faults=merged.faults, files=merged.files
    )


@dataclass(slots=True, kw_only=True)
class _Merged:
    content: dict[str, Content]
    positions: dict[Path, tuple[int, int]]
    key_positions: dict[Path, tuple[int, int]]
    faults: dict[Path, str]
    files: dict[Path, str] = field(default_factory=dict)

    def add(self, section: str, value: Content, document: Document, file: str) -> None:
        known = self.content.get(section)
        if isinstance(value, list) and isinstance(known, list | None):
            begin = len(known or [])
            self.content[section] = [*(known or []), *value]
            for index in range(len(value)):
                self._take_over(document, (section, index), (section, begin + index), file)
        elif isinstance(value, dict) and isinstance(known, dict | None):
            self.content[section] = {**value, **(known or {})}
            for name in value:
                if name in (known or {}):
                    self._fault(document, section, name, file)
                else:
                    self._take_over(document, (section, name), (section, name), file)
        elif value is not None:
            self.refuse(section, document, file)

    def refuse(self, section: str, document: Document, file: str) -> None:
        """Say of a part of an included file that it cannot stand there."""
        path = (section, f"in {file}")
        why = "stands in the first file alone" if section in ONLY_FIRST else "is not of the form that the first file gives it"
        self.files[path] = file
        self.key_positions[path] = document.key_positions.get((section,), (1, 1))
        self.faults[path] = f"{why}; take it out"

    def _fault(self, document: Document, section: str, name: str, file: str) -> None:
        line = self.key_positions.get((section, name), (1, 1))[0]
        where = f"line {line} of {self.files.get((section, name), 'the first file')}"
        path = (section, f"{name} in {file}")
        self.files[path] = file
        self.key_positions[path] = document.key_positions.get((section, name), (1, 1))
        self.faults[path] = f"this name is defined in {where} already; rename one of them"

    def _take_over(self, document: Document, old: Path, new: Path, file: str) -> None:
        self.files[new] = file
        self.positions |= _moved(document.positions, old, new)
        self.key_positions |= _moved(document.key_positions, old, new)
        self.faults |= _moved(document.faults, old, new)


def _moved(values: Mapping[Path, Value], old: Path, new: Path) -> dict[Path, Value]:
    return {(*new, *path[len(old) :]): value for path, value in values.items() if path[: len(old)] == old}
