"""Errors by release, what is new in each, and two beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import request
from sqlalchemy import Engine

from storage import dashboards
from storage.dashboard_figures import Share, by_step, by_type, incidents_of, new_in, shares
from storage.dashboards import Happened, Looked
from web import charts
from web.boards.board import MOST_ROWS, Board, Chart, first, incident_cells, labels
from web.sheets import Sheet

MOST_SERIES = 5
LONGEST_LEGEND = 40


def releases(engine: Engine, looked: Looked) -> Board:
    """All of it."""
    errors = [one for one in looked.alerts if one.is_error]
    found = first(shares(errors, lambda one: one.release))
    new = new_in(errors, dashboards.begun(engine, looked.since))
    compared = _compared(errors, [*found])
    return Board(
        charts=(_chart(errors, [*found][:MOST_SERIES], looked),),
        sheets=(_releases(found, new), _new(engine, found, new), *((compared,) if compared else ())),
    )


def _chart(errors: Sequence[Happened], shown: Sequence[str], looked: Looked) -> Chart:
    steps = by_step(errors, looked.since, looked.until)
    series = {_legend(release): [sum(one.release == release for one in step) for step in steps] for release in shown}
    return Chart(title="Errors by release", picture=charts.bars(series, labels(looked), stacked=True))


def _legend(name: str) -> str:
    """As a picture can have it: XML knows no control characters."""
    shown = "".join(one if one.isprintable() else "?" for one in name)
    return shown if len(shown) <= LONGEST_LEGEND else f"{shown[: LONGEST_LEGEND - 1]}…"


def _releases(found: Mapping[str, Share], new: Mapping[str, frozenset[int]]) -> Sheet:
    return Sheet(
        name="releases",
        title="Errors by release",
        said="New: incidents of which the first alert ever came in this time, of this release.",
        columns=("Release", "Errors", "Users", "Incidents", "New", "First", "Last"),
        rows=tuple(
            (release, share.alerts, share.users, share.incidents, len(new.get(release, ())), share.first, share.last)
            for release, share in found.items()
        ),
        numbers=frozenset({"Errors", "Users", "Incidents", "New"}),
    )


def _new(engine: Engine, found: Mapping[str, Share], new: Mapping[str, frozenset[int]]) -> Sheet:
    shown = [(release, id_) for release in found for id_ in sorted(new.get(release, ()), reverse=True)][:MOST_ROWS]
    names = dashboards.named(engine, [id_ for _, id_ in shown])
    return Sheet(
        name="new",
        title="New in a release",
        said="Incidents that began in this time, by the release of their first alert.",
        columns=("Release", "Incident", "State", "Project"),
        rows=tuple((release, *incident_cells(names, id_)) for release, id_ in shown),
    )


def _compared(errors: Sequence[Happened], known: Sequence[str]) -> Sheet | None:
    """The two that were asked for, or those with the most errors."""
    usual = [*known[:2], "", ""]
    one, other = request.args.get("a") or usual[0], request.args.get("b") or usual[1]
    if not one or not other or one == other:
        return None
    before, after = by_type(errors, one), by_type(errors, other)
    order = sorted({*before, *after}, key=lambda type_: (-abs(after[type_] - before[type_]), type_))[:MOST_ROWS]
    in_one, in_other = incidents_of(errors, one), incidents_of(errors, other)
    return Sheet(
        name="compared",
        title="Two releases",
        said=f"Errors by type in {one} and in {other}. "
        f"Incidents only in the first: {len(in_one - in_other)}, only in the second: {len(in_other - in_one)}.",
        columns=("Type", one, other, "Difference"),
        rows=tuple((type_ or "unknown", before[type_], after[type_], after[type_] - before[type_]) for type_ in order),
        numbers=frozenset({one, other, "Difference"}),
    )
