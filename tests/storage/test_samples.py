"""Samples: stored with their events, and loaded for the scopes and the time that figures look at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, func, insert, select

from routing.figures import figure
from routing.samples import Sample, Scope, plain
from routing.timeline import Timeline
from storage import samples
from storage.samples import Taken
from storage.tables import incidents, sample_scopes
from storage.tables import samples as table
from tests.factories import NOW
from tests.storage.planned import issue, store

MINUTE = timedelta(minutes=1)
EVERYTHING = Scope("everything", "")
PROJECT = Scope("project", "shop-api")
TEAM = Scope("tags.team", "shop")


def make_incident(engine: Engine, key: str) -> int:
    row = {
        "key": key,
        "status": "firing",
        "title": "KeyError",
        "acknowledged_by": None,
        "assigned": False,
        "alert_count": 1,
        "first_alert_at": NOW,
        "last_alert_at": NOW,
    }
    with engine.begin() as connection:
        made: int = connection.execute(insert(incidents).values(row).returning(incidents.c.id)).scalar_one()
    return made


def take(
    engine: Engine,
    number: int,
    sample: Sample,
    *,
    incident: int | None = None,
    project: str | None = "shop-api",
    scopes: tuple[Scope, ...] = (),
) -> Taken:
    """Store the sample of an event."""
    taken = Taken(event=store(engine, issue(number)), sample=sample, incident=incident, project=project, scopes=scopes)
    with engine.begin() as connection:
        samples.save(connection, [taken])
    return taken


def load(engine: Engine, *scopes: Scope, since: datetime = NOW - MINUTE, most: int = samples.MOST) -> Mapping[Scope, list[Sample]]:
    with engine.connect() as connection:
        return samples.load(connection, dict.fromkeys(scopes, since), most=most)


def test_a_sample_comes_back_as_it_was(engine: Engine) -> None:
    sample = Sample(at=NOW, values={"user": "id:1\0\ud800", "transaction.duration": 8400.5, '"level:error"': 1.0}, event="3f1b6c0a")

    take(engine, 1, sample)

    assert load(engine, EVERYTHING) == {EVERYTHING: [sample]}


def test_each_scope_has_its_own_samples(engine: Engine) -> None:
    first, second = Scope("incident", "issue:1"), Scope("incident", "issue:2")
    one, two, three = (Sample(at=NOW + MINUTE * minute) for minute in range(3))
    take(engine, 1, one, incident=make_incident(engine, "issue:1"), scopes=(TEAM,))
    take(engine, 2, two, incident=make_incident(engine, "issue:2"), project="other", scopes=(Scope("tags.team", "other"),))
    take(engine, 3, three, project=None, scopes=(TEAM,))

    found = load(engine, EVERYTHING, PROJECT, first, second, Scope("incident", "issue:3"), TEAM)

    assert found == {EVERYTHING: [one, two, three], PROJECT: [one], first: [one], second: [two], TEAM: [one, three]}


def test_what_is_too_old_is_not_loaded(engine: Engine) -> None:
    take(engine, 1, Sample(at=NOW - MINUTE), scopes=(TEAM,))
    inside = take(engine, 2, Sample(at=NOW - MINUTE + timedelta.resolution), scopes=(TEAM,)).sample

    assert load(engine, EVERYTHING, TEAM) == {EVERYTHING: [inside], TEAM: [inside]}


def test_of_each_scope_the_newest_are_loaded_and_no_more_than_a_bound(engine: Engine) -> None:
    for number in range(6):
        take(engine, number, Sample(at=NOW + MINUTE * number), project="shop-api" if number % 2 else "other")

    found = load(engine, PROJECT, Scope("project", "other"), most=2)

    assert {scope.value: [(sample.at - NOW) // MINUTE for sample in loaded] for scope, loaded in found.items()} == {
        "shop-api": [3, 5],
        "other": [2, 4],
    }


def test_an_event_leaves_one_sample_however_often_it_is_planned(engine: Engine) -> None:
    taken = take(engine, 1, Sample(at=NOW), scopes=(TEAM,))
    with engine.begin() as connection:
        samples.save(connection, [taken, taken])

    assert load(engine, EVERYTHING, TEAM) == {EVERYTHING: [taken.sample], TEAM: [taken.sample]}


@pytest.mark.parametrize("project", ["\0", "проект", "x" * 5000, "a\ud800"])
def test_a_hostile_name_of_a_project_is_found_again(engine: Engine, project: str) -> None:
    scope, team = Scope("project", plain(project)), Scope("tags." + project, plain(project))

    sample = take(engine, 1, Sample(at=NOW), project=project, scopes=(team,)).sample

    assert load(engine, scope, team) == {scope: [sample], team: [sample]}


def test_what_nobody_looks_back_to_is_forgotten(engine: Engine) -> None:
    take(engine, 1, Sample(at=NOW - MINUTE), scopes=(TEAM,))
    kept = take(engine, 2, Sample(at=NOW), scopes=(TEAM,)).sample

    with engine.begin() as connection:
        samples.forget(connection, NOW)

    assert load(engine, EVERYTHING, TEAM, since=NOW - 2 * MINUTE) == {EVERYTHING: [kept], TEAM: [kept]}
    with engine.connect() as connection:
        counts = [connection.execute(select(func.count()).select_from(one)).scalar_one() for one in (table, sample_scopes)]
    assert counts == [1, 1]


def test_what_is_loaded_makes_the_figure(engine: Engine) -> None:
    p50 = figure("p50()", MINUTE)
    assert p50 is not None
    for number, duration in enumerate((100.0, 200.0, 400.0)):
        take(engine, number, Sample(at=NOW - timedelta(seconds=number), values={"transaction.duration": duration}))

    assert Timeline(load(engine, PROJECT)[PROJECT]).measure(p50, NOW) == 200


def test_nothing_wanted_and_nothing_taken_cost_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        samples.save(connection, [])

    assert load(engine) == {}
