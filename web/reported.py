"""Says of each request of the console who makes it, in which session and from where, for what of it is reported to Sentry.

The receiver of webhooks has nothing of this: it knows nobody, and must cost nothing more.
"""

from __future__ import annotations

import hashlib

from flask import Flask, session

import telemetry
from web.addresses import client_address


def add_reported_context(app: Flask) -> None:
    """Where faults are reported; elsewhere nothing."""
    if not telemetry.is_sentry_enabled():
        return

    @app.before_request
    def say_from_where() -> None:
        telemetry.attach_session(_name_of_session(), client_address())

    @app.teardown_request
    def forget(_error: BaseException | None) -> None:
        telemetry.clear_user_context()


def _name_of_session() -> str:
    """The same for all requests of one session, and nothing by which anybody could take it over."""
    known = f"{session.get('user')} {session.get('since')} {session.get('until')}"
    return hashlib.sha256(known.encode()).hexdigest()[:12] if "user" in session else "none"
