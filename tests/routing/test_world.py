"""What is told of a trouble over time: else, stop, inhibitions, throttles, silences, figures, fingerprints, destinations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.registry import KINDS
from routing.alert import Level, Status, User
from routing.history import History
from routing.notification import Reason, Severity, State
from routing.plan import Disposition, plan
from routing.rules_loading import load
from tests.factories import make_silence
from tests.routing.story import Story, rules_of


class TestFlow:
    RULES = """
rules:
  - {name: critical, when: "level:fatal", notify: [pager], stop: true}
  - name: payment
    when: "payment"
    notify: [mail]
    else:
      - {name: production, when: "environment:production", notify: [chat], else: [{name: rest, when: "", notify: [mail]}]}
"""

    def test_a_rule_that_stops_lets_none_after_it_be_asked(self) -> None:
        story = Story(self.RULES)

        assert story.alert(level=Level.FATAL) == ["pager first"]
        assert story.plan.trace[1:] == (
            ("payment", False, 'not asked: "critical" matched, and stops'),
            ("production", False, 'not asked: "critical" matched, and stops'),
            ("rest", False, 'not asked: "critical" matched, and stops'),
        )

    @pytest.mark.parametrize(
        ("alert", "told", "matched"),
        [
            ({"title": "payment failed"}, ["mail first"], "payment"),
            ({}, ["chat first"], "production"),
            ({"environment": "staging"}, ["mail first"], "rest"),
        ],
        ids=["met", "else", "else of else"],
    )
    def test_rules_under_else_are_asked_only_if_theirs_was_asked_and_not_met(
        self, alert: dict[str, Any], told: list[str], matched: str
    ) -> None:
        story = Story(self.RULES)

        assert story.alert(**alert) == told
        assert [trace.rule for trace in story.plan.trace if trace.matched] == [matched]

    def test_what_is_ignored_is_asked_of_no_rule_and_remembered_of_nothing(self) -> None:
        story = Story("ignore: [{name: staging, when: 'environment:staging'}]\nrules: [{name: all, when: '', notify: [chat]}]")

        assert story.alert(environment="staging") == []
        assert (story.plan.disposition, story.plan.ignored_by) == (Disposition.IGNORED, 'staging: environment is "staging"')
        assert story.world.incidents == {}

    def test_an_error_may_be_new_in_a_release_although_it_is_known(self) -> None:
        story = Story("rules: [{name: new, when: 'is:new', per: release, notify: [chat], cooldown: 0s}]")

        assert [story.alert(release=release) for release in ("1", "1", "2", "1")] == [["chat first"], [], ["chat repeat"], []]

    def test_a_receiver_may_be_told_another_severity(self) -> None:
        story = Story("rules: [{name: one, when: '', severity: info, notify: [chat, {pager: {severity: critical}}]}]")

        story.alert()

        assert [notification.severity for notification in story.notifications] == [Severity.INFO, Severity.CRITICAL]


class TestInhibition:
    RULES = """
inhibit: [{name: database-down, source: "level:fatal", target: "level:[error, fatal]", equal: [environment]}]
rules: [{name: errors, when: "", notify: [chat], cooldown: 1h}]
"""

    def test_what_something_else_explains_is_held_and_told_once_that_has_ended(self) -> None:
        story = Story(self.RULES)
        assert story.alert(1, level=Level.FATAL) == ["chat first"]

        assert story.alert(2) == ["(chat inhibited)"]
        assert story.notifications[0].why == 'any alert; inhibited by "database-down": issue:1 fires'
        assert story.wait("1h") == []
        story.resolved(1)

        assert story.wait("5m") == ["chat delayed"]

    @pytest.mark.parametrize(
        ("other", "told"),
        [
            ({"environment": "staging"}, ["chat first"]),
            ({"level": Level.WARNING}, ["chat first"]),
            ({"level": Level.FATAL}, ["chat first"]),
        ],
        ids=["not equal", "no target", "source as well as target"],
    )
    def test_what_it_does_not_explain_is_told(self, other: dict[str, Any], told: list[str]) -> None:
        story = Story(self.RULES)
        story.alert(1, level=Level.FATAL)

        assert story.alert(2, **other) == told

    def test_what_both_lack_they_have_in_common(self) -> None:
        story = Story(self.RULES)
        story.alert(1, level=Level.FATAL, environment=None, tags=())

        assert story.alert(2, environment=None, tags=()) == ["(chat inhibited)"]

    def test_nothing_explains_itself(self) -> None:
        story = Story(self.RULES)
        story.alert(1, level=Level.FATAL)
        story.wait("2h")

        assert story.alert(1, level=Level.ERROR) == ["chat repeat"]


class TestThrottles:
    RULES = """
throttles: [{name: noisy, when: "level:error", by: [project], limit: 2, per: 1h}]
rules: [{name: errors, when: "", notify: [chat, mail]}]
"""

    def test_what_is_alike_is_told_so_many_times(self) -> None:
        story = Story(self.RULES)

        told = [story.alert(issue) for issue in (1, 2, 3)]

        assert told == [["chat first", "mail first"]] * 2 + [["(chat throttled)", "(mail throttled)"]]
        assert 'throttled by "noisy": 2 alerts of project "shop-api" were told since' in story.notifications[0].why
        assert story.alert(4, project="blog") == ["chat first", "mail first"]
        assert story.alert(5, level=Level.WARNING) == ["chat first", "mail first"]

    def test_as_time_passes_alerts_are_told_again(self) -> None:
        story = Story(self.RULES)
        for issue in (1, 2):
            story.alert(issue)

        story.wait("1h")

        assert story.alert(3) == ["chat first", "mail first"]


class TestSilences:
    def test_a_silence_holds_what_it_matches_for_its_time(self) -> None:
        silence = make_silence(id_=7)
        story = Story("rules: [{name: errors, when: '', notify: [chat]}]", silences=[silence])

        assert story.alert(1) == ["(chat silenced)"]
        assert "silenced by silence 7 of ann until 2026-03-04 11:15 UTC: migration" in story.notifications[0].why
        assert story.alert(2, environment="staging", tags=()) == ["chat first"]
        assert story.wait("1h") == []
        assert story.alert(1) == ["chat first"]


class TestFigures:
    RULES = """
rules:
  - {name: many, when: "count():>2", window: 5m, notify: [chat], cooldown: 0s}
  - {name: users, when: "count_unique(user):>1", window: 1h, over: project, notify: [mail], cooldown: 1d}
"""

    def test_a_rule_speaks_when_enough_has_come_in_its_window(self) -> None:
        story = Story(self.RULES)

        told: list[list[str]] = []
        for _ in range(4):
            told += [story.alert(event_id=f"{len(told):032x}")]
            story.wait("1m")

        assert told == [[], [], ["chat first"], ["chat repeat"]]
        assert story.plan.trace[0] == ("many", True, "count() is 4 (> 2)")
        story.wait("10m")
        assert story.alert(event_id="f" * 32) == []

    def test_over_a_project_the_alerts_of_other_incidents_count(self) -> None:
        story = Story(self.RULES)

        assert story.alert(1, user=User(id="ann"), event_id="1") == []
        assert story.alert(2, user=User(id="ben"), event_id="2", project="blog") == []
        assert story.alert(3, user=User(id="ben"), event_id="3") == ["mail first"]

    def test_a_change_against_the_day_before_is_written_as_in_sentry(self) -> None:
        story = Story("rules: [{name: more, when: 'percent_change(count(), 1d):>100%', window: 1h, over: project, notify: [chat]}]")
        story.alert(1, event_id="1")
        story.wait("1d")

        told = [story.alert(number, event_id=str(number)) for number in (2, 3, 4)]

        assert told == [[], [], ["chat first"]]
        assert story.plan.trace[0].why == "percent_change(count(), 1d) is 200% (> 100%)"

    def test_what_is_ignored_does_not_count(self) -> None:
        story = Story("ignore: [{name: noise, when: 'level:info'}]\n" + self.RULES)

        for number in range(4):
            assert story.alert(level=Level.INFO, event_id=str(number)) == []

        assert story.alert(event_id="f") == []


class TestFingerprints:
    RULES = """
fingerprints: [{when: "error.type:KeyError", key: "{error.type}.{environment}"}]
rules: [{name: errors, when: "", notify: [chat], cooldown: 1h}, {name: new, when: "is:new", notify: [mail]}]
"""
    KEY = "fingerprint:shop-api:KeyError.production"

    def test_issues_of_one_fingerprint_are_one_incident(self) -> None:
        story = Story(self.RULES)

        assert story.alert(1) == ["chat first", "mail first"]
        assert story.alert(2) == ["(chat cooldown)"]
        assert list(story.world.incidents) == [self.KEY]

    def test_it_ends_with_the_last_of_them(self) -> None:
        story = Story(self.RULES)
        story.alert(1)
        story.alert(2)

        story.resolved(1)
        assert story.world.incidents[self.KEY].status is Status.FIRING
        story.resolved(2)

        assert story.world.incidents[self.KEY].status is Status.RESOLVED
        story.wait("1s")
        assert story.alert(1) == ["chat first"]

    def test_the_end_of_an_issue_ends_what_the_issue_was_joined_in_whatever_it_says_by_then(self) -> None:
        story = Story(self.RULES)
        story.alert(1)

        story.alert(1, resource="issue", action="resolved", status=Status.RESOLVED, exceptions=(), environment=None)

        assert {key: incident.status for key, incident in story.world.incidents.items()} == {self.KEY: Status.RESOLVED}

    def test_an_edit_of_the_rules_moves_no_issue(self) -> None:
        story = Story(self.RULES)
        story.alert(1)
        story.rules = rules_of("rules: [{name: errors, when: '', notify: [chat], cooldown: 1h}]")
        story.alert(2)
        story.rules = rules_of(self.RULES)

        assert story.alert(1) == ["(chat cooldown)"]
        assert story.alert(2) == ["(chat cooldown)"]
        assert list(story.world.incidents) == [self.KEY, "issue:2"]

    def test_what_no_fingerprint_names_keeps_to_its_own(self) -> None:
        story = Story(self.RULES)

        story.alert(1, exceptions=())

        assert list(story.world.incidents) == ["issue:1"]


class TestDestinations:
    RULES = """
version: 1
receivers:
  general: {kind: slack, channel: "#general"}
  everybody: {kind: slack, channel: "#general"}
  team: {kind: slack, channel: "#team-{tags.team}", allow: ["#team-*", "#general"], fallback: general}
  lonely: {kind: slack, channel: "#{tags.team}", allow: ["#team-*"]}
rules: [{name: one, when: "environment:production", notify: [NOTIFY]}, {name: other, when: "", notify: [general]}]
"""

    def story(self, *receivers: str) -> Story:
        story = Story("rules: []")
        story.rules = load(self.RULES.replace("NOTIFY", ", ".join(receivers)), kinds=KINDS, environment={})
        return story

    def told(self, story: Story, **tags: str) -> list[tuple[str, object, tuple[str, ...]]]:
        story.alert(tags=tuple(tags.items()))
        return [(one.receiver, one.changes.get("channel"), one.rules) for one in story.notifications]

    def test_the_alert_names_its_channel(self) -> None:
        told = self.told(self.story("team"), team="payments")

        assert told == [("team", "#team-payments", ("one",)), ("general", None, ("other",))]

    def test_what_it_may_not_name_goes_to_the_fallback_which_is_told_once(self) -> None:
        story = self.story("team")

        assert self.told(story, team="x y") == [("general", None, ("one", "other"))]
        assert story.notifications[0].why.endswith("general is told instead")

    def test_a_group_is_told_to_each_channel_that_its_alerts_name(self) -> None:
        story = self.story("team")
        story.rules = load(self.RULES.replace("notify: [NOTIFY]", "notify: [team], group_by: [project]"), kinds=KINDS, environment={})
        for issue, team in enumerate(("a", "b", "a"), start=1):
            story.alert(issue, tags=(("team", team),))

        story.wait("30s")

        assert [(one.changes["channel"], len(one.others)) for one in story.notifications] == [("#team-a", 1), ("#team-b", 0)]

    def test_without_a_fallback_it_is_held_and_says_why(self) -> None:
        story = self.story("lonely")
        story.alert(tags=())

        lonely = story.notifications[0]
        assert (lonely.receiver, lonely.reason, lonely.state) == ("lonely", Reason.NOWHERE, State.HELD)
        assert "the alert has no tags.team" in lonely.why

    def test_two_names_of_one_destination_are_told_once(self) -> None:
        assert self.told(self.story("everybody")) == [("general", None, ("one", "other"))]


RULES_OF_ALL_KINDS = """
windows: {night: {times: [22:00-07:00], allow: critical}}
ignore: [{name: noise, when: "level:debug"}]
inhibit: [{name: down, source: "level:fatal", target: "level:[error, warning]", equal: [project]}]
throttles: [{name: noisy, when: "level:error", by: [project], limit: 3, per: 1h}]
rules:
  - {name: fatal, when: "level:fatal", notify: [pager], severity: critical, stop: true, escalate: [{after: 15m, notify: [mail]}]}
  - {name: many, when: "count():>2", window: 10m, over: project, notify: [mail], mute: [night]}
  - name: new
    when: "is:new"
    per: release
    notify: [chat]
    else: [{name: rest, when: "", notify: [chat, mail], group_by: [project], group_wait: 30s, repeat: 4h, cooldown: 5m}]
"""

STEPS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(Level),
        st.sampled_from(["shop", "blog"]),
        st.sampled_from([None, "1", "2"]),
        st.sampled_from(["1s", "30s", "4m", "1h", "9h"]),
        st.sampled_from([Status.FIRING] * 4 + [Status.RESOLVED, Status.ARCHIVED]),
    ),
    max_size=25,
)


@given(STEPS)
def test_what_was_looked_at_is_enough_to_decide_the_same_again(steps: list[tuple[int, Level, str, str | None, str, Status]]) -> None:
    story = Story(RULES_OF_ALL_KINDS)
    for number, (issue, level, project, release, wait, status) in enumerate(steps):
        story.alert(issue, level=level, project=project, release=release, status=status, event_id=str(number))

        inputs = msgspec.json.decode(msgspec.json.encode(story.plan.inputs), type=History)
        again = plan(story.heard.alert, story.rules, inputs, story.now)

        assert (again.trace, again.notifications, again.timers) == (story.plan.trace, story.plan.notifications, story.plan.timers)
        assert again.inputs == story.plan.inputs
        story.wait(wait)


@given(STEPS, st.sampled_from(["level:error", "project:shop", "is:new", "!has:release"]))
def test_a_silence_only_removes(steps: list[tuple[int, Level, str, str | None, str, Status]], matcher: str) -> None:
    silence = make_silence(matcher, lasts=timedelta(days=30))
    story = Story(RULES_OF_ALL_KINDS)
    for number, (issue, level, project, release, wait, status) in enumerate(steps):
        story.alert(issue, level=level, project=project, release=release, status=status, event_id=str(number))

        told = {(one.receiver, one.rules) for one in story.notifications if one.state is State.PLANNED}
        silenced = plan(story.heard.alert, story.rules, story.plan.inputs, story.now, [silence])

        assert {(one.receiver, one.rules) for one in silenced.notifications if one.state is State.PLANNED} <= told
        assert silenced.trace == story.plan.trace
        story.wait(wait)
