"""`flask notifications`: what was, or was not, told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypedDict

import click
from flask.cli import AppGroup
from sqlalchemy import Engine

from cli.group import NUMBER, DatabaseGroup, Past
from routing.notification import Lane, State
from storage import inspection, notifications
from storage.inspection import Listed, Tried
from storage.queue import Bell

SHOWN = 100
"""Of what would be sent, the first."""


class Narrowed(TypedDict):
    """Of all dead ones, or all previews, these."""

    receiver: str | None
    since: datetime | None
    until: datetime | None


class Chosen(Narrowed):
    """Which notifications are meant, as `notifications.requeue` takes it."""

    ids: Sequence[int] | None
    state: State


def _narrowing(command: Callable[..., None]) -> Callable[..., None]:
    """The options that choose among notifications."""
    for name, words in (("until", "before it: a time, or 2h for two hours ago"), ("since", "at this time or later")):
        command = click.option(f"--{name}", type=Past(), metavar="TIME", help=f"Only those planned {words}.")(command)
    return click.option("--receiver", help="Only those to this receiver.")(command)


def notification_commands(engine: Engine, bell: Bell) -> AppGroup:
    """The group, for an application to add."""
    group = DatabaseGroup(engine, "notifications", help="What was, or was not, told.")

    @group.command("list")
    @click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
    @_narrowing
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most so many, newest first.")
    def list_(state: str | None, receiver: str | None, since: datetime | None, until: datetime | None, limit: int) -> None:
        """List notifications, newest first.

        Each with what its last attempt said.
        """
        wanted = State(state) if state else None
        found = inspection.listed(engine, state=wanted, receiver=receiver, since=since, until=until, limit=limit)
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
    @click.option("--all-dead", "states", flag_value=State.DEAD.value, multiple=True, help="Every dead one.")
    @click.option("--all-previews", "states", flag_value=State.HELD.value, multiple=True, help="Every one that was only previewed.")
    @_narrowing
    @click.option("--dry-run", is_flag=True, help="Only list what would be sent.")
    def requeue(
        ids: Sequence[int], states: Sequence[str], receiver: str | None, since: datetime | None, until: datetime | None, *, dry_run: bool
    ) -> None:
        """Send dead notifications again, and previews now.

        At once if a worker is running. A preview is sent once the receiver's credential is set; until then it is previewed again.
        What is over is news to nobody and is left alone.
        """
        chosen = _chosen(ids, states, {"receiver": receiver, "since": since, "until": until})
        requeued = notifications.requeue(engine, **chosen, now=datetime.now(UTC), dry_run=dry_run)
        for line in _left_alone(ids, requeued):
            click.echo(line, err=True)
        for line in _would_be_sent(engine, requeued) if dry_run else ():
            click.echo(line)
        if not dry_run:
            _ring(bell)
        click.echo(f"{len(requeued)} {'would be ' if dry_run else ''}requeued")

    return group


def _chosen(ids: Sequence[int], states: Sequence[str], narrowed: Narrowed) -> Chosen:
    if bool(ids) + len(set(states)) != 1:
        raise click.UsageError("name the ids, or say --all-dead or --all-previews, one of them")
    if states:
        return {"ids": None, "state": State(states[0]), **narrowed}
    if any(narrowed.values()):
        raise click.UsageError("--receiver, --since and --until narrow --all-dead and --all-previews; ids need no narrowing")
    return {"ids": ids, "state": State.DEAD, **narrowed}


def _left_alone(ids: Sequence[int], requeued: Sequence[int]) -> Iterator[str]:
    for id_ in sorted(set(ids) - set(requeued)):
        yield f"{id_}: neither dead nor a preview, or over; left alone"


def _would_be_sent(engine: Engine, ids: Sequence[int]) -> Iterator[str]:
    for id_ in ids[:SHOWN]:
        yield from map(one_line, inspection.listed(engine, id=id_))
    if len(ids) > SHOWN:
        yield f"and {len(ids) - SHOWN} more"


def _ring(bell: Bell) -> None:
    for lane in Lane:
        bell.ring(lane)


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
