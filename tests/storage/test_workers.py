"""Workers say that they live; who does not is dead."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Engine, select

from storage import workers
from storage.tables import workers as table
from tests.factories import NOW
from tests.storage.planned import in_threads


def alive(engine: Engine) -> dict[str, datetime]:
    with engine.connect() as connection:
        return {row.id: row.alive_until for row in connection.execute(select(table))}


def test_a_worker_lives_until_it_last_said(engine: Engine) -> None:
    workers.say_alive(engine, "a", NOW, life=timedelta())
    workers.say_alive(engine, "a", NOW, life=timedelta(seconds=15))
    workers.say_alive(engine, "b", NOW, life=timedelta())

    lives = alive(engine)

    assert sorted(lives) == ["a", "b"]
    assert timedelta(seconds=14) < lives["a"] - lives["b"] < timedelta(seconds=60)


def test_a_worker_that_has_gone_is_forgotten_and_the_dead_with_it(engine: Engine) -> None:
    for worker, life in (("going", 15), ("dead", -1), ("living", 15)):
        workers.say_alive(engine, worker, NOW, life=timedelta(seconds=life))

    workers.say_gone(engine, "going", NOW)

    assert set(alive(engine)) == {"living"}


def test_a_worker_that_was_never_there_may_go(engine: Engine) -> None:
    workers.say_gone(engine, "nobody", NOW)

    assert alive(engine) == {}


def test_workers_that_begin_at_once_do_not_hinder_each_other(engine: Engine) -> None:
    names = iter("abcd")

    in_threads(4, lambda: workers.say_alive(engine, next(names), NOW))

    assert set(alive(engine)) == set("abcd")
