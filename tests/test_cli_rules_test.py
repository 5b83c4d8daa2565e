"""`flask rules test`, as an operator and a build server use it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result
from flask.testing import FlaskCliRunner

from app import create_app
from settings import Settings
from tests.factories import SECRET

RULES = """\
version: 1
receivers: {chat: {kind: preview}, pager: {kind: preview}}
rules:
  - {name: errors, when: "level:error", notify: [chat]}
  - {name: fatal, when: "level:fatal", notify: [pager]}
"""
PASSING = "tests: [{name: errors are told, alert: {}, expect: {chat: first by errors}}]"
FAILING = """\
tests:
  - name: errors page
    alert: {title: "KeyError: 'a'"}
    expect: {pager: first}
  - name: errors are told
    alert: {}
    expect: {chat: first}
"""


@pytest.fixture
def flask(tmp_path: Path, sqlite_url: str) -> FlaskCliRunner:
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    variables = {
        "SENTRY_CLIENT_SECRETS": SECRET,
        "DATABASE_URL": sqlite_url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "RULES_FILE": str(tmp_path / "rules.yaml"),
    }
    return create_app(Settings.from_variables(variables)).test_cli_runner()


def run(flask: FlaskCliRunner, *arguments: str) -> Result:
    return flask.invoke(args=["rules", "test", *arguments])


def write(folder: Path, text: str, name: str = "rules.test.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_tests_beside_the_rules_are_run_and_what_they_never_met_is_told(flask: FlaskCliRunner, tmp_path: Path) -> None:
    write(tmp_path, PASSING)

    result = run(flask)

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "ok     errors are told",
        "",
        "1 tests, all passed",
        "rules matched: 1 of 2, never fatal",
        "rules passed over: 1 of 2, never errors",
        "receivers told: 1 of 2, never pager",
        "rules with cooldown that held: 0 of 2, never errors, fatal",
    ]


def test_what_fails_is_shown_with_what_came_and_what_the_rules_said(flask: FlaskCliRunner, tmp_path: Path) -> None:
    path = write(tmp_path, FAILING)

    result = run(flask, path)

    assert result.exit_code == 1
    assert result.output.splitlines()[:9] == [
        f"FAILED errors page ({path}:2)",
        "    step 1 at 2026-01-05 12:00:00 UTC (line 2)",
        "      missing     pager: first",
        '                  fatal did not match: level is "error", wanted "fatal"',
        "      unexpected  chat: first warning by errors",
        '                  at 2026-01-05 12:00:00 UTC of issue:1: level is "error"',
        "ok     errors are told",
        "",
        "2 tests, 1 failed",
    ]


def test_one_part_of_the_tests_can_be_run(flask: FlaskCliRunner, tmp_path: Path) -> None:
    path = write(tmp_path, FAILING)

    assert run(flask, path, "-k", "ARE told").exit_code == 0
    assert "no test has" in run(flask, path, "-k", "nowhere").output


def test_a_build_server_reads_the_results(flask: FlaskCliRunner, tmp_path: Path) -> None:
    path, report = write(tmp_path, FAILING.replace("errors page", "errors \\x07 <page>")), tmp_path / "report.xml"

    result = run(flask, path, "--junit", str(report))

    suites = ET.parse(report).getroot()  # noqa: S314 - written by ourselves
    assert result.exit_code == 1
    assert suites.attrib == {"tests": "2", "failures": "1", "errors": "0", "skipped": "0"}
    assert [(case.get("name"), case.get("line"), len(case)) for case in suites.iter("testcase")] == [
        ("errors \\x07 <page>", "2", 1),
        ("errors are told", "5", 0),
    ]
    assert "missing     pager: first" in "".join(suites.itertext())


def test_the_rules_are_those_that_are_named(flask: FlaskCliRunner, tmp_path: Path) -> None:
    write(tmp_path, RULES.replace("errors", "all-errors"), "other.yaml")
    path = write(tmp_path, f"rules: other.yaml\n{PASSING.replace('by errors', 'by all-errors')}")

    assert run(flask, path).exit_code == 0
    assert "the rules have no rule" in run(flask, path, "--rules", str(tmp_path / "rules.yaml")).output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "rules.test.yaml: No such file or directory; docs/rules-tests.md says how to write tests"),
        ("tests: [{name: a, alert: {levl: error}, expect: nothing}]", 'rules.test.yaml:1:27: tests.a.alert.levl: unknown key "levl"'),
        ("rules: none.yaml\ntests: []", "none.yaml:1:1: there is no such file"),
        ("tests: {a", "rules.test.yaml:1:"),
    ],
    ids=["no file", "a fault", "no rules", "no YAML"],
)
def test_what_cannot_be_run_is_said_in_words(flask: FlaskCliRunner, tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        write(tmp_path, text)

    result = run(flask)

    assert result.exit_code == 1
    assert said in result.output


def test_a_report_that_cannot_be_written_is_said_in_words(flask: FlaskCliRunner, tmp_path: Path) -> None:
    write(tmp_path, PASSING)

    result = run(flask, "--junit", str(tmp_path / "none" / "report.xml"))

    assert result.exit_code == 1
    assert "report.xml: No such file or directory" in result.output
