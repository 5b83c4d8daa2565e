"""How many pages are made at a time, so that webhooks find a thread."""

from __future__ import annotations

from dataclasses import replace
from queue import Queue
from threading import Thread

import pytest

from routing.notification import Attempt, Outcome
from routing.rules import Receiver
from storage import rules_versions
from storage.database import open_database
from tests.factories import NOW
from tests.web.console import SAME_SITE, Browser, signed_in
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


class TestWithoutAPlace:
    @pytest.fixture
    def browser(self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Browser:
        browser = signed_in(sqlite_url)
        monkeypatch.setattr(Places, "take", lambda _: False)
        return browser

    def test_a_page_is_put_off_without_asking_the_database(self, browser: Browser) -> None:
        answer = browser.get("/alerts")

        assert answer.status_code == 503
        assert "so that webhooks do not wait" in answer.get_data(as_text=True)
        assert "Sign in" not in answer.get_data(as_text=True)

    @pytest.mark.parametrize("path", ["/static/console.css", "/theme.css"])
    def test_its_style_comes_all_the_same(self, browser: Browser, path: str) -> None:
        assert browser.get(path).status_code == 200


def test_whoever_waits_for_a_vendor_has_no_place(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_database(sqlite_url)
    rules_versions.remember(engine, "abc", {"": 'version: 1\nreceivers: {chat: {kind: slack, channel: "#errors"}}\nrules: []'}, NOW)
    engine.dispose()
    browser = signed_in(sqlite_url)
    left: list[str] = []
    leave = Places.leave

    def leave_and_say_so(places: Places) -> None:
        left.append("left")
        leave(places)

    monkeypatch.setattr(Places, "leave", leave_and_say_so)
    at = browser.client.application.extensions["desk"]

    def send(receiver: Receiver, who: str) -> Attempt:
        left.append(f"sent to {receiver.name}")
        return Attempt(number=1, began_at=NOW, ended_at=NOW, outcome=Outcome.PREVIEWED, excerpt=who)

    browser.client.application.extensions["desk"] = replace(at, send_test=send)
    token = browser.token()
    left.clear()
    answer = browser.client.post("/receivers/test", data={"csrf_token": token, "name": "chat"}, headers=dict(SAME_SITE))

    assert answer.status_code == 200
    assert left == ["left", "sent to chat"]
