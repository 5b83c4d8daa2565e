"""What a page was asked for: times as people type them, and where a list goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlencode

from flask import abort, request

from routing.durations import read_duration, read_moment

Item = TypeVar("Item")

NUMBER = "int(min=1,max=9223372036854775807)"
"""In a path: what a database can number rows with."""


def before() -> int | None:
    """The number of the row after which a list goes on."""
    text = request.args.get("before", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        abort(400, "before is the number of a row")
    return int(text)


def past(text: str, now: datetime) -> datetime | None:
    """A time, or how long ago that was: `2h`; None where nothing is written.

    Raises:
        ValueError: it is neither; says what one looks like.
    """
    if not text.strip():
        return None
    try:
        return now - read_duration(text.strip())
    except ValueError:
        pass
    try:
        return read_moment(text)
    except ValueError as error:
        raise ValueError(f"{error}, or 2h for two hours ago") from None


def here(**changes: str | int | None) -> str:
    """The address of this page as it was asked for, with these changes; a change to None takes it out."""
    asked: Mapping[str, str | int | None] = {**request.args.to_dict(), **changes}
    # Not by url_for: it takes some names, `_scheme` among them, for its own.
    query = urlencode({name: value for name, value in asked.items() if value not in {None, ""}})
    return f"{request.path}?{query}" if query else request.path


def page_of(found: tuple[Item, ...], size: int, cursor: Callable[[Item], str | int]) -> tuple[tuple[Item, ...], str | None]:
    """Of one more than a page holds what the page shows, and the address of the next one, if there is any."""
    if len(found) <= size:
        return found, None
    return found[:size], here(before=cursor(found[size - 1]))
