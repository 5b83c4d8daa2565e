"""`flask silences`: alerts of which nobody is to be told for a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click
from flask.cli import AppGroup
from sqlalchemy import Engine

from cli.group import NUMBER, DatabaseGroup, Duration, Moment
from routing.silences import Silence, SilenceError, SilenceState, read_matchers
from storage import silences
from storage.silences import NoSuchSilenceError, Preview


def silence_commands(engine: Engine) -> AppGroup:
    """The group, for an application to add."""
    group = DatabaseGroup(engine, "silences", help="Of what nobody is told for a time.")
    group.command("add")(_add(engine))
    group.command("list")(_list(engine))
    group.command("expire")(_expire(engine))
    group.command("preview")(_preview(engine))
    return group


def _add(engine: Engine) -> Callable[..., None]:
    @click.argument("matchers", metavar="CONDITION...", nargs=-1, required=True)
    @click.option("--author", required=True, help="Who silences.")
    @click.option("--comment", required=True, help="Why.")
    @click.option("--for", "duration", type=Duration(), metavar="DURATION", help="How long: 90s, 30m, 4h, 2d, 1w.")
    @click.option("--until", "ends_at", type=Moment(), metavar="TIME", help="Instead: until when, 2026-03-04T23:30, in UTC unless it says.")
    @click.option("--start", "starts_at", type=Moment(), metavar="TIME", help="From when; now if left out.")
    def add(
        matchers: tuple[str, ...],
        *,
        author: str,
        comment: str,
        duration: timedelta | None,
        ends_at: datetime | None,
        starts_at: datetime | None,
    ) -> None:
        """Silence what meets any of these conditions.

        In the language of rules.yaml, in quotes: 'project:shop level:warning'. Says what it would have held in the last day.
        """
        if (duration is None) == (ends_at is None):
            raise click.UsageError("say --for or --until")
        now = datetime.now(UTC)
        begin = starts_at or now
        with _in_words():
            silence = Silence(
                id=0,
                matchers=read_matchers(matchers),
                author=author,
                comment=comment,
                starts_at=begin,
                ends_at=ends_at or begin + (duration or timedelta()),
                created_at=now,
            )
            added = silences.add(engine, silence, now)
        click.echo(_line(added, now))
        for line in _previewed(silences.preview(engine, added.matchers, now)):
            click.echo(line)

    return add


def _list(engine: Engine) -> Callable[..., None]:
    @click.option("--state", type=click.Choice([state.value for state in SilenceState]), help="Only those in this state.")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most so many, newest first.")
    def list_(state: str | None, limit: int) -> None:
        """List silences, the newest first."""
        now = datetime.now(UTC)
        found = silences.listed(engine, state=SilenceState(state) if state else None, now=now, limit=limit)
        for silence in found:
            click.echo(_line(silence, now))
        if not found:
            click.echo("no silences")

    return list_


def _expire(engine: Engine) -> Callable[..., None]:
    @click.argument("ids", metavar="ID...", type=NUMBER, nargs=-1, required=True)
    def expire(ids: tuple[int, ...]) -> None:
        """End silences now."""
        now = datetime.now(UTC)
        for id_ in ids:
            with _in_words():
                click.echo(_line(silences.expire(engine, id_, now), now))

    return expire


def _preview(engine: Engine) -> Callable[..., None]:
    @click.argument("matchers", metavar="CONDITION...", nargs=-1, required=True)
    def preview(matchers: tuple[str, ...]) -> None:
        """Say what a silence would have held in the last day.

        Nothing is silenced.
        """
        with _in_words():
            found = silences.preview(engine, read_matchers(matchers), datetime.now(UTC))
        for line in _previewed(found):
            click.echo(line)

    return preview


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (SilenceError, NoSuchSilenceError) as error:
        raise click.ClickException(str(error)) from None


def _line(silence: Silence, now: datetime) -> str:
    span = f"{silence.starts_at:%Y-%m-%d %H:%M} to {silence.ends_at:%Y-%m-%d %H:%M} UTC"
    matchers = " | ".join(map(str, silence.matchers))
    return f"{silence.id}  {silence.state(now):8}  {span}  {matchers}  by {silence.author}: {' '.join(silence.comment.split())[:200]}"


def _previewed(found: Preview) -> Iterator[str]:
    if not found.events:
        yield "would have held nothing of what was told in the last day"
        return
    receivers = ", ".join(f"{receiver} {count}" for receiver, count in sorted(found.notifications.items()))
    yield f"would have held {found.events} events of the last day: {receivers}"
    yield from (f"  {' '.join(title.split())[:120]}" for title in found.titles)
    if found.is_cut:
        yield f"  (only the newest {silences.MAX_PREVIEWED} events were looked at)"
