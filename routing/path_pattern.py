"""What an endpoint is called whatever stands in its places: `/api/users/42?tab=orders` is `/api/users/{id}`. Knows no alert."""

from __future__ import annotations

import re

ID = "{id}"
MAX_LENGTH = 2000
MAX_SEGMENTS = 20

_QUERY = re.compile(r"[?#]")
_PLAIN = re.compile(r"[A-Za-z0-9._~$!+-]{1,80}")
_VERSION = re.compile(r"v[0-9]{1,4}(?:\.[0-9]{1,4}){0,3}")
_IDS = (
    re.compile(r"-?[0-9][0-9.:_+-]*"),  # a number, a date, a version
    re.compile(r"(?=[a-f-]*[0-9])[0-9a-f-]{8,}", re.IGNORECASE),  # a uuid, a hash
    re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16,}"),  # ULID, KSUID and other tokens
    re.compile(r"(?=[A-Za-z_-]*[0-9][A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}"),  # cus_9s6XKzkNRiz8i3, the-20-best-shoes
    re.compile(r"[A-Za-z]{1,20}[_-](?:[0-9]+|(?=[a-f]*[0-9])[0-9a-f]{8,})"),  # user_42, main-5f3a9c1b
)


def path_pattern(url: str) -> str | None:
    """The path of a URL, or a path alone, with `{id}` for each id, uuid, hash and number; None if the text is neither.

    A route's own places read the same: `/users/{pk}`, `/users/<int:pk>`, `/users/:id` and `/users/[id]`. So does a part that no
    route is spelled with, like an address or an escaped blank: it may be somebody's name. Query, fragment and a slash at the end
    do not count. Of a longer text the first 2000 characters, of a deeper path the first 20 parts.
    """
    location = _QUERY.split(url[:MAX_LENGTH], maxsplit=1)[0]
    scheme, separator, rest = location.partition("://")
    if separator and scheme.isalnum():
        location = "/" + rest.partition("/")[2]
    if not location.startswith("/"):
        return None
    segments = [segment for segment in location.split("/") if segment]
    return "/" + "/".join(map(_pattern, segments[:MAX_SEGMENTS]))


def _pattern(segment: str) -> str:
    if not _PLAIN.fullmatch(segment) or _is_id(segment):
        return ID
    if _VERSION.fullmatch(segment):
        return segment
    return ".".join(ID if _is_id(part) else part for part in segment.split("."))


def _is_id(word: str) -> bool:
    return any(form.fullmatch(word) for form in _IDS)
