"""What differs between two texts, line by line, as a page shows it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Line(NamedTuple):
    """One of the lines that are shown."""

    kind: str
    """`added`, `removed`, `same`, or `place` for where the next ones stand."""
    text: str


_KINDS = {"+": "added", "-": "removed", "@": "place"}


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[Line, ...]]:
    """By file what differs, with three lines around each place; files that are the same are left out."""
    files = dict.fromkeys((*before, *after))
    found = {file: tuple(_lines(before.get(file, ""), after.get(file, ""))) for file in files}
    return {file: lines for file, lines in found.items() if lines}


def _lines(before: str, after: str) -> Iterator[Line]:
    compared = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    for number, line in enumerate(compared):
        if number >= 2:  # the first two name the files
            yield Line(_KINDS.get(line[0], "same"), line if line[0] == "@" else line[1:])
