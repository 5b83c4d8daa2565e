"""`flask incidents`: what is open, and who has taken it on."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from datetime import UTC, datetime

import click
from flask.cli import AppGroup
from sqlalchemy import Engine

from cli.group import DatabaseGroup
from routing.alert import Status
from routing.own_events import Change
from storage import incident_desk
from storage.incident_desk import Life, ListedIncident, LivedTurn
from storage.queue import PLAN, Bell


def incident_commands(engine: Engine, bell: Bell) -> AppGroup:
    """The group, for an application to add."""
    group = DatabaseGroup(engine, "incidents", help="What is, or was, wrong.")

    @group.command("list")
    @click.option("--status", type=click.Choice([Status.FIRING.value, Status.RESOLVED.value, Status.ARCHIVED.value]), help="Only these.")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most so many, latest first.")
    def list_(status: str | None, limit: int) -> None:
        """List incidents, those with the latest alert first."""
        found = incident_desk.listed(engine, status=Status(status) if status else None, limit=limit)
        for one in found:
            click.echo(_one_line(one))
        if not found:
            click.echo("no incidents")

    @group.command("show")
    @click.argument("name", metavar="ID|KEY")
    def show(name: str) -> None:
        """Show the life of an incident.

        What is known of it, and what became of it, by whom, where and when.
        """
        found = incident_desk.life(engine, name)
        if found is None:
            raise click.ClickException(f"{name}: there is no incident of this number or key; `flask incidents list` has them")
        click.echo("\n".join((_one_line(found.incident), *_known(found), *map(_turn, found.turns))))

    @group.command("acknowledge")
    @click.argument("names", metavar="ID|KEY...", nargs=-1, required=True)
    @click.option("--by", "who", default=_user, help="Who has; the name of this machine's user if left out.")
    def acknowledge(names: tuple[str, ...], who: str | None) -> None:
        """Say that somebody has taken incidents on.

        Reminders stop, and escalations that ask for it, until the incident has ended and begun again. It is shown where the incident
        was announced.
        """
        for name in names:
            by = incident_desk.Somebody(name=who, where="the command line")
            key = incident_desk.change(engine, name, Change.ACKNOWLEDGED, by, datetime.now(UTC))
            if key is None:
                raise click.ClickException(f"{name}: no incident of this number or key fires; `flask incidents list` has them")
            click.echo(f"{key} acknowledged")
        bell.ring(PLAN)

    return group


def _turn(one: LivedTurn) -> str:
    who = f"{' '.join(one.who.split())[:100]} in {one.origin}" if one.who else one.origin
    return "  ".join(filter(None, (f"  {one.at:%Y-%m-%d %H:%M:%S}", f"{one.turn:14}", who, one.how, f"event {one.event_id}")))


def _known(life: Life) -> Iterator[str]:
    """What is known of an incident, a line for each thing."""
    numbers, places = life.numbers, [place.partition(":") for place in life.seen_in]
    facts = {
        "events": numbers.event_count,
        "users": numbers.user_count,
        "first seen": numbers.first_seen and f"{numbers.first_seen:%Y-%m-%d %H:%M:%S}",
        "last seen": numbers.last_seen and f"{numbers.last_seen:%Y-%m-%d %H:%M:%S}",
        "assigned to": numbers.assignee,
        "environments": ", ".join(name for kind, _, name in places if kind == "environment"),
        "releases": ", ".join(name for kind, _, name in places if kind == "release"),
        "announced to": ", ".join(life.announced_to),
        **{f"in {vendor}": url for vendor, url in life.links.items()},
    }
    return (f"  {label:20}  {value}" for label, value in facts.items() if value)


def _one_line(one: ListedIncident) -> str:
    said = f"{one.id}  {one.last_alert_at:%Y-%m-%d %H:%M:%S}  {one.state:12}  {one.key}  alerts={one.alert_count}"
    return f"{said}  {'assigned  ' if one.assigned else ''}{one.project or '-'}  {' '.join(one.title.split())[:100]}"


def _user() -> str | None:
    """Who types this, as far as the machine knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container a user may have no name
        return None
