"""The first page: what fires, what the last hour brought, and what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from routing.notification import Severity
from storage import outcomes, rules_versions, workers
from storage.overview import Course, Overview, health, overview
from storage.sizes import measure
from storage.workers import steady
from tests.factories import NOW
from tests.storage.planned import claim, ended, issue, plan_all, store
from tests.web.console import signed_in
from web.pages.overview import troubles

MINUTE = timedelta(minutes=1)


def empty(**changes: object) -> Overview:
    values: dict[str, object] = {
        "firing": {},
        "latest": (),
        "course": Course(events=(), sent=(), held=(), dead=()),
        "receivers": (),
        "workers": 1,
        "waiting_since": None,
        "failed": 0,
        "dead": 0,
        "rules_version": None,
        "rules_at": None,
    }
    return Overview(**{**values, **changes})  # type: ignore[arg-type]


def test_it_counts_what_fires_by_the_worst_severity_that_was_told(engine: Engine) -> None:
    for number in range(3):
        store(engine, issue(number))
    plan_all(engine)

    found = overview(engine, [], NOW + MINUTE)

    assert sum(found.firing.values()) == 3
    assert [one.title for one in found.latest]
    assert set(found.firing) == {*Severity, None}


def test_it_counts_the_last_hour_by_five_minutes(engine: Engine) -> None:
    store(engine, issue(1), at=NOW - timedelta(minutes=58))
    store(engine, issue(2), at=NOW - timedelta(minutes=3))
    store(engine, issue(3), at=NOW - timedelta(minutes=90))

    assert overview(engine, [], NOW).course.events == (1, *[0] * 10, 1)


def test_a_receiver_shows_what_waits_for_it_and_since_when(engine: Engine) -> None:
    store(engine, issue(1))
    plan_all(engine)

    found = {one.receiver: one for one in overview(engine, ["quiet"], NOW + MINUTE).receivers}

    assert (found["chat"].waiting, found["chat"].oldest) == (1, NOW)
    assert (found["quiet"].waiting, found["quiet"].last_sent_at) == (0, None)


@pytest.mark.parametrize("lately", [0, 100])
def test_a_receiver_shows_when_it_was_told_last_however_much_others_were_told_since(engine: Engine, lately: int) -> None:
    store(engine, issue(1))
    plan_all(engine)
    (claimed,) = claim(engine)
    outcomes.record(engine, [(claimed.id, ended(ended_at=NOW + MINUTE))])

    (found,) = health(engine, ["chat"], NOW + 2 * MINUTE, lately=lately)

    assert (found.last_sent_at, found.last_dead_at, found.waiting) == (NOW + MINUTE, None, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"workers": 0}, "No worker lives"),
        ({"waiting_since": NOW - MINUTE}, "The oldest event has waited 1 min"),
        ({"failed": 2}, "2 events could not be planned"),
        ({"dead": 3}, "3 notifications of the last day were given up"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(changes: dict[str, object], said: str) -> None:
    (found,) = troubles(empty(**changes), NOW)

    assert said in found.what
    assert found.way_out


def test_nothing_is_wrong_with_nothing() -> None:
    assert [*troubles(empty(), NOW)] == []


def test_the_page_shows_it(sqlite_url: str, stored: Engine) -> None:
    workers.say_alive(stored, "a", steady())
    rules_versions.remember(stored, "0123456789abcdef", {"": "version: 1"}, datetime.now(UTC))
    store(stored, issue(1, title="<script>alert(1)</script>"), at=datetime.now(UTC))
    plan_all(stored, at=datetime.now(UTC))

    text = signed_in(sqlite_url).get("/").get_data(as_text=True)

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert" not in text
    assert "Rules 0123456789ab" in text
    assert "wrong" not in text


def test_it_shows_how_much_is_kept_once_that_was_measured(sqlite_url: str, stored: Engine) -> None:
    browser = signed_in(sqlite_url)
    before = browser.get("/").get_data(as_text=True)
    store(stored, issue(1))
    measure(stored, NOW)

    text = browser.get("/").get_data(as_text=True)

    assert 'id="kept"' not in before
    assert '<th scope="row">events</th><td class="text-end">1</td>' in text
    assert "its disk has" in text
