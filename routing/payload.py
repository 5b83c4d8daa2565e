"""Reads JSON that may hold anything: bytes in, values of the wanted type or None out.

Knows nothing of what the values mean; `routing.sentry` does.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec

from routing.alert import Json

Object: TypeAlias = "Mapping[str, Json]"

NOTHING: Object = {}
"""What an absent object reads like."""

_MAX_MARKS = 1024 * 1024
"""Commas and opening brackets, of which every value has one. An event of Sentry's cannot hold more: one of over 1 MiB is dropped
(docs.sentry.io, Size Limits). More of them would cost seconds and hundreds of megabytes."""

_MAX_DIGITS = 4000  # Python refuses to read an integer of more than 4300
_EARLIEST_YEAR, _LATEST_YEAR = 1970, 2199
_MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138, as milliseconds 1973
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_MAY_HOLD_TEXT = frozenset({str, list, dict})

_decoder = msgspec.json.Decoder()


class UnreadableJsonError(ValueError):
    """The bytes hold no JSON; the text says why in a few words and quotes nothing."""


def decode(body: bytes) -> Json:
    """The JSON value, all its strings free of NUL characters and lone surrogates, which databases and vendors refuse.

    What JSON forbids but senders emit is mended: lone surrogates and broken UTF-8 become U+FFFD; NaN, infinities and numbers
    beyond all use become null; control characters and a byte-order mark are let through.

    Raises:
        UnreadableJsonError: it is no JSON even so, nested too deeply, or more than a million values.
    """
    if len(body) > _MAX_MARKS and sum(map(body.count, (b",", b"[", b"{"))) > _MAX_MARKS:
        raise UnreadableJsonError("too many values")
    try:
        value = _decode(body)
    except RecursionError:
        raise UnreadableJsonError("nested too deeply") from None
    except ValueError:
        raise UnreadableJsonError("not JSON") from None
    return value


def encode(value: Json) -> bytes:
    """As JSON."""
    return msgspec.json.encode(value)


def mapping(value: Json) -> Object:
    """The object, empty if it is none."""
    return value if isinstance(value, dict) else NOTHING


def sequence(value: Json) -> Sequence[Json]:
    """The array, empty if it is none."""
    return value if isinstance(value, list) else ()


def text(value: Json) -> str | None:
    """A string that says something, or a whole number as such (ids come as both)."""
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def first_text(*values: Json) -> str | None:
    """The first that says something."""
    for value in values:
        found = text(value)
        if found is not None:
            return found
    return None


def label(value: Json) -> str | None:
    """Any scalar as Sentry shows it in a tag: `true`, `1.5`, even an empty string; None for null, objects and arrays."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def number(value: Json) -> float | None:
    """A finite number, also when written as a string (a Decimal comes so)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: Json) -> int | None:
    """A number without its fraction, not negative."""
    if type(value) is int:
        return value if value >= 0 else None
    found = number(value)
    return None if found is None or found < 0 else int(found)


def flag(value: Json) -> bool | None:
    """A boolean that is one."""
    return value if isinstance(value, bool) else None


def moment(value: Json) -> datetime | None:
    """A time in UTC from ISO 8601 with Z, an offset or neither (then UTC), or from UNIX seconds or milliseconds.

    None for what is no time or lies outside 1970 to 2199: arithmetic with such a time would fail later.
    """
    try:
        found = _moment(value)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found and _EARLIEST_YEAR <= found.year <= _LATEST_YEAR else None


def _decode(body: bytes) -> Json:
    value: Json
    try:
        value = _decoder.decode(body)
    except ValueError:
        return _cleaned(_decode_tolerantly(body))
    return _cleaned(value) if b"\\u0000" in body else value


def _decode_tolerantly(body: bytes) -> Json:
    value: Json = json.loads(
        body.decode("utf-8", "replace").removeprefix("\ufeff"),
        strict=False,
        parse_constant=lambda _: None,
        parse_float=number,
        parse_int=lambda digits: int(digits) if len(digits) <= _MAX_DIGITS else None,
    )
    return value


def _cleaned(value: Json) -> Json:
    if isinstance(value, str):
        return _UNSTORABLE.sub(_REPLACEMENT, value)
    if isinstance(value, dict):
        return {_UNSTORABLE.sub(_REPLACEMENT, key): _cleaned(part) if type(part) in _MAY_HOLD_TEXT else part for key, part in value.items()}
    if isinstance(value, list):
        return [_cleaned(part) if type(part) in _MAY_HOLD_TEXT else part for part in value]
    return value


def _moment(value: Json) -> datetime | None:
    if isinstance(value, str):
        if "-" in value[1:]:
            found = datetime.fromisoformat(value.strip())
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        return _moment(number(value))
    seconds = number(value)
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds / 1000 if abs(seconds) >= _MILLISECONDS_FROM else seconds, UTC)
