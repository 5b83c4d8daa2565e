"""People who may sign in: who they are, what they may do, and what each may do about themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_limiter import Limiter
from werkzeug.wrappers import Response

from storage import users
from storage.users import LOCAL, Role, User, UserError
from web.access import begin_session, needs, note, somebody
from web.desk import desk

TRIES = "5 per minute; 30 per hour"
"""Of one's own password: whoever finds an open browser could guess it."""


def add_people(console: Blueprint, limiter: Limiter) -> None:
    """Their pages."""
    _add_list(console)
    _add_changes(console)
    _add_oneself(console, limiter)


def _add_list(console: Blueprint) -> None:
    @console.get("/people")
    @needs(Role.ADMIN)
    def people() -> str:
        return _list()

    @console.post("/people")
    @needs(Role.ADMIN)
    def people_add() -> Response | tuple[str, int]:
        try:
            role = Role(request.form.get("role", ""))
            made = users.add(desk().engine, request.form.get("name", ""), role, desk().clock(), password=request.form.get("password", ""))
        except UserError as error:
            return _list(str(error)), 400
        except ValueError:
            abort(400, "there is no such role")
        note("user.add", f"user {made.name}", made.role)
        flash(f"{made.name} may sign in.", "success")
        return redirect(url_for("console.people"))

    @console.get("/people/<int:user_id>")
    @needs(Role.ADMIN)
    def people_one(user_id: int) -> str:
        return render_template("person.html", user=_found(user_id), roles=[*Role], here=LOCAL, shortest=users.SHORTEST_PASSWORD)


def _add_changes(console: Blueprint) -> None:
    @console.post("/people/<int:user_id>/role")
    @needs(Role.ADMIN)
    def people_role(user_id: int) -> Response:
        user, role = _found(user_id), request.form.get("role", "")
        if role not in [*Role]:
            abort(400, "there is no such role")
        with _in_words(user):
            users.change(desk().engine, user.id, desk().clock(), role=Role(role))
            _changed("user.role", user, f"{user.role} to {role}", f"{user.name} is {role} now, and has to sign in again.")
        return _back(user)

    @console.post("/people/<int:user_id>/password")
    @needs(Role.ADMIN)
    def people_password(user_id: int) -> Response:
        user = _found(user_id)
        with _in_words(user):
            users.change(desk().engine, user.id, desk().clock(), password=request.form.get("password", ""))
            _changed("user.password", user, "set by an admin", f"{user.name} has a new password, and has to sign in again.")
        return _back(user)

    @console.post("/people/<int:user_id>/off")
    @needs(Role.ADMIN)
    def people_off(user_id: int) -> Response:
        user = _found(user_id)
        with _in_words(user):
            users.change(desk().engine, user.id, desk().clock(), is_active=False)
            _changed("user.off", user, "", f"{user.name} is switched off, and signed out everywhere.")
        return _back(user)

    @console.post("/people/<int:user_id>/on")
    @needs(Role.ADMIN)
    def people_on(user_id: int) -> Response:
        user = _found(user_id)
        with _in_words(user):
            users.change(desk().engine, user.id, desk().clock(), is_active=True)
            _changed("user.on", user, "", f"{user.name} may sign in again.")
        return _back(user)


def _add_oneself(console: Blueprint, limiter: Limiter) -> None:
    @console.get("/people/me")
    @needs(Role.VIEWER)
    def people_me() -> str:
        return _myself()

    @console.post("/people/me/password")
    @needs(Role.VIEWER)
    @limiter.limit(TRIES, key_func=lambda: f"own password {somebody().user_id}")
    def people_my_password() -> Response | tuple[str, int]:
        user = _me()
        known = users.with_password(desk().engine, user.name, request.form.get("old", "")) if user.origin == LOCAL else None
        if known is None or known.id != user.id:
            return _myself("This is not your password of now."), 400
        try:
            users.change(desk().engine, user.id, desk().clock(), password=request.form.get("password", ""))
        except UserError as error:
            return _myself(str(error)), 400
        return _signed_in_here_only(user, "user.password", "Your password is changed; elsewhere you are signed out.")

    @console.post("/people/me/sign-out")
    @needs(Role.VIEWER)
    def people_sign_out_elsewhere() -> Response:
        user = _me()
        users.change(desk().engine, user.id, desk().clock())
        return _signed_in_here_only(user, "user.sign-out", "Everywhere else you are signed out.")


def _list(error: str = "") -> str:
    return render_template("people.html", users=users.listed(desk().engine), roles=[*Role], shortest=users.SHORTEST_PASSWORD, error=error)


def _myself(error: str = "") -> str:
    user_id = somebody().user_id
    user = users.find(desk().engine, user_id) if user_id else None
    return render_template("me.html", user=user, here=LOCAL, shortest=users.SHORTEST_PASSWORD, error=error)


def _signed_in_here_only(user: User, action: str, words: str) -> Response:
    note(action, f"user {user.name}", "by themselves")
    begin_session(_found(user.id))
    flash(words, "success")
    return redirect(url_for("console.people_me"))


def _me() -> User:
    """Who asks, if this service knows them."""
    user_id = somebody().user_id
    if user_id is None:
        abort(400, "on this machine you need not sign in, so there is nothing to change")
    return _found(user_id)


def _found(user_id: int) -> User:
    found = users.find(desk().engine, user_id) if user_id < 2**63 else None
    if found is None:
        abort(404, "there is nobody of this number")
    return found


def _changed(action: str, user: User, detail: str, words: str) -> None:
    note(action, f"user {user.name}", f"{detail} ({user.origin})".strip())
    flash(words, "success")


@contextmanager
def _in_words(user: User) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        flash(f"{user.name}: {error}.", "danger")


def _back(user: User) -> Response:
    """An admin who has changed himself is signed out by it, or is none any more."""
    return redirect(url_for("console.people_one", user_id=user.id))
