"""What of alerts is somebody's own is not shown to those whom the settings do not name, wherever it stands."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from routing.notification import Lane, Outcome
from storage import outcomes
from storage.tokens import Scope
from storage.users import Role
from tests.factories import event_alert_webhook
from tests.storage.planned import claim, ended, ids, plan_all, store
from tests.web.console import make_app, signed_in
from tests.web.programs import Program
from web.access import Person, act_as
from web.personal import visible_answer, visible_title

SOMEBODY = "joe@example.com"
PAGES = ("/", "/alerts", "/alerts/1", "/alerts/1/rehearsal", "/incidents", "/incidents/1", "/deliveries", "/deliveries/1")
BOARDS = ("/dashboards/issues", "/dashboards/performance", "/dashboards/issues/incidents.csv", "/rules/try?event=1")
PATHS = ("/events", "/events/1", "/incidents", "/incidents/1", "/notifications", "/notifications/1")


@pytest.fixture
def told(stored: Engine) -> None:
    """An alert with somebody's address in its title, and a vendor that named it when it refused it."""
    store(stored, event_alert_webhook(title=f"PaymentError: the card of {SOMEBODY} was declined"))
    plan_all(stored)
    done = ended(outcome=Outcome.REFUSED, status_code=550, excerpt=f"550 no such user {SOMEBODY}", payload=json.dumps({"text": SOMEBODY}))
    outcomes.record(stored, [(id_, done) for lane in Lane for id_ in ids(claim(stored, lane))])


@pytest.mark.usefixtures("told")
def test_no_page_shows_it_to_a_viewer(sqlite_url: str) -> None:
    browser = signed_in(sqlite_url, Role.VIEWER)

    answers = {path: browser.get(path) for path in (*PAGES, *BOARDS)}

    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200} == {}
    assert [path for path, answer in answers.items() if SOMEBODY in answer.get_data(as_text=True)] == []
    assert "PaymentError: •••" in answers["/alerts"].get_data(as_text=True)


@pytest.mark.usefixtures("told")
def test_whoever_may_see_it_does(sqlite_url: str) -> None:
    browser = signed_in(sqlite_url, Role.OPERATOR)

    assert [path for path in PAGES if SOMEBODY not in browser.get(path).get_data(as_text=True)] == []


@pytest.mark.usefixtures("told")
def test_no_answer_of_the_api_holds_it_for_a_token_that_only_reads(sqlite_url: str, stored: Engine) -> None:
    program = Program(make_app(sqlite_url), stored, Scope.READ)

    answers = {path: program.get(path) for path in PATHS}

    assert {path for path, answer in answers.items() if answer.status_code != 200} == set()
    assert [path for path, answer in answers.items() if SOMEBODY in answer.get_data(as_text=True)] == []


@pytest.mark.parametrize("query", ["title:*joe*", "message:*joe*", "joe", "user.email:joe*", "tags[customer_email]:joe*"])
def test_what_may_not_be_seen_may_not_be_looked_for(sqlite_url: str, query: str) -> None:
    answer = signed_in(sqlite_url, Role.VIEWER).client.get("/alerts", query_string={"q": query})

    assert "your role does not see" in answer.get_data(as_text=True)


def test_nor_by_what_a_silence_would_have_held(sqlite_url: str) -> None:
    browser = signed_in(sqlite_url, Role.OPERATOR, PERSONAL_DATA_FOR="admin")

    answer = browser.post("/silences/new", matchers="user.email:joe*", lasts="1h", comment="a guess", step="preview")

    assert "your role does not see" in answer.get_data(as_text=True)


def test_nor_by_a_silence_of_a_program(sqlite_url: str, stored: Engine) -> None:
    program = Program(make_app(sqlite_url, PERSONAL_DATA_FOR="admin"), stored, Scope.OPERATE)
    ends = datetime.now(UTC) + timedelta(hours=1)

    answer = program.post("/silences", {"matchers": ["user.email:joe*"], "comment": "a guess", "ends_at": ends.isoformat()})

    assert answer.status_code == 422
    assert "your role does not see" in answer.get_data(as_text=True)


@pytest.mark.usefixtures("told")
def test_a_database_that_takes_nothing_shows_all_the_same(sqlite_url: str) -> None:
    browser = signed_in(sqlite_url, Role.VIEWER)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("UPDATE users SET last_seen_at = '2020-01-01 00:00:00.000000'")
    other.execute("BEGIN IMMEDIATE")

    assert browser.get("/alerts").status_code == 200
    other.close()


@pytest.mark.parametrize(
    ("title", "seen"),
    [
        ("PaymentError: card of Ann declined", "PaymentError: •••"),
        ("java.lang.IllegalStateException: no: such", "java.lang.IllegalStateException: •••"),
        ("POST /api/checkout is slow", "POST /api/checkout is slow"),
        ("Mail to ann.lee+x@example.co.uk bounced", "Mail to ••• bounced"),
        ("No answer from +49 (170) 123-4567", "No answer from •••"),
        ("No customer 'Ann Lee'", "No customer •••"),
        ("", ""),
        (None, ""),
    ],
)
def test_of_a_title_the_type_is_left(sqlite_url: str, title: str | None, seen: str) -> None:
    with make_app(sqlite_url).test_request_context("/"):
        act_as(Person(name="ann", origin="", role=Role.VIEWER))
        assert visible_title(title) == seen


def test_of_an_answer_what_helps_is_left(sqlite_url: str) -> None:
    with make_app(sqlite_url).test_request_context("/"):
        act_as(Person(name="ann", origin="", role=Role.VIEWER))
        assert visible_answer("550 5.1.1 <ann@example.com>: no such user") == "550 5.1.1 <•••>: no such user"
        assert visible_answer("status 404: channel_not_found") == "status 404: channel_not_found"
