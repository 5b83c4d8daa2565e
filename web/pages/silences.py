"""Silences: which there are, a new one with a look at what it would have held, and the end of one."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from routing.silences import SilenceError, SilenceState
from storage import silences as stored
from storage.silences import NoSuchSilenceError
from storage.users import Role
from web.access import needs, note, somebody
from web.asked import NUMBER, before, here, page_of
from web.desk import desk
from web.pages.silence_form import FIELDS, Filled, Form

PAGE = 50
ALL = "all"


def add_silences(console: Blueprint) -> None:
    """The pages."""
    _add_list(console)
    _add_new(console)


def _add_list(console: Blueprint) -> None:
    @console.get("/silences")
    @needs(Role.VIEWER)
    def silences() -> str:
        wanted = request.args.get("state", SilenceState.ACTIVE.value)
        states = (SilenceState.ACTIVE.value, SilenceState.PENDING.value, SilenceState.EXPIRED.value, ALL)
        if wanted not in states:
            abort(400, f"state is one of {', '.join(states)}")
        state = None if wanted == ALL else SilenceState(wanted)
        found = stored.listed(desk().engine, state=state, now=desk().clock(), limit=PAGE + 1, before=before())
        shown, following = page_of(found, PAGE, lambda one: one.id)
        filters = [(one, here(state=one, before=None), one == wanted) for one in states]
        return render_template("silences.html", silences=shown, following=following, filters=filters, wanted=wanted)

    @console.post(f"/silences/<{NUMBER}:id_>/expire")
    @needs(Role.OPERATOR)
    def expire_silence(id_: int) -> Response:
        try:
            over = stored.expire(desk().engine, id_, desk().clock())
        except (NoSuchSilenceError, SilenceError) as error:
            flash(f"{error}.", "warning")
        else:
            note("silence.expire", f"silence {id_}", f"of {over.author}: {over.comment}")
            flash(f"Silence {id_} is over.", "success")
        return redirect(url_for("console.silences"), 303)


def _add_new(console: Blueprint) -> None:
    @console.get("/silences/new")
    @needs(Role.OPERATOR)
    def new_silence() -> str:
        return _page(Form.prefilled(request.args.getlist("matcher"), request.args))

    @console.post("/silences/new")
    @needs(Role.OPERATOR)
    def add_silence() -> str | Response:
        """What it would have held is shown before it is stored, and again if the conditions have been changed since."""
        form = Form.of(request.form)
        filled = form.read(somebody().name, desk().clock())
        is_previewed = request.form.get("previewed", "").splitlines() == form.matchers.splitlines()
        if filled.silence is None or not is_previewed or request.form.get("step") != "save":
            return _page(form, filled)
        added = stored.add(desk().engine, filled.silence, desk().clock())
        matchers = " | ".join(map(str, added.matchers))
        note("silence.add", f"silence {added.id}", f"{matchers} until {added.ends_at:%Y-%m-%d %H:%M} UTC: {added.comment}")
        state = added.state(desk().clock())
        flash(f"Silence {added.id} {'holds' if state is SilenceState.ACTIVE else 'will hold'} what meets it.", "success")
        return redirect(url_for("console.silences", state=state.value), 303)


def _page(form: Form, filled: Filled | None = None) -> str:
    silence = filled.silence if filled else None
    preview = stored.preview(desk().engine, silence.matchers, desk().clock()) if silence else None
    return render_template(
        "silence_new.html",
        form=form,
        fields=FIELDS,
        errors=filled.errors if filled else {},
        silence=silence,
        preview=preview,
        most=stored.MAX_PREVIEWED,
    )
