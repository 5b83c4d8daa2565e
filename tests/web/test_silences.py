"""Silences in the console: the list, a new one after a look at what it would have held, the end of one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from routing.silences import SilenceState
from storage import audit, silences
from storage.users import Role
from tests.factories import NOW, make_silence
from tests.storage.planned import issue, plan_all, store
from tests.web.console import SAME_SITE, Browser, signed_in

FILLED = {"matchers": "environment:production\nlevel:fatal", "lasts": "2h", "comment": "Migration"}
SAVE = {**FILLED, "step": "save", "previewed": FILLED["matchers"]}


def all_of(engine: Engine, state: SilenceState | None = None) -> list[int]:
    return [one.id for one in silences.listed(engine, state=state, now=NOW, limit=100)]


def text_of(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_the_list_is_by_state_and_goes_on_where_it_ended(engine: Engine) -> None:
    for begins, lasts in ((0, 1), (1, 1), (0, 2), (-2, 3)):
        silences.add(engine, make_silence(begins=timedelta(hours=begins), lasts=timedelta(hours=lasts)), NOW)
    silences.expire(engine, 3, NOW)

    assert all_of(engine) == [4, 3, 2, 1]
    assert all_of(engine, SilenceState.ACTIVE) == [4, 1]
    assert all_of(engine, SilenceState.PENDING) == [2]
    assert all_of(engine, SilenceState.EXPIRED) == [3]
    assert [one.id for one in silences.listed(engine, state=None, now=NOW, limit=2, before=4)] == [3, 2]


def test_a_new_one_is_shown_what_it_would_have_held_before_it_is_stored(sqlite_url: str, stored: Engine) -> None:
    store(stored, issue(1, title="PaymentError <b>now</b>"), at=datetime.now(UTC))
    plan_all(stored, at=datetime.now(UTC))
    browser = signed_in(sqlite_url, Role.OPERATOR)

    answer = browser.post("/silences/new", SAME_SITE, **FILLED)

    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "<strong>1</strong> alert" in text
    assert "PaymentError &lt;b&gt;now&lt;/b&gt;" in text
    assert "chat 1" in text
    assert all_of(stored) == []


def test_it_is_stored_for_who_is_signed_in_and_written_down(sqlite_url: str, stored: Engine) -> None:
    browser = signed_in(sqlite_url, Role.OPERATOR)

    answer = browser.post("/silences/new", SAME_SITE, **SAVE, author="somebody else")

    assert (answer.status_code, answer.location) == (303, "/silences?state=active")
    [silence] = silences.listed(stored, state=None, now=NOW, limit=10)
    assert (silence.author, silence.comment, [*map(str, silence.matchers)]) == (
        "operator",
        "Migration",
        ["environment:production", "level:fatal"],
    )
    assert silence.ends_at - silence.starts_at == timedelta(hours=2)
    [entry] = audit.listed(stored)
    assert (entry.who, entry.action, entry.subject) == ("operator", "silence.add", f"silence {silence.id}")
    assert "environment:production" in text_of(browser, "/silences")


def test_conditions_that_were_changed_after_the_preview_are_previewed_anew(sqlite_url: str, stored: Engine) -> None:
    answer = signed_in(sqlite_url).post("/silences/new", SAME_SITE, **{**SAVE, "matchers": "level:warning"})

    assert "What it would have held" in answer.get_data(as_text=True)
    assert all_of(stored) == []


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"matchers": ""}, "matchers", "write one condition"),
        ({"matchers": "level:fatal\n*"}, "matchers", "would silence every alert"),
        ({"matchers": "(level:fatal"}, "matchers", "(level:fatal"),
        ({"matchers": "failure_rate():>5"}, "matchers", "figure over many alerts"),
        ({"lasts": "soon"}, "lasts", "write a number and s, m, h, d or w"),
        ({"lasts": "0s"}, "lasts", "write a later end"),
        ({"until": "tomorrow"}, "until", "write one like 2026-03-04T23:30"),
        ({"until": "2020-01-01"}, "until", "write a later end"),
        ({"starts": "9999-12-31"}, "starts", "too far away"),
        ({"comment": " "}, "comment", "others want to know why"),
        ({"comment": "x" * 2000}, "comment", "2000 characters"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(sqlite_url: str, stored: Engine, changes: dict[str, str], field: str, said: str) -> None:
    answer = signed_in(sqlite_url).post(
        "/silences/new", SAME_SITE, **{**SAVE, "previewed": changes.get("matchers", SAVE["matchers"]), **changes}
    )

    fault = answer.get_data(as_text=True).partition(f'id="{field}-fault">')[2].partition("</div></div>")[0]
    assert said in fault
    assert all_of(stored) == []


def test_another_page_may_suggest_what_is_silenced(sqlite_url: str) -> None:
    text = text_of(signed_in(sqlite_url), "/silences/new?matcher=project:shop&matcher=%3C/textarea%3E&lasts=1d&comment=Again")

    assert "project:shop\n&lt;/textarea&gt;</textarea>" in text
    assert 'value="1d"' in text
    assert 'value="Again"' in text


def test_one_is_ended_once_and_that_is_written_down(sqlite_url: str, stored: Engine) -> None:
    browser = signed_in(sqlite_url, Role.OPERATOR)
    browser.post("/silences/new", SAME_SITE, **SAVE)

    browser.post("/silences/1/expire")
    assert "Silence 1 is over" in text_of(browser, "/silences")
    browser.post("/silences/1/expire")
    assert "already" in text_of(browser, "/silences")
    browser.post("/silences/7/expire")
    assert "there is no silence 7" in text_of(browser, "/silences")

    assert [one.action for one in audit.listed(stored)] == ["silence.expire", "silence.add"]


@pytest.mark.parametrize("query", ["state=odd", "before=x", f"before={'9' * 30}"])
def test_a_list_of_nonsense_is_refused(sqlite_url: str, query: str) -> None:
    assert signed_in(sqlite_url).get(f"/silences?{query}").status_code == 400


def test_a_viewer_is_offered_nothing(sqlite_url: str, stored: Engine) -> None:
    silences.add(stored, make_silence(lasts=timedelta(weeks=200)), NOW)

    text = text_of(signed_in(sqlite_url, Role.VIEWER), "/silences")

    assert "migration" in text
    assert "Expire" not in text
    assert "New silence" not in text
