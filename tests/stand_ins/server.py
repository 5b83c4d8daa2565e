"""Puts a stand-in (any WSGI application) on a real socket and keeps every request it gets."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar
from urllib.parse import parse_qs

from werkzeug.serving import WSGIRequestHandler, make_server

from routing.alert import Json

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

AppT = TypeVar("AppT", bound="WSGIApplication")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came over the wire."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def json(self) -> Json:
        """The body of a JSON request."""
        parsed: Json = json.loads(self.body)
        return parsed

    @property
    def form(self) -> Mapping[str, str]:
        """The fields of a form, or of the query of a GET."""
        text = self.body.decode() if self.body else self.query
        return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


class Server(Generic[AppT]):
    """A stand-in at work, from `with` to its end: `url`, the stand-in itself as `app`, and the `requests` so far."""

    def __init__(self, app: AppT, *, host: str = "127.0.0.1") -> None:
        self.app = app
        self.requests: list[Request] = []
        self._server = make_server(host, 0, self._record, threaded=True, request_handler=_Silent)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://{host}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _record(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        self.requests.append(_request(environ, body))
        return self.app(environ, start_response)


class _Silent(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open, as the vendors keep them

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - the name is werkzeug's
        """Nothing: a test's output is its failures."""


def _request(environ: WSGIEnvironment, body: bytes) -> Request:
    headers = {name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")}
    headers |= {name.replace("_", "-").lower(): environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    return Request(
        method=environ["REQUEST_METHOD"], path=environ["PATH_INFO"], query=environ.get("QUERY_STRING", ""), headers=headers, body=body
    )
