"""`flask silences`, as an operator types it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskCliRunner

from tests.test_cli import run, runner

WHO = ("--author", "ann", "--comment", "migration of the database")


@pytest.fixture
def flask(sqlite_url: str) -> FlaskCliRunner:
    return runner(sqlite_url)


def test_one_is_added_listed_and_expired(flask: FlaskCliRunner) -> None:
    added = run(flask, "silences", "add", "project:shop level:warning", "payment", "--for", "2h", *WHO).splitlines()

    assert added[0].startswith("1  active    20")
    assert added[0].endswith("UTC  project:shop level:warning | payment  by ann: migration of the database")
    assert added[1:] == ["would have held nothing of what was told in the last day"]
    assert run(flask, "silences", "list", "--state", "active").splitlines() == added[:1]
    assert run(flask, "silences", "expire", "1").startswith("1  expired")
    assert run(flask, "silences", "list", "--state", "active") == "no silences\n"
    assert "silence 1 ended 20" in run(flask, "silences", "expire", "1", status=1)


def test_one_may_begin_later_and_end_at_a_time(flask: FlaskCliRunner) -> None:
    said = run(flask, "silences", "add", "level:info", "--start", "2999-01-01T10:00+01:00", "--until", "2999-01-02", *WHO)

    assert said.startswith("1  pending   2999-01-01 09:00 to 2999-01-02 00:00 UTC  level:info")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["level:info", *WHO], 2, "say --for or --until"),
        (["level:info", "--for", "2h", "--until", "2999-01-01", *WHO], 2, "say --for or --until"),
        (["level:info", "--for", "2 hours", *WHO], 2, "write a number and s, m, h, d or w, like 30m"),
        (["level:info", "--until", "tomorrow", *WHO], 2, "write one like 2026-03-04T23:30"),
        (["level:info", "--until", "2020-01-01", *WHO], 1, "before it begins"),
        (["", "--for", "2h", *WHO], 1, "an empty condition would silence every alert"),
        (["level=info", "--for", "2h", *WHO], 1, "write level:info"),
        (["level:info", "--for", "2h", "--author", "ann"], 2, "Missing option '--comment'"),
        (["level:info", "--for", "2h", "--author", "ann", "--comment", " "], 1, "others want to know why"),
        (["--for", "2h", *WHO], 2, "Missing argument 'CONDITION...'"),
    ],
)
def test_what_makes_no_silence_says_what_to_write(flask: FlaskCliRunner, arguments: list[str], status: int, said: str) -> None:
    assert said in run(flask, "silences", "add", *arguments, status=status)
    assert run(flask, "silences", "list") == "no silences\n"


def test_a_preview_silences_nothing(flask: FlaskCliRunner) -> None:
    assert run(flask, "silences", "preview", "level:info") == "would have held nothing of what was told in the last day\n"
    assert run(flask, "silences", "list") == "no silences\n"


def test_of_a_number_that_is_none_says_so(flask: FlaskCliRunner) -> None:
    assert run(flask, "silences", "expire", "7", status=1) == "Error: there is no silence 7\n"
