"""The dashboards: from the alerts of a time to charts and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import request, url_for
from sqlalchemy import Engine

from storage import dashboard_figures as figures
from storage import dashboards
from storage.dashboard_figures import Share
from storage.dashboards import Happened, Looked
from web import charts
from web.personal import MASK, may_see_personal
from web.sheets import Badge, Cell, Link, Part, Sheet, address_of_alert, address_of_incident

MOST_ROWS = 50
MOST_SERIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A picture, whose numbers are in one of the tables."""

    title: str
    picture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What one dashboard shows."""

    sheets: tuple[Sheet, ...]
    charts: tuple[Chart, ...] = ()


def issues(engine: Engine, looked: Looked) -> Board:
    """By type and by incident, how often, and what became of them."""
    types = figures.shares(looked.alerts, lambda one: one.error_type or (one.category or "other"))
    found = _first(figures.shares(looked.alerts, lambda one: one.incident))
    names = dashboards.named(engine, found)
    course = figures.course(looked.alerts, looked.since, looked.until)
    steps = figures.states(dashboards.turned(engine, looked.since), dashboards.firing(engine), looked.since, looked.until)
    labels = _labels(looked)
    return Board(
        charts=(
            Chart(title="Alerts", picture=charts.bars(course, labels, stacked=True)),
            Chart(title="Open incidents", picture=charts.bars({"open": [step.open for step in steps]}, labels)),
        ),
        sheets=(
            _shares_sheet(
                "types", "By type", "Alerts by the type of their error; by their kind where there is none.", "Type", _first(types)
            ),
            Sheet(
                name="incidents",
                title="By incident",
                said=f"The {MOST_ROWS} with the most alerts in this time.",
                columns=("Incident", "State", "Project", "Alerts", "Users", "Last"),
                rows=tuple((*_incident_cells(names, id_), share.alerts, share.users, share.last) for id_, share in found.items()),
                numbers=frozenset({"Alerts", "Users"}),
            ),
            Sheet(
                name="frequency",
                title="Frequency",
                said="Alerts in each part of the time; the numbers of the picture above.",
                columns=("Until", *course),
                rows=tuple((end, *counts) for end, *counts in zip(_edges(looked), *course.values(), strict=True)),
                numbers=frozenset(course),
                is_folded=True,
            ),
            Sheet(
                name="states",
                title="State over time",
                said="What became of incidents in each part of the time, whatever their environment.",
                columns=("Until", "Began", "Reopened", "Acknowledged", "Ended", "Open"),
                rows=tuple((step.until, step.began, step.reopened, step.acknowledged, step.ended, step.open) for step in steps),
                numbers=frozenset({"Began", "Reopened", "Acknowledged", "Ended", "Open"}),
                is_folded=True,
            ),
        ),
    )


def performance(engine: Engine, looked: Looked) -> Board:
    """How long transactions took, and where."""
    paces = figures.paces(looked.alerts)
    slowest = figures.slowest(looked.alerts, 25)
    names = dashboards.titles(engine, [one.id for one in slowest])
    p95 = figures.p95_course(looked.alerts, looked.since, looked.until)
    numbers = ("Transactions", "p50 ms", "p75 ms", "p95 ms", "p99 ms", "Slowest ms")
    return Board(
        charts=(Chart(title="p95 of all, in milliseconds", picture=charts.lines({"p95": p95}, _labels(looked))),),
        sheets=(
            Sheet(
                name="endpoints",
                title="By endpoint",
                said="Of transactions that were slow enough for an alert: Sentry tells of no others. In databases: of the time of those "
                "whose spans are known.",
                columns=("Endpoint", *numbers, "In databases"),
                rows=tuple(
                    (
                        endpoint or "unknown",
                        *(pace.transactions, *map(round, (pace.p50, pace.p75, pace.p95, pace.p99, pace.slowest))),
                        None if pace.database_share is None else Part(pace.database_share),
                    )
                    for endpoint, pace in _first(paces).items()
                ),
                numbers=frozenset({*numbers, "In databases"}),
            ),
            Sheet(
                name="slowest",
                title="The slowest",
                said="Single transactions.",
                columns=("Transaction", "Took ms", "In databases ms", "Release", "When"),
                rows=tuple(
                    (
                        Link(one.endpoint or names.get(one.id) or "unknown", address_of_alert(one.id)),
                        *(round(one.duration_ms or 0), None if one.database_ms is None else round(one.database_ms), one.release, one.at),
                    )
                    for one in slowest
                ),
                numbers=frozenset({"Took ms", "In databases ms"}),
            ),
        ),
    )


def releases(engine: Engine, looked: Looked) -> Board:
    """Errors by release, what is new in each, and two beside each other."""
    errors = [one for one in looked.alerts if one.is_error]
    found = _first(figures.shares(errors, lambda one: one.release))
    new = figures.new_in(errors, dashboards.begun(engine, looked.since))
    newest = [(id_, release) for release in found for id_ in sorted(new.get(release, ()), reverse=True)][:MOST_ROWS]
    names = dashboards.named(engine, [id_ for id_, _ in newest])
    shown = [*found][:MOST_SERIES]
    course = {release: figures.course([one for one in errors if one.release == release], looked.since, looked.until) for release in shown}
    pictured = {_legend(release): course[release].get("error", []) for release in shown}
    sheets = [
        Sheet(
            name="releases",
            title="Errors by release",
            said="New: incidents of which the first alert ever came in this time, of this release.",
            columns=("Release", "Errors", "Users", "Incidents", "New", "First", "Last"),
            rows=tuple(
                (release, share.alerts, share.users, share.incidents, len(new.get(release, ())), share.first, share.last)
                for release, share in found.items()
            ),
            numbers=frozenset({"Errors", "Users", "Incidents", "New"}),
        ),
        Sheet(
            name="new",
            title="New in a release",
            said="Incidents that began in this time, by the release of their first alert.",
            columns=("Release", "Incident", "State", "Project"),
            rows=tuple((release, *_incident_cells(names, id_)) for id_, release in newest),
        ),
    ]
    if compared := _compared(errors, [*found]):
        sheets.append(compared)
    return Board(
        charts=(Chart(title="Errors by release", picture=charts.bars(pictured, _labels(looked), stacked=True)),), sheets=tuple(sheets)
    )


def users(engine: Engine, looked: Looked) -> Board:  # noqa: ARG001 - as all dashboards have it
    """Whom it happened to most."""
    found = _first(figures.shares(looked.alerts, lambda one: one.person))
    affected = [len({one.person for one in group if one.person}) for group in _by_step(looked)]
    is_shown = may_see_personal()
    return Board(
        charts=(Chart(title="Users who were affected", picture=charts.bars({"users": affected}, _labels(looked))),),
        sheets=(
            Sheet(
                name="users",
                title="Most affected",
                said="By Sentry's id of the user, or else by address or name.",
                columns=("User", "Alerts", "Incidents", "First", "Last"),
                rows=tuple(
                    (
                        Link(person if is_shown else MASK, _timeline(share.newest)),
                        *(share.alerts, share.incidents, share.first, share.last),
                    )
                    for person, share in found.items()
                ),
                numbers=frozenset({"Alerts", "Incidents"}),
            ),
        ),
    )


BOARDS: Mapping[str, tuple[str, Callable[[Engine, Looked], Board]]] = {
    "issues": ("Issues", issues),
    "performance": ("Performance", performance),
    "releases": ("Releases", releases),
    "users": ("User impact", users),
}
"""By name as the address has it."""


def _compared(errors: Sequence[Happened], known: Sequence[str]) -> Sheet | None:
    """Two releases beside each other: those that were asked for, or the two with the most errors."""
    one, other = request.args.get("a") or next(iter(known), ""), request.args.get("b") or next(iter(known[1:]), "")
    if not one or not other or one == other:
        return None
    before, after = figures.by_type(errors, one), figures.by_type(errors, other)
    order = sorted({*before, *after}, key=lambda type_: (-abs(after[type_] - before[type_]), type_))[:MOST_ROWS]
    only = (len(figures.incidents_of(errors, a) - figures.incidents_of(errors, b)) for a, b in ((one, other), (other, one)))
    in_one, in_other = only
    return Sheet(
        name="compared",
        title="Two releases",
        said=f"Errors by type in {one} and in {other}. Incidents only in the first: {in_one}, only in the second: {in_other}.",
        columns=("Type", one, other, "Difference"),
        rows=tuple((type_ or "unknown", before[type_], after[type_], after[type_] - before[type_]) for type_ in order),
        numbers=frozenset({one, other, "Difference"}),
    )


def _shares_sheet(name: str, title: str, said: str, column: str, found: Mapping[str, Share]) -> Sheet:
    numbers = ("Alerts", "Users", "Incidents")
    return Sheet(
        name=name,
        title=title,
        said=said,
        columns=(column, *numbers, "Last"),
        rows=tuple((key, share.alerts, share.users, share.incidents, share.last) for key, share in found.items()),
        numbers=frozenset(numbers),
    )


def _incident_cells(names: Mapping[int, dashboards.Named], id_: int) -> tuple[Cell, ...]:
    if id_ not in names:
        return (f"incident {id_}", None, None)
    one = names[id_]
    return (Link(one.title, address_of_incident(id_)), Badge(one.status), one.project)


def _first(found: Mapping[figures.Key, figures.Value]) -> dict[figures.Key, figures.Value]:
    return dict([*found.items()][:MOST_ROWS])


def _by_step(looked: Looked) -> list[Sequence[Happened]]:
    return figures.by_step(looked.alerts, looked.since, looked.until)


def _edges(looked: Looked) -> list[datetime]:
    return figures.edges(looked.since, looked.until)


def _labels(looked: Looked) -> list[str]:
    """Every fourth: more would stand upon each other."""
    form = "%H:%M" if looked.until - looked.since <= timedelta(days=1) else "%m-%d"
    return [f"{end:{form}}" if number % 4 == 0 else "" for number, end in enumerate(_edges(looked))]


def _legend(name: str) -> str:
    """As a picture can have it: XML knows no control characters."""
    shown = "".join(one if one.isprintable() else "?" for one in name)
    return shown if len(shown) <= 40 else f"{shown[:39]}…"


def _timeline(event_id: int) -> str:
    """The address of that of the person of an event, over the same time."""
    range_, environment = request.args.get("range"), request.args.get("environment")
    return url_for("console.person_timeline", event_id=event_id, range=range_, environment=environment or None)
