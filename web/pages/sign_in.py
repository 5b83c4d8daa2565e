"""Signing in and out by passwords of this service, and the first admin."""

from __future__ import annotations

import hashlib
import hmac

import structlog
from flask import Blueprint, Flask, abort, current_app, flash, redirect, render_template, request, session, url_for
from flask_limiter import Limiter
from werkzeug.wrappers import Response

from settings import Settings
from storage import users
from storage.kept_secrets import kept_secret
from storage.users import Role, UserError
from web.access import begin_session, is_safe_next, needs, note, person
from web.addresses import client_address
from web.desk import desk

SESSION_KEY = "console-sessions"
"""The kept secret by which sessions are signed."""
TRIES = "5 per minute; 30 per hour"
"""Of one name from one address."""
TRIES_OF_ADDRESS = "30 per minute; 200 per hour"

log = structlog.get_logger()


def limiter_of(settings: Settings) -> Limiter:
    """Counts tries in Redis, for all web processes together; in this process while Redis is away."""
    scheme = settings.redis_url.partition(":")[0]
    shared = settings.redis_url if scheme in {"redis", "rediss"} else "memory://"
    return Limiter(
        client_address,
        storage_uri=shared,
        storage_options={"socket_connect_timeout": 1, "socket_timeout": 1} if shared != "memory://" else {},
        in_memory_fallback_enabled=True,
        key_prefix=f"{settings.rq_key_prefix}:sign-in",
        strategy="moving-window",
        default_limits=[],
    )


def add_sign_in(console: Blueprint, limiter: Limiter) -> None:
    """The pages."""

    @console.route("/sign-in", methods=["GET", "POST"])
    @needs(None)
    @limiter.limit(TRIES_OF_ADDRESS, methods=["POST"])
    @limiter.limit(TRIES, methods=["POST"], key_func=_who_tries)
    def sign_in() -> str | Response | tuple[str, int]:
        following = request.args.get("next", "")
        after = following if is_safe_next(following) else url_for("console.overview")
        if request.method == "GET":
            return redirect(after) if person() else _page()
        user = _of_form()
        if user is None:
            log.warning("sign_in_refused", address=client_address())
            return _page("No one has this name and this password."), 401
        begin_session(user)
        log.info("signed_in", user_id=user.id, origin=user.origin)
        return redirect(after)

    @console.post("/sign-out")
    @needs(None)
    def sign_out() -> Response:
        session.clear()
        flash("You are signed out.")
        return redirect(url_for("console.sign_in"))

    @console.route("/first-admin/<token>", methods=["GET", "POST"])
    @needs(None)
    @limiter.limit(TRIES_OF_ADDRESS)
    def first_admin(token: str) -> str | Response | tuple[str, int]:
        """Open to whoever can read the log, and only as long as nobody is an admin."""
        wanted = first_admin_token(kept_secret(desk().engine, SESSION_KEY))
        if not hmac.compare_digest(token.encode(errors="replace"), wanted.encode()) or users.has_admin(desk().engine):
            abort(404)
        if request.method == "GET":
            return render_template("first_admin.html", shortest=users.SHORTEST_PASSWORD)
        try:
            made = users.add(
                desk().engine, request.form.get("name", ""), Role.ADMIN, desk().clock(), password=request.form.get("password", "")
            )
        except UserError as error:
            return render_template("first_admin.html", shortest=users.SHORTEST_PASSWORD, error=str(error)), 400
        begin_session(made)
        note("user.add", f"user {made.name}", "the first admin, by the link in the log")
        return redirect(url_for("console.overview"))


def first_admin_token(session_key: str) -> str:
    """The same for all processes, without being stored."""
    return hmac.digest(session_key.encode(), b"first admin", hashlib.sha256).hex()[:32]


def say_first_admin(app: Flask, settings: Settings) -> None:
    """Tell in the log how the first admin is made, where nobody would ever become one otherwise."""
    by_issuer, by_proxy = (
        settings.oidc_issuer and settings.oidc_admins,
        settings.proxy_user_header and Role(settings.proxy_role) is Role.ADMIN,
    )
    with app.app_context():
        engine = desk().engine
    if by_issuer or by_proxy or settings.console_open_on_loopback or users.has_admin(engine):
        return
    token = first_admin_token(kept_secret(engine, SESSION_KEY))
    base = settings.public_url or f"http://127.0.0.1:{settings.port}"
    log.warning("console_has_no_admin", way_out="open the link and choose a name and a password", link=f"{base}/first-admin/{token}")


def _page(error: str = "") -> str:
    return render_template("sign_in.html", error=error, has_issuer=bool(current_app.extensions.get("oidc")))


def _of_form() -> users.User | None:
    try:
        return users.with_password(desk().engine, request.form.get("name", ""), request.form.get("password", ""))
    except UserError:
        return None


def _who_tries() -> str:
    """By the name as names are compared: however it is spelled, it is one person's."""
    try:
        name = users.normal_name(request.form.get("name", ""))
    except UserError:
        name = ""
    return f"{client_address()} {name}"
