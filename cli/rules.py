"""`flask rules`: what is in rules.yaml."""

from __future__ import annotations

import json
from pathlib import Path

import click
from flask.cli import AppGroup

from cli.rules_test import add_test_command
from settings import Settings


def rules_commands(settings: Settings) -> AppGroup:
    """The group, for an application to add."""
    group = AppGroup("rules", help="The rules.")

    @group.command("check")
    @click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=settings.rules_file)
    def check(path: Path) -> None:
        """Say everything that is wrong with a rules file.

        PATH is the file of RULES_FILE if left out. The status is 1 if anything is wrong.
        """
        from notifiers.configuration import missing_credentials, read_rules  # noqa: PLC0415 - the web process loads this module, too
        from routing.rules import RulesError  # noqa: PLC0415 - the same
        from storage.rules_file import RulesFile  # noqa: PLC0415 - the same

        try:
            rules = RulesFile(path, lambda text, included: read_rules(text, settings, included)).rules
        except RulesError as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"{path}: {len(rules.rules)} rules, {len(rules.receivers)} receivers, version {rules.version}")
        for receiver, credential in missing_credentials(rules, settings).items():
            click.echo(f"{path}: receivers.{receiver}: {credential} is not set, so it only previews")

    @group.command("lint")
    @click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=settings.rules_file)
    @click.option("--json", "is_json", is_flag=True, help="For programs.")
    def lint_(path: Path, *, is_json: bool) -> None:
        """Say what makes no sense in a rules file that is right.

        What no alert can meet, what never speaks or wakes nobody. PATH is the file of RULES_FILE if left out. The status is 1 if
        anything is found.
        """
        from cli.lint import as_json, as_lines, findings  # noqa: PLC0415 - the web process loads this module, too

        found = findings(path, settings)
        click.echo(as_json(path, found) if is_json else as_lines(path, found))
        if found:
            raise click.exceptions.Exit(1)

    @group.command("schema")
    def schema() -> None:
        """Print the JSON Schema of rules.yaml, for editors.

        `make schema` writes it to rules.schema.json.
        """
        from notifiers.registry import KINDS  # noqa: PLC0415 - the web process loads this module, too
        from routing.rules_schema import rules_schema  # noqa: PLC0415 - the same

        click.echo(json.dumps(rules_schema(KINDS), indent=2, ensure_ascii=False))

    add_test_command(group, settings)
    return group
