"""Somebody's endpoint that takes Standard Webhooks: checks the signature as the specification tells receivers to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from routing.alert import Json

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
PATH = "/hooks/sentry/kZ3pL9wQ2xV7tB4n"


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """Keeps each message once, by its id."""

    now: float
    messages: dict[str, Mapping[str, Json]] = field(default_factory=dict)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path != PATH:
            return Response("not found", status=404)
        identity, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        if abs(self.now - int(timestamp)) > 300:
            return Response("too old", status=400)
        key = base64.b64decode(SECRET.partition("_")[2])
        expected = hmac.new(key, f"{identity}.{timestamp}.".encode() + request.get_data(), hashlib.sha256).digest()
        if f"v1,{base64.b64encode(expected).decode()}" not in request.headers["webhook-signature"].split(" "):
            return Response("wrong signature", status=401)
        self.messages.setdefault(identity, json.loads(request.get_data()))
        return Response(status=204)
