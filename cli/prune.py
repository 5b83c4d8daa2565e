"""`flask prune`: what is old goes, as a worker sees to each hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click
from sqlalchemy import Engine

from routing.durations import read_duration, spell_duration
from settings import Settings
from storage import database
from storage.database import SchemaError
from storage.retention import BusyError, Retention, Size, prune, would_prune
from watch.keeping import retention

AGES = ("bodies", "events", "records")
SHORTEST = timedelta(days=1)


class Override(click.ParamType[tuple[str, timedelta]]):
    """`events=60d`."""

    name = "age"

    def convert(
        self, value: str | tuple[str, timedelta], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, timedelta]:
        """What, and how long it is kept."""
        if isinstance(value, tuple):
            return value
        name, _, age = value.partition("=")
        if name not in AGES:
            self.fail(f'"{value}": write {", ".join(AGES)}, one of them, and an age: events=60d', param, ctx)
        try:
            found = read_duration(age)
        except ValueError as error:
            self.fail(f'"{age}" is {error}', param, ctx)
        if found < SHORTEST:
            self.fail(f'"{age}" is too short: what is younger than {spell_duration(SHORTEST)} is still worked with', param, ctx)
        return name, found


def prune_command(engine: Engine, settings: Settings) -> click.Command:
    """The command, for an application to add."""

    @click.command("prune")
    @click.option("--dry-run", is_flag=True, help="Only say what would go.")
    @click.option(
        "--older-than", "older", type=Override(), metavar="WHAT=AGE", multiple=True, help="bodies=7d, events=60d or records=26w instead."
    )
    def prune_(older: Sequence[tuple[str, timedelta]], *, dry_run: bool) -> None:
        """Delete what is older than RETAIN_BODIES, RETAIN_EVENTS and RETAIN_RECORDS say.

        A worker does so each hour. Incidents that are open, what is yet to be told, and what could not be closed are kept, however old.
        """
        keep = replace(retention(settings), **dict(older))
        try:
            with database.faults_in_words(engine):
                database.check_schema(engine)
                for line in _would(engine, keep) if dry_run else _done(engine, keep):
                    click.echo(line)
        except (SchemaError, BusyError) as error:
            raise click.ClickException(str(error)) from None

    return prune_


def _would(engine: Engine, keep: Retention) -> Iterator[str]:
    found = {name: size for name, size in would_prune(engine, keep, datetime.now(UTC)).items() if size.rows}
    yield from _lines(found)
    yield "nothing would go" if not found else "would go, and what that frees; nothing was changed"


def _lines(found: Mapping[str, Size]) -> Iterator[str]:
    for name, size in found.items():
        about = f"  about {size.about_bytes / 1e6:,.1f} MB" if size.about_bytes else ""
        yield f"{size.rows:12,}  {name}{about}"


def _done(engine: Engine, keep: Retention) -> Iterator[str]:
    gone = +prune(engine, keep, lambda: datetime.now(UTC))
    for name, count in gone.items():
        yield f"{count:12,}  {name}"
    yield "pruned" if gone else "nothing was old enough"
