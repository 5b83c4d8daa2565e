"""The list of alerts: searched in the language of rules.yaml, filtered by links, with new ones coming by themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from routing.alert import Level
from routing.plan import Disposition
from routing.query import QueryError
from routing.sentry import RESOURCES
from storage import alert_search, saved_views
from storage.alert_search import Wanted
from storage.saved_views import SavedViewError
from storage.users import Role
from web.access import needs, note, somebody
from web.desk import desk
from web.live import Streams
from web.searches import LONGEST, read_search

LARGEST = 2**63 - 1
"""What a database can number rows with."""
FILTERS = ("project", "environment", "level", "disposition", "resource")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is wrong with a search."""

    said: str
    before: str
    at: str
    after: str
    """The search, and the character of it at which it goes wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A link that filters."""

    words: str
    address: str
    is_chosen: bool


def add_alerts(console: Blueprint) -> None:
    """The list, what is new in it, and its saved views."""
    _add_views(console)
    _add_news(console)

    @console.get("/alerts")
    @needs(Role.VIEWER)
    def alerts() -> str:
        return _page()


def _add_news(console: Blueprint) -> None:
    streams = Streams()

    @console.get("/alerts/news")
    @needs(Role.VIEWER)
    def alert_news() -> Response:
        """What the script of the list puts on top of it."""
        wanted, mistake = _wanted(_asked())
        if mistake:
            abort(400, mistake.said)
        news = alert_search.since(desk().engine, wanted, desk().clock(), after=_number("after") or 0)
        rows = render_template("alert_rows.html", events=news.events)
        return jsonify(up_to=news.up_to, has_gap=news.has_gap, count=len(news.events), rows=rows)

    @console.get("/alerts/stream")
    @needs(Role.VIEWER)
    def alert_stream() -> Response:
        """When to ask for it."""
        engine, clock = desk().engine, desk().clock
        told = request.headers.get("Last-Event-ID", "")
        after = int(told) if re.fullmatch("[0-9]{1,18}", told) else _number("after") or 0
        return streams.open(lambda: alert_search.newest_settled(engine, clock()), after)


def _add_views(console: Blueprint) -> None:
    @console.post("/alerts/views")
    @needs(Role.OPERATOR)
    def save_view() -> AnyResponse:
        said = dict(parse_qsl(request.form.get("query", "")))
        asked = {name: said[name] for name in ("q", *FILTERS) if name in said}
        try:
            made = saved_views.add(
                desk().engine, name=request.form.get("name", ""), query=urlencode(asked), made_by=somebody().name, now=desk().clock()
            )
        except SavedViewError as error:
            flash(f"Not saved: {error}.", "danger")
        else:
            note("view.add", f"view {made.name}", made.query)
            flash(f"Saved as {made.name}.", "success")
        return redirect(_address(asked))

    @console.post("/alerts/views/<int(max=9223372036854775807):view_id>/delete")
    @needs(Role.OPERATOR)
    def delete_view(view_id: int) -> AnyResponse:
        name = saved_views.remove(desk().engine, view_id)
        if name is None:
            abort(404, "there is no such view any more")
        note("view.delete", f"view {name}")
        flash(f"The view {name} is deleted.", "success")
        return redirect(url_for("console.alerts"))


def _page() -> str:
    asked, engine, now = _asked(), desk().engine, desk().clock()
    wanted, mistake = _wanted(asked)
    before = _number("before")
    newest = alert_search.newest_settled(engine, now)
    found = None if mistake else alert_search.search(engine, wanted, now, before=before)
    return render_template(
        "alerts.html",
        asked=asked,
        found=found,
        before=before,
        newest=newest,
        mistake=mistake,
        choices=_choices(asked, *alert_search.recent_places(engine)),
        views=saved_views.listed(engine),
        view=urlencode(asked),
        longest=LONGEST,
    )


def _asked() -> dict[str, str]:
    """The search and the filters of the address."""
    return {name: value for name in ("q", *FILTERS) if (value := request.args.get(name, "").strip())}


def _number(name: str) -> int | None:
    found = request.args.get(name, "")
    return min(int(found[:30]), LARGEST) if found.isascii() and found.isdecimal() else None


def _wanted(asked: Mapping[str, str]) -> tuple[Wanted, Mistake | None]:
    level, disposition, text = (asked.get(name, "") for name in ("level", "disposition", "q"))
    wanted = Wanted(
        project=asked.get("project"),
        environment=asked.get("environment"),
        level=Level(level) if level in {*Level} else None,
        disposition=Disposition(disposition) if disposition in {*Disposition} else None,
        resource=asked.get("resource"),
    )
    try:
        return (replace(wanted, query=read_search(text)) if text else wanted), None
    except QueryError as error:
        return wanted, _mistake(text, str(error), error.position)


def _mistake(text: str, said: str, position: int) -> Mistake:
    return Mistake(said=said, before=text[:position], at=text[position : position + 1], after=text[position + 1 :])


def _choices(asked: Mapping[str, str], projects: Sequence[str], environments: Sequence[str]) -> dict[str, list[Choice]]:
    """By filter what may be chosen: of projects and environments those of the newest events."""
    values = {
        "project": projects,
        "environment": environments,
        "level": [*Level],
        "disposition": [*Disposition],
        "resource": sorted(RESOURCES),
    }
    return {name: [_choice(asked, name, ""), *(_choice(asked, name, value) for value in values[name])] for name in FILTERS}


def _choice(asked: Mapping[str, str], name: str, value: str) -> Choice:
    others = {key: kept for key, kept in asked.items() if key != name}
    address = _address({**others, name: str(value)} if value else others)
    return Choice(words=str(value) or "any", address=address, is_chosen=asked.get(name, "") == value)


def _address(asked: Mapping[str, str]) -> str:
    return f"{url_for('console.alerts')}?{urlencode(asked)}" if asked else url_for("console.alerts")
