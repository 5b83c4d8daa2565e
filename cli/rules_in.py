"""The rules of a file, for the commands that need them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from settings import Settings

if TYPE_CHECKING:
    from routing.rules import RuleSet


def rules_in(path: Path, settings: Settings) -> RuleSet:
    """The rules of a file as a worker would put them in force.

    Raises:
        click.ClickException: with everything that is wrong with it.
    """
    # Not at the top: the web process loads the commands, and would pay for all that reads rules.
    from notifiers.configuration import read_rules  # noqa: PLC0415
    from routing.rules import RulesError  # noqa: PLC0415
    from storage.rules_file import RulesFile  # noqa: PLC0415

    try:
        return RulesFile(path, lambda text, included: read_rules(text, settings, included)).rules
    except RulesError as error:
        raise click.ClickException(str(error)) from None
