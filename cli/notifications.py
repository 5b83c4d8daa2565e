"""`flask notifications`: what was, or was not, told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click
from flask.cli import AppGroup
from sqlalchemy import Engine

from cli.group import NUMBER, DatabaseGroup
from routing.notification import Lane, State
from storage import inspection, notifications
from storage.inspection import Listed, Tried
from storage.queue import Bell


def notification_commands(engine: Engine, bell: Bell) -> AppGroup:
    """The group, for an application to add."""
    group = DatabaseGroup(engine, "notifications", help="What was, or was not, told.")

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
            click.echo(one_line(notification))
        click.echo(f"{len(found)} notifications" if found else "no notifications")

    @group.command("show")
    @click.argument("id_", metavar="ID", type=NUMBER)
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
    @click.argument("ids", metavar="ID...", type=NUMBER, nargs=-1)
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


def one_line(notification: Listed) -> str:
    """One notification as one line."""
    said = " ".join(notification.last_excerpt.split())[:160]
    return (
        f"{notification.id}  {notification.created_at:%Y-%m-%d %H:%M:%S}  {notification.state:8}  {notification.receiver}"
        f"  {'+'.join(notification.rules)}  {notification.reason}  attempts={notification.attempts}  {said}"
    ).rstrip()


def _story(notification: Listed, attempts: Sequence[Tried]) -> Iterator[str]:
    yield one_line(notification)
    yield f"event {notification.event_id}, incident {notification.incident}"
    yield f"why: {notification.why}"
    yield from map(_attempt, attempts)
    if notification.last_payload:
        yield notification.last_payload


def _attempt(attempt: Tried) -> str:
    took = f"{(attempt.ended_at - attempt.began_at).total_seconds() * 1000:.0f} ms" if attempt.ended_at else "under way"
    status = f"status {attempt.status_code}  " if attempt.status_code else ""
    return f"  attempt {attempt.number}  {attempt.began_at:%H:%M:%S}  {took}  {attempt.outcome or ''}  {status}{attempt.excerpt}".rstrip()
