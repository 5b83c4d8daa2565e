"""`flask alerts`: what came in, and why somebody was or was not told."""

from __future__ import annotations

from datetime import datetime

import click
from flask.cli import AppGroup
from sqlalchemy import Engine

from cli.explain import as_json, explain, lines
from cli.group import DatabaseGroup, Moment
from settings import Settings
from storage import inspection, refusals


def alert_commands(engine: Engine, settings: Settings) -> AppGroup:
    """The group, for an application to add."""
    group = DatabaseGroup(engine, "alerts", help="What came in.")

    @group.command("explain")
    @click.argument("subject", metavar="EVENT|FILE")
    @click.option(
        "--at", type=Moment(), metavar="TIME", help="What would be decided if it came then: 2026-03-04T23:30, in UTC unless it says."
    )
    @click.option("--resource", help="Which webhook a FILE holds, where it does not show: event_alert, issue, metric_alert, legacy.")
    @click.option("--json", "is_json", is_flag=True, help="For programs.")
    def explain_(subject: str, at: datetime | None, resource: str | None, *, is_json: bool) -> None:
        """Say what each rule said to an event, and what followed.

        Or, with --at or for a FILE with the body of a webhook, what the rules of RULES_FILE would do by all that is known now.
        """
        explanation = explain(engine, settings, subject, at=at, resource=resource)
        click.echo(as_json(explanation) if is_json else "\n".join(lines(explanation)))

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

    @group.command("ignored")
    def ignored() -> None:
        """Say how many events each entry of `ignore` has kept from the rules."""
        found = inspection.ignored(engine)
        for entry, count in found.items():
            click.echo(f"{count:8}  {entry}")
        if not found:
            click.echo("none ignored")

    return group
