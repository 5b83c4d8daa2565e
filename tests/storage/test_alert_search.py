"""The list of events and the search in it: complete, in order, and never longer than a page may take."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, update

from routing.alert import Level
from routing.plan import Disposition
from routing.query import parse_condition
from storage import alert_search
from storage.alert_search import Budget, Found, Wanted, search, since
from storage.lists import Told
from storage.narrowing import narrowed
from storage.tables import events, notifications
from tests.factories import NOW, Webhook, issue_webhook, metric_alert_webhook, signed, transaction_webhook
from tests.storage.planned import issue, plan_all, store

LATER = NOW + timedelta(minutes=1)


def fill(engine: Engine, *webhooks: Webhook) -> list[int]:
    """Store these and decide them; their numbers."""
    numbers = [store(engine, one) for one in webhooks]
    plan_all(engine)
    return numbers


def numbers(found: Found) -> list[int]:
    return [one.id for one in found.events]


def look(engine: Engine, query: str = "", **wanted: object) -> list[int]:
    return numbers(search(engine, Wanted(query=parse_condition(query) if query else None, **wanted), LATER))  # type: ignore[arg-type]


def test_the_newest_come_first_and_each_page_goes_on_below_the_last_one(engine: Engine) -> None:
    ids = fill(engine, *(issue(number) for number in range(7)))

    pages: list[list[int]] = []
    before: int | None = None
    while not pages or before is not None:
        found = search(engine, Wanted(), LATER, before=before, limit=3)
        pages.append(numbers(found))
        before = found.older_than

    assert pages == [ids[:3:-1], ids[3:0:-1], ids[:1]]


def test_what_is_not_there_is_an_empty_page(engine: Engine) -> None:
    assert search(engine, Wanted(), LATER) == Found(events=(), older_than=None)


def test_a_filter_is_for_what_a_column_holds(engine: Engine) -> None:
    first, second = fill(engine, issue(1, level="fatal"), issue(2, level="warning"))

    assert look(engine, level=Level.FATAL) == [first]
    assert look(engine, level=Level.WARNING, project="shop-api") == [second]
    assert look(engine, project="another") == []
    assert look(engine, disposition=Disposition.MATCHED) == [second, first]


def test_a_query_is_asked_of_each_alert_as_rules_ask_it(engine: Engine) -> None:
    first, second = fill(engine, issue(1, title="one thing"), issue(2, tags=[["critical", "true"]]))

    assert look(engine, "tags.critical:true") == [second]
    assert look(engine, "one thing") == [first]
    assert look(engine, "timestamp:+24h") == []


def test_what_cannot_be_read_meets_no_query_and_is_in_the_list(engine: Engine) -> None:
    unreadable, readable = fill(engine, signed("event_alert", b"{"), issue(1))

    assert look(engine, "level:error") == [readable]
    assert look(engine) == [readable, unreadable]


@pytest.mark.parametrize(
    "query",
    [
        "project:shop-api",
        "project:SHOP-API level:error",
        "project:[shop-api, another]",
        "project:shop*",
        "!project:shop-api",
        "project:another OR level:fatal",
        "environment:production release:shop-api@4.2.0",
        "environment:straße",
        "environment:STRASSE",
        "environment:kelvin",
        'environment:""',
        "transaction:/api/reports",
        "level:[fatal, warning] project:[shop-api]",
        "(level:error (project:shop-api payment))",
        "has:release level:info",
        "project:shop",
    ],
)
def test_what_the_database_leaves_out_would_not_have_met_the_query(engine: Engine, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(
        engine,
        issue(1),
        issue(2, tags=[["environment", "Straße"]], environment="Straße"),
        issue(3, tags=[["environment", "\u212aelvin"]], environment="\u212aelvin"),
        issue(4, level="fatal", release=None, tags=[]),
        transaction_webhook(),
        metric_alert_webhook(),
        issue_webhook("created"),
        issue_webhook("created", project={"id": "1", "slug": "shop-api", "name": "Shop"}),
    )
    store(engine, issue(9))

    quick = look(engine, query)
    monkeypatch.setattr(alert_search, "narrowed", lambda *_: iter(()))

    assert quick == look(engine, query)


def test_what_is_narrowed_is_left_out_by_the_database(engine: Engine) -> None:
    tree = parse_condition("project:shop-api level:fatal payment").tree

    assert len([*narrowed(tree, engine.dialect)]) == 2


@pytest.mark.parametrize("query", ["project:shop*", "!level:error", "level:error OR project:a", "payment", "level:"])
def test_what_need_not_be_so_narrows_nothing(engine: Engine, query: str) -> None:
    tree = parse_condition(query).tree if query != "level:" else parse_condition('level:""').tree

    assert [*narrowed(tree, engine.dialect)] == []


def test_a_search_that_has_read_enough_says_how_far_it_has_looked_and_goes_on_from_there(engine: Engine) -> None:
    ids = fill(engine, issue(1, title="needle"), *(issue(number) for number in range(2, 9)))
    wanted = Wanted(query=parse_condition("needle"))

    first = search(engine, wanted, LATER, budget=Budget(events=5, seconds=60))

    assert (first.events, first.is_cut, first.older_than) == ((), True, ids[3])
    assert first.back_to == NOW
    second = search(engine, wanted, LATER, before=first.older_than, budget=Budget(events=5, seconds=60))
    assert (numbers(second), second.is_cut, second.older_than) == ([ids[0]], False, None)


def test_a_search_that_has_taken_long_enough_stops(engine: Engine) -> None:
    fill(engine, issue(1), issue(2))

    found = search(engine, Wanted(query=parse_condition("nothing like it")), LATER, budget=Budget(seconds=-1))

    assert (found.events, found.is_cut) == ((), True)


def test_each_event_says_what_became_of_its_notifications_and_all_are_counted_at_once(engine: Engine) -> None:
    ids = fill(engine, *(issue(number) for number in range(1, 5)))
    with engine.begin() as connection:
        for id_, state in zip(ids, ("sent", "held", "dead", "sending"), strict=True):
            connection.execute(update(notifications).where(notifications.c.event_id == id_).values(state=state, place=str(id_)))
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))

    found = search(engine, Wanted(), LATER)

    assert [one.told for one in found.events[::-1]] == [Told(sent=1), Told(held=1), Told(dead=1), Told(waiting=1)]
    assert len([one for one in asked if one.lstrip().upper().startswith("SELECT")]) <= 4


class TestSince:
    def test_only_what_is_decided_is_new_and_what_waits_too_long(self, engine: Engine) -> None:
        (first,) = fill(engine, issue(1))
        waiting = store(engine, issue(2))

        soon, late = (since(engine, Wanted(), at, after=0) for at in (NOW, NOW + alert_search.PATIENCE))

        assert ([one.id for one in soon.events], soon.up_to) == ([first], first)
        assert ([one.id for one in late.events], late.up_to) == ([waiting, first], waiting)

    def test_nothing_comes_twice(self, engine: Engine) -> None:
        _, second = fill(engine, issue(1), issue(2))

        again = since(engine, Wanted(), LATER, after=second)

        assert (again.events, again.up_to, again.has_gap) == ((), second, False)

    def test_of_many_only_the_newest_come_and_that_is_said(self, engine: Engine) -> None:
        ids = fill(engine, *(issue(number) for number in range(1, 6)))

        news = since(engine, Wanted(), LATER, after=ids[0], limit=2)

        assert ([one.id for one in news.events], news.up_to, news.has_gap) == (ids[:2:-1], ids[-1], True)

    def test_only_what_is_wanted_comes_but_all_is_counted_as_looked_at(self, engine: Engine) -> None:
        first, second = fill(engine, issue(1, level="fatal"), issue(2))

        for wanted in (Wanted(level=Level.FATAL), Wanted(query=parse_condition("level:fatal"))):
            news = since(engine, wanted, LATER, after=0)
            assert ([one.id for one in news.events], news.up_to) == ([first], second)


def test_projects_and_environments_to_choose_from_are_those_of_the_newest(engine: Engine) -> None:
    fill(engine, issue(1), issue(2, tags=[["environment", "staging"]]))

    assert alert_search.recent_places(engine) == (("shop-api",), ("production", "staging"))


def test_events_of_before_the_columns_are_found_by_their_bodies(engine: Engine) -> None:
    (old,) = fill(engine, issue(1))
    with engine.begin() as connection:
        connection.execute(update(events).values(release=None, endpoint=None))

    assert look(engine, "release:shop-api@4.2.0 transaction:/api/payments") == [old]
