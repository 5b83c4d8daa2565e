"""The page of one alert: what it says, what each rule said to it, who was told, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from routing.alert import Alert
from routing.notification import Lane, Reason, State
from routing.own_events import Change
from routing.plan import Plan
from routing.sentry import UnreadableAlert, parse
from routing.sentry_details import SourceFrame, details_of, is_web_address
from routing.silence_like import matcher_like
from storage import dry_run, inspection, notifications
from storage.alert_incident import AlertIncident, incident_of
from storage.events import Event
from storage.inspection import Listed, NoSuchEventError, Shown, Tried
from storage.users import Role
from web.access import needs, note
from web.alert_masking import visible, visible_reason
from web.desk import desk
from web.incident_acts import CONSOLE, act_on
from web.personal import masked, may_see_personal
from web.rules_in_force import rules_in_force
from web.wording import number

NUMBER = "int(max=9223372036854775807)"
"""What a database can number rows with."""
MAX_RAW = 200_000
"""Characters of a body that are shown."""
MAX_NOTIFICATIONS = 100
CHANGES = {"acknowledge": Change.ACKNOWLEDGED, "resolve": Change.RESOLVED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notification with its attempts."""

    notification: Listed
    attempts: tuple[Tried, ...]
    message: str
    """As it was sent last, or would have been."""
    can_be_sent: bool


class Run(NamedTuple):
    """Calls one after the other."""

    is_open: bool
    """They are of the application, or all that there are; of libraries they are folded into one line."""
    frames: tuple[SourceFrame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a rule said when the alert came, and what it says by now."""

    rule: str
    then: bool | None
    """None: it was not asked, or is not there any more."""
    now: bool | None
    why: str


def add_alert(console: Blueprint) -> None:
    """The page, its rehearsal, and its buttons."""
    _add_page(console)
    _add_rehearsal(console)
    _add_buttons(console)


def _add_page(console: Blueprint) -> None:
    @console.get(f"/alerts/<{NUMBER}:event_id>")
    @needs(Role.VIEWER)
    def alert(event_id: int) -> str:
        shown, event = _found(event_id)
        said, error = _read(event)
        incident = incident_of(desk().engine, event_id)
        return render_template(
            "alert.html",
            event=shown,
            alert=said,
            facts=[*_facts(said, incident)] if said else [],
            error=error,
            details=visible(details_of(said, desk().settings.sentry_base_url, desk().settings.sentry_org)) if said else None,
            incident=incident,
            trace=[one._replace(why=visible_reason(one.why)) for one in shown.trace],
            deliveries=_deliveries(event_id),
            silence=f"/silences/new?{urlencode({'matcher': matcher_like(said)})}" if said else None,
            raw=_raw(event.body),
            size=len(event.body),
            may_see=may_see_personal(),
            is_link=is_web_address,
            masked=masked,
            runs=runs,
        )


def _add_rehearsal(console: Blueprint) -> None:
    @console.get(f"/alerts/<{NUMBER}:event_id>/rehearsal")
    @needs(Role.VIEWER)
    def rehearsal(event_id: int) -> str:
        """What the rules of today would make of it. Changes nothing."""
        shown, event = _found(event_id)
        said, error = _read(event)
        rules = rules_in_force()
        plan = dry_run.decide(desk().engine, said, rules, desk().clock()) if said and rules else None
        return render_template(
            "rehearsal.html",
            event=shown,
            alert=said,
            error=error,
            rules=rules,
            plan=plan,
            compared=[*_compared(shown, plan)] if plan else [],
        )


def _add_buttons(console: Blueprint) -> None:
    @console.post(f"/alerts/<{NUMBER}:event_id>/notifications/<{NUMBER}:notification_id>/again")
    @needs(Role.OPERATOR)
    def send_one_again(event_id: int, notification_id: int) -> Response:
        at = desk()
        of_it = [one for one in inspection.listed(at.engine, id=notification_id) if one.event_id == event_id]
        if not of_it or not notifications.requeue(at.engine, ids=[notification_id], now=at.clock()):
            flash("It was not sent again: it is neither dead nor a preview, or what it tells of is over.", "warning")
        else:
            note("notification.requeue", f"notification {notification_id}", f"to {of_it[0].receiver}, of event {event_id}")
            for lane in Lane:
                at.ring(lane)
            flash(f"It is sent to {of_it[0].receiver} again.", "success")
        return redirect(f"{url_for('console.alert', event_id=event_id)}#notifications", 303)

    @console.post(f"/alerts/<{NUMBER}:event_id>/incident")
    @needs(Role.OPERATOR)
    def change_incident_of(event_id: int) -> Response:
        change = CHANGES.get(request.form.get("change", ""))
        if change is None:
            abort(400, f"change is one of {', '.join(CHANGES)}")
        incident = incident_of(desk().engine, event_id)
        act = request.form["change"]
        if incident is None or act_on(incident.id, change, where=CONSOLE, act=act, detail=lambda _: f"from event {event_id}") is None:
            flash("Nothing was changed: its incident does not fire.", "warning")
        else:
            flash(f"The incident is {change}: it shows here once a worker has taken that in.", "success")
        return redirect(url_for("console.alert", event_id=event_id), 303)


def runs(frames: Sequence[SourceFrame]) -> list[Run]:
    """The calls of a stack by whose they are, in their order."""
    has_app = any(one.is_in_app for one in frames)
    return [Run(is_in_app or not has_app, tuple(some)) for is_in_app, some in groupby(frames, key=lambda one: one.is_in_app)]


def _found(event_id: int) -> tuple[Shown, Event]:
    try:
        return inspection.find_event(desk().engine, event_id), dry_run.find(desk().engine, event_id)
    except NoSuchEventError as error:
        abort(404, f"{error}: it may be older than what is kept")


def _read(event: Event) -> tuple[Alert | None, str]:
    """The alert of an event, or why it cannot be read."""
    settings = desk().settings
    try:
        alert = parse(
            event.resource,
            event.body,
            event.received_at,
            base_url=settings.sentry_base_url,
            organization=settings.sentry_org,
            findings=event.findings,
        )
    except UnreadableAlert as error:
        return None, str(error)
    return alert, ""


def _facts(alert: Alert, incident: AlertIncident | None) -> Iterator[tuple[str, str]]:
    """What it says of itself in a word, and how often it was, as the alert says it or whoever has said it last."""
    users, times = alert.user_count, alert.event_count
    if incident:
        users = incident.user_count if users is None else users
        times = incident.event_count if times is None else times
    known = {
        "project": alert.project,
        "environment": alert.environment,
        "release": alert.release,
        "users": None if users is None else number(users),
        "events": None if times is None else number(times),
        "Sentry's rule": alert.sentry_rule,
        "done by": alert.actor,
    }
    yield from ((name, value) for name, value in known.items() if value)


def _deliveries(event_id: int) -> list[Delivery]:
    """The first notification first; of many the first ones, among which is the page that woke somebody."""
    listed = inspection.listed(desk().engine, event_id=event_id, limit=MAX_NOTIFICATIONS, oldest_first=True)
    attempts = inspection.tried_each(desk().engine, [one.id for one in listed])
    return [_delivery(one, attempts.get(one.id, ())) for one in listed]


def _delivery(one: Listed, attempts: Sequence[Tried]) -> Delivery:
    message = next((tried.payload for tried in reversed(attempts) if tried.payload), "")
    return Delivery(
        notification=one,
        attempts=tuple(attempts),
        message=message,
        can_be_sent=one.state is State.DEAD or (one.state is State.HELD and one.reason is Reason.PREVIEW),
    )


def _raw(body: bytes) -> str:
    """The body as people read it, JSON or not, and not more of it than a page takes."""
    try:
        return msgspec.json.format(body, indent=2).decode()[:MAX_RAW]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        plain = body[:MAX_RAW].decode("utf-8", "backslashreplace")
        return "".join(letter if letter.isprintable() or letter in "\n\t" else repr(letter)[1:-1] for letter in plain)


def _compared(shown: Shown, plan: Plan) -> Iterator[Compared]:
    """By rule, in the order of today's file; at the end those that are gone."""
    then = {one.rule: one for one in shown.trace}
    for one in plan.trace:
        before = then.pop(one.rule, None)
        yield Compared(rule=one.rule, then=before and before.matched, now=one.matched, why=one.why)
    for gone in then.values():
        yield Compared(rule=gone.rule, then=gone.matched, now=None, why=gone.why)
