"""Sessions in signed cookies; all web processes sign by one key, which is in the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer

from settings import Settings
from storage.database import OutOfReachError

LIFE = timedelta(hours=12)
"""Without a sign of life for so long one signs in again."""
WITHOUT = ("/api/", "/healthz", "/readyz", "/metrics")
"""Paths of programs, which have no sessions: the key of sessions is in the database, and these are asked for when that is away, too."""


class Sessions(SecureCookieSessionInterface):
    """Asks for the key when the first session needs it: commands that mend a database build the application, too."""

    session_class = SecureCookieSession

    def __init__(self, key: Callable[[], str], settings: Settings) -> None:
        self._key = key
        self._is_https = bool(settings.public_url and settings.public_url.startswith("https:"))

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """That of the cookie, or a new one; None: the key is out of reach."""
        if request.path.startswith(WITHOUT):
            return self.session_class()
        try:
            return super().open_session(app, request)
        except OutOfReachError:
            # Flask then makes one that cannot be written: styles need none, and pages say themselves that they failed.
            return None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """With the key."""
        app.secret_key = app.secret_key or self._key()
        return super().get_signing_serializer(app)

    def get_cookie_name(self, app: Flask) -> str:
        """Over https one that browsers take from this very host only, and only over https: no neighbour can plant another."""
        return f"__Host-{super().get_cookie_name(app)}" if self._is_https else super().get_cookie_name(app)

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask's signature
        """Whether the cookie is for https only."""
        return self._is_https


def use_sessions(app: Flask, key: Callable[[], str], settings: Settings) -> None:
    """Give an application these sessions."""
    app.session_interface = Sessions(key, settings)
    app.config.update(
        SESSION_COOKIE_NAME="alert-router",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=LIFE,
        WTF_CSRF_CHECK_DEFAULT=False,  # web/access.py checks where there are sessions
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_SSL_STRICT=False,  # by the Origin, which browsers send with each change
    )
