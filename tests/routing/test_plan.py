"""Who is told about an alert, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.preview import PreviewOptions
from routing.alert import Alert, Level, Status
from routing.history import History
from routing.notification import Lane, PlannedNotification, Reason, Severity, State
from routing.plan import Disposition, Plan, RuleTrace, plan
from routing.query import Verdict, parse
from routing.rules import Receiver, Rule, RuleSet
from routing.rules_loading import load
from routing.windows import Span, Window
from tests.factories import NOW, make_alert

COOLDOWN = timedelta(minutes=30)
NEW, KNOWN = History(), History(was=Status.FIRING)


def make_rule(name: str = "errors", when: str = "level:error", *notify: str, **changes: object) -> Rule:
    """A rule that an alert of `make_alert()` meets; tells `slack` unless somebody else is named."""
    fields = {"severity": None, "cooldown": COOLDOWN, **changes}
    return Rule(name=name, when=parse(when), notify=notify or ("slack",), **fields)  # type: ignore[arg-type]  # a test names any field


def make_rules(*rules: Rule) -> RuleSet:
    names = {name for rule in rules for name in rule.notify}
    return RuleSet(rules=rules, receivers={name: make_receiver(name) for name in names}, version="test")


def make_receiver(name: str) -> Receiver:
    return Receiver(name=name, kind=f"kind-of-{name}", options=PreviewOptions())


def decide(*rules: Rule, alert: Alert | None = None, history: History = NEW, now: datetime = NOW) -> Plan:
    return plan(alert or make_alert(), make_rules(*rules), history, now)


def only(planned: Plan) -> PlannedNotification:
    (notification,) = planned.notifications
    return notification


def spoke(ago: timedelta, *rules: str) -> History:
    """These rules spoke of the incident that long before NOW."""
    return History(was=Status.FIRING, notified_at=dict.fromkeys(rules or ("errors",), NOW - ago))


def test_a_rule_that_matches_for_the_first_time_tells_its_receiver() -> None:
    planned = decide(make_rule())

    assert planned == Plan(
        disposition=Disposition.MATCHED,
        notifications=(
            PlannedNotification(
                receiver="slack",
                kind="kind-of-slack",
                rules=("errors",),
                severity=Severity.WARNING,
                reason=Reason.FIRST,
                why='level is "error"',
                state=State.PLANNED,
                subject="",
                place=make_receiver("slack").place({}),
                follows=PreviewOptions().follows,
            ),
        ),
        asked=("errors",),
        verdicts=(Verdict(matched=True, why='level is "error"'),),
        speaking=("errors",),
    )


def test_every_receiver_of_a_rule_gets_a_notification_in_the_order_of_the_rules() -> None:
    planned = decide(make_rule("one", "level:error", "slack", "jira"), make_rule("two", "level:error", "mail", "slack"))

    assert [notification.receiver for notification in planned.notifications] == ["slack", "jira", "mail"]


def test_several_rules_that_ask_for_one_receiver_get_one_notification_that_names_them_all() -> None:
    planned = decide(make_rule("one", "level:error"), make_rule("two", "environment:production"))

    notification = only(planned)
    assert notification.rules == ("one", "two")
    assert notification.why == 'level is "error"; environment is "production"'
    assert planned.speaking == ("one", "two")


def test_a_receiver_that_a_rule_names_twice_is_told_once() -> None:
    planned = decide(make_rule("one", "level:error", "slack", "slack"))

    assert only(planned).rules == ("one",)


def test_a_receiver_that_only_a_rule_that_does_not_match_names_is_not_told() -> None:
    planned = decide(make_rule("one", "level:error", "slack"), make_rule("two", "level:fatal", "jira"))

    assert only(planned).receiver == "slack"


class TestCooldown:
    @pytest.mark.parametrize(
        ("ago", "reason", "state"),
        [
            (timedelta(), Reason.COOLDOWN, State.HELD),
            (COOLDOWN - timedelta(microseconds=1), Reason.COOLDOWN, State.HELD),
            (COOLDOWN, Reason.REPEAT, State.PLANNED),
            (COOLDOWN + timedelta(days=400), Reason.REPEAT, State.PLANNED),
            (-timedelta(minutes=5), Reason.COOLDOWN, State.HELD),
        ],
        ids=["at once", "a microsecond before its end", "at its end", "long after", "before, by a clock that was set back"],
    )
    def test_it_holds_a_rule_until_its_end(self, ago: timedelta, reason: Reason, state: State) -> None:
        planned = decide(make_rule(), history=spoke(ago))

        assert (only(planned).reason, only(planned).state) == (reason, state)
        assert planned.speaking == (("errors",) if state is State.PLANNED else ())
        assert planned.disposition is Disposition.MATCHED

    def test_of_no_time_holds_nothing(self) -> None:
        planned = decide(make_rule(cooldown=timedelta()), history=spoke(timedelta()))

        assert only(planned).reason is Reason.REPEAT

    def test_is_each_rules_own(self) -> None:
        short, long = make_rule("short", cooldown=timedelta(minutes=1)), make_rule("long", "level:error", "jira")

        planned = decide(short, long, history=spoke(timedelta(minutes=5), "short", "long"))

        states = {notification.receiver: notification.state for notification in planned.notifications}
        assert states == {"slack": State.PLANNED, "jira": State.HELD}
        assert planned.speaking == ("short",)

    def test_of_one_rule_does_not_silence_another_one_to_the_same_receiver(self) -> None:
        held, fresh = make_rule("held", severity=Severity.CRITICAL), make_rule("fresh", severity=Severity.INFO)

        planned = decide(held, fresh, history=spoke(timedelta(minutes=5), "held"))

        notification = only(planned)
        assert (notification.rules, notification.state, notification.reason) == (("fresh",), State.PLANNED, Reason.FIRST)
        assert notification.severity is Severity.INFO

    def test_of_all_rules_holds_the_notification_and_names_them_all(self) -> None:
        planned = decide(make_rule("one"), make_rule("two"), history=spoke(timedelta(minutes=5), "one", "two"))

        notification = only(planned)
        assert (notification.rules, notification.state, notification.reason) == (("one", "two"), State.HELD, Reason.COOLDOWN)

    def test_of_a_rule_of_another_name_means_nothing(self) -> None:
        planned = decide(make_rule(), history=spoke(timedelta(minutes=5), "renamed"))

        assert only(planned).reason is Reason.FIRST

    def test_that_is_over_makes_a_repeat_whose_reason_is_that_of_the_first_rule_that_speaks(self) -> None:
        planned = decide(make_rule("old"), make_rule("new"), history=spoke(timedelta(hours=1), "old"))

        assert (only(planned).rules, only(planned).reason) == (("old", "new"), Reason.REPEAT)


@pytest.mark.parametrize(
    ("level", "severity", "lane"),
    [
        (Level.FATAL, Severity.CRITICAL, Lane.CRITICAL),
        (Level.ERROR, Severity.WARNING, Lane.NORMAL),
        (Level.WARNING, Severity.WARNING, Lane.NORMAL),
        (Level.INFO, Severity.INFO, Lane.NORMAL),
        (Level.DEBUG, Severity.INFO, Lane.NORMAL),
    ],
)
def test_the_level_decides_how_bad_it_is_where_the_rule_does_not(level: Level, severity: Severity, lane: Lane) -> None:
    planned = decide(make_rule(when="environment:production"), alert=make_alert(level=level))

    assert (only(planned).severity, only(planned).lane) == (severity, lane)


@pytest.mark.parametrize("severity", Severity)
def test_the_rules_severity_goes_before_the_level(severity: Severity) -> None:
    planned = decide(make_rule(when="environment:production", severity=severity), alert=make_alert(level=Level.FATAL))

    assert only(planned).severity is severity
    assert only(planned).lane is (Lane.CRITICAL if severity is Severity.CRITICAL else Lane.NORMAL)


def test_the_worst_severity_of_the_rules_that_speak_counts() -> None:
    rules = [make_rule(severity.value, severity=severity) for severity in (Severity.INFO, Severity.CRITICAL, Severity.WARNING)]

    planned = decide(*rules)

    assert (only(planned).severity, only(planned).lane, only(planned).rules[0]) == (Severity.CRITICAL, Lane.CRITICAL, "info")


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.ARCHIVED, Status.UNCHANGED])
def test_what_does_not_fire_is_noted_and_held_against_no_rule(status: Status) -> None:
    planned = decide(make_rule(), alert=make_alert(status=status))

    assert planned == Plan(disposition=Disposition.NOTED)


def test_what_fires_and_meets_no_rule_is_unrouted() -> None:
    planned = decide(make_rule(when="level:fatal"))

    assert (planned.disposition, planned.notifications, planned.speaking) == (Disposition.UNROUTED, (), ())


def test_without_rules_everything_is_unrouted() -> None:
    assert decide() == Plan(disposition=Disposition.UNROUTED)


@pytest.mark.parametrize("status", Status)
def test_what_was_said_before_is_a_duplicate_whatever_it_says(status: Status) -> None:
    planned = decide(make_rule(), alert=make_alert(status=status), history=History(duplicate_of=7))

    assert planned == Plan(disposition=Disposition.DUPLICATE)


def test_the_trace_says_of_every_rule_the_first_condition_that_was_false() -> None:
    rules = [make_rule("matching"), make_rule("failing", "level:error environment:staging release:x"), make_rule("last", "has:release")]

    planned = decide(*rules)

    assert planned.trace == (
        RuleTrace(rule="matching", matched=True, why='level is "error"'),
        RuleTrace(rule="failing", matched=False, why='environment is "production", wanted "staging"'),
        RuleTrace(rule="last", matched=True, why='release is "shop-api@4.2.0"'),
    )


@pytest.mark.parametrize(("history", "is_new"), [(NEW, True), (KNOWN, False)])
def test_an_incident_of_which_nothing_was_known_is_new(history: History, is_new: bool) -> None:  # noqa: FBT001 - a table
    planned = decide(make_rule(when="is:new"), history=history)

    assert planned.trace[0].matched is is_new


def test_a_disabled_rule_neither_speaks_nor_leaves_a_trace() -> None:
    text = """\
version: 1
receivers: {somebody: {kind: preview}}
rules:
  - {name: out-of-force, when: "level:error", notify: [somebody], enabled: false}
  - {name: in-force, when: "level:error", notify: [somebody]}
"""
    rules = load(text, kinds={"preview": PreviewOptions}, environment={})

    planned = plan(make_alert(), rules, NEW, NOW)

    assert [trace.rule for trace in planned.trace] == ["in-force"]
    assert only(planned).rules == ("in-force",)


CONDITIONS = st.sampled_from(["level:error", "level:fatal", "is:new", "!has:release", "payment", "", "timesSeen:>5", "environment:prod*"])
RULE_SETS = st.lists(
    st.builds(
        lambda number, when, notify, severity, minutes: make_rule(
            f"rule-{number}", when, *notify, severity=severity, cooldown=timedelta(minutes=minutes)
        ),
        st.integers(0, 5),
        CONDITIONS,
        st.lists(st.sampled_from(["slack", "jira", "mail"]), min_size=1, max_size=4),
        st.none() | st.sampled_from(Severity),
        st.integers(0, 90),
    ),
    max_size=6,
    unique_by=lambda rule: rule.name,
)
ALERTS = st.builds(
    lambda level, status, title, count: make_alert(level=level, status=status, title=title, event_count=count),
    st.sampled_from(Level),
    st.sampled_from(Status),
    st.text(max_size=20),
    st.none() | st.integers(0, 10),
)
HISTORIES = st.builds(
    lambda known, spoken, duplicate: History(
        was=Status.FIRING if known else None,
        notified_at={f"rule-{number}": NOW - timedelta(minutes=minutes) for number, minutes in spoken.items()},
        duplicate_of=duplicate,
    ),
    st.booleans(),
    st.dictionaries(st.integers(0, 5), st.integers(0, 120)),
    st.none() | st.just(3),
)


@given(RULE_SETS, ALERTS, HISTORIES)
def test_the_same_arguments_give_the_same_plan(rules: list[Rule], alert: Alert, history: History) -> None:
    first, second = (plan(alert, make_rules(*rules), history, NOW) for _ in range(2))

    assert first == second


@given(RULE_SETS, ALERTS, HISTORIES)
def test_a_plan_is_whole(rules: list[Rule], alert: Alert, history: History) -> None:
    planned = plan(alert, make_rules(*rules), history, NOW)

    matched = {trace.rule for trace in planned.trace if trace.matched}
    receivers = [notification.receiver for notification in planned.notifications]
    assert len(set(receivers)) == len(receivers)
    assert set(receivers) == {receiver for rule in rules if rule.name in matched for receiver in rule.notify}
    assert all(notification.rules and set(notification.rules) <= matched for notification in planned.notifications)
    assert {rule for one in planned.notifications if one.state is State.PLANNED for rule in one.rules} == set(planned.speaking)
    assert (planned.disposition is Disposition.MATCHED) == bool(planned.notifications) == bool(matched)
    assert all((one.state is State.HELD) == (one.reason is Reason.COOLDOWN) for one in planned.notifications)


@given(RULE_SETS, ALERTS)
def test_a_cooldown_only_takes_away(rules: list[Rule], alert: Alert) -> None:
    silent = spoke(timedelta(), *(rule.name for rule in rules))

    held, free = (plan(alert, make_rules(*rules), history, NOW) for history in (silent, KNOWN))

    assert set(held.speaking) <= set(free.speaking)
    assert {one.receiver for one in held.notifications} == {one.receiver for one in free.notifications}


NIGHT = Window(name="night", spans=(Span(times=((timedelta(hours=22), timedelta(hours=31)),)),), allow=Severity.CRITICAL)
AT_NIGHT, IN_THE_MORNING = NOW.replace(hour=23), NOW.replace(hour=7) + timedelta(days=1)


class TestARuleThatAWindowMutes:
    def test_is_held_and_says_by_which_window_until_when(self) -> None:
        held = only(decide(make_rule(mute=(NIGHT,)), now=AT_NIGHT))

        assert (held.state, held.reason) == (State.HELD, Reason.WINDOW)
        assert held.why == 'level is "error"; held by window "night" until 2026-03-05 07:00 UTC'

    def test_speaks_of_what_the_window_allows(self) -> None:
        told = only(decide(make_rule(mute=(NIGHT,), severity=Severity.CRITICAL), now=AT_NIGHT))

        assert (told.state, told.reason) == (State.PLANNED, Reason.FIRST)

    def test_speaks_when_the_window_is_over_because_its_cooldown_did_not_begin(self) -> None:
        rule = make_rule(mute=(NIGHT,), cooldown=timedelta(days=1))

        assert decide(rule, now=AT_NIGHT).speaking == ()
        assert only(decide(rule, history=KNOWN, now=IN_THE_MORNING)).reason is Reason.FIRST

    def test_leaves_the_word_to_another_rule_that_tells_the_same_receiver(self) -> None:
        told = only(decide(make_rule("muted", mute=(NIGHT,)), make_rule("awake"), now=AT_NIGHT))

        assert (told.state, told.rules, told.reason) == (State.PLANNED, ("awake",), Reason.FIRST)


def test_a_rule_speaks_within_its_active_windows_only() -> None:
    rule = make_rule(active=(replace(NIGHT, allow=None),))

    assert only(decide(rule, now=AT_NIGHT)).state is State.PLANNED
    assert only(decide(rule, now=NOW)).reason is Reason.WINDOW
