"""Who asks the API: whoever shows a token. Cookies count for nothing there, so no other site can have a browser ask."""

from __future__ import annotations

import hashlib

from flask import request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from storage import tokens
from storage.tokens import Scope
from web.access import Person, act_as
from web.addresses import client_address
from web.desk import desk


def check(needed: Scope) -> None:
    """Let pass who shows a token of this scope or a higher one.

    Raises:
        Unauthorized: no token, or none that is good.
        Forbidden: its scope is too small.
    """
    given = request.authorization
    if given is None or given.type != "bearer" or not given.token:
        raise Unauthorized("send a token: `Authorization: Bearer sar_…`; an admin makes them under People", www_authenticate=_wanted())
    token = tokens.holder(desk().engine, given.token, desk().clock())
    if token is None:
        detail = "the token is not known here, was revoked or has expired: an admin makes a new one under People"
        raise Unauthorized(detail, www_authenticate=_wanted(error="invalid_token"))
    if not token.scope.covers(needed):
        raise Forbidden(f"this needs a token of the scope {needed}, and this one is for {token.scope}")
    act_as(Person(name=token.name, origin=f"API token {token.id}", role=token.scope.role))


def who_asks() -> str:
    """By what requests are counted: the token that is shown, good or not, else the address."""
    given = request.headers.get("Authorization")
    return hashlib.sha256(given.encode(errors="replace")).hexdigest()[:32] if given else client_address()


def _wanted(**more: str) -> WWWAuthenticate:
    return WWWAuthenticate("bearer", {"realm": "alert-router", **more})
