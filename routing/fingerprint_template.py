"""The key of a fingerprint as rules.yaml writes it: `{error.type}.{constraint}`. Knows which places there are, not how they are read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from routing.alert import Alert
from routing.braces import BracesError, split
from routing.fingerprint_parts import PARTS, TAGS, Part, part

MAX_TEMPLATE = 200

_UNFIT = re.compile(r"[^A-Za-z0-9_.:/{}$~+@-]")


class TemplateError(BracesError):
    """A key cannot be understood. The text says at which character, what is wrong and what to write instead."""


@dataclass(frozen=True, slots=True)
class Template:
    """A key with places; two are equal if they are written the same."""

    text: str
    parts: tuple[str | Part, ...] = field(compare=False, repr=False)

    def fill(self, alert: Alert) -> str | None:
        """The key for an alert, None if it says nothing for one of the places. May hold any characters, and as many as an alert."""
        filled = [written if isinstance(written, str) else written(alert) for written in self.parts]
        said = [word for word in filled if word]
        return "".join(said) if len(said) == len(filled) else None


def parse(text: str) -> Template:
    """Read a key: `{place}` stands for what the alert says, `{{` and `}}` for the braces themselves.

    Raises:
        TemplateError: with the position of the first thing that is wrong, and what to write instead.
    """
    if not text:
        raise TemplateError("empty; write a key such as {error.type}.{constraint}", position=0)
    if len(text) > MAX_TEMPLATE:
        raise TemplateError(f"longer than {MAX_TEMPLATE} characters", position=MAX_TEMPLATE)
    return Template(text=text, parts=tuple(_parts(text)))


def fit(text: str) -> str:
    """The text with `_` in place of each character that a key may not hold: a label of Jira takes no blanks."""
    return _UNFIT.sub("_", text)


def _parts(text: str) -> Iterator[str | Part]:
    for piece in split(text, TemplateError):
        if piece.place is not None:
            yield _place(piece.place, piece.position)
        elif unfit := _UNFIT.search(piece.written):
            message = "a key holds letters, digits and _ . : / $ ~ + @ - beside its places"
            raise TemplateError(message, position=piece.position + unfit.start())
        else:
            yield piece.written


def _place(name: str, position: int) -> Part:
    found = part(name)
    if found:
        return found
    known = [*PARTS, f"{TAGS}NAME"]
    close = difflib.get_close_matches(name.strip(), known, n=1)
    way_out = f'did you mean "{close[0]}"?' if close else f"known here: {', '.join(known)}"
    raise TemplateError(f'no place "{name}"; {way_out}', position=position)
