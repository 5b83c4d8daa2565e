"""`flask incidents`, as an operator types it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import Engine

from storage.coming_back import plan_due
from storage.database import open_database
from tests.factories import NOW, fixture, issue_webhook, signed
from tests.routing.story import rules_of
from tests.storage.planned import issue, plan_all, store
from tests.test_cli import run, runner

ESCALATING = rules_of("rules: [{name: errors, when: '', notify: [chat], escalate: [{after: 15m, notify: [pager]}]}]")


@pytest.fixture
def engine(sqlite_url: str) -> Engine:
    engine = open_database(sqlite_url)
    for number in (5300000123, 2):
        store(engine, issue(number, title=f"Trouble {number}"))
    plan_all(engine, ESCALATING)
    return engine


@pytest.fixture
def flask(sqlite_url: str) -> FlaskCliRunner:
    return runner(sqlite_url)


def test_lists_what_is_open_with_what_it_has_come_to(flask: FlaskCliRunner, engine: Engine) -> None:
    run(flask, "incidents", "acknowledge", "2")
    plan_all(engine, ESCALATING)
    store(engine, signed("issue", fixture("issue.resolved")))
    plan_all(engine, ESCALATING)

    lines = run(flask, "incidents", "list").splitlines()

    assert sorted(line.split()[3] for line in lines) == ["acknowledged", "resolved"]
    assert run(flask, "incidents", "list", "--status", "archived") == "no incidents\n"


@pytest.mark.parametrize("name", ["1", "issue:5300000123"])
def test_what_is_acknowledged_escalates_no_more(flask: FlaskCliRunner, engine: Engine, name: str) -> None:
    assert run(flask, "incidents", "acknowledge", name, "--by", "Ann Lee") == "issue:5300000123 acknowledged\n"
    plan_all(engine, ESCALATING)

    planned = plan_due(engine, ESCALATING, lambda: NOW + timedelta(minutes=15))

    assert planned.events == 2
    assert run(flask, "notifications", "list", "--receiver", "pager").splitlines()[-1] == "1 notifications"


def test_shows_what_became_of_one(flask: FlaskCliRunner, engine: Engine) -> None:
    run(flask, "incidents", "acknowledge", "1", "--by", "Ann Lee")
    plan_all(engine, ESCALATING)
    store(engine, signed("issue", fixture("issue.resolved")))
    plan_all(engine, ESCALATING)

    lines = run(flask, "incidents", "show", "issue:5300000123").splitlines()

    assert lines[0].split()[3:5] == ["resolved", "issue:5300000123"]
    assert [" ".join(line.split()[2:-2]) for line in lines[-3:]] == [
        "began Sentry",
        "acknowledged Ann Lee in the command line",
        "resolved Zoë Ng in Sentry in the next release",
    ]
    assert "  environments          production" in lines
    assert [line.split() for line in lines if "announced" in line] == []


def test_shows_how_it_was_archived_and_where_it_is_announced(flask: FlaskCliRunner, engine: Engine) -> None:
    announced = run(flask, "incidents", "show", "2")
    store(engine, issue_webhook("archived", id="2", substatus="archived_until_escalating"))
    plan_all(engine, ESCALATING)

    assert "  announced to          chat\n" in announced
    assert "archived        Zoë Ng in Sentry  until it escalates  event" in run(flask, "incidents", "show", "2")
    assert "there is no incident" in run(flask, "incidents", "show", "99", status=1)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", ["99", "issue:99", "99999999999999999999999"])
def test_what_does_not_fire_cannot_be_acknowledged(flask: FlaskCliRunner, name: str) -> None:
    assert f"{name}: no incident of this number or key fires" in run(flask, "incidents", "acknowledge", name, status=1)
