"""One incident: its life, what is known of it, what happens next, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import NamedTuple

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from routing.fingerprint import issue_of
from routing.notification import State
from routing.own_events import Change, read_change
from routing.rules import RuleSet
from routing.silences import Silence
from storage import incident_desk, incident_story, silences, waiting
from storage.incident_desk import Life, LivedTurn
from storage.incident_story import Heard, Message
from storage.users import Role
from web.access import needs
from web.asked import NUMBER, here
from web.desk import desk
from web.incident_acts import CONSOLE, act_on
from web.pages.incident_ahead import Coming, coming
from web.rules_in_force import rules_in_force

PAGE = 60
SHOWN = ("all", "alerts", "messages", "changes")
CHANGES = {
    "acknowledge": Change.ACKNOWLEDGED,
    "give-back": Change.UNACKNOWLEDGED,
    "resolve": Change.RESOLVED,
    "reopen": Change.REOPENED,
    "mute": Change.SILENCED,
}
"""By what the buttons are called."""
MUTES = {"1": "1 hour", "4": "4 hours", "8": "8 hours", "24": "1 day", "168": "1 week", "": "until its end"}
"""By hours."""
SAID = {
    Change.ACKNOWLEDGED: "You have taken it on",
    Change.UNACKNOWLEDGED: "You have given it back",
    Change.RESOLVED: "It is resolved",
    Change.REOPENED: "Sentry is asked to reopen it",
    Change.SILENCED: "It is muted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something in the life of an incident; one of the three."""

    at: datetime
    turn: LivedTurn | None = None
    heard: Heard | None = None
    message: Message | None = None


class Cursor(NamedTuple):
    """Where the timeline goes on: behind which event and message, and how many of the turns are left."""

    event: int | None = None
    message: int | None = None
    turns: int | None = None


def add_incident(console: Blueprint) -> None:
    """The page, and its buttons."""

    @console.get(f"/incidents/<{NUMBER}:id_>")
    @needs(Role.VIEWER)
    def incident(id_: int) -> str:
        life = _life(id_)
        show = request.args.get("show", SHOWN[0])
        if show not in SHOWN:
            abort(400, f"show is one of {', '.join(SHOWN)}")
        moments, following = _timeline(life, show, _cursor())
        rules = rules_in_force()
        told = _messages(life, None, PAGE)
        return render_template(
            "incident.html",
            life=life,
            moments=moments,
            following=following,
            filters=[(one, here(show=one, before=None), one == show) for one in SHOWN],
            coming=_coming(life, rules, told),
            silences=_silences_of(life),
            messages=_last_of_each(told),
            mutes=MUTES,
            reaches_sentry=_reaches_sentry(life, rules, Change.RESOLVED),
            can_reopen=_reaches_sentry(life, rules, Change.REOPENED),
        )

    @console.post(f"/incidents/<{NUMBER}:id_>/change")
    @needs(Role.OPERATOR)
    def change_incident(id_: int) -> Response:
        what, hours = _change_of_form()
        act, lasts = request.form["what"], _lasts(what, hours)
        if act_on(id_, what, where=CONSOLE, act=act, hours=hours, detail=lambda key: key + lasts) is None:
            why = "It fires: there is nothing to reopen." if what is Change.REOPENED else "It is over by now, or there is no such incident."
            flash(why, "warning")
        else:
            flash(f"{SAID[what]}. It shows here once a worker has taken it in, mostly within a second.", "success")
        return redirect(url_for("console.incident", id_=id_), 303)


def _life(id_: int) -> Life:
    life = incident_desk.life(desk().engine, str(id_))
    if life is None or life.incident.id != id_:
        abort(404, f"there is no incident {id_}")
    return life


def _change_of_form() -> tuple[Change, int | None]:
    what, hours = CHANGES.get(request.form.get("what", "")), request.form.get("hours", "")
    if what is None or hours not in MUTES:
        abort(400, f"what is one of {', '.join(CHANGES)}, and hours one of those that the page offers")
    return what, int(hours) if hours and what is Change.SILENCED else None


def _lasts(what: Change, hours: int | None) -> str:
    if what is not Change.SILENCED:
        return ""
    return f", for {hours} hours" if hours else ", until its end"


def _reaches_sentry(life: Life, rules: RuleSet | None, what: Change) -> bool:
    """Whether a receiver of the rules does in Sentry what is done here."""
    if rules is None or not issue_of(life.incident.key):
        return False
    done = read_change({"change": what.value, "incident": life.incident.key, "where": CONSOLE}, desk().clock())
    missing = desk().missing(rules)
    return any(one.options.is_told_what_is_done(done) for name, one in rules.receivers.items() if name not in missing)


def _coming(life: Life, rules: RuleSet | None, told: Sequence[Message]) -> Sequence[Coming]:
    waits = [one for one in told if one.state is State.PLANNED]
    turns = waiting.turns(desk().engine, [one.id for one in waits], desk().limits, desk().clock())
    return sorted(coming(life, rules, [(one, turns.get(one.id)) for one in waits]), key=lambda one: one.at)


def _silences_of(life: Life) -> Sequence[Silence]:
    """Those that hold alerts like its last one."""
    last = next((one for one in incident_story.heard(desk().engine, life.incident.id, limit=PAGE) if one.is_alert), None)
    return silences.holding(desk().engine, last.id, desk().clock()) if last else ()


def _last_of_each(told: Sequence[Message]) -> Sequence[Message]:
    """Of the newest messages the last one to each receiver."""
    found: dict[str, Message] = {}
    for one in told:
        found.setdefault(one.receiver, one)
    return [*found.values()]


def _messages(life: Life, before: int | None, limit: int) -> tuple[Message, ...]:
    return incident_story.messages(desk().engine, life.incident.id, life.incident.key, limit=limit, before=before)


def _cursor() -> Cursor:
    text = request.args.get("before", "")
    parts = text.split(".") if text else []
    if parts and (len(parts) != len(Cursor._fields) or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts)):
        abort(400, "before has three numbers")
    return Cursor(*map(int, parts))


def _timeline(life: Life, show: str, cursor: Cursor) -> tuple[Sequence[Moment], str | None]:
    """The newest moments first, and the address of the earlier ones."""
    turns = life.turns[: cursor.turns] if show in {"all", "changes"} else ()
    heard = incident_story.heard(desk().engine, life.incident.id, limit=PAGE + 1, before=cursor.event) if show in {"all", "alerts"} else ()
    told = _messages(life, cursor.message, PAGE + 1) if show in {"all", "messages"} else ()
    kinds = (
        # Of one time what follows from an alert stands above it.
        (Moment(at=one.created_at, message=one) for one in told),
        (Moment(at=one.at, turn=one) for one in reversed(turns)),
        (Moment(at=one.received_at, heard=one) for one in heard),
    )
    at: Callable[[Moment], datetime] = lambda one: one.at  # noqa: E731 - mypy does not infer it in merge
    moments = list(islice(merge(*kinds, key=at, reverse=True), PAGE))
    if len(moments) == len(turns) + len(heard) + len(told):
        return moments, None
    return moments, here(before=".".join(str(part) for part in _behind(moments, cursor, len(turns))))


def _behind(moments: Sequence[Moment], cursor: Cursor, turns: int) -> Iterator[int]:
    everything = 10**17
    yield min((one.heard.id for one in moments if one.heard), default=cursor.event or everything)
    yield min((one.message.id for one in moments if one.message), default=cursor.message or everything)
    yield turns - sum(1 for one in moments if one.turn)
