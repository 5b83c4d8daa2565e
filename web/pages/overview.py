"""What is firing, what the last hour brought, and whether anything is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, render_template

from routing.notification import Severity
from storage import overview as stored
from storage import sizes
from storage import troubles as noted
from storage.overview import STEPS, Overview
from storage.users import Role
from web import charts
from web.access import needs
from web.desk import desk
from web.rules_in_force import receivers_in_force
from web.wording import span

SPAN = timedelta(hours=1)
LATE = timedelta(seconds=30)
"""An event that waits so long, or a message, is late."""


SEEN_HERE = frozenset({"workers", "deciding", "telling", "planning", "not-told"})
"""Checks of what this page looks at."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong, and what to do."""

    what: str
    way_out: str


def add_overview(console: Blueprint) -> None:
    """The first page."""

    @console.get("/")
    @needs(Role.VIEWER)
    def overview() -> str:
        now = desk().clock()
        found = stored.overview(desk().engine, receivers_in_force(), now, span=SPAN)
        labels = [f"{now - SPAN + SPAN / STEPS * (number + 1):%H:%M}" for number in range(STEPS)]
        course = found.course
        pictures = {
            "Events": charts.bars({"events": course.events}, labels),
            "Notifications": charts.bars(
                {"sent": course.sent, "held": course.held, "dead": course.dead},
                labels,
                stacked=True,
                colours=(charts.GREEN, charts.GREY, charts.RED),
            ),
        }
        return render_template(
            "overview.html",
            overview=found,
            now=now,
            severities=[*Severity],
            troubles=[*troubles(found, now), *_found_by_checks()],
            pictures=pictures,
            labels=labels,
            sizes=sizes.last_measured(desk().engine),
        )


def _found_by_checks() -> Iterator[Trouble]:
    """What checks have found and this page does not see by itself, and who was told."""
    for one in noted.listed(desk().engine, is_open=True):
        if one.check not in SEEN_HERE:
            told = f"{one.told_to} was told." if one.told_to else "Nobody could be told."
            yield Trouble(f"{one.said}.", f"{one.way_out} Since {one.began_at:%Y-%m-%d %H:%M} UTC; {told}")


def troubles(found: Overview, now: datetime) -> Iterator[Trouble]:
    """What is wrong."""
    if not found.workers:
        yield Trouble("No worker lives: alerts are kept, and nobody is told.", "Start `python worker.py`; its log says why it ended.")
    if found.waiting_since and now - found.waiting_since > LATE:
        late = span((now - found.waiting_since).total_seconds())
        yield Trouble(f"The oldest event has waited {late} to be decided.", "See the workers' log; more workers do not plan faster.")
    if found.failed:
        way_out = "`flask alerts explain` says why; they are planned again after each change of rules."
        yield Trouble(f"{found.failed} events could not be planned.", way_out)
    if found.dead:
        way_out = "Deliveries lists them with their errors, to send them again."
        yield Trouble(f"{found.dead} notifications of the last day were given up.", way_out)
    for one in found.receivers:
        if one.closed and one.closed.is_broken:
            yield Trouble(f"{one.receiver} is not told until {one.closed.until:%H:%M:%S} UTC: {one.closed.why}", "See it under Receivers.")
        elif one.oldest and not one.closed and now - one.oldest > LATE * 4:
            yield Trouble(f"What is for {one.receiver} waits since {span((now - one.oldest).total_seconds())}.", "Deliveries lists it.")
