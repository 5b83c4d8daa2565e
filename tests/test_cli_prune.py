"""`flask prune`, as an operator types it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import Engine, delete, update

from routing.notification import State
from storage.database import open_database
from storage.tables import announcements, notifications
from tests.storage.planned import notified
from tests.test_cli import run, runner


@pytest.fixture
def engine(sqlite_url: str) -> Engine:
    return open_database(sqlite_url)


@pytest.fixture
def flask(sqlite_url: str) -> FlaskCliRunner:
    return runner(sqlite_url)


@pytest.fixture
def old(engine: Engine) -> None:
    """An alert of half a year ago, of which nobody is told any more."""
    notified(engine)
    with engine.begin() as connection:
        connection.execute(update(notifications).values(state=State.HELD))
        connection.execute(delete(announcements))


@pytest.mark.usefixtures("old")
def test_it_says_first_what_would_go(flask: FlaskCliRunner) -> None:
    said = run(flask, "prune", "--dry-run")

    assert [line.split()[:2] for line in said.splitlines()[:-1]] == [["1", "bodies"], ["1", "notifications"]]
    assert "MB" in said
    assert said.endswith("nothing was changed\n")
    assert run(flask, "prune", "--dry-run") == said


@pytest.mark.usefixtures("old")
def test_then_it_goes(flask: FlaskCliRunner) -> None:
    assert run(flask, "prune").split() == ["1", "bodies", "1", "notifications", "pruned"]
    assert run(flask, "prune") == "nothing was old enough\n"


@pytest.mark.usefixtures("old")
def test_ages_can_be_given(flask: FlaskCliRunner) -> None:
    kept = run(flask, "prune", "--older-than", "bodies=520w", "--older-than", "events=520w")

    assert kept == "nothing was old enough\n"


@pytest.mark.parametrize(
    ("age", "said"),
    [
        ("events", "is no duration"),
        ("events=1", "is no duration"),
        ("all=30d", "write bodies, events, records, one of them"),
        ("events=1h", "is still worked with"),
    ],
)
def test_an_age_that_is_none_is_refused_with_the_way_out(flask: FlaskCliRunner, age: str, said: str) -> None:
    assert said in run(flask, "prune", "--older-than", age, status=2)


def test_a_database_that_is_not_there_is_said_in_words(tmp_path_factory: pytest.TempPathFactory) -> None:
    flask = runner(f"sqlite:///{tmp_path_factory.mktemp('empty')}/no.db")

    assert "run `flask db upgrade`" in run(flask, "prune", status=1)
