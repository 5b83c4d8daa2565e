"""`flask troubles`: what is, and was, wrong with the service itself."""

from __future__ import annotations

import click
from flask.cli import AppGroup
from sqlalchemy import Engine

from cli.group import DatabaseGroup
from storage import troubles
from storage.troubles import Noted


def trouble_commands(engine: Engine) -> AppGroup:
    """The group, for an application to add."""
    group = DatabaseGroup(engine, "troubles", help="What is wrong with the service itself.")

    @group.command("list")
    @click.option("--all", "is_all", is_flag=True, help="Those that are over, too, the newest first.")
    @click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
    def list_troubles(*, is_all: bool, limit: int) -> None:
        """List what is wrong, since when, who was told, and what to do."""
        found = troubles.listed(engine, is_open=not is_all, limit=limit)
        for one in found:
            click.echo(_line(one))
        if not found:
            click.echo("nothing is wrong" if not is_all else "nothing was wrong yet")

    return group


def _line(one: Noted) -> str:
    name = f"{one.check} {one.subject}".strip()
    until = f" to {one.ended_at:%Y-%m-%d %H:%M:%S}" if one.ended_at else ""
    told = f"told to {one.told_to}" if one.told_to else "told to nobody"
    return f"{one.began_at:%Y-%m-%d %H:%M:%S}{until} UTC  {name}, {told}\n  {one.said}\n  {one.way_out}"
