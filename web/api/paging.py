"""Lists that go on: an answer has the address of the next page, by which a program goes on until there is none."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, TypeVar
from urllib.parse import urlencode

from flask import request
from pydantic import Field

from web.api.operations import Answer, Asked
from web.api.problems import Fault, UnfitError

ItemT = TypeVar("ItemT")
LARGEST = 2**63 - 1
"""What a database can number rows with."""


class AskedPage(Asked):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=200, description="at most so many")
    cursor: str | None = Field(None, max_length=200, description="where the page before ended, as its `next` says")


class Page(Answer, Generic[ItemT]):
    """A part of a list."""

    items: list[ItemT]
    next: str | None = Field(description="the address of the next page; null: this is the last")


def before(asked: AskedPage) -> int | None:
    """Of a list in the order of numbers: that after which the page begins.

    Raises:
        UnfitError: the cursor is none of ours.
    """
    if asked.cursor is None:
        return None
    match _read(asked.cursor):
        case [int(number)] if _is_of_a_row(number):
            return number
    raise _no_cursor()


def before_alert(asked: AskedPage) -> tuple[datetime, int] | None:
    """Of a list in the order of last alerts: the same.

    Raises:
        UnfitError: as above.
    """
    if asked.cursor is None:
        return None
    match _read(asked.cursor):
        case [str(moment), int(number)] if _is_of_a_row(number):
            try:
                at = datetime.fromisoformat(moment)
            except ValueError:
                raise _no_cursor() from None
            if at.tzinfo and 1 < at.year < 9999:
                return at, number
    raise _no_cursor()


def part(found: Sequence[ItemT], limit: int, place: Callable[[ItemT], Sequence[object]]) -> tuple[list[ItemT], str | None]:
    """Of one row more than was asked for those that were, and the address of the next page if there is one."""
    items = [*found[:limit]]
    return items, page_after(place(items[-1])) if len(found) > limit else None


def page_after(place: Sequence[object]) -> str:
    """The address of the page that begins behind this place of the list."""
    cursor = base64.urlsafe_b64encode(json.dumps([*place], default=_word).encode()).decode().rstrip("=")
    return f"{request.path}?{urlencode({**request.args.to_dict(), 'cursor': cursor})}"


def _word(value: object) -> str:
    assert isinstance(value, datetime)  # noqa: S101 - the only thing of which a place is made that JSON has not
    return value.isoformat()


def _read(cursor: str) -> object:
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise _no_cursor() from None


def _is_of_a_row(number: int) -> bool:
    """To Python, true is a number, too."""
    return not isinstance(number, bool) and 0 <= number <= LARGEST


def _no_cursor() -> UnfitError:
    said = "this is no cursor: take that of `next`, as it is"
    return UnfitError("a parameter is not right", [Fault(where="cursor", detail=said)])
