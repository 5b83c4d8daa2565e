"""Texts in which `{name}` stands for something, taken apart. Knows no names, nor what stands for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<place>[^{}]*)\}|[^{}]+|[{}]")
_BRACES = {"{{": "{", "}}": "}"}


class BracesError(ValueError):
    """A text with places cannot be understood. It says at which character, what is wrong and what to write instead."""

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(f"character {position + 1}: {message}")
        self.position = position
        """Offset of the character in the text, from 0."""


class Piece(NamedTuple):
    """A part of such a text."""

    written: str
    """As it is meant: `{{` is one brace."""
    place: str | None
    """What is between the braces, None for text that stands for itself."""
    position: int


def split(text: str, refusal: type[BracesError]) -> Iterator[Piece]:
    """The pieces in their order: `{place}` stands for something, `{{` and `}}` for the braces themselves.

    Raises:
        BracesError: of the caller's own type, for a brace that is alone.
    """
    for token in _TOKEN.finditer(text):
        written = token[0]
        if written in {"{", "}"}:
            raise refusal(f"`{written}` is alone; write {{place}}, or `{written * 2}` for the sign itself", position=token.start())
        yield Piece(_BRACES.get(written, written), token["place"], token.start())
