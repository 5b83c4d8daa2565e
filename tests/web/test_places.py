"""How many pages are made at a time, so that webhooks find a thread."""

from __future__ import annotations

from queue import Queue
from threading import Thread

from web.places import Places


def test_only_so_many_are_taken_at_once_and_a_place_that_is_left_is_free_again() -> None:
    places = Places(at_once=2, may_wait=0)

    assert [places.take() for _ in range(3)] == [True, True, False]
    places.leave()
    assert [places.take() for _ in range(2)] == [True, False]


def test_a_few_wait_for_a_place_and_the_others_are_turned_away_at_once() -> None:
    places = Places(at_once=1, may_wait=1, patience_seconds=10)
    places.take()
    answers: Queue[bool] = Queue()
    for _ in range(2):
        Thread(target=lambda: answers.put(places.take())).start()

    assert answers.get(timeout=5) is False
    places.leave()
    assert answers.get(timeout=5) is True


def test_nobody_waits_for_ever() -> None:
    places = Places(at_once=1, may_wait=1, patience_seconds=0.01)
    places.take()

    assert [places.take(), places.take()] == [False, False]
