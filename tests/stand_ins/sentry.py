"""Sentry's own intake: takes the envelopes of its SDK and keeps what is in them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sentry_sdk.envelope import Envelope
from werkzeug.wrappers import Request, Response

from routing.alert import Json

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


@dataclass(slots=True, kw_only=True)
class Intake:
    """One project, number 7."""

    raw: list[bytes] = field(default_factory=list)
    """Each envelope as it came, unpacked."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path != "/api/7/envelope/" or KEY not in request.headers.get("X-Sentry-Auth", ""):
            return Response(status=403)
        body = request.get_data()
        self.raw.append(gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body)
        return Response("{}", content_type="application/json")

    def items(self, kind: str) -> list[dict[str, Json]]:
        """The errors (`event`) or transactions so far."""
        items = [item for raw in self.raw for item in Envelope.deserialize(raw).items]
        return [dict(item.payload.json or {}) for item in items if item.type == kind]
