"""`flask db`: the tables."""

from __future__ import annotations

import click
from flask.cli import AppGroup
from sqlalchemy import Engine

from cli.group import DatabaseGroup
from storage import database


def database_commands(engine: Engine) -> AppGroup:
    """The group, for an application to add."""
    group = DatabaseGroup(engine, "db", help="The database.")

    @group.command("upgrade")
    def upgrade() -> None:
        """Bring the tables to this version.

        Run it before the new processes start.
        """
        database.upgrade(engine)
        click.echo(f"the database is at revision {database.current_revision(engine)}")

    return group
