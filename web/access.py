"""Who asks, and whether they may: each view of the console names the role that it needs, and what names none is for admins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast
from urllib.parse import urlsplit

from flask import abort, current_app, g, redirect, request, session, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.wrappers import Response

import telemetry
from storage import audit, users
from storage.users import Role, User
from web.addresses import is_proxy
from web.desk import Desk, desk

View = TypeVar("View", bound=Callable[..., object])

LOOPBACK = "this machine"
"""The origin of whoever needs not sign in, because the console is open on loopback."""
CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST = timedelta(days=7)
"""Then one signs in anew, however busy: an issuer may have let somebody go meanwhile."""
_ROLE = "needed_role"
_SEEN_EVERY_SECONDS = 60

csrf = CSRFProtect()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whoever is signed in."""

    name: str
    origin: str
    role: Role
    user_id: int | None = None

    def may(self, role: Role) -> bool:
        """Whether they have this role, or a higher one."""
        return self.role.rank >= role.rank


def needs(role: Role | None) -> Callable[[View], View]:
    """Mark a view with the role that it needs; None: it is open to all."""

    def mark(view: View) -> View:
        setattr(view, _ROLE, role)
        return view

    return mark


def needed_role(view: Callable[..., object]) -> Role | None:
    """The role that a view needs: an admin's, if it names none."""
    return cast("Role | None", getattr(view, _ROLE, Role.ADMIN))


def person() -> Person | None:
    """Who asks; None: nobody is signed in."""
    if "person" not in g:
        act_as(_who_asks(desk()))
    return cast("Person | None", g.person)


def act_as(found: Person | None) -> None:
    """Let this be who asks: whoever has signed in, or a program that has shown a token."""
    g.person = found
    if found:
        # By number: a name may be an e-mail address, which is handed on only where people may be named.
        email = found.name if "@" in found.name else None
        telemetry.attach_user_context(found.user_id or found.origin, email=email, role=found.role)


def somebody() -> Person:
    """Who asks, in a view that is not open to all."""
    found = person()
    if found is None:
        abort(401)
    return found


def check() -> Response | None:
    """Before each view of the console: let pass who may, send to sign in who might, refuse the others."""
    if request.endpoint == "console.static":
        return None
    role = needed_role(current_app.view_functions[request.endpoint or ""])
    if request.method not in CHANGES_NOTHING:
        _check_origin()
        csrf.protect()
    if role is None:
        return None
    found = person()
    if found is None:
        if request.method in CHANGES_NOTHING:
            return redirect(url_for("console.sign_in", next=request.full_path.rstrip("?")))
        abort(401, "you are not signed in any more: sign in, and do it again")
    if not found.may(role):
        abort(403, f"this needs the role {role}, and you are {found.role}: ask an admin of this console")
    return None


def begin_session(user: User) -> None:
    """Sign somebody in: whatever the session held before is gone."""
    session.clear()
    session["user"] = user.id
    session["since"] = user.sessions_since.isoformat()
    session["until"] = (desk().clock() + LONGEST).timestamp()
    session.permanent = True


def note(action: str, subject: str, detail: str = "") -> None:
    """Write down what somebody has changed just now."""
    by = person()
    at = desk().clock()
    who, origin = (by.name, by.origin) if by else ("nobody", "")
    audit.record(desk().engine, at=at, who=who, origin=origin, action=action, subject=subject, detail=detail)


def is_safe_next(address: str) -> bool:
    """Whether an address leads to a page of this console, so that one may be sent there."""
    # Browsers leave out tabs and line ends, and read \ as /: without those only // leads elsewhere.
    return address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()


def _check_origin() -> None:
    """Other sites may not have people do things here, whatever cookies their browsers send along."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    # A proxy may ask us by another name than people ask it.
    ours = {request.host, urlsplit(desk().settings.public_url or "").netloc or request.host}
    is_foreign = origin is not None and origin.partition("://")[2] not in ours
    if site not in {"same-origin", "none"} or is_foreign:
        raise CSRFError("this was asked for by another site: open the console, and do it there")


def _who_asks(at: Desk) -> Person | None:
    user = _of_session(at) or _of_proxy(at)
    if user:
        now = at.clock()
        if user.last_seen_at is None or (now - user.last_seen_at).total_seconds() > _SEEN_EVERY_SECONDS:
            users.seen(at.engine, user.id, now)
        return Person(name=user.name, origin=user.origin, role=user.role, user_id=user.id)
    if at.settings.console_open_on_loopback and _is_on_loopback():
        return Person(name="you", origin=LOOPBACK, role=Role.ADMIN)
    return None


def _of_session(at: Desk) -> User | None:
    user = users.find(at.engine, session["user"]) if isinstance(session.get("user"), int) else None
    if user is None or not user.is_active or user.sessions_since.isoformat() != session.get("since"):
        return None
    return user if at.clock().timestamp() < float(session.get("until", 0)) else None


def _of_proxy(at: Desk) -> User | None:
    header = at.settings.proxy_user_header
    name = request.headers.get(header, "") if header and is_proxy(request.remote_addr) else ""
    if not name.strip():
        return None
    origin = f"proxy {header}"
    found: User | None
    try:
        found = users.named(at.engine, name, origin) or users.add(at.engine, name, Role(at.settings.proxy_role), at.clock(), origin=origin)
    except users.UserError:
        # None, or two first requests of one person at the same time.
        found = _known(at, name, origin)
    return found if found and found.is_active else None


def _known(at: Desk, name: str, origin: str) -> User | None:
    try:
        return users.named(at.engine, name, origin)
    except users.UserError:
        return None


def _is_on_loopback() -> bool:
    """Whether a browser on this machine asks for this machine: no proxy in between, and no name of another site that leads here."""
    host = urlsplit(f"//{request.host}").hostname or ""
    names = {"localhost", "127.0.0.1", "::1"}
    passed_on = any(header in request.headers for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"))
    return request.remote_addr in {"127.0.0.1", "::1"} and host in names and not passed_on
