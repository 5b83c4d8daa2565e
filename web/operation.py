"""What machines ask of this service: whether it lives, whether it can do its work, and its metrics. Without sessions, for programs."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Generic, TypeVar

from flask import Blueprint, Flask, Response, abort, jsonify, request
from sqlalchemy.exc import SQLAlchemyError

from storage import tallies
from storage.figures import figures
from storage.spool import spooled_bytes
from web.addresses import client_address, is_passed_on, is_proxy
from web.desk import desk
from web.exposition import exposition
from web.readiness import Checks

T = TypeVar("T")

KEPT_SECONDS = 2.0
"""Of several that ask at once, the database is asked for one; nor can anybody keep the service busy by asking how it is."""
WAIT_SECONDS = 1.0
"""So long one waits for another one; threads of the web process are for Sentry."""
TEXT = "text/plain; version=0.0.4; charset=utf-8"


def add_operation(app: Flask) -> None:
    """The paths."""
    paths = Blueprint("operation", __name__)
    kept = Kept(lambda: _exposed())  # noqa: PLW0108 - the desk is known within a request only
    checks = Checks()
    looked = Kept(lambda: checks.readiness(desk()))

    @paths.get("/healthz")
    def live() -> Response:
        """The process answers."""
        return jsonify(status="ok")

    @paths.get("/readyz")
    def ready() -> tuple[Response, int]:
        """Whether webhooks are taken, decided and told; what is wrong is said to those who may scrape."""
        found = looked.now()
        if found is None:
            abort(503, "others ask, and get no answer")
        said = {"status": found.status} | ({"checks": found.checks} if _may_look() else {})
        return jsonify(said), 503 if found.status == "unready" else 200

    @paths.get("/metrics")
    @paths.get("/api/system/metrics/prometheus/")
    def metrics() -> Response:
        """As Prometheus reads them."""
        if not _may_look():
            abort(403, "metrics are for METRICS_FROM, or for whoever sends METRICS_TOKEN as `Authorization: Bearer …`")
        try:
            made = kept.now()
        except SQLAlchemyError as error:
            abort(503, f"the database cannot be asked ({type(error).__name__}): /readyz says why")
        if made is None:
            abort(503, "another scrape is under way, and takes long: see whether the database hangs")
        return Response(made, content_type=TEXT)

    app.register_blueprint(paths)


class Kept(Generic[T]):
    """What was made a moment ago is good enough. One makes it at a time; who would wait long for that is sent away."""

    def __init__(self, make: Callable[[], T], *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._make, self._wait_seconds = make, wait_seconds
        self._lock = threading.Lock()
        self._made: T | None = None
        self._until = 0.0

    def now(self) -> T | None:
        """What was made; None: another one makes it, and takes long."""
        if not self._lock.acquire(timeout=self._wait_seconds):
            return None
        try:
            if self._made is None or time.monotonic() > self._until:
                self._made, self._until = self._make(), time.monotonic() + KEPT_SECONDS
            return self._made
        finally:
            self._lock.release()


def _exposed() -> bytes:
    at = desk()
    now, spool = at.clock(), at.settings.spool_dir
    return exposition(figures(at.engine, now), tallies.read(at.engine), now, spooled_bytes=spooled_bytes(spool) if spool else 0)


def _may_look() -> bool:
    settings = desk().settings
    token, given = settings.metrics_token, request.authorization
    if token and given and given.type == "bearer" and given.token:
        return hmac.compare_digest(given.token.encode(errors="replace"), token.get_secret_value().encode())
    if is_passed_on() and not is_proxy(request.remote_addr):
        return False  # a proxy that nobody has named: its address, often this machine's, says nothing of who asks
    try:
        found = ip_address(client_address())
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in ip_network(one, strict=False) for one in settings.metrics_from)
