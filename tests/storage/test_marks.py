"""Of several workers one does what is due, and knows how far it came."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import Engine

from storage import marks
from tests.factories import NOW

HOUR = timedelta(hours=1)


def test_what_was_just_done_is_due_again_when_its_time_is_over(engine: Engine) -> None:
    taken = [marks.take_turn(engine, "prune", HOUR, NOW + timedelta(minutes=minutes)) for minutes in (0, 1, 59, 60, 61, 120)]

    assert taken == [True, False, False, True, False, True]


def test_one_thing_is_not_another(engine: Engine) -> None:
    assert marks.take_turn(engine, "prune", HOUR, NOW)
    assert marks.take_turn(engine, "canary", HOUR, NOW)


def test_of_many_who_ask_at_once_one_does_it(engine: Engine) -> None:
    for hours in (0, 2):
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda _: marks.take_turn(engine, "prune", HOUR, NOW + hours * HOUR), range(8)))  # noqa: B023 - the pool ends within the turn

        assert taken.count(True) == 1


def test_a_clock_that_was_put_back_puts_nothing_off(engine: Engine) -> None:
    marks.take_turn(engine, "prune", HOUR, NOW + 24 * HOUR)

    assert marks.take_turn(engine, "prune", HOUR, NOW)


def test_how_far_it_came_is_kept(engine: Engine) -> None:
    assert marks.read(engine, "backfill") is None

    marks.write(engine, "backfill", "17", NOW)
    marks.write(engine, "backfill", "18", NOW)

    assert marks.read(engine, "backfill") == "18"
