"""Webhooks are counted once, and a project of which none comes is told, and is over when one comes."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, insert

from routing.rhythm import HOUR, beginning_of_hour
from settings import Settings
from storage import arrivals, troubles
from storage.tables import arrivals as table
from tests.factories import NOW
from tests.storage.planned import issue, make_rules, plan_all, store
from watch import quiet
from watch.alarm import Alarm

SETTINGS = Settings.from_variables({"ALLOW_UNSIGNED": "true"})


def history(engine: Engine, hours_ago: int = 1) -> None:
    """Sixty an hour for four weeks, until then."""
    hours = [beginning_of_hour(NOW) - HOUR * number for number in range(hours_ago, 24 * 28)]
    rows = [{"project": "shop-api", "hour": hour, "count": 60, "last_at": hour + timedelta(minutes=59)} for hour in hours]
    with engine.begin() as connection:
        connection.execute(insert(table), rows)


def look(engine: Engine) -> list[str]:
    quiet.look(engine, Alarm(SETTINGS, engine, make_rules, lambda: NOW), NOW)
    return [one.said for one in troubles.listed(engine, is_open=True)]


def test_what_is_decided_is_counted_by_project_and_hour_once(engine: Engine) -> None:
    for number in range(3):
        store(engine, issue(number), at=NOW - HOUR * number)
    assert arrivals.count(engine, NOW) == 0
    plan_all(engine)

    assert [arrivals.count(engine, NOW), arrivals.count(engine, NOW)] == [3, 0]
    (rhythm,) = arrivals.rhythms(engine, NOW).values()
    assert rhythm.counts == {beginning_of_hour(NOW - HOUR * number): 1 for number in range(3)}


def test_more_in_the_same_hour_are_added(engine: Engine) -> None:
    for number in range(2):
        store(engine, issue(number))
        plan_all(engine)
        arrivals.count(engine, NOW)

    (rhythm,) = arrivals.rhythms(engine, NOW).values()
    assert rhythm.counts == {beginning_of_hour(NOW): 2}


def test_what_is_too_old_tells_nothing(engine: Engine) -> None:
    history(engine)
    arrivals.forget(engine, NOW)

    assert arrivals.rhythms(engine, NOW) == {}


def test_sentry_that_has_gone_quiet_is_told_until_something_comes(engine: Engine) -> None:
    history(engine, hours_ago=1)
    assert look(engine) == []
    with engine.begin() as connection:
        connection.execute(table.delete().where(table.c.hour > beginning_of_hour(NOW) - HOUR * 4))

    (said,) = look(engine)
    assert said.startswith("No webhook of shop-api has come from Sentry since ")

    store(engine, issue(1))
    plan_all(engine)
    assert look(engine) == []
