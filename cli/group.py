"""What every group of commands that needs the database has in common."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
from flask.cli import AppGroup
from sqlalchemy import Engine

from routing.durations import read_duration, read_moment
from storage import database
from storage.database import SchemaError

NUMBER = click.IntRange(1, 2**63 - 1)
"""What a database can number rows with."""


class Moment(click.ParamType[datetime]):
    """A time as ISO 8601 spells it, in UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """An aware moment."""
        if isinstance(value, datetime):
            return value
        try:
            return read_moment(value)
        except ValueError as error:
            self.fail(f'"{value}" is {error}', param, ctx)


class Past(click.ParamType[datetime]):
    """A time, or how long ago that was."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """An aware moment."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.now(UTC) - read_duration(value)
        except ValueError:
            return Moment().convert(value, param, ctx)


class Duration(click.ParamType[timedelta]):
    """`90s`, `30m`, `4h`, `2d`, `1w`."""

    name = "duration"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """How long that is."""
        if isinstance(value, timedelta):
            return value
        try:
            return read_duration(value)
        except ValueError as error:
            self.fail(f'"{value}" is {error}', param, ctx)


class DatabaseGroup(AppGroup):
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
