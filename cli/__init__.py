"""The `flask …` commands for operators, a module for each group."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import Engine

from cli.alerts import alert_commands
from cli.incidents import incident_commands
from cli.notifications import notification_commands
from cli.prune import prune_command
from cli.rules import rules_commands
from cli.silences import silence_commands
from cli.tables import database_commands
from cli.troubles import trouble_commands
from settings import Settings
from storage.queue import Bell


def register(app: Flask, settings: Settings, engine: Engine) -> None:
    """Add the commands to an application."""
    bell = Bell(settings.redis_url)
    for group in (
        database_commands(engine),
        rules_commands(settings),
        alert_commands(engine, settings),
        incident_commands(engine, bell),
        silence_commands(engine),
        notification_commands(engine, bell),
        trouble_commands(engine),
    ):
        app.cli.add_command(group)
    app.cli.add_command(prune_command(engine, settings))
