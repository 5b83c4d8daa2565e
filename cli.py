"""The `flask …` commands for operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy import Engine

from routing.notification import Lane, State
from settings import Settings
from storage import database, inspection, notifications, refusals
from storage.database import SchemaError
from storage.inspection import Listed, NoSuchEventError, Shown, Tried
from storage.queue import Bell

_NUMBER = click.IntRange(1, 2**63 - 1)
"""What a database can number rows with."""


class _DatabaseCommands(AppGroup):
    """Commands that tell in a sentence what is wrong with the database."""

    def __init__(self, engine: Engine, name: str, *, help: str) -> None:  # noqa: A002 - click's name for it
        super().__init__(name, help=help)
        self._engine = engine

    def invoke(self, ctx: click.Context) -> object:
        """Run one of them."""
        try:
            with database.faults_in_words(self._engine):
                return super().invoke(ctx)
        except SchemaError as error:
            raise click.ClickException(str(error)) from None


def register(app: Flask, settings: Settings, engine: Engine) -> None:
    """Add the commands to an application."""
    for group in (
        _database_commands(engine),
        _rules_commands(settings),
        _alert_commands(engine),
        _notification_commands(engine, Bell(settings.redis_url)),
    ):
        app.cli.add_command(group)


def _database_commands(engine: Engine) -> AppGroup:
    group = _DatabaseCommands(engine, "db", help="The database.")

    @group.command("upgrade")
    def upgrade() -> None:
        """Bring the tables to this version.

        Run it before the new processes start.
        """
        database.upgrade(engine)
        click.echo(f"the database is at revision {database.current_revision(engine)}")

    return group


def _rules_commands(settings: Settings) -> AppGroup:
    group = AppGroup("rules", help="The rules.")

    @group.command("check")
    @click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=settings.rules_file)
    def check(path: Path) -> None:
        """Say everything that is wrong with a rules file.

        PATH is the file of RULES_FILE if left out. The status is 1 if anything is wrong.
        """
        from notifiers.configuration import missing_credentials, read_rules  # noqa: PLC0415 - the web process loads this module, too
        from routing.rules import RulesError  # noqa: PLC0415 - the same
        from storage.rules_file import RulesFile  # noqa: PLC0415 - the same

        try:
            rules = RulesFile(path, lambda text: read_rules(text, settings)).rules
        except RulesError as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"{path}: {len(rules.rules)} rules, {len(rules.receivers)} receivers, version {rules.version}")
        for receiver, credential in missing_credentials(rules, settings).items():
            click.echo(f"{path}: receivers.{receiver}: {credential} is not set, so it only previews")

    return group


def _alert_commands(engine: Engine) -> AppGroup:
    group = _DatabaseCommands(engine, "alerts", help="What came in.")

    @group.command("explain")
    @click.argument("event_id", metavar="EVENT", type=_NUMBER)
    def explain(event_id: int) -> None:
        """Say what each rule said to an event, and what followed."""
        try:
            event = inspection.find_event(engine, event_id)
        except NoSuchEventError as error:
            raise click.ClickException(str(error)) from None
        for line in _explanation(event):
            click.echo(line)
        for notification in reversed(inspection.listed(engine, event_id=event_id)):
            click.echo(_line(notification))

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


def _notification_commands(engine: Engine, bell: Bell) -> AppGroup:
    group = _DatabaseCommands(engine, "notifications", help="What was, or was not, told.")

    @group.command("list")
    @click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
    @click.option("--receiver", help="Only those to this receiver.")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most so many, newest first.")
    def list_(state: str | None, receiver: str | None, limit: int) -> None:
        """List notifications, newest first.

        Each with what its last attempt said.
        """
        found = inspection.listed(engine, state=State(state) if state else None, receiver=receiver, limit=limit)
        for notification in found:
            click.echo(_line(notification))
        click.echo(f"{len(found)} notifications" if found else "no notifications")

    @group.command("show")
    @click.argument("id_", metavar="ID", type=_NUMBER)
    def show(id_: int) -> None:
        """Show a notification with each attempt.

        And with the exact payload that was sent or previewed.
        """
        found = inspection.listed(engine, id=id_)
        if not found:
            raise click.ClickException(f"there is no notification {id_}")
        for line in _story(found[0], inspection.tried(engine, id_)):
            click.echo(line)

    @group.command("requeue")
    @click.argument("ids", metavar="ID...", type=_NUMBER, nargs=-1)
    @click.option("--all-dead", "state", flag_value=State.DEAD.value, help="Every dead one.")
    @click.option("--all-previews", "state", flag_value=State.HELD.value, help="Every one that was only previewed.")
    def requeue(ids: Sequence[int], state: str | None) -> None:
        """Send dead notifications again, and previews now.

        At once if a worker is running. A preview is sent once the receiver's credential is set; until then it is previewed again.
        """
        if bool(ids) == bool(state):
            raise click.UsageError("name the ids, or say --all-dead or --all-previews")
        now = datetime.now(UTC)
        requeued = notifications.requeue(engine, state=State(state), now=now) if state else notifications.requeue(engine, ids=ids, now=now)
        for lane in Lane:
            bell.ring(lane)
        for id_ in sorted(set(ids) - set(requeued)):
            click.echo(f"{id_}: neither dead nor a preview, left alone", err=True)
        click.echo(f"{len(requeued)} requeued")

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


def _line(notification: Listed) -> str:
    """One notification as one line."""
    said = " ".join(notification.last_excerpt.split())[:160]
    return (
        f"{notification.id}  {notification.created_at:%Y-%m-%d %H:%M:%S}  {notification.state:8}  {notification.receiver}"
        f"  {'+'.join(notification.rules)}  {notification.reason}  attempts={notification.attempts}  {said}"
    ).rstrip()


def _story(notification: Listed, attempts: Sequence[Tried]) -> Iterator[str]:
    yield _line(notification)
    yield f"event {notification.event_id}, incident {notification.incident}"
    yield f"why: {notification.why}"
    yield from map(_attempt, attempts)
    if notification.last_payload:
        yield notification.last_payload


def _attempt(attempt: Tried) -> str:
    took = f"{(attempt.ended_at - attempt.began_at).total_seconds() * 1000:.0f} ms" if attempt.ended_at else "under way"
    status = f"status {attempt.status_code}  " if attempt.status_code else ""
    return f"  attempt {attempt.number}  {attempt.began_at:%H:%M:%S}  {took}  {attempt.outcome or ''}  {status}{attempt.excerpt}".rstrip()
