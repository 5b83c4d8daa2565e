"""What the service's own Sentry project says of a receiver that fails is told to others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from routing.alert import Json
from routing.notification import Reason, State
from tests.routing.story import Story

OF_ALL = """
rules: [{name: all, when: "", notify: [chat]}]
watch: {notify: [chat, mail, pager]}
"""
SAYS_CHAT = (("alert_router.receiver", "chat"),)
OURS: Mapping[str, Json] = {"project": 7}


def story(rules: str = OF_ALL, own_project: str = "7") -> Story:
    told = Story(rules)
    told.rules = replace(told.rules, own_project=own_project)
    return told


def test_a_receiver_is_not_told_of_its_own_failure_but_the_next_who_is_to_watch() -> None:
    told = story()

    assert told.alert(tags=SAYS_CHAT, payload=OURS) == ["(chat own failure)", "mail fallback"]
    held, instead = told.notifications
    assert held.why == "any alert; it tells that chat itself fails; told by mail"
    assert instead.why == "chat is not told of its own failure; any alert"
    assert (held.state, instead.state) == (State.HELD, State.PLANNED)
    assert held.place != instead.place == told.rules.receivers["mail"].place({})


def test_where_others_are_told_nobody_is_told_instead() -> None:
    told = story("rules: [{name: all, when: '', notify: [chat, pager]}]\nwatch: {notify: [mail]}")

    assert sorted(told.alert(tags=SAYS_CHAT, payload=OURS)) == ["(chat own failure)", "pager first"]
    assert "told by pager" in next(one.why for one in told.notifications if one.receiver == "chat")


@pytest.mark.parametrize("watch", ["", "watch: {notify: [chat]}", "watch: {}"])
def test_where_nobody_is_told_the_trace_says_so_and_how_to_mend_it(watch: str) -> None:
    told = story(f"rules: [{{name: all, when: '', notify: [chat]}}]\n{watch}")

    assert told.alert(tags=SAYS_CHAT, payload=OURS) == ["(chat own failure)"]
    assert "nobody else is told: name another receiver in `watch: {notify: …}`" in told.notifications[0].why


@pytest.mark.parametrize(
    ("own_project", "tags", "payload"),
    [
        ("7", SAYS_CHAT, {"project": 8}),
        ("7", SAYS_CHAT, {}),
        ("", SAYS_CHAT, OURS),
        ("", SAYS_CHAT, {}),
        ("7", (), OURS),
        ("7", (("alert_router.receiver", "pager"),), OURS),
        ("7", (("alert_router.receiver", "nobody"),), OURS),
    ],
    ids=["another project", "no project", "no DSN", "neither", "no tag", "another receiver", "one that is not there"],
)
def test_nothing_else_holds_anything(own_project: str, tags: tuple[tuple[str, str], ...], payload: Mapping[str, Json]) -> None:
    assert story(own_project=own_project).alert(tags=tags, payload=payload) == ["chat first"]


def test_an_issue_names_its_project_in_another_way() -> None:
    assert story().alert(tags=SAYS_CHAT, payload={"project": {"id": "7"}}) == ["(chat own failure)", "mail fallback"]


def test_what_is_held_for_another_reason_stays_that() -> None:
    told = story()
    told.alert(tags=SAYS_CHAT, payload=OURS)
    told.now += timedelta(minutes=1)

    assert told.alert(tags=SAYS_CHAT, payload=OURS) == ["(chat cooldown)"]


def test_its_end_is_told_where_it_was_announced() -> None:
    told = story()
    told.alert(tags=SAYS_CHAT, payload=OURS)

    assert told.resolved() == ["mail resolved"]


def test_a_reminder_goes_the_same_way() -> None:
    told = story("rules: [{name: all, when: '', notify: [chat], repeat: 1h}]\nwatch: {notify: [mail]}")
    told.alert(tags=SAYS_CHAT, payload=OURS)

    told.wait("1h")

    assert [(one.receiver, one.reason) for one in told.notifications] == [("chat", Reason.OWN_FAILURE), ("mail", Reason.FALLBACK)]
