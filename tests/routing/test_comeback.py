"""What is told of a trouble when its time has come: windows, groups, reminders, escalations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from routing.alert import Level, Status
from routing.notification import Reason, Severity
from tests.factories import make_silence
from tests.routing.story import Story

EVENING = datetime(2026, 3, 4, 22, 30, tzinfo=UTC)


class TestWindows:
    RULES = """
windows: {night: {times: [22:00-07:00], allow: critical}}
rules: [{name: errors, when: "", notify: [chat], mute: [night], cooldown: 2h}]
"""

    def test_what_a_window_held_is_told_when_it_ends(self) -> None:
        story = Story(self.RULES, now=EVENING)

        assert story.alert() == ["(chat window)"]
        assert story.wait("8h") == []
        assert story.wait("1h") == ["chat delayed"]
        assert story.notifications[0].why == "any alert; told now"
        assert story.alert() == ["(chat cooldown)"]

    def test_of_several_alerts_of_an_incident_the_last_is_told_once(self) -> None:
        story = Story(self.RULES, now=EVENING)
        for _ in range(3):
            story.alert()
            story.wait("10m")

        assert story.wait("12h") == ["chat delayed"]

    def test_what_several_rules_could_not_say_is_one_message_to_each_destination(self) -> None:
        story = Story(
            """
windows: {night: {times: [22:00-07:00]}}
rules:
  - {name: one, when: "", notify: [chat], mute: [night], repeat: 4h}
  - {name: other, when: "level:error", notify: [chat, mail], mute: [night], repeat: 4h}
""",
            now=EVENING,
        )
        story.alert()

        assert story.wait("9h") == ["chat delayed", "mail delayed"]
        assert story.notifications[0].rules == ("one", "other")
        assert story.wait("4h") == ["chat reminder", "mail reminder"]

    def test_what_has_ended_by_then_is_not_told(self) -> None:
        story = Story(self.RULES, now=EVENING)
        story.alert()

        story.resolved()

        assert story.wait("12h") == []

    def test_what_is_critical_passes_and_leaves_nothing_to_tell_later(self) -> None:
        story = Story(self.RULES, now=EVENING)
        story.alert()

        assert story.alert(level=Level.FATAL) == ["chat first"]
        assert story.wait("12h") == []


class TestGroups:
    RULES = """
rules: [{name: errors, when: "", notify: [chat], group_by: [project], group_wait: 30s, group_interval: 5m, cooldown: 1h}]
"""

    def test_alerts_that_come_together_are_told_together(self) -> None:
        story = Story(self.RULES)

        for issue in (1, 2, 3):
            assert story.alert(issue, title=f"T{issue}") == ["(chat group)"]
            story.wait("1s")

        assert story.wait("27s") == ["chat first"]
        (told,) = story.notifications
        assert sorted(other.title for other in told.others) == ["T1", "T2"]
        assert told.subject.startswith("group:errors:")

    def test_the_worst_heads_the_message(self) -> None:
        story = Story(self.RULES)
        story.alert(1, level=Level.WARNING)
        story.alert(2, level=Level.FATAL)
        story.alert(3, level=Level.INFO)

        story.wait("30s")

        assert story.notifications[0].severity is Severity.CRITICAL
        assert [other.incident for other in story.notifications[0].others] == ["issue:1", "issue:3"]

    def test_what_joins_later_waits_for_the_interval(self) -> None:
        story = Story(self.RULES)
        story.alert(1)
        story.wait("30s")
        story.alert(2)

        assert story.wait("4m") == []
        assert story.wait("1m") == ["chat first"]
        assert story.notifications[0].others == ()

    def test_no_later_alert_prolongs_the_wait(self) -> None:
        story = Story(self.RULES)

        told = [line for _ in range(9) for line in (*story.alert(1), *story.wait("10s"))]

        assert told == [*["(chat group)"] * 3, "chat first", *["(chat cooldown)"] * 6]

    def test_an_incident_is_told_in_each_group_that_its_alerts_belong_to(self) -> None:
        story = Story(self.RULES.replace("project]", "tags.team]"))
        story.alert(1, tags=(("team", "shop"),))
        story.alert(1, tags=(("team", "blog"),))

        assert story.wait("30s") == ["chat first", "chat repeat"]

    def test_what_is_inhibited_again_and_again_is_said_once(self) -> None:
        story = Story(f"inhibit: [{{name: i, source: 'level:fatal', target: 'level:error'}}]\n{self.RULES.strip()}")
        story.alert(1)
        story.alert(2, level=Level.FATAL)

        assert story.wait("2h") == ["(chat inhibited)", "chat first"]

    def test_a_group_is_reminded_of_and_escalated_as_one(self) -> None:
        more = ", repeat: 4h, escalate: [{after: 15m, notify: [pager]}]}]"
        story = Story(self.RULES.replace("}]", more))
        for issue in (1, 2, 3):
            story.alert(issue)
        story.wait("30s")
        story.alert(4)

        assert story.wait("30m") == ["chat first", "pager escalation", "pager escalation"]
        assert story.wait("4h") == ["chat reminder"]
        (reminder,) = story.notifications
        assert len(reminder.others) == 3
        assert reminder.subject.startswith("group:errors:")

    def test_another_project_is_another_group(self) -> None:
        story = Story(self.RULES)
        story.alert(1, project="shop")
        story.alert(2, project="blog")

        assert story.wait("30s") == ["chat first", "chat first"]

    def test_what_resolves_before_the_first_message_is_never_announced(self) -> None:
        story = Story(self.RULES)
        story.alert(1)
        story.alert(2)
        story.resolved(1)

        assert story.wait("30s") == ["chat first"]
        assert story.notifications[0].others == ()

    def test_what_was_told_lately_does_not_join(self) -> None:
        story = Story(self.RULES)
        story.alert(1)
        story.wait("30s")

        assert story.alert(1) == ["(chat cooldown)"]
        assert story.wait("30m") == []

    def test_a_wait_without_a_key_collects_the_alerts_of_each_incident(self) -> None:
        story = Story("rules: [{name: errors, when: '', notify: [chat], group_wait: 30s}]")
        story.alert(1)
        story.alert(1)
        story.alert(2)

        assert story.wait("30s") == ["chat first", "chat first"]
        assert {notification.subject for notification in story.notifications} == {"issue:1", "issue:2"}


class TestReminders:
    RULES = "rules: [{name: errors, when: '', notify: [chat], repeat: 4h}]"

    def test_a_rule_says_it_again_while_the_incident_fires(self) -> None:
        story = Story(self.RULES)
        story.alert()

        assert story.wait("4h") == ["chat reminder"]
        assert story.wait("9h") == ["chat reminder"] * 2

    def test_a_silence_ends_no_reminders(self) -> None:
        story = Story(self.RULES)
        story.alert()
        story.world.silences = (make_silence(lasts=timedelta(hours=5)),)

        assert story.wait("9h") == ["(chat silenced)", "chat reminder"]

    @pytest.mark.parametrize("how", ["resolved", "acknowledged", "archived"])
    def test_it_says_it_no_more_once_somebody_has_acted(self, how: str) -> None:
        story = Story(self.RULES)
        story.alert()

        match how:
            case "resolved":
                story.resolved()
            case "archived":
                story.alert(status=Status.ARCHIVED)
            case _:
                assert story.acknowledge() == ["chat acknowledged"]

        assert story.wait("12h") == []


class TestEscalations:
    RULES = """
rules:
  - name: errors
    when: ""
    notify: [chat]
    severity: critical
    cooldown: 5m
    escalate:
      - {after: 15m, unless: acknowledged, notify: [pager]}
      - {after: 1h, unless: assigned, notify: [pager, mail]}
"""

    def test_others_are_told_of_what_stays_open(self) -> None:
        story = Story(self.RULES)

        assert story.alert() == ["chat first"]
        assert story.wait("15m") == ["pager escalation"]
        assert story.notifications[0].why == "any alert; still open and not acknowledged after 15m"
        assert story.wait("1h") == ["pager escalation", "mail escalation"]
        assert story.wait("1d") == []

    def test_each_message_says_what_comes_next(self) -> None:
        story = Story("""
rules:
  - name: errors
    when: ''
    notify: [chat]
    cooldown: 1m
    escalate: [{after: 15m, unless: acknowledged, notify: [pager]}, {after: 1h, unless: never, notify: [mail, pager]}]
""")
        first = "pager at 2026-03-04 10:30 UTC unless acknowledged"
        second = "mail, pager at 2026-03-04 11:15 UTC"

        story.alert()
        assert [one.then for one in story.notifications] == [first]
        story.wait("10m")
        story.alert()
        assert [one.then for one in story.notifications] == [first]
        story.wait("10m")
        assert [(one.reason, one.then) for one in story.notifications] == [(Reason.ESCALATION, second)]
        story.acknowledge()
        story.alert()
        assert [one.then for one in story.notifications] == [second]
        story.wait("1h")
        story.alert()
        assert [one.then for one in story.notifications] == [""]

    def test_an_acknowledgement_calls_it_off(self) -> None:
        story = Story(self.RULES)
        story.alert()
        story.wait("10m")

        story.acknowledge()

        assert story.wait("2h") == []

    def test_who_is_assigned_calls_off_only_the_step_that_asks_for_it(self) -> None:
        story = Story(self.RULES)
        story.alert()

        story.alert(resource="issue", action="assigned", status=Status.UNCHANGED)

        assert story.wait("2h") == ["pager escalation"]

    def test_alerts_that_follow_do_not_begin_it_anew(self) -> None:
        story = Story(self.RULES)
        story.alert()
        story.wait("10m")

        assert story.alert() == ["chat repeat"]
        assert story.wait("6m") == ["pager escalation"]

    def test_what_a_window_held_escalates_only_if_nothing_was_told_before(self) -> None:
        story = Story(f"windows: {{night: {{times: [22:00-07:00]}}}}{self.RULES}    mute: [night]\n", now=EVENING - timedelta(hours=10))
        story.alert()
        story.wait("10h")
        story.alert()

        assert story.wait("2d") == ["chat delayed"]

    def test_what_comes_back_after_its_end_escalates_again(self) -> None:
        story = Story(self.RULES)
        story.alert()
        story.acknowledge()
        story.resolved()
        story.wait("1s")

        assert story.alert() == ["chat first"]
        assert story.wait("15m") == ["pager escalation"]
