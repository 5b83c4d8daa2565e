"""Tokens for programs: an admin makes them, sees each once, and ends them."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from storage import tokens
from storage.tokens import Scope, TokenError
from storage.users import Role
from web.access import needs, note, somebody
from web.desk import desk

SCOPES = {
    Scope.READ: "look",
    Scope.OPERATE: "look, acknowledge, resolve, silence, send again",
    Scope.ADMIN: "all of that, and read the audit",
}
LIVES = {"30": "30 days", "90": "90 days", "365": "a year", "": "until it is revoked"}


def add_tokens(console: Blueprint) -> None:
    """Their page."""

    @console.get("/people/tokens")
    @needs(Role.ADMIN)
    def tokens_list() -> str:
        return _page()

    @console.post("/people/tokens")
    @needs(Role.ADMIN)
    def tokens_add() -> str | tuple[str, int]:
        """Answers with the token instead of leading elsewhere: it would have to be kept for the next page."""
        form, by, now = request.form, somebody(), desk().clock()
        if form.get("scope") not in [*Scope] or form.get("lasts") not in LIVES:
            abort(400, "there is no such scope, or no such time")
        try:
            made, plain = tokens.add(
                desk().engine, form.get("name", ""), Scope(form["scope"]), now, made_by=by.name, expires_at=_end(form["lasts"], now)
            )
        except TokenError as error:
            return _page(error=str(error)), 400
        note("token.add", f"token {made.id}", f"{made.name}, {made.scope}, {LIVES[form['lasts']]}")
        return _page(made=plain)

    @console.post("/people/tokens/<int:token_id>/revoke")
    @needs(Role.ADMIN)
    def tokens_revoke(token_id: int) -> Response:
        revoked = tokens.revoke(desk().engine, token_id) if token_id < 2**63 else None
        if revoked is None:
            abort(404, "there is no token of this number: it may be revoked already")
        note("token.revoke", f"token {revoked.id}", revoked.name)
        flash(f"The token {revoked.name} is revoked.", "success")
        return redirect(url_for("console.tokens_list"))


def _end(days: str, now: datetime) -> datetime | None:
    return now + timedelta(days=int(days)) if days else None


def _page(*, made: str = "", error: str = "") -> str:
    return render_template("tokens.html", tokens=tokens.listed(desk().engine), scopes=SCOPES, lives=LIVES, made=made, error=error)
