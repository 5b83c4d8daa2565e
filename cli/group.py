"""What every group of commands that needs the database has in common."""

from __future__ import annotations

import click
from flask.cli import AppGroup
from sqlalchemy import Engine

from storage import database
from storage.database import SchemaError

NUMBER = click.IntRange(1, 2**63 - 1)
"""What a database can number rows with."""


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
