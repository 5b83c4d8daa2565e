"""The dashboards: issues, performance, releases and whom it happened to, over a time and in an environment; each table as CSV."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from flask import Blueprint, Response, abort, render_template, request

from routing.sentry_details import replay_address
from storage import dashboards
from storage.dashboards import Happened, Looked
from storage.explanation import alerts_of_events
from storage.users import Role
from web.access import needs
from web.boards import BOARDS, Kind
from web.desk import desk
from web.personal import masked
from web.sheets import address_of_alert, as_csv

RANGES: Mapping[str, timedelta] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
USUAL = "24h"
ASKED = ("range", "environment", "a", "b")
"""What somebody may have picked."""
OF_A_PERSON = frozenset({"person", "category", "endpoint", "release"})
MOST_OF_A_PERSON = 40
"""Of the newest alerts of a person the bodies are read, for their replays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What somebody wants to see."""

    range: str
    environment: str
    looked: Looked


class Lived(NamedTuple):
    """What happened to a person."""

    happened: Happened
    title: str
    address: str
    replay: str


def add_dashboards(console: Blueprint) -> None:
    """All four, and the timeline of a person."""

    @console.get("/dashboards")
    @console.get("/dashboards/<name>")
    @needs(Role.VIEWER)
    def dashboard(name: str = "issues") -> str:
        kind = _kind(name)
        picked = _picked(kind.wanted)
        return render_template(
            "dashboard.html",
            name=name,
            title=kind.title,
            boards={key: one.title for key, one in BOARDS.items()},
            board=kind.make(desk().engine, picked.looked),
            picked=picked,
            ranges=[*RANGES],
            asked={key: request.args[key] for key in ASKED if request.args.get(key)},
        )

    @console.get("/dashboards/<name>/<sheet>.csv")
    @needs(Role.VIEWER)
    def dashboard_csv(name: str, sheet: str) -> Response:
        kind = _kind(name)
        board = kind.make(desk().engine, _picked(kind.wanted).looked)
        found = next((one for one in board.sheets if one.name == sheet), None)
        if found is None:
            abort(404, "there is no such table")
        answer = Response(as_csv(found), mimetype="text/csv")
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}-{found.name}.csv"'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @console.get("/dashboards/users/of/<int(max=9223372036854775807):event_id>")
    @needs(Role.VIEWER)
    def person_timeline(event_id: int) -> str:
        # By an event of theirs, so that no address, log or history of a browser names anybody.
        name = dashboards.person_of(desk().engine, event_id)
        if not name:
            abort(404, "that event names no user")
        picked = _picked(OF_A_PERSON)
        theirs = [one for one in picked.looked.alerts if one.person == name]
        return render_template(
            "user_timeline.html",
            who=masked(name),
            event_id=event_id,
            count=len(theirs),
            lived=[*_lived(theirs[:MOST_OF_A_PERSON])],
            picked=picked,
            ranges=[*RANGES],
        )


def _kind(name: str) -> Kind:
    if name not in BOARDS:
        abort(404, f"there is no such dashboard; there are {', '.join(BOARDS)}")
    return BOARDS[name]


def _picked(wanted: Collection[str]) -> Picked:
    """By the address of the page; what is not known there is as if it were not said."""
    asked, environment = request.args.get("range", USUAL), request.args.get("environment", "")
    range_ = asked if asked in RANGES else USUAL
    until = desk().clock()
    looked = dashboards.look(desk().engine, until - RANGES[range_], until, environment or None, wanted=wanted)
    return Picked(range=range_, environment=environment, looked=looked)


def _lived(theirs: Sequence[Happened]) -> Iterator[Lived]:
    ids, settings = [one.id for one in theirs], desk().settings
    titles, alerts = dashboards.titles(desk().engine, ids), alerts_of_events(desk().engine, ids)
    for one in theirs:
        alert = alerts.get(one.id)
        replay = replay_address(alert, base_url=settings.sentry_base_url, organization=settings.sentry_org) if alert else ""
        yield Lived(one, titles.get(one.id, ""), address_of_alert(one.id), replay)
