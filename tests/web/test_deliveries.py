"""Deliveries in the console: what was told, what waits and for what, and sending again what was given up."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert, update

from routing.gate import Limit
from routing.notification import Outcome, State
from routing.own_events import Change
from storage import audit, incident_desk, inspection, outcomes, waiting
from storage.incident_desk import Somebody
from storage.tables import gates, notifications
from storage.users import Role
from tests.factories import NOW, event_alert_webhook
from tests.storage.planned import claim, ended, ids, make_many, plan_all, store
from tests.web.console import SAME_SITE, Browser, signed_in

LIMITS = {"preview": Limit.per_minute(60, at_once=0)}


def give_up(engine: Engine, id_: int, excerpt: str = "status 404: channel_not_found") -> None:
    """It was tried, and refused for good."""
    assert id_ in ids(claim(engine, limit=1))
    attempt = ended(outcome=Outcome.REFUSED, status_code=404, excerpt=excerpt, payload='{"text": "of Joe"}')
    outcomes.record(engine, [(id_, attempt)])


def set_all(engine: Engine, state: State, *which: int) -> None:
    with engine.begin() as connection:
        connection.execute(update(notifications).where(notifications.c.id.in_(which)).values(state=state, finished_at=NOW))


def states(engine: Engine) -> list[State]:
    return [one.state for one in reversed(inspection.listed(engine))]


def text_of(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


class TestStorage:
    @pytest.mark.parametrize("state", [None, State.DEAD])
    @pytest.mark.parametrize("receiver", [None, "chat"])
    def test_the_list_goes_on_where_it_ended(self, engine: Engine, state: State | None, receiver: str | None) -> None:
        made = make_many(engine, *range(7))
        set_all(engine, State.DEAD, *made[::2])

        shown: list[int] = []
        while page := inspection.listed(engine, state=state, receiver=receiver, before=shown[-1] if shown else None, limit=2):
            shown += ids(page)

        assert shown == sorted(made[::2] if state else made, reverse=True)

    def test_a_time_is_narrowed_at_both_ends(self, engine: Engine) -> None:
        made = make_many(engine, 1, 2, 3)

        found = inspection.listed(engine, receiver="chat", since=NOW - timedelta(hours=2), until=NOW - timedelta(hours=1))

        assert ids(found) == [made[1]]
        assert inspection.listed(engine, since=NOW) == ()

    def test_what_waits_knows_how_many_go_before_it_pages_first(self, engine: Engine) -> None:
        first, second = make_many(engine, 1, 2)
        store(engine, event_alert_webhook())
        plan_all(engine)
        page = next(one.id for one in inspection.listed(engine, receiver="chat") if one.id not in {first, second})

        found = waiting.turns(engine, [first, second, page], {}, NOW)

        assert {id_: turn.ahead for id_, turn in found.items()} == {page: 0, first: 1, second: 2}
        assert {turn.expected_at for turn in found.values()} == {NOW}

    def test_a_limit_says_when_its_turn_is_to_be_expected(self, engine: Engine) -> None:
        made = make_many(engine, 1, 2, 3)

        found = waiting.turns(engine, made, LIMITS, NOW)

        assert [found[id_].expected_at - NOW for id_ in made] == [timedelta(seconds=number) for number in range(3)]
        assert found[made[0]].per_minute == 60

    def test_a_destination_that_is_closed_says_so_and_until_when(self, engine: Engine) -> None:
        [id_] = make_many(engine, 1)
        opens = NOW + timedelta(seconds=90)
        with engine.begin() as connection:
            place = connection.execute(notifications.select()).one().place
            times = {"opens_at": opens, "closed_until": opens, "seen_at": NOW}
            counts = {"fine": 0, "failed": 0, "trips": 0}
            connection.execute(insert(gates), {"name": place, "receiver": "chat", "why": "status 429", **times, **counts})

        turn = waiting.turns(engine, [id_], {}, NOW)[id_]
        [queue] = waiting.queues(engine, {}, NOW)

        assert (turn.expected_at, turn.why) == (opens, "told nothing for now: status 429")
        assert (queue.receiver, queue.waiting, queue.turn.expected_at) == ("chat", 1, opens)

    def test_nothing_waits_where_nothing_waits(self, engine: Engine) -> None:
        assert waiting.turns(engine, [1], {}, NOW) == {}
        assert waiting.queues(engine, {}, NOW) == ()


class TestPages:
    def test_what_was_given_up_is_listed_with_its_error(self, sqlite_url: str, stored: Engine) -> None:
        made = make_many(stored, 1, 2)
        give_up(stored, made[0], "status 404: <script>alert(1)</script>")

        text = text_of(signed_in(sqlite_url, Role.VIEWER), "/deliveries?state=dead")

        assert "status 404: &lt;script&gt;" in text
        assert f">{made[1]}</a>" not in text
        assert "Send the chosen again" not in text

    def test_what_waits_says_what_goes_before_it(self, sqlite_url: str, stored: Engine) -> None:
        made = make_many(stored, 1, 2)
        browser = signed_in(sqlite_url)

        assert "1 before it" in text_of(browser, "/deliveries?state=planned")
        assert "1 goes before it." in text_of(browser, f"/deliveries/{made[1]}")

    def test_one_shows_its_attempts_and_what_was_sent(self, sqlite_url: str, stored: Engine) -> None:
        [id_] = make_many(stored, 1)
        give_up(stored, id_)

        text = text_of(signed_in(sqlite_url), f"/deliveries/{id_}")

        assert "1,000 ms" in text
        assert "channel_not_found" in text
        assert "of Joe" in text

    def test_what_was_sent_is_masked_for_who_may_not_see_personal_data(self, sqlite_url: str, stored: Engine) -> None:
        [id_] = make_many(stored, 1)
        give_up(stored, id_)

        text = text_of(signed_in(sqlite_url, Role.VIEWER), f"/deliveries/{id_}")

        assert "of Joe" not in text
        assert "•••" in text

    def test_so_is_why_it_was_sent_with_the_quotes_in_it(self, sqlite_url: str, stored: Engine) -> None:
        [id_] = make_many(stored, 1)
        with stored.begin() as connection:
            connection.execute(update(notifications).values(why='user.username is "Ann "4111" Lee"'))

        text = text_of(signed_in(sqlite_url, Role.VIEWER), f"/deliveries/{id_}")

        assert "4111" not in text
        assert "Ann" not in text

    def test_a_time_that_is_none_is_said_beside_its_field(self, sqlite_url: str) -> None:
        text = text_of(signed_in(sqlite_url), "/deliveries?since=yesterday&until=2h")

        assert "write one like 2026-03-04T23:30, in UTC, or 2h for two hours ago" in text

    @pytest.mark.parametrize("path", ["/deliveries?state=odd", "/deliveries?before=x", "/deliveries/send-again?state=odd"])
    def test_nonsense_is_refused(self, sqlite_url: str, path: str) -> None:
        assert signed_in(sqlite_url).get(path).status_code == 400

    def test_a_page_keeps_what_it_was_asked_for_and_builds_no_address_of_another_site(self, sqlite_url: str, stored: Engine) -> None:
        make_many(stored, 1)

        text = text_of(signed_in(sqlite_url), "/deliveries?receiver=chat&_scheme=javascript&_external=1&_anchor=x")

        assert 'href="/deliveries?receiver=chat&amp;' in text
        assert "javascript:" not in text

    def test_what_is_not_there_is_said_to_be_not_there(self, sqlite_url: str) -> None:
        assert signed_in(sqlite_url).get("/deliveries/7").status_code == 404


class TestSendingAgain:
    def test_those_that_were_chosen_are_sent_again_and_that_is_written_down(self, sqlite_url: str, stored: Engine) -> None:
        made = make_many(stored, 1, 2, 3)
        set_all(stored, State.DEAD, *made)
        browser = signed_in(sqlite_url, Role.OPERATOR)
        form = {"csrf_token": browser.token(), "id": [str(made[0]), str(made[2])], "back": "/deliveries?state=dead"}

        answer = browser.client.post("/deliveries/send-again", data=form, headers=dict(SAME_SITE))

        assert (answer.status_code, answer.location) == (303, "/deliveries?state=dead")
        assert states(stored) == [State.PLANNED, State.DEAD, State.PLANNED]
        [entry] = audit.listed(stored)
        assert (entry.action, entry.subject) == ("notification.requeue", f"notification {made[0]}, {made[2]}")

    def test_what_is_over_is_left_alone_and_that_is_said(self, sqlite_url: str, stored: Engine) -> None:
        [id_] = make_many(stored, 1)
        set_all(stored, State.DEAD, id_)
        incident_desk.change(stored, "issue:1", Change.RESOLVED, Somebody(name="Ann", where="Slack"), NOW)
        plan_all(stored)
        browser = signed_in(sqlite_url)

        browser.post("/deliveries/send-again", id=str(id_))

        assert "1 left alone" in text_of(browser, "/deliveries")
        assert inspection.listed(stored, id=id_)[0].state is State.DEAD

    def test_a_time_is_counted_first_and_then_just_that_is_sent(self, sqlite_url: str, stored: Engine) -> None:
        made = make_many(stored, 1, 2, 3)
        set_all(stored, State.DEAD, *made)
        since, until = (NOW - timedelta(hours=hours) for hours in (2, 0))
        browser = signed_in(sqlite_url, Role.OPERATOR)

        text = text_of(browser, f"/deliveries/send-again?state=dead&since={since:%Y-%m-%dT%H:%M:%S}&until={until:%Y-%m-%dT%H:%M:%S}")
        assert "<strong>2</strong> would be sent again" in text
        assert states(stored) == [State.DEAD] * 3
        browser.post("/deliveries/send-again", all="1", state="dead", since=since.isoformat(), until=until.isoformat())

        assert states(stored) == [State.DEAD, State.PLANNED, State.PLANNED]
        assert audit.listed(stored)[0].detail.startswith("2: dead of all receivers")

    def test_nothing_is_sent_where_nothing_was_chosen(self, sqlite_url: str, stored: Engine) -> None:
        made = make_many(stored, 1)
        set_all(stored, State.DEAD, *made)

        signed_in(sqlite_url).post("/deliveries/send-again")

        assert states(stored) == [State.DEAD]
        assert audit.listed(stored) == ()

    def test_what_tells_of_several_incidents_lists_them_all_as_they_are_now(self, sqlite_url: str, stored: Engine) -> None:
        [head, *_] = make_many(stored, *range(1, 31))
        others = [{"title": "x", "project": "shop", "link": None, "incident": f"issue:{number}"} for number in range(2, 31)]
        with stored.begin() as connection:
            connection.execute(update(notifications).where(notifications.c.id == head).values(others=json.dumps(others)))

        text = text_of(signed_in(sqlite_url, Role.VIEWER), f"/deliveries/{head}")

        assert "It tells of 29 more" in text
        assert [f'href="/incidents/{number}"' in text for number in range(2, 31)] == [True] * 29

    def test_more_than_a_page_can_show_are_not_sent_again_by_number(self, sqlite_url: str) -> None:
        browser = signed_in(sqlite_url)
        fields = {"csrf_token": browser.token(), "id": [str(number) for number in range(1, 1002)]}

        answer = browser.client.post("/deliveries/send-again", data=fields, headers=dict(SAME_SITE))

        assert answer.status_code == 400
        assert "at most 1,000" in answer.get_data(as_text=True)

    @pytest.mark.parametrize("id_", ["x", "9" * 30, "-1"])
    def test_a_number_that_is_none_is_refused(self, sqlite_url: str, id_: str) -> None:
        assert signed_in(sqlite_url).post("/deliveries/send-again", id=id_).status_code == 400
