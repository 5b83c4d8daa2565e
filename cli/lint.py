"""`flask rules lint`: what makes no sense in a rules file, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from notifiers.configuration import read_rules
from notifiers.waking import wakes
from routing.example_alerts import shown
from routing.lint import Finding, lint
from routing.rules import RulesError
from settings import Settings
from storage.rules_file import RulesFile


def findings(path: Path, settings: Settings) -> Sequence[Finding]:
    """What is found in a file.

    Raises:
        click.ClickException: it cannot be put in force; with every problem.
    """
    try:
        file = RulesFile(path, lambda text, included: read_rules(text, settings, included))
    except RulesError as error:
        raise click.ClickException(str(error)) from None
    return lint(file.texts, file.rules, wakes=wakes, now=datetime.now(UTC))


def as_lines(path: Path, found: Sequence[Finding]) -> str:
    """What was found, one a line, as editors and compilers write it."""
    return "\n".join(f"{one.problem.file or path}:{one}" for one in found) or f"{path}: nothing found"


def as_json(path: Path, found: Sequence[Finding]) -> str:
    """A list of what was found."""
    return json.dumps(
        [
            {
                "defect": one.defect,
                "file": one.problem.file or str(path),
                "line": one.problem.line,
                "column": one.problem.column,
                "place": one.problem.place,
                "message": one.problem.message,
                "example": shown(one.example) if one.example else None,
            }
            for one in found
        ],
        indent=2,
        ensure_ascii=False,
    )
