"""Deliveries: what was told, what waits and for what, what was given up; and sending that again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from routing.notification import Lane, Reason, State
from storage import incident_desk, inspection, notifications, waiting
from storage.inspection import Listed
from storage.users import Role
from web.access import is_safe_next, needs, note
from web.asked import NUMBER, before, here, page_of, past
from web.desk import desk
from web.personal import masked
from web.rules_in_force import receivers_in_force

PAGE = 50
MOST_AT_ONCE = 1000
"""What one request may send again by number; a page shows fewer."""
SAMPLES = 20
"""Of what would be sent again, so many are shown."""
SPANS = {"1h": "last hour", "24h": "last day", "7d": "last week", "": "any time"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Of all notifications these."""

    state: State | None
    receiver: str | None
    since: datetime | None
    until: datetime | None


def add_deliveries(console: Blueprint) -> None:
    """The list, one of it, and sending again."""
    _add_looking(console)
    _add_sending(console)


def _add_looking(console: Blueprint) -> None:
    @console.get("/deliveries")
    @needs(Role.VIEWER)
    def deliveries() -> str:
        chosen, errors = _chosen()
        found = () if errors else _listed(chosen)
        shown, following = page_of(found, PAGE, lambda one: one.id)
        now, since = desk().clock(), request.args.get("since", "")
        waits = [one.id for one in shown if one.state is State.PLANNED]
        return render_template(
            "deliveries.html",
            deliveries=shown,
            following=following,
            errors=errors,
            chosen=chosen,
            turns=waiting.turns(desk().engine, waits, desk().limits, now),
            queues=waiting.queues(desk().engine, desk().limits, now),
            can_go_again={one.id for one in shown if _can_go_again(one)},
            receivers=sorted({*receivers_in_force(), *([chosen.receiver] if chosen.receiver else [])}),
            by_state=[(name or "all", here(state=name, before=None), name == (chosen.state or "")) for name in ("", *State)],
            by_time=[(words, here(since=text, until=None, before=None), text == since) for text, words in SPANS.items()],
        )

    @console.get(f"/deliveries/<{NUMBER}:id_>")
    @needs(Role.VIEWER)
    def delivery(id_: int) -> str:
        found = next(iter(inspection.listed(desk().engine, id=id_)), None)
        if found is None:
            abort(404, f"there is no delivery {id_}")
        waits = [id_] if found.state is State.PLANNED else []
        return render_template(
            "delivery.html",
            delivery=found,
            attempts=[(one, masked(one.payload)) for one in inspection.tried(desk().engine, id_)],
            turn=waiting.turns(desk().engine, waits, desk().limits, desk().clock()).get(id_),
            can_go_again=_can_go_again(found),
            beside=incident_desk.told_beside(desk().engine, id_),
        )


def _add_sending(console: Blueprint) -> None:
    @console.get("/deliveries/send-again")
    @needs(Role.OPERATOR)
    def send_again() -> str:
        """A dry run of sending again all that were given up in a time."""
        chosen, errors = _chosen(default=State.DEAD)
        now = desk().clock()
        ids = () if errors else _requeue(chosen, now, dry_run=True)
        samples = [one for id_ in ids[:SAMPLES] for one in inspection.listed(desk().engine, id=id_)]
        return render_template("send_again.html", chosen=chosen, errors=errors, ids=ids, samples=samples, until=chosen.until or now)

    @console.post("/deliveries/send-again")
    @needs(Role.OPERATOR)
    def send_again_now() -> Response:
        ids = _ids_of_form()
        sent = _send_these(ids) if ids else _send_range()
        for lane in Lane if sent else ():
            desk().ring(lane)
        back = request.form.get("back", "")
        return redirect(back if is_safe_next(back) else url_for("console.deliveries"), 303)


def _send_these(ids: Sequence[int]) -> Sequence[int]:
    sent = notifications.requeue(desk().engine, ids=ids, now=desk().clock())
    left = len(set(ids)) - len(sent)
    if sent:
        note("notification.requeue", f"notification {', '.join(map(str, sorted(sent)))}")
        flash(f"{len(sent)} will be sent again.", "success")
    if left:
        flash(f"{left} left alone: neither given up nor a preview, or what they tell of is over.", "warning")
    return sent


def _send_range() -> Sequence[int]:
    chosen, errors = _chosen(default=State.DEAD)
    if errors or "all" not in request.form:
        flash("Nothing was chosen: mark some, or choose a time.", "warning")
        return ()
    now = desk().clock()
    sent = _requeue(chosen, now)
    detail = f"{len(sent)}: {chosen.state} of {chosen.receiver or 'all receivers'}, {chosen.since or 'any time'} to {chosen.until or now}"
    note("notification.requeue", "notifications of a time", detail)
    flash(f"{len(sent)} will be sent again.", "success")
    return sent


def _can_go_again(one: Listed) -> bool:
    return one.state is State.DEAD or (one.state is State.HELD and one.reason is Reason.PREVIEW)


def _ids_of_form() -> Sequence[int]:
    texts = request.form.getlist("id")
    if not all(text.isascii() and text.isdecimal() and len(text) < 19 for text in texts):
        abort(400, "id is the number of a delivery")
    if len(texts) > MOST_AT_ONCE:
        abort(400, f"at most {MOST_AT_ONCE:,} are sent again by their numbers: choose a time instead")
    return [int(text) for text in texts]


def _chosen(default: State | None = None) -> tuple[Chosen, dict[str, str]]:
    """What the page was asked for, and by field what is wrong with that."""
    asked, now = request.values, desk().clock()
    errors: dict[str, str] = {}
    times: dict[str, datetime | None] = {"since": None, "until": None}
    for name in times:
        try:
            times[name] = past(asked.get(name, ""), now)
        except ValueError as error:
            errors[name] = f"This is {error}."
    state = asked.get("state", "")
    if state and state not in {*State}:
        abort(400, f"state is one of {', '.join(State)}")
    return Chosen(state=State(state) if state else default, receiver=asked.get("receiver") or None, **times), errors


def _listed(chosen: Chosen) -> tuple[Listed, ...]:
    return inspection.listed(
        desk().engine,
        state=chosen.state,
        receiver=chosen.receiver,
        since=chosen.since,
        until=chosen.until,
        before=before(),
        limit=PAGE + 1,
    )


def _requeue(chosen: Chosen, now: datetime, *, dry_run: bool = False) -> Sequence[int]:
    """Those that were given up, or only previewed."""
    return notifications.requeue(
        desk().engine,
        state=chosen.state if chosen.state is State.HELD else State.DEAD,
        receiver=chosen.receiver,
        since=chosen.since,
        until=chosen.until or now,
        now=now,
        dry_run=dry_run,
    )
