"""Announced means closed: whoever was told of an incident is told its end, and nobody else; in whatever order webhooks come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from notifiers.preview import PreviewOptions
from routing.alert import Alert, Category, Json, Metric, Status
from routing.notification import Lane
from routing.own_events import read_change
from routing.plan import Disposition
from routing.rules_loading import load
from tests.factories import NOW, make_alert, make_silence
from tests.routing.story import Story, rules_of

ERRORS = "rules: [{name: errors, when: '', notify: [chat]}]"


QUIET = "version: 1\nreceivers: {quiet: {kind: preview, resolved: false}}\nrules: [{name: errors, when: '', notify: [quiet]}]"


class TestWhoIsToldTheEnd:
    def test_whoever_was_told_once(self) -> None:
        story = Story("rules: [{name: errors, when: '', notify: [chat, mail]}]")
        story.alert()
        story.wait("2h")
        story.alert()

        assert story.resolved() == ["chat resolved", "mail resolved"]
        assert story.resolved() == []

    def test_nobody_who_was_not_told(self) -> None:
        story = Story(ERRORS, silences=[make_silence("level:error")])

        assert story.alert() == ["(chat silenced)"]
        assert story.resolved() == []

    def test_who_was_told_by_an_escalation(self) -> None:
        story = Story("rules: [{name: errors, when: '', notify: [chat], escalate: [{after: 15m, notify: [pager]}]}]")
        story.alert()
        story.wait("1h")

        assert story.resolved() == ["chat resolved", "pager resolved"]

    @pytest.mark.parametrize(
        ("status", "changes", "why"),
        [
            (Status.RESOLVED, {}, "resolved in Sentry"),
            (Status.RESOLVED, {"actor": "Ann Lee", "resolution": "now"}, "resolved in Sentry by Ann Lee"),
            (Status.RESOLVED, {"actor": "Ann Lee", "resolution": "in_next_release"}, "resolved in Sentry by Ann Lee in the next release"),
            (Status.ARCHIVED, {"substatus": "archived_until_escalating"}, "archived in Sentry until it escalates"),
            (Status.ARCHIVED, {"actor": "Ann\nLee " + "x" * 500}, "archived in Sentry by Ann Lee " + "x" * 72),
        ],
    )
    def test_by_whom_and_how_it_ended(self, status: Status, changes: dict[str, str], why: str) -> None:
        story = Story(ERRORS)
        story.alert()

        story.hear(make_alert(issue_id="1", resource="issue", status=status, **changes))

        assert [one.why for one in story.notifications] == [why]

    def test_in_the_lane_of_the_worst_that_was_told(self) -> None:
        story = Story(
            "rules: [{name: fatal, when: 'level:fatal', severity: critical, notify: [pager]}, {name: errors, when: '', notify: [pager]}]"
        )
        story.alert(level="fatal")
        story.wait("1h")
        story.alert()
        story.resolved()

        assert [(one.lane, one.rules) for one in story.notifications] == [(Lane.CRITICAL, ("fatal", "errors"))]

    @pytest.mark.parametrize(
        "hold",
        [
            "windows: {always: {times: [00:00-24:00]}}\nrules: [{name: errors, when: '', notify: [chat], mute: [always]}]",
            "rules: []",
            "rules: [{name: renamed, when: 'level:debug', notify: [mail]}]",
            "inhibit: [{name: i, source: 'level:fatal', target: 'level:error'}]\nrules: [{name: errors, when: '', notify: [chat]}]",
        ],
        ids=["a window", "no rule any more", "another rule", "an inhibition"],
    )
    def test_whatever_holds_it_or_became_of_the_rules(self, hold: str) -> None:
        story = Story(ERRORS)
        story.alert()

        story.rules = rules_of(hold)
        story.world.silences = [make_silence("level:error")]

        assert story.resolved() == ["chat resolved"]

    def test_a_receiver_that_wants_no_ends_is_held_and_told_why(self) -> None:
        story = Story(ERRORS)
        story.rules = load(QUIET, kinds={"preview": PreviewOptions}, environment={})
        story.alert()

        assert story.resolved() == ["(quiet ended)"]
        assert story.notifications[0].why.endswith("; quiet is not told how incidents end (`resolved: true` changes that)")

    def test_what_comes_back_is_told_and_closed_again(self) -> None:
        story = Story(ERRORS)
        story.alert()
        story.resolved()
        story.wait("1m")

        assert story.alert() == ["chat first"]
        story.wait("1m")
        assert story.resolved() == ["chat resolved"]


class TestWhoHasTakenItOn:
    def test_is_shown_where_the_incident_was_announced(self) -> None:
        story = Story("rules: [{name: errors, when: '', notify: [chat, mail]}]")
        story.alert()

        assert story.acknowledge(who="Ann Lee") == ["chat acknowledged", "mail acknowledged"]
        assert {one.why for one in story.notifications} == {"acknowledged in Slack by Ann Lee; told because any alert"}
        assert story.world.incidents["issue:1"].acknowledged_by == "Ann Lee in Slack"

    def test_is_not_said_where_it_was_done(self) -> None:
        story = Story("rules: [{name: errors, when: '', notify: [chat, mail]}]")
        story.alert()

        assert story.acknowledge(place=story.rules.receivers["mail"].place({})) == ["chat acknowledged"]

    def test_is_said_once(self) -> None:
        story = Story(ERRORS)
        story.alert()
        story.acknowledge()

        assert story.acknowledge(where="PagerDuty") == []

    def test_may_give_it_back(self) -> None:
        story = Story(ERRORS)
        story.alert()
        story.acknowledge(who="Ann Lee")

        assert story.acknowledge(change="unacknowledged", where="PagerDuty") == ["chat unacknowledged"]
        assert story.notifications[0].why == "no longer acknowledged in PagerDuty; told because any alert"
        assert story.world.incidents["issue:1"].acknowledged_by is None

    def test_tells_of_the_event_that_stands_there(self) -> None:
        story = Story(ERRORS)
        story.alert()
        story.wait("2h")
        story.alert()
        story.acknowledge()

        assert story.notifications[0].event == 2

    def test_may_resolve_it_and_it_is_closed_also_there(self) -> None:
        """What was on its way there when it was resolved may have begun it anew."""
        story = Story("rules: [{name: errors, when: '', notify: [chat, pager]}]")
        story.alert()

        told = story.acknowledge(change="resolved", where="PagerDuty", who="Ann Lee", place=story.rules.receivers["pager"].place({}))

        assert told == ["chat resolved", "pager resolved"]
        assert [one.why for one in story.notifications] == ["resolved in PagerDuty by Ann Lee"] * 2
        assert story.resolved() == []

    def test_resolves_all_issues_that_are_joined_in_it(self) -> None:
        story = Story(
            "fingerprints: [{when: 'level:error', key: same}]\nrules: [{name: errors, when: '', notify: [chat]}]",
        )
        story.alert(1)
        story.alert(2)
        (key,) = story.world.incidents

        assert story.acknowledge(change="resolved", incident=key) == ["chat resolved"]
        assert story.world.incidents[key].issues == {"issue:1": False, "issue:2": False}


class TestSilenced:
    def silenced(self, **content: Json) -> Story:
        story = Story("rules: [{name: errors, when: '', notify: [chat], cooldown: 0s, repeat: 2h}]")
        story.alert()
        told = story.hear(read_change({"change": "silenced", "incident": "issue:1", "where": "Slack", "who": "Ann", **content}, story.now))
        assert told == ["chat muted"]
        return story

    def test_nothing_is_told_of_it_until_then(self) -> None:
        story = self.silenced(hours=8)
        story.wait("1h")

        assert story.alert() == ["(chat silenced)"]
        assert story.notifications[0].why.endswith("; silenced in Slack by Ann until 2026-03-04 18:15 UTC")
        assert story.wait("419m") == ["(chat silenced)"] * 3
        story.wait("1m")
        assert story.alert() == ["chat repeat"]

    def test_until_its_end_is_not_for_what_comes_back(self) -> None:
        story = self.silenced()
        story.wait("300d")
        assert story.alert() == ["(chat silenced)"]

        assert story.resolved() == ["chat resolved"]
        story.wait("1m")
        assert story.alert() == ["chat first"]


class TestGroups:
    RULES = "rules: [{name: errors, when: '', notify: [chat], group_by: [project], group_wait: 30s}]"

    def test_a_message_about_several_is_closed_with_the_last_of_them(self) -> None:
        story = Story(self.RULES)
        story.alert(1)
        story.alert(2)
        story.wait("1m")

        assert story.resolved(1) == []
        assert story.resolved(2) == ["chat resolved"]
        assert story.notifications[0].subject.startswith("group:errors:")

    def test_what_ended_before_the_group_was_told_is_not_waited_for(self) -> None:
        story = Story(self.RULES)
        story.alert(1)
        story.alert(2)
        story.resolved(1)
        story.wait("1m")

        assert story.resolved(2) == ["chat resolved"]


class TestOrder:
    """Webhooks overtake each other: what counts is when things happened (sentry-webhooks, 3.4)."""

    @staticmethod
    def at(minute: int, action: str, **changes: object) -> dict[str, object]:
        statuses = {"resolved": Status.RESOLVED, "archived": Status.ARCHIVED}
        resource = "event_alert" if action == "triggered" else "issue"
        status = statuses.get(action, Status.FIRING)
        return {"resource": resource, "action": action, "status": status, "occurred_at": NOW + timedelta(minutes=minute), **changes}

    def told(self, *alerts: dict[str, object]) -> tuple[list[list[str]], Status | None]:
        """What is told of each, one second after the other, and what the incident came to."""
        story = Story(ERRORS)
        story.now = NOW + timedelta(hours=1)
        found = []
        for changes in alerts:
            alert = make_alert(issue_id="1", received_at=story.now, **changes)
            found.append(story.hear(alert))
            story.wait("1s")
        return found, story.world.incidents["issue:1"].status

    def test_an_alert_that_comes_after_the_end_of_its_issue_is_not_told(self) -> None:
        told, status = self.told(self.at(5, "resolved"), self.at(5, "triggered"))

        assert (told, status) == ([[], []], Status.RESOLVED)

    def test_an_event_that_the_end_did_not_know_of_is_told(self) -> None:
        told, status = self.told(self.at(5, "resolved"), self.at(6, "triggered"))

        assert (told, status) == ([[], ["chat first"]], Status.FIRING)

    def test_an_end_that_comes_after_what_came_back_ends_nothing(self) -> None:
        told, status = self.told(self.at(1, "triggered"), self.at(9, "unresolved"), self.at(5, "resolved"))

        assert (told, status) == ([["chat first"], ["(chat cooldown)"], []], Status.FIRING)

    def test_an_end_is_heard_although_it_has_not_seen_the_last_event_yet(self) -> None:
        told, status = self.told(self.at(5, "triggered"), self.at(4, "resolved"))

        assert (told, status) == ([["chat first"], ["chat resolved"]], Status.RESOLVED)

    def test_a_change_by_hand_without_an_event_between_counts_by_its_coming(self) -> None:
        told, status = self.told(self.at(5, "triggered"), self.at(5, "resolved"), self.at(5, "unresolved"), self.at(5, "resolved"))

        assert (told[1:], status) == ([["chat resolved"], ["chat first"], ["chat resolved"]], Status.RESOLVED)

    def test_news_of_an_issue_that_says_itself_that_it_is_over_brings_nothing_back(self) -> None:
        told, status = self.told(self.at(5, "resolved"), self.at(5, "created", payload={"status": "resolved"}))

        assert (told, status) == ([[], []], Status.RESOLVED)

    def test_clocks_differ_so_after_a_quarter_of_an_hour_nothing_is_overtaken(self) -> None:
        story = Story(ERRORS)
        story.hear(make_alert(issue_id="1", received_at=NOW, **self.at(5, "resolved")))
        story.wait("16m")

        assert story.hear(make_alert(issue_id="1", received_at=story.now, **self.at(5, "triggered"))) == ["chat first"]

    def test_what_was_overtaken_is_said_to_be(self) -> None:
        story = Story(ERRORS)
        story.hear(make_alert(issue_id="1", **self.at(5, "resolved")))

        story.hear(make_alert(issue_id="1", **self.at(5, "triggered")))

        assert story.plan.disposition is Disposition.OVERTAKEN

    def test_what_was_done_in_another_place_before_it_began_is_not_done_to_it(self) -> None:
        """PagerDuty tries for two days to say what somebody did."""
        story = Story(ERRORS)
        story.alert()
        story.wait("1h")
        said = read_change({"change": "resolved", "incident": "issue:1", "where": "PagerDuty"}, story.now)
        change = replace(said, reference="issue:1/pager")

        assert story.hear(replace(change, occurred_at=NOW - timedelta(minutes=2))) == []
        assert story.plan.disposition is Disposition.OVERTAKEN
        assert story.hear(replace(change, occurred_at=NOW + timedelta(seconds=30))) == ["chat resolved"]


class TestMetricAlerts:
    """getsentry/sentry#104492: Sentry tells a metric alert twice, as itself and as an issue."""

    METRIC = Metric(rule_name="Failure rate", aggregate="failure_rate()", value=0.07)

    def metric(self, action: str, minute: int, number: int = 315) -> Alert:
        status = Status.RESOLVED if action == "resolved" else Status.FIRING
        at = NOW + timedelta(minutes=minute)
        return make_alert(
            resource="metric_alert",
            action=action,
            status=status,
            category=Category.METRIC,
            issue_id=None,
            event_id=None,
            metric_alert_id=f"1:{number}",
            metric_rule_id="77",
            metric=self.METRIC,
            received_at=at,
            occurred_at=at,
        )

    def event(self, minute: int) -> Alert:
        at = NOW + timedelta(minutes=minute)
        return make_alert(category=Category.METRIC, issue_id="900", metric_rule_id="77", received_at=at, occurred_at=at)

    def issue(self, action: str, minute: int) -> Alert:
        at = NOW + timedelta(minutes=minute)
        status = Status.RESOLVED if action == "resolved" else Status.FIRING
        return make_alert(resource="issue", action=action, status=status, issue_id="900", received_at=at, occurred_at=at)

    @pytest.mark.parametrize("metric_first", [True, False])
    def test_both_are_one_incident_told_once(self, *, metric_first: bool) -> None:
        story = Story(ERRORS)
        both = [self.metric("critical", 0), self.event(0)]

        told = [story.hear(alert) for alert in (both if metric_first else reversed(both))]

        assert told == [["chat first"], ["(chat cooldown)"]]
        assert list(story.world.incidents) == ["metric-rule:77"]

    @pytest.mark.parametrize("by_issue", [True, False])
    def test_the_end_of_either_is_the_end_of_both(self, *, by_issue: bool) -> None:
        story = Story(ERRORS)
        story.hear(self.metric("critical", 0))
        story.hear(self.event(0))
        ends = [self.issue("resolved", 5), self.metric("resolved", 5)]

        told = [story.hear(alert) for alert in (ends if by_issue else reversed(ends))]

        assert told == [["chat resolved"], []]

    def test_an_issue_of_which_nobody_said_yet_that_it_is_a_metrics_stays_what_it_was_told_as(self) -> None:
        story = Story(ERRORS)

        told = [story.hear(alert) for alert in (self.issue("created", 0), self.event(0), self.issue("resolved", 5))]

        assert told == [["chat first"], ["(chat cooldown)"], ["chat resolved"]]

    def test_the_next_time_it_begins_again(self) -> None:
        story = Story(ERRORS)
        story.hear(self.metric("critical", 0))
        story.hear(self.metric("resolved", 5))

        assert story.hear(self.metric("critical", 10, number=316)) == ["chat first"]

    def test_what_comes_late_of_a_time_that_is_over_is_not_told(self) -> None:
        story = Story(ERRORS)
        story.hear(self.metric("resolved", 5))

        assert story.hear(self.metric("critical", 0)) == []
