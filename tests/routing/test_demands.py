"""What users of Sentry's alerts and of other routers have asked for in vain, as rules: each test names the request."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from notifiers.registry import KINDS
from routing.alert import Level, Status
from routing.rules_loading import load
from tests.factories import make_silence
from tests.routing.story import Story


@pytest.mark.parametrize(
    ("alert", "told"),
    [
        ({"environment": "production", "level": Level.FATAL}, ["pager first"]),
        ({"environment": "staging", "title": "payment failed"}, ["chat first"]),
        ({"environment": "staging"}, ["mail first"]),
    ],
    ids=["if", "else if", "else"],
)
def test_conditions_nest_and_a_rule_can_have_an_else_if(alert: dict[str, object], told: list[str]) -> None:
    """getsentry/sentry#104515, #54732, #95535, #71327."""
    story = Story("""
rules:
  - name: bad
    when: "environment:production (level:fatal OR (level:error !handled:yes tags.critical:true))"
    notify: [pager]
    else: [{name: payments, when: "payment", notify: [chat], else: [{name: rest, when: "", notify: [mail]}]}]
""")

    assert story.alert(**alert) == told  # type: ignore[arg-type]  # a test names any field


def test_nights_and_maintenance_are_quiet_and_nothing_of_them_is_lost() -> None:
    """getsentry/sentry#1517, #4966, #38046, #67322; recurring silences: prometheus/alertmanager#214, #517, #954."""
    story = Story(
        """
windows:
  night: {times: [22:00-07:00], zone: Europe/Berlin, allow: critical}
  maintenance: {weekdays: [sun], days_of_month: [1..7], times: [02:00-04:00]}
rules: [{name: errors, when: "", notify: [chat], mute: [night, maintenance]}]
""",
        now=datetime(2026, 3, 4, 21, 30, tzinfo=UTC),
    )

    assert story.alert() == ["(chat window)"]
    assert story.alert(2, level=Level.FATAL) == ["chat first"]
    assert story.wait("9h") == ["chat delayed"]


def test_a_flood_is_one_message_in_a_while() -> None:
    """getsentry/sentry#3247, #71520."""
    story = Story("rules: [{name: errors, when: '', notify: [chat], group_by: [project], group_wait: 1m, group_interval: 10m}]")

    told = []
    for number in range(200):
        assert story.alert(number) == ["(chat group)"]
        story.wait("5s")
        told += story.notifications
    story.wait("10m")
    told += story.notifications

    assert len(told) == 3
    assert sum(1 + len(one.others) for one in told) == 200


def test_one_issue_that_several_rules_match_is_told_once() -> None:
    """getsentry/sentry#1401, #5375."""
    story = Story("""
rules:
  - {name: errors, when: "level:error", notify: [chat]}
  - {name: production, when: "environment:production", notify: [chat, mail]}
""")

    assert story.alert() == ["chat first", "mail first"]
    assert story.notifications[0].rules == ("errors", "production")


def test_what_comes_back_after_its_end_is_news_of_a_known_incident() -> None:
    """getsentry/sentry#99969, #58433: what is resolved and what regressed belongs to what was told before."""
    story = Story("rules: [{name: back, when: 'is:regressed', notify: [chat]}, {name: all, when: '!is:regressed', notify: [mail]}]")

    assert story.alert() == ["mail first"]
    assert story.resolved() == ["mail resolved"]
    story.wait("1s")
    assert story.alert() == ["chat first"]
    assert len(story.world.incidents) == 1


def test_the_channel_comes_from_a_tag() -> None:
    """getsentry/sentry#24795."""
    story = Story("rules: []")
    story.rules = load(
        """
version: 1
receivers:
  alerts: {kind: slack, channel: "#alerts"}
  team: {kind: slack, channel: "#team-{tags.team}", allow: ["#team-*"], fallback: alerts}
rules: [{name: all, when: "", notify: [team]}]
""",
        kinds=KINDS,
        environment={},
    )

    story.alert(1, tags=(("team", "search"),))
    assert dict(story.notifications[0].changes) == {"channel": "#team-search"}
    story.alert(2, tags=())
    assert story.notifications[0].receiver == "alerts"


def test_what_nobody_takes_on_is_escalated_and_what_nobody_resolves_repeated() -> None:
    """getsentry/sentry#28495, #59921, #46218, #75967."""
    story = Story("""
rules:
  - name: errors
    when: ""
    notify: [chat]
    repeat: 1d
    escalate: [{after: 2h, unless: assigned, notify: [mail]}]
""")
    story.alert(1)
    story.alert(2)
    story.alert(2, resource="issue", action="assigned", status=Status.UNCHANGED)

    assert story.wait("3h") == ["mail escalation"]
    assert story.wait("1d") == ["chat reminder", "chat reminder"]


def test_a_release_with_many_new_issues_is_one_alert() -> None:
    """getsentry/sentry#97329."""
    story = Story("""
rules:
  - name: bad-release
    when: "is:new count_unique(issue):>3"
    window: 1d
    over: release
    notify: [mail]
    group_by: [release]
    group_wait: 5m
    group_interval: 1d
""")

    for number in range(8):
        story.alert(number, event_id=str(number), release="4.2.1", short_id=f"SHOP-{number}")
        story.alert(100 + number, event_id=f"other-{number}", release=f"other-{number}", short_id=f"OTHER-{number}")

    assert story.wait("5m") == ["mail first"]
    assert [len(one.others) for one in story.notifications] == [4]


def test_a_silence_may_have_several_matchers_of_which_any_will_do() -> None:
    """prometheus/alertmanager#2629, #3113, #2916."""
    silence = make_silence("project:blog", "environment:staging")
    story = Story("rules: [{name: all, when: '', notify: [chat]}]", silences=[silence])

    assert story.alert(1, project="blog") == ["(chat silenced)"]
    assert story.alert(2, environment="staging") == ["(chat silenced)"]
    assert story.alert(3) == ["chat first"]


def test_a_rule_may_be_about_several_environments() -> None:
    """getsentry/sentry#120008, #58845."""
    story = Story("rules: [{name: all, when: 'environment:[production, staging]', notify: [chat]}]")

    told = [story.alert(number, environment=name, tags=()) for number, name in enumerate(["production", "staging", "dev"])]

    assert told == [["chat first"], ["chat first"], []]
