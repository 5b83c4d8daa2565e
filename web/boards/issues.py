"""Alerts by type and by incident, how often they come, and what becomes of incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Engine

from storage import dashboards
from storage.dashboard_figures import Share, Step, course, edges, shares, states
from storage.dashboards import Looked
from web import charts
from web.boards.board import MOST_ROWS, Board, Chart, first, incident_cells, labels
from web.sheets import Sheet

_STATES = ("Began", "Reopened", "Acknowledged", "Ended", "Open")


def issues(engine: Engine, looked: Looked) -> Board:
    """All of it."""
    since, until = looked.since, looked.until
    counts = course(looked.alerts, since, until)
    steps = states(dashboards.turned(engine, since), dashboards.firing(engine), since, until)
    return Board(
        charts=(
            Chart(title="Alerts", picture=charts.bars(counts, labels(looked), stacked=True)),
            Chart(title="Open incidents", picture=charts.bars({"open": [step.open for step in steps]}, labels(looked))),
        ),
        sheets=(
            _types(first(shares(looked.alerts, lambda one: one.error_type or one.category or "other"))),
            _incidents(engine, first(shares(looked.alerts, lambda one: one.incident_id))),
            _frequency(counts, looked),
            _states(steps),
        ),
    )


def _types(found: Mapping[str, Share]) -> Sheet:
    return Sheet(
        name="types",
        title="By type",
        said="Alerts by the type of their error; by their kind where there is none.",
        columns=("Type", "Alerts", "Users", "Incidents", "Last"),
        rows=tuple((type_, share.alerts, share.users, share.incidents, share.last) for type_, share in found.items()),
        numbers=frozenset({"Alerts", "Users", "Incidents"}),
    )


def _incidents(engine: Engine, found: Mapping[int, Share]) -> Sheet:
    names = dashboards.named(engine, found)
    return Sheet(
        name="incidents",
        title="By incident",
        said=f"The {MOST_ROWS} with the most alerts in this time.",
        columns=("Incident", "State", "Project", "Alerts", "Users", "Last"),
        rows=tuple((*incident_cells(names, id_), share.alerts, share.users, share.last) for id_, share in found.items()),
        numbers=frozenset({"Alerts", "Users"}),
    )


def _frequency(counts: Mapping[str, Sequence[int]], looked: Looked) -> Sheet:
    ends = edges(looked.since, looked.until)
    return Sheet(
        name="frequency",
        title="Frequency",
        said="Alerts in each part of the time; the numbers of the picture above.",
        columns=("Until", *counts),
        rows=tuple((end, *numbers) for end, *numbers in zip(ends, *counts.values(), strict=True)),
        numbers=frozenset(counts),
        is_folded=True,
    )


def _states(steps: Sequence[Step]) -> Sheet:
    return Sheet(
        name="states",
        title="State over time",
        said="What became of incidents in each part of the time, whatever their environment.",
        columns=("Until", *_STATES),
        rows=tuple((step.until, step.began, step.reopened, step.acknowledged, step.ended, step.open) for step in steps),
        numbers=frozenset(_STATES),
        is_folded=True,
    )
