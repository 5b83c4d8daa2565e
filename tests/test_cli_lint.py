"""`flask rules lint` and `flask rules schema`, as people and build servers call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from cli.rules import rules_commands
from settings import Settings

ROOT = Path(__file__).parents[1]
RULES = """\
version: 1
receivers: {chat: {kind: preview}}
rules:
  - {name: one, when: "level:critical", notify: [chat]}
"""


@pytest.fixture
def flask() -> FlaskCliRunner:
    app = Flask(__name__)
    app.cli.add_command(rules_commands(Settings.from_variables({"ALLOW_UNSIGNED": "true"})))
    return app.test_cli_runner()


def test_the_shipped_rules_pass(flask: FlaskCliRunner) -> None:
    result = flask.invoke(args=["rules", "lint", str(ROOT / "rules.yaml")])

    assert (result.exit_code, result.output) == (0, f"{ROOT / 'rules.yaml'}: nothing found\n")


def test_a_finding_is_told_with_its_place_and_fails(flask: FlaskCliRunner, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")

    result = flask.invoke(args=["rules", "lint", str(path)])

    assert result.exit_code == 1
    assert result.output.startswith(f"{path}:4:23: rules.one.when: no alert can meet this")


def test_programs_are_given_a_list(flask: FlaskCliRunner, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")

    result = flask.invoke(args=["rules", "lint", "--json", str(path)])

    (finding,) = json.loads(result.output)
    assert result.exit_code == 1
    assert (finding["defect"], finding["file"], finding["line"], finding["column"]) == ("never-met", str(path), 4, 23)


def test_a_file_that_cannot_be_put_in_force_is_refused_as_by_check(flask: FlaskCliRunner, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES.replace("when", "whn"), encoding="utf-8")

    result = flask.invoke(args=["rules", "lint", str(path)])

    assert result.exit_code == 1
    assert 'unknown key "whn"; did you mean "when"?' in result.output


def test_the_schema_is_printed_as_it_is_kept(flask: FlaskCliRunner) -> None:
    result = flask.invoke(args=["rules", "schema"])

    assert result.output == (ROOT / "rules.schema.json").read_text(encoding="utf-8")
