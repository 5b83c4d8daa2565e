"""Delivering what was claimed: by the receiver's notifier, as the rules in force open it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from pydantic import SecretStr

from notifiers.dispatch import Dispatch, Told
from notifiers.registry import KINDS
from routing.alert import Alert
from routing.findings import Findings
from routing.notification import Attempt, Mention, Notification, Outcome, Reason, Severity, Tries
from routing.pruned import pruned_body
from routing.rules import RuleSet
from routing.rules_loading import load
from settings import Settings
from tests.factories import NOW, event_alert_webhook, make_notification
from tests.stand_ins import slack
from tests.stand_ins.server import Server

RULES = "{version: 1, receivers: {chat: {kind: preview}}, rules: [{name: all, when: '', notify: [chat]}]}"
BODY = event_alert_webhook(title="KeyError: 'currency'").body


@dataclass(frozen=True, slots=True)
class Came:
    body: bytes = BODY
    resource: str = "event_alert"
    received_at: datetime = NOW
    findings: Findings | None = None


@dataclass(slots=True)
class Waiting:
    """A claimed notification that remembers the alerts it was read with."""

    receiver: str = "chat"
    reason: Reason = Reason.FIRST
    told: Told | None = None
    event: Came = field(default_factory=Came)
    changes: dict[str, object] = field(default_factory=dict)
    tries: Tries = field(default_factory=lambda: Tries(number=1, failures=0, planned_at=NOW, may_be_there=False))
    tried_under: str | None = None
    severity: Severity = Severity.WARNING
    began_at: datetime | None = NOW
    opted_out_at: datetime | None = None
    others: tuple[Mention, ...] = ()
    read: list[Alert] = field(default_factory=list)

    def notification(self, alert: Alert) -> Notification:
        self.read.append(alert)
        return make_notification(receiver=self.receiver, alert=alert, others=self.others)


def not_asked(version: str) -> RuleSet:
    raise AssertionError(f"nobody asks for the rules {version}")


def make_rules(text: str = RULES) -> RuleSet:
    return load(text, kinds=KINDS, environment={})


def deliver(*claimed: Waiting, rules: RuleSet | None = None) -> list[Attempt]:
    found = rules or make_rules()
    dispatch = Dispatch(Settings(allow_unsigned=True), lambda: found, lambda: NOW, earlier=not_asked)
    return [dispatch.deliver(one) for one in claimed]


def test_what_is_sent_again_when_its_alert_is_pruned_is_refused_and_says_so() -> None:
    (done,) = deliver(Waiting(event=Came(body=pruned_body(NOW))))

    assert done.outcome is Outcome.REFUSED
    assert done.retry_after is None
    assert "the body was pruned at 2026-03-04 10:15:32 UTC" in done.excerpt


def test_what_was_claimed_is_told_to_its_receiver() -> None:
    (done,) = deliver(Waiting())

    assert done.outcome is Outcome.PREVIEWED
    assert "KeyError: 'currency'" in done.payload


def test_the_alert_of_an_event_is_read_once_for_all_its_notifications() -> None:
    one, other = Waiting(), Waiting()

    deliver(one, other)

    assert one.read[0] is other.read[0]


def test_a_receiver_that_is_not_in_force_is_tried_again() -> None:
    (done,) = deliver(Waiting(receiver="gone"))

    assert (done.outcome, done.excerpt) == (Outcome.RETRY, "receiver gone is not in the rules in force")
    assert done.retry_after
    assert not done.was_asked


def test_one_set_of_rules_decides_all_of_a_delivery_whatever_is_read_meanwhile() -> None:
    with_receiver, without = make_rules(), make_rules(RULES.replace("chat", "talk"))
    read = iter([with_receiver, without, without, without])
    dispatch = Dispatch(Settings(allow_unsigned=True), lambda: next(read), lambda: NOW, earlier=not_asked)

    done = dispatch.deliver(Waiting())

    assert (done.outcome, done.rules_version) == (Outcome.PREVIEWED, with_receiver.version)


def test_what_has_no_room_in_a_message_is_listed_at_the_address_of_the_console() -> None:
    settings = Settings(allow_unsigned=True, public_url="https://alerts.example.com/")
    others = tuple(Mention(title=f"Boom {number}", project="shop", incident=f"issue:{number}") for number in range(25))
    found = make_rules()
    dispatch = Dispatch(settings, lambda: found, lambda: NOW, earlier=not_asked)

    done = dispatch.deliver(Waiting(others=others))

    assert "+ 15 more: https://alerts.example.com/deliveries/1" in done.payload


def test_what_cannot_be_read_ends_as_an_attempt() -> None:
    (done,) = deliver(Waiting(event=Came(body=b"not JSON")))

    assert done.outcome is Outcome.AMBIGUOUS
    assert done.excerpt.startswith("fault in the router: UnreadableAlert at ")


def test_rules_that_have_changed_open_receivers_anew() -> None:
    in_force = [make_rules()]
    dispatch = Dispatch(Settings(allow_unsigned=True), lambda: in_force[-1], lambda: NOW, earlier=not_asked)
    before = dispatch.deliver(Waiting(receiver="pager"))

    in_force.append(make_rules(RULES.replace("chat", "pager")))
    after = dispatch.deliver(Waiting(receiver="pager"))

    assert (before.outcome, after.outcome) == (Outcome.RETRY, Outcome.PREVIEWED)


class TestClosings:
    """What was announced is closed as it was announced."""

    BEFORE = "version: 1\nreceivers: {chat: {kind: jira, project: OPS}}\nrules: []"

    @dataclass(frozen=True, slots=True)
    class Said:
        reason: Reason = Reason.FIRST
        rules_version: str | None = "v1"
        place: str | None = "0123456789abcdef"
        severity: Severity = Severity.WARNING
        at: datetime | None = NOW

    def close(self, in_force: str, told: Said | None, *, receiver: str = "chat", known: str | None = None) -> tuple[Attempt, list[str]]:
        """The end of it tried while these rules are in force; also the versions that were asked for, and give what is `known`."""
        before = make_rules(self.BEFORE)
        asked: list[str] = []

        def earlier(version: str) -> RuleSet:
            asked.append(version)
            return make_rules(known) if known else before

        rules = make_rules(in_force)
        dispatch = Dispatch(Settings(allow_unsigned=True), lambda: rules, lambda: NOW, earlier=earlier)
        told = told and replace(told, place=before.receivers["chat"].place({}))
        return dispatch.deliver(Waiting(receiver=receiver, reason=Reason.RESOLVED, told=told)), asked

    @pytest.mark.parametrize(
        "in_force",
        [
            "version: 1\nreceivers: {}\nrules: []",
            "version: 1\nreceivers: {talk: {kind: jira, project: OPS}}\nrules: []",
            "version: 1\nreceivers: {chat: {kind: jira, project: OTHER}}\nrules: []",
        ],
        ids=["removed", "renamed", "changed"],
    )
    def test_by_the_receiver_that_announced_it_whatever_became_of_that(self, in_force: str) -> None:
        done, asked = self.close(in_force, self.Said())

        assert (done.outcome, asked) == (Outcome.PREVIEWED, ["v1"])

    def test_by_the_receiver_in_force_while_it_is_the_same_destination(self) -> None:
        done, asked = self.close("version: 1\nreceivers: {chat: {kind: jira, project: OPS, priority: High}}\nrules: []", self.Said())

        assert (done.outcome, asked) == (Outcome.PREVIEWED, [])

    @pytest.mark.parametrize(("may_be_there", "asked_for"), [(True, ["v1"]), (False, [])], ids=["perhaps sent", "not sent"])
    def test_what_may_have_gone_out_goes_on_where_that_was(self, asked_for: list[str], *, may_be_there: bool) -> None:
        asked: list[str] = []

        def earlier(version: str) -> RuleSet:
            asked.append(version)
            return make_rules(self.BEFORE)

        rules = make_rules(self.BEFORE.replace("OPS", "OTHER"))
        dispatch = Dispatch(Settings(allow_unsigned=True), lambda: rules, lambda: NOW, earlier=earlier)

        done = dispatch.deliver(Waiting(tried_under="v1" if may_be_there else None))

        assert ('"OPS"' in done.payload, asked) == (may_be_there, asked_for)

    def test_by_whichever_receiver_leads_where_it_was_announced(self) -> None:
        done, asked = self.close("version: 1\nreceivers: {}\nrules: []", self.Said(), receiver="as it was called between")

        assert (done.outcome, asked) == (Outcome.PREVIEWED, ["v1"])

    def test_not_by_a_receiver_that_leads_elsewhere(self) -> None:
        done, _ = self.close("version: 1\nreceivers: {}\nrules: []", self.Said(), known="version: 1\nreceivers: {}\nrules: []")

        assert done.outcome is Outcome.REFUSED
        assert done.excerpt.endswith("have no receiver any more that leads there")

    @pytest.mark.parametrize(
        ("told", "why"),
        [(None, "nothing was announced there"), (Said(Reason.RESOLVED), "its end was told there already")],
        ids=["nothing was told", "it was closed"],
    )
    def test_not_where_there_is_nothing_to_close(self, told: Said | None, why: str) -> None:
        done, _ = self.close(self.BEFORE, told)

        assert (done.outcome, done.excerpt) == (Outcome.NEEDLESS, why)


COMPUTED = """
version: 1
receivers:
  team: {kind: jira, project: "{tags.team}", issue_type: Bug, allow: ["[A-Z]*", "OPS"], template: short}
templates: {short: {title: "{project} is in trouble"}}
rules: [{name: critical-error, when: '', notify: [team], owner: the payments team, runbook: "https://wiki.example/payments"}]
"""


def test_the_options_that_an_alert_made_are_those_it_is_told_by() -> None:
    (done,) = deliver(Waiting(receiver="team", changes={"project": "OPS"}), rules=make_rules(COMPUTED))

    assert '"key": "OPS"' in done.payload


def test_options_that_the_rules_no_longer_take_end_it() -> None:
    (done,) = deliver(Waiting(receiver="chat", changes={"channel": "#x"}))

    assert (done.outcome, done.excerpt) == (Outcome.REFUSED, "receiver chat: it takes no such options any more")


def test_the_message_is_told_as_rule_and_receiver_want_it() -> None:
    (done,) = deliver(Waiting(receiver="team", changes={"project": "OPS"}), rules=make_rules(COMPUTED))

    for said in ("shop-api is in trouble", "the payments team", "https://wiki.example/payments"):
        assert said in done.payload


@pytest.mark.parametrize(
    ("receivers", "token", "offered"),
    [
        ("{kind: sentry}", "token", {"Resolve in Sentry", "Assign to me"}),
        ("{kind: sentry, resolve: [jira]}", "token", {"Assign to me"}),
        ("{kind: sentry}", None, set()),
        ("{kind: preview}", "token", set()),
    ],
    ids=["all", "not what is not wanted", "nothing that is only previewed", "nothing without anybody who does it"],
)
def test_what_can_be_done_in_sentry_is_offered(receivers: str, token: str | None, offered: set[str]) -> None:
    with Server(slack.Slack()) as there:
        settings = Settings(
            allow_unsigned=True,
            sentry_org="acme",
            sentry_api_token=SecretStr(token) if token else None,
            slack_bot_token=SecretStr(slack.TOKEN),
            slack_signing_secret=SecretStr("signing"),
            slack_api_url=f"{there.url}/api",
        )
        rules = make_rules(f"version: 1\nreceivers: {{chat: {{kind: slack, channel: '#errors'}}, there: {receivers}}}\nrules: []")

        done = Dispatch(settings, lambda: rules, lambda: NOW, earlier=not_asked).deliver(Waiting())

    assert {text for text in ("Resolve in Sentry", "Assign to me") if text in done.payload} == offered


class TestOnce:
    """A text message is told once of an incident, and again when it gets worse."""

    RULES = "version: 1\nreceivers: {text: {kind: sms, to: '+15551234567'%s}}\nrules: []"

    def tell(self, option: str = "", **changes: object) -> Attempt:
        rules = make_rules(self.RULES % option)
        told = TestClosings.Said(place=rules.receivers["text"].place({}))
        given = {"receiver": "text", "reason": Reason.REPEAT, "told": replace(told, severity=Severity.WARNING), **changes}
        return deliver(Waiting(**given), rules=rules)[0]  # type: ignore[arg-type]  # a test names any field

    def test_what_has_not_got_worse_is_held(self) -> None:
        done = self.tell()

        assert (done.outcome, done.held_for) == (Outcome.NEEDLESS, Reason.KNOWN)

    @pytest.mark.parametrize(
        ("option", "changes"),
        [
            ("", {"severity": Severity.CRITICAL}),
            ("", {"told": None}),
            ("", {"began_at": NOW + timedelta(hours=1)}),
            ("", {"reason": Reason.RESOLVED}),
            (", repeats: true", {}),
        ],
        ids=["worse", "never told", "it has begun again", "its end", "repeats are wanted"],
    )
    def test_all_else_is_told(self, option: str, changes: dict[str, object]) -> None:
        assert self.tell(option, **changes).outcome is Outcome.PREVIEWED

    @pytest.mark.parametrize(
        ("hours", "number", "outcome"),
        [(1, 1, Outcome.NEEDLESS), (25, 1, Outcome.PREVIEWED), (1, 2, Outcome.PREVIEWED)],
        ids=["today", "a day later", "requeued by hand"],
    )
    def test_whoever_has_opted_out_is_left_alone_for_a_day(self, hours: int, number: int, outcome: Outcome) -> None:
        tries = Tries(number=number, failures=0, planned_at=NOW, may_be_there=False)

        done = self.tell(told=None, opted_out_at=NOW - timedelta(hours=hours), tries=tries)

        assert done.outcome is outcome
        assert done.held_for is (Reason.OPTED_OUT if outcome is Outcome.NEEDLESS else None)
