"""`flask alerts`: what came in, and why somebody was or was not told."""

from __future__ import annotations

from collections.abc import Iterator

import click
from flask.cli import AppGroup
from sqlalchemy import Engine

from cli.group import NUMBER, DatabaseGroup
from cli.notifications import one_line
from storage import inspection, refusals
from storage.inspection import NoSuchEventError, Shown


def alert_commands(engine: Engine) -> AppGroup:
    """The group, for an application to add."""
    group = DatabaseGroup(engine, "alerts", help="What came in.")

    @group.command("explain")
    @click.argument("event_id", metavar="EVENT", type=NUMBER)
    def explain(event_id: int) -> None:
        """Say what each rule said to an event, and what followed."""
        try:
            event = inspection.find_event(engine, event_id)
        except NoSuchEventError as error:
            raise click.ClickException(str(error)) from None
        for line in _explanation(event):
            click.echo(line)
        for notification in reversed(inspection.listed(engine, event_id=event_id)):
            click.echo(one_line(notification))

    @group.command("refused")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most so many, newest first.")
    def refused(limit: int) -> None:
        """Say how many webhooks were refused.

        By day (UTC), path and status: 401 is a wrong signature, 404 a wrong path or token, 413 a body over MAX_BODY_BYTES.
        """
        found = refusals.counted(engine, limit=limit)
        for (day, path, status), count in found:
            click.echo(f"{day}  {path:9}  {status}  {count}")
        if not found:
            click.echo("none refused")

    return group


def _explanation(event: Shown) -> Iterator[str]:
    kind = ".".join(filter(None, (event.resource, event.action))) or "of no resource"
    yield f"event {event.id}, {kind}, received {event.received_at:%Y-%m-%d %H:%M:%S} UTC"
    if event.title:
        yield f"{event.title} ({event.project or 'no project'}, {event.environment or 'no environment'})"
    what = f"{event.disposition} of event {event.duplicate_of}" if event.duplicate_of else str(event.disposition or event.state)
    yield what + (f": {event.error}" if event.error else "")
    for rule in event.trace:
        yield f"  {'matched' if rule.matched else 'not    '}  {rule.rule}: {rule.why}"
