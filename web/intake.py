"""How a request that is to be kept is read, and answered."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TypeAlias

from flask import Response, abort, request
from pydantic import SecretStr

Keeper: TypeAlias = Callable[[str, bytes], int | None]
"""Keeps an event of a resource durably, and gives its number; None: it has none yet."""


def accepted(event_id: int | None) -> tuple[Response, int]:
    """It is kept, and under which number."""
    number = b"null" if event_id is None else b"%d" % event_id
    return Response(b'{"event":%s}\n' % number, mimetype="application/json"), 202


def check_token(given: str, wanted: SecretStr | None) -> None:
    """404, as for a path that does not exist, unless the token is the right one."""
    if wanted is None or not hmac.compare_digest(given.encode(errors="replace"), wanted.get_secret_value().encode()):
        abort(404)


def whole_body(limit: int) -> bytes:
    """The whole body, or a refusal: werkzeug gives what came of one that was cut off, and of one without a length what the limit allows."""
    body, length = request.get_data(), request.content_length
    if length is None and len(body) >= limit:
        abort(413)
    if length is not None and len(body) < length:
        abort(400, "the body is shorter than its Content-Length says: send it again")
    return body
