"""How long transactions took, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Engine

from storage import dashboards
from storage.dashboard_figures import Pace, p95_course, paces, slowest
from storage.dashboards import Happened, Looked
from web import charts
from web.boards.board import Board, Chart, first, labels
from web.personal import visible_title
from web.sheets import Cell, Link, Part, Sheet, address_of_alert

MOST_SINGLE = 25
_NUMBERS = ("Transactions", "p50 ms", "p75 ms", "p95 ms", "p99 ms", "Slowest ms")


def performance(engine: Engine, looked: Looked) -> Board:
    """All of it."""
    p95 = p95_course(looked.alerts, looked.since, looked.until)
    return Board(
        charts=(Chart(title="p95 of all, in milliseconds", picture=charts.lines({"p95": p95}, labels(looked))),),
        sheets=(_endpoints(first(paces(looked.alerts))), _single(engine, slowest(looked.alerts, MOST_SINGLE))),
    )


def _endpoints(found: Mapping[str, Pace]) -> Sheet:
    return Sheet(
        name="endpoints",
        title="By endpoint",
        said="Of transactions that were slow enough for an alert: Sentry tells of no others. "
        "In databases: of the time of those whose spans are known.",
        columns=("Endpoint", *_NUMBERS, "In databases"),
        rows=tuple((endpoint or "unknown", *_pace(pace)) for endpoint, pace in found.items()),
        numbers=frozenset({*_NUMBERS, "In databases"}),
    )


def _pace(pace: Pace) -> tuple[Cell, ...]:
    shown = map(round, (pace.p50, pace.p75, pace.p95, pace.p99, pace.slowest))
    return (pace.transactions, *shown, None if pace.database_share is None else Part(pace.database_share))


def _single(engine: Engine, found: Sequence[Happened]) -> Sheet:
    titles = {id_: visible_title(title) for id_, title in dashboards.titles(engine, [one.id for one in found]).items()}
    return Sheet(
        name="slowest",
        title="The slowest",
        said="Single transactions.",
        columns=("Transaction", "Took ms", "In databases ms", "Release", "When"),
        rows=tuple((Link(one.endpoint or titles.get(one.id) or "unknown", address_of_alert(one.id)), *_times(one)) for one in found),
        numbers=frozenset({"Took ms", "In databases ms"}),
    )


def _times(one: Happened) -> tuple[Cell, ...]:
    took, in_databases = (None if some is None else round(some) for some in (one.duration_ms, one.database_ms))
    return (took, in_databases, one.release, one.at)
