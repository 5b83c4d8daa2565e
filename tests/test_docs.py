"""What the documents say of settings, commands and kinds is what the code has."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from app import create_app
from notifiers.registry import KINDS
from routing import rules_forms
from settings import Settings
from tests.factories import SECRET

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+) \| (.*) \|$", re.MULTILINE)


def settings_table() -> str:
    """The rows of the README's table, from the settings themselves."""
    fields = ((name, field) for name, field in Settings.model_fields.items() if name != "environment")
    return "\n".join(f"| `{name.upper()}` | {field.description} | {_default(field.default)} |" for name, field in fields)


def test_the_readme_lists_every_setting_as_the_code_describes_it() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert settings_table() in readme, f"the table of README.md should be:\n{settings_table()}"


def test_every_command_that_the_readme_shows_is_taken_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = create_app(Settings.from_variables({"SENTRY_CLIENT_SECRETS": SECRET, "DATA_DIR": str(tmp_path)})).cli
    lines = re.findall(r"^flask (.+)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    monkeypatch.chdir(ROOT)

    shown = [shlex.split(line, comments=True) for line in lines]

    assert ["silences", "add"] in [words[:2] for words in shown]
    for words in shown:
        command, arguments = cli.commands[words[0]], words[1:]
        if isinstance(command, click.Group):
            command, arguments = command.commands[words[1]], words[2:]
        command.make_context(words[0], arguments)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_receiver_and_each_of_its_options_is_documented(kind: str) -> None:
    page = (ROOT / "docs" / "notifiers" / f"{kind}.md").read_text(encoding="utf-8")

    missing = [option for option in KINDS[kind].model_fields if f"| `{option}` |" not in page]

    assert missing == []


def test_the_shipped_rules_show_every_key_that_there_is() -> None:
    shipped = (ROOT / "rules.yaml").read_text(encoding="utf-8")
    forms = [form for form in vars(rules_forms).values() if isinstance(form, type) and issubclass(form, BaseModel)]

    keys = {key for form in forms for key in form.model_fields} - {"otherwise"} | {"else"}

    assert {"version", "cooldown", "kind", "when", "enabled"} <= keys
    assert [key for key in sorted(keys) if not re.search(rf"^[\s#-]*{key}:|`{key}`", shipped, re.MULTILINE)] == []
    assert "${NAME}" in shipped


def _default(value: object) -> str:
    return f"`{value}`" if value not in (None, "", ()) else ""
