"""The list of alerts as people have it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from routing.alert import Json
from storage import audit, saved_views
from storage.users import Role
from tests.storage.planned import issue, plan_all, store
from tests.web.console import Browser, make_app, signed_in
from web.live import Streams


@pytest.fixture
def operator(sqlite_url: str) -> Browser:
    """Somebody who may do all that is done here, and need not sign in."""
    return Browser(make_app(sqlite_url, CONSOLE_OPEN_ON_LOOPBACK="true"))


def fill(engine: Engine, count: int = 1, **changes: Json) -> list[int]:
    now = datetime.now(UTC)
    numbers = [store(engine, issue(number, 1, **changes), at=now) for number in range(1, count + 1)]
    plan_all(engine, at=now)
    return numbers


def text_of(browser: Browser, path: str) -> str:
    return browser.get(path).get_data(as_text=True)


def test_a_row_says_what_came_and_who_was_told(stored: Engine, operator: Browser) -> None:
    (number,) = fill(stored, level="fatal")

    text = text_of(operator, "/alerts")

    assert f'href="/alerts/{number}"' in text
    assert all(word in text for word in ("fatal", "PaymentError", "shop-api", "production", "matched", "1 waiting", "That is all"))


def test_a_search_shows_only_what_meets_it(stored: Engine, operator: Browser) -> None:
    fill(stored, title="needle")

    assert "needle</a>" in text_of(operator, "/alerts?q=title:needle")
    assert "Nothing that is wanted" in text_of(operator, "/alerts?q=title:straw")


@pytest.mark.parametrize(
    ("query", "said", "marked"),
    [
        ("level%3Aerror+count+%3D%3D+5", "write count():5", ">=<"),
        ("count()%3A%3E5", "a search asks each by itself", ">c<"),
        ("(level%3Aerror", "character", "<mark"),
        ("x" * 2001, "at most 2000 characters", ">x<"),
    ],
)
def test_a_mistake_is_shown_where_it_is_with_what_to_write(operator: Browser, query: str, said: str, marked: str) -> None:
    text = text_of(operator, f"/alerts?q={query}")

    assert said in text
    assert marked in text


def test_filters_are_links_that_keep_the_search(stored: Engine, operator: Browser) -> None:
    fill(stored)

    text = text_of(operator, "/alerts?q=payment&level=error")

    assert 'href="/alerts?q=payment&amp;level=error&amp;environment=production"' in text
    assert 'href="/alerts?q=payment"' in text


def test_what_is_older_is_a_page_further(stored: Engine, operator: Browser) -> None:
    ids = fill(stored, 51)

    text = text_of(operator, "/alerts")

    assert f'href="/alerts?before={ids[1]}"' in text
    older = text_of(operator, f"/alerts?before={ids[1]}")
    assert older.count('<tr id="event-') == 1
    assert "data-stream" not in older


def test_an_absurd_number_is_no_error(operator: Browser) -> None:
    for number in ("9" * 40, "-1", "x", "²"):
        assert operator.get(f"/alerts?before={number}").status_code == 200


class TestPersonalData:
    def test_who_may_not_see_it_may_not_search_by_it(self, sqlite_url: str) -> None:
        viewer = signed_in(sqlite_url, Role.VIEWER)

        for query in (
            "user.email:a@b.c",
            "has:user.id",
            "message:secret",
            "http.url:x",
            "payload[request.data]:x",
            "level:error user:id:1",
            "tags[customer_email]:b*",
            "has:ip",
            "stack.vars.card:4*",
            "level:error answer",
        ):
            assert "personal data" in text_of(viewer, f"/alerts?q={query}"), query
            assert viewer.get(f"/alerts/news?after=0&q={query}").status_code == 400

    def test_who_may_see_it_may_search_by_it(self, stored: Engine, operator: Browser) -> None:
        (number,) = fill(stored)

        assert f'href="/alerts/{number}"' in text_of(operator, "/alerts?q=user.email:buyer@example.com")


class TestSavedViews:
    def test_a_view_is_saved_shown_and_deleted_and_that_is_noted(self, stored: Engine, operator: Browser) -> None:
        operator.post("/alerts/views", name="Fatal ones", query="level=fatal&evil=1&q=a+b")
        (view,) = saved_views.listed(stored)
        assert (view.name, view.query, view.made_by) == ("Fatal ones", "q=a+b&level=fatal", "you")
        assert 'href="/alerts?q=a+b&amp;level=fatal"' in text_of(operator, "/alerts")

        operator.post(f"/alerts/views/{view.id}/delete")

        assert saved_views.listed(stored) == ()
        assert [one.action for one in audit.listed(stored)] == ["view.delete", "view.add"]

    def test_a_name_that_is_taken_is_said(self, operator: Browser) -> None:
        for _ in range(2):
            operator.post("/alerts/views", name="one", query="level=fatal")

        assert "there is a view called one already" in text_of(operator, "/alerts")


class TestNews:
    def test_only_what_came_since_comes(self, stored: Engine, operator: Browser) -> None:
        first, second = fill(stored, 2)

        news = operator.get(f"/alerts/news?after={first}").get_json()

        assert (news["up_to"], news["count"], news["has_gap"]) == (second, 1, False)
        assert f'id="event-{second}"' in news["rows"]
        assert f'id="event-{first}"' not in news["rows"]

    def test_what_alerts_say_is_text_in_it(self, stored: Engine, operator: Browser) -> None:
        fill(stored, title="<img src=x onerror=alert(1)>")

        assert "<img" not in operator.get("/alerts/news?after=0").get_json()["rows"]

    def test_a_stream_says_the_newest_number_to_whoever_has_not_heard_it(self, stored: Engine, operator: Browser) -> None:
        (number,) = fill(stored)

        answer = operator.client.get("/alerts/stream", headers={"Last-Event-ID": str(number - 1)})

        told = [next(answer.response) for _ in range(2)]  # type: ignore[call-overload]
        answer.close()
        assert told == [b"retry: 1000\n\n", f"id: {number}\ndata: {number}\n\n".encode()]
        assert answer.mimetype == "text/event-stream"

    def test_a_stream_takes_no_place_from_pages(self, operator: Browser) -> None:
        streams = [operator.client.get("/alerts/stream") for _ in range(3)]

        assert [one.status_code for one in streams] == [200] * 3
        assert [operator.get("/alerts").status_code for _ in range(10)] == [200] * 10
        assert operator.client.get("/alerts/stream").status_code == 503
        for one in streams:
            one.close()
        assert operator.client.get("/alerts/stream").status_code == 200


class TestStreams:
    def test_a_stream_ends_by_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("web.live.LASTS_SECONDS", 0.0)

        assert [*Streams().open(lambda: 7, 0).response] == [b"retry: 1000\n\n"]

    def test_a_place_is_free_again_even_if_nobody_says_that_its_stream_is_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("web.live.LASTS_SECONDS", -10.0)
        streams = Streams(at_once=1)

        assert [streams.open(lambda: 7, 0).status_code for _ in range(3)] == [200] * 3
