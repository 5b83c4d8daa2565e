"""Whom it happened to most."""

from __future__ import annotations

from flask import request, url_for
from sqlalchemy import Engine

from storage.dashboard_figures import by_step, shares
from storage.dashboards import Looked
from web import charts
from web.boards.board import Board, Chart, first, labels
from web.personal import MASK, may_see_personal
from web.sheets import Link, Sheet


def users(_engine: Engine, looked: Looked) -> Board:
    """All of it."""
    found, is_shown = first(shares(looked.alerts, lambda one: one.person)), may_see_personal()
    affected = [len({one.person for one in step} - {None}) for step in by_step(looked.alerts, looked.since, looked.until)]
    sheet = Sheet(
        name="users",
        title="Most affected",
        said="By Sentry's id of the user, or else by address or name.",
        columns=("User", "Alerts", "Incidents", "First", "Last"),
        rows=tuple(
            (Link(person if is_shown else MASK, _timeline(share.newest)), share.alerts, share.incidents, share.first, share.last)
            for person, share in found.items()
        ),
        numbers=frozenset({"Alerts", "Incidents"}),
    )
    chart = Chart(title="Users who were affected", picture=charts.bars({"users": affected}, labels(looked)))
    return Board(charts=(chart,), sheets=(sheet,))


def _timeline(event_id: int) -> str:
    """The address of that of the person of an event, over the same time."""
    range_, environment = request.args.get("range"), request.args.get("environment")
    return url_for("console.person_timeline", event_id=event_id, range=range_, environment=environment or None)
