"""The `flask …` commands for operators, a module for each group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine

from cli.alerts import alert_commands
from cli.doctor import doctor_command
from cli.incidents import incident_commands
from cli.notifications import notification_commands
from cli.prune import prune_command
from cli.rules import rules_commands
from cli.silences import silence_commands
from cli.tables import database_commands
from cli.troubles import trouble_commands
from settings import Settings
from storage.queue import Bell

DOCTOR = "doctor"


def is_doctor_called(argv: Sequence[str]) -> bool:
    """Whether this process is `flask doctor`: it looks at what is wrong, and nothing of that may stop it."""
    return Path(argv[0]).stem in {"flask", "__main__"} and DOCTOR in argv[1:] and not {"run", "shell"} & set(argv[1:])


def doctors_app(variables: Mapping[str, str]) -> Flask:
    """An application that has that command, and nothing that could fail before it."""
    app = Flask("doctor", static_folder=None)
    app.cli.add_command(doctor_command(variables))
    return app


def register(app: Flask, settings: Settings, engine: Engine) -> None:
    """Add the commands to an application."""
    bell = Bell(settings.redis_url)
    for command in (
        database_commands(engine),
        rules_commands(settings),
        alert_commands(engine, settings),
        incident_commands(engine, bell),
        silence_commands(engine),
        notification_commands(engine, bell),
        doctor_command(settings.environment),
        prune_command(engine, settings),
        trouble_commands(engine),
    ):
        app.cli.add_command(command)
