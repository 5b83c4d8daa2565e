"""What becomes of an announcement: it is closed where it was made, comes back, and is told again. Stand-ins keep the vendors' state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network
from notifiers.jira import JiraOptions
from notifiers.message import compose
from notifiers.notifier import Notifier, Reconciler
from notifiers.registry import KINDS
from notifiers.slack import FollowUp, Reopen, SlackOptions
from notifiers.slack_layout import blocks
from routing.alert import Alert, Status
from routing.notification import Details, Link, Notification, Numbers, Reason
from routing.own_events import Change, read_change
from tests.factories import NOW, make_notification
from tests.notifiers import test_jira as of_jira
from tests.notifiers import test_pagerduty as of_pagerduty
from tests.notifiers import test_slack as of_slack
from tests.notifiers.contract import contract_of
from tests.notifiers.golden import Goldens
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS
from tests.notifiers.test_several_incidents import FOUR
from tests.stand_ins.jira import USER, Jira
from tests.stand_ins.pagerduty import PagerDuty
from tests.stand_ins.server import Server
from tests.stand_ins.slack import Slack

FIRST = NOTIFICATIONS["critical-error"]
METRIC = NOTIFICATIONS["high-error-rate"]
SUFFIX: Mapping[str, str] = {"preview": "txt"}
OFFERED = replace(FIRST, offers=frozenset({Change.RESOLVED, Change.ASSIGNED}))
THIS_HOUR = int(FIRST.created_at.timestamp()) // 3600
KNOWN = replace(
    OFFERED,
    then="pager at 10:45 UTC unless acknowledged",
    numbers=Numbers(event_count=140, user_count=12, assignee="Ann Lee", trend=((THIS_HOUR - 5, 2), (THIS_HOUR - 1, 11), (THIS_HOUR, 4))),
    details=Details(event_count=151, user_count=12, owners=("checkout",), suspect_commit="a1b2c3d by Ann Lee: Round prices"),
    links=(
        Link("Jira", "OPS-1", "https://acme.atlassian.net/browse/OPS-1"),
        Link("PagerDuty", "Q1", "https://acme.pagerduty.com/incidents/Q1"),
    ),
)
"""All that is known some time after it was announced."""
HOUR = timedelta(hours=1)


def ended(first: Notification = FIRST, status: Status = Status.RESOLVED, *, why: str = "resolved in Sentry by Ann Lee") -> Notification:
    """The end of what a notification told, as a webhook of Sentry's has it: without tags, without a stack."""
    before = first.alert
    alert = Alert(
        resource="issue",
        action=status.value,
        status=status,
        category=before.category,
        level=before.level,
        title=before.title,
        received_at=before.received_at + HOUR,
        occurred_at=before.occurred_at + HOUR,
        culprit=before.culprit,
        project=before.project,
        link=before.link,
        issue_id=before.issue_id,
        short_id=before.short_id,
        event_count=40,
        user_count=9,
        first_seen=before.first_seen,
    )
    return replace(first, id=first.id + 1, reason=Reason.RESOLVED, why=why, created_at=first.created_at + HOUR, alert=alert)


def answering(notification: Notification, notifier: Notifier, to: Notification = FIRST) -> Notification:
    """The notification with the reference of what was told first."""
    return replace(notification, reference=notifier.send(to).reference)


def again(closing: Notification, *, after: timedelta = HOUR, id_: int = 9) -> Notification:
    """What is told when it comes back so long after its end."""
    reference = closing.reference
    return replace(
        FIRST, id=id_, reason=Reason.FIRST, created_at=closing.created_at + after, closed_at=closing.created_at, reference=reference
    )


def acknowledged(first: Notification = FIRST) -> Notification:
    """Somebody has taken on what a notification told."""
    why = "acknowledged in PagerDuty by Ann Lee"
    return replace(first, id=first.id + 2, reason=Reason.ACKNOWLEDGED, why=why, acknowledged_by="Ann Lee in PagerDuty")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].shows])
def test_who_has_taken_it_on_looks_as_its_golden(kind: str, goldens: Goldens) -> None:
    rendered = contract_of(kind).options.render(acknowledged())

    goldens.check(f"{kind}/acknowledged.{SUFFIX.get(kind, 'json')}", rendered)
    assert contract_of(kind).fault_of(rendered) is None


@pytest.mark.parametrize("case", ["resolved", "archived"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_end_looks_as_its_golden(kind: str, case: str, goldens: Goldens) -> None:
    status = Status(case)
    why = "archived in Sentry by Ann Lee until it escalates" if status is Status.ARCHIVED else "resolved in Sentry by Ann Lee"

    rendered = contract_of(kind).options.render(ended(status=status, why=why))

    goldens.check(f"{kind}/{case}.{SUFFIX.get(kind, 'json')}", rendered)
    assert kind == "jira" or contract_of(kind).fault_of(rendered) is None


class TestSlack:
    @pytest.fixture
    def slack(self) -> Iterator[Server[Slack]]:
        with Server(Slack()) as server:
            yield server

    @staticmethod
    def bot(slack: Server[Slack], **options: object) -> Notifier:
        return of_slack.open_at(slack.url, Network(), SlackOptions.model_validate({"channel": "#errors", **options}))

    @staticmethod
    def seen(slack: Server[Slack]) -> list[tuple[str, str]]:
        """Each message in its order: where it is, and how its text begins."""
        return [("thread" if "thread_ts" in one else "channel", str(one["text"])) for one in slack.app.messages["C0ERRORS1"]]

    def test_an_end_changes_the_message_and_is_said_in_its_thread(self, slack: Server[Slack]) -> None:
        bot = self.bot(slack)

        receipt = bot.send(answering(ended(), bot))

        [message, line] = slack.app.messages["C0ERRORS1"]
        assert str(message["text"]).startswith("[RESOLVED] Critical error: OperationalError")
        assert ":white_check_mark: Resolved" in json.dumps(message["blocks"])
        assert (line["thread_ts"], line["text"]) == (message["ts"], "Resolved: resolved in Sentry by Ann Lee")
        assert receipt.reference == {"channel": "C0ERRORS1", "ts": message["ts"]}

    @pytest.mark.parametrize(
        ("follow_up", "in_thread", "in_channel"),
        [(FollowUp.THREAD, True, False), (FollowUp.CHANNEL, False, True), (FollowUp.BOTH, True, True)],
    )
    def test_what_follows_is_said_where_the_receiver_wants_it(
        self, follow_up: FollowUp, slack: Server[Slack], *, in_thread: bool, in_channel: bool
    ) -> None:
        bot = self.bot(slack, follow_up=follow_up)

        bot.send(answering(ended(), bot))

        line = slack.app.messages["C0ERRORS1"][-1]
        assert ("thread_ts" in line) is in_thread
        assert ("thread_ts" not in line or line.get("reply_broadcast") is True) is in_channel

    @pytest.mark.parametrize(
        ("reopen", "after", "is_new"),
        [
            (None, timedelta(hours=23), False),
            (None, timedelta(hours=25), True),
            (Reopen.THREAD, timedelta(days=400), False),
            (Reopen.NEW, timedelta(minutes=1), True),
        ],
    )
    def test_what_comes_back_is_shown_where_it_was_or_anew(
        self, reopen: Reopen | None, after: timedelta, slack: Server[Slack], *, is_new: bool
    ) -> None:
        bot = self.bot(slack, **({"reopen": reopen} if reopen else {}))
        closing = answering(ended(), bot)
        bot.send(closing)

        back = again(closing, after=after)
        slack.app.now = back.created_at.timestamp()

        receipt = bot.send(back)

        assert isinstance(bot, Reconciler)
        found = bot.find(back)
        assert found
        assert found.reference == receipt.reference
        roots = [one for one in slack.app.messages["C0ERRORS1"] if "thread_ts" not in one]
        assert len(roots) == (2 if is_new else 1)
        assert str(roots[-1]["text"]).startswith("[CRITICAL] ")
        assert receipt.reference["ts"] == roots[-1]["ts"]

    def test_who_has_taken_it_on_is_shown_in_the_message_and_said_in_its_thread(self, slack: Server[Slack]) -> None:
        bot = self.bot(slack, follow_up="channel")

        bot.send(answering(acknowledged(), bot))

        [message, line] = slack.app.messages["C0ERRORS1"]
        assert "*Acknowledged*\\nby Ann Lee in PagerDuty" in json.dumps(message["blocks"])
        assert (line["thread_ts"], line["text"]) == (message["ts"], "Acknowledged: acknowledged in PagerDuty by Ann Lee")

    def test_what_tells_nobody_changes_the_message_and_says_nothing_in_its_thread(self, slack: Server[Slack]) -> None:
        bot = self.bot(slack)
        numbers = Numbers(event_count=4711, user_count=9, assignee="Zoë Ng")

        bot.send(answering(replace(FIRST, id=7, reason=Reason.UPDATED, numbers=numbers), bot))

        [message] = slack.app.messages["C0ERRORS1"]
        assert "*Events*\\n4 711" in json.dumps(message["blocks"])
        assert "*Assigned to*\\nZo\\u00eb Ng" in json.dumps(message["blocks"])

    def test_a_message_that_was_deleted_is_not_posted_anew_to_tell_nobody(self, slack: Server[Slack]) -> None:
        bot = self.bot(slack)
        update = answering(replace(FIRST, id=7, reason=Reason.UPDATED), bot)
        slack.app.messages["C0ERRORS1"].clear()

        assert bot.send(update).excerpt == "chat.update: message_not_found; nothing was changed"
        assert slack.app.messages["C0ERRORS1"] == []

    def test_a_message_that_was_deleted_is_posted_anew(self, slack: Server[Slack]) -> None:
        bot = self.bot(slack)
        closing = answering(ended(), bot)
        slack.app.messages["C0ERRORS1"].clear()

        receipt = bot.send(closing)

        assert [where for where, _ in self.seen(slack)] == ["channel"]
        assert receipt.excerpt == "chat.update: message_not_found; posted anew"

    def test_a_change_whose_layout_is_refused_takes_the_old_blocks_away(self, slack: Server[Slack]) -> None:
        bot = self.bot(slack)
        closing = answering(ended(), bot)
        slack.app.refuses_layouts = True

        bot.send(closing)

        message = slack.app.messages["C0ERRORS1"][0]
        assert message["blocks"] == []
        assert str(message["text"]).startswith("[RESOLVED]")

    def test_a_line_whose_answer_was_lost_is_found_in_the_thread(self, slack: Server[Slack]) -> None:
        bot = self.bot(slack)
        closing = answering(ended(), bot)
        assert bot.find(closing) is None  # type: ignore[attr-defined]  # it is a Reconciler

        bot.send(closing)
        found = bot.find(closing)  # type: ignore[attr-defined]

        assert found
        assert found.reference == closing.reference

    def test_an_incoming_webhook_tells_the_end_by_a_message_of_its_own(self, slack: Server[Slack]) -> None:
        webhook = of_slack.open_webhook(slack.url)

        webhook.send(answering(ended(), webhook))

        assert [text[:10] for _, text in self.seen(slack)] == ["[CRITICAL]", "[RESOLVED]"]

    def test_a_message_has_buttons_where_slack_may_call_us(self, goldens: Goldens) -> None:
        payload = SlackOptions(channel="#errors").payload(OFFERED, has_buttons=True)

        goldens.check("slack/buttons.json", json.dumps(payload, indent=2))
        assert of_slack.fault_of(json.dumps(payload)) is None

    def test_a_message_shows_all_that_is_known_by_now(self, goldens: Goldens) -> None:
        payload = SlackOptions(channel="#errors").payload(KNOWN, has_buttons=True)

        goldens.check("slack/known.json", json.dumps(payload, indent=2, ensure_ascii=False))
        assert of_slack.fault_of(json.dumps(payload)) is None

    @pytest.mark.parametrize(
        ("notification", "left"),
        [
            (FIRST, ["open_sentry", "acknowledge", "silence_1h", "silence_8h", "silence", "why"]),
            (OFFERED, ["open_sentry", "acknowledge", "resolve", "assign", "silence_1h", "silence_8h", "silence", "why"]),
            (acknowledged(), ["open_sentry", "silence_1h", "silence_8h", "silence", "why"]),
            (ended(), ["open_sentry"]),
            (replace(FIRST, others=FOUR), ["open_sentry"]),
            (replace(FIRST, incident="group:errors:1"), ["open_sentry"]),
        ],
        ids=["it fires", "it can be done in Sentry", "somebody has it", "it is over", "of several incidents", "of a group"],
    )
    def test_buttons_are_those_that_make_sense(self, notification: Notification, left: list[str]) -> None:
        layout = blocks(compose(notification), has_buttons=True)

        (actions,) = (block["elements"] for block in layout if block["block_id"] == "actions")
        assert isinstance(actions, list)
        assert [button["action_id"] for button in actions] == left

    def test_who_asks_is_answered_where_nobody_else_sees_it(self, slack: Server[Slack]) -> None:
        pressed = read_change({"change": "asked", "where": "Slack", "user": "U1", "channel": "C0ERRORS1"}, NOW)
        why = "• critical matched: title is <!channel> & more"
        asked = make_notification(reason=Reason.ANSWER, why=why, alert=pressed)

        receipt = of_slack.open_at(slack.url, Network()).send(asked)

        assert slack.app.messages == {}
        assert [(said["user"], said["text"]) for said in slack.app.whispers] == [
            ("U1", "• critical matched: title is &lt;!channel&gt; &amp; more")
        ]
        assert receipt.reference == {}

    def test_a_webhook_can_follow_up_nowhere(self) -> None:
        with pytest.raises(ValidationError, match="follow_up need a bot"):
            SlackOptions.model_validate({"webhook_url": "https://hooks.slack.com/services/T/B/x", "follow_up": "thread"})


class TestPagerDuty:
    @pytest.fixture
    def pagerduty(self) -> Iterator[Server[PagerDuty]]:
        with Server(PagerDuty()) as server:
            yield server

    def test_an_end_resolves_the_alert_that_was_triggered(self, pagerduty: Server[PagerDuty]) -> None:
        notifier = of_pagerduty.open_at(pagerduty.url, Network())

        notifier.send(answering(replace(ended(), receiver="called otherwise by now"), notifier))

        [alert] = pagerduty.app.alerts.values()
        assert alert.state == "resolved"

    def test_who_has_taken_it_on_elsewhere_has_taken_it_on_here(self, pagerduty: Server[PagerDuty]) -> None:
        notifier = of_pagerduty.open_at(pagerduty.url, Network())

        notifier.send(answering(acknowledged(), notifier))

        [alert] = pagerduty.app.alerts.values()
        assert alert.state == "acknowledged"

    def test_what_comes_back_is_another_alert(self, pagerduty: Server[PagerDuty]) -> None:
        notifier = of_pagerduty.open_at(pagerduty.url, Network())
        closing = answering(ended(), notifier)
        notifier.send(closing)

        notifier.send(again(closing))

        [alert] = pagerduty.app.alerts.values()
        assert (alert.state, len(alert.events)) == ("triggered", 1)


class TestJira:
    @pytest.fixture(params=[True, False], ids=["cloud", "data center"])
    def jira(self, request: pytest.FixtureRequest) -> Iterator[Server[Jira]]:
        with Server(Jira(now=NOW, is_cloud=request.param)) as server:
            yield server

    @staticmethod
    def notifier(jira: Server[Jira], **options: object) -> Notifier:
        settings = of_jira.Settings(jira_url=jira.url, jira_user=USER if jira.app.is_cloud else None)
        chosen = JiraOptions.model_validate({"project": "OPS", **options})
        return chosen.open(settings, network=Network(), clock=lambda: of_jira.LATER)

    def test_an_end_closes_the_issue(self, jira: Server[Jira]) -> None:
        notifier = self.notifier(jira)

        receipt = notifier.send(answering(ended(), notifier))

        assert jira.app.states == {1: "Done"}
        assert receipt.excerpt == "closed OPS-1 by Close"
        assert receipt.reference["key"] == "OPS-1"

    def test_an_issue_that_somebody_has_closed_is_left_as_it_is(self, jira: Server[Jira]) -> None:
        notifier = self.notifier(jira)
        closing = answering(ended(), notifier)
        jira.app.states[1] = "Done"

        assert notifier.send(closing).excerpt == "OPS-1 is closed already"

    def test_what_comes_back_opens_its_issue_again_and_says_why(self, jira: Server[Jira]) -> None:
        notifier = self.notifier(jira)
        closing = answering(ended(), notifier)
        notifier.send(closing)

        receipt = notifier.send(again(closing))

        assert (len(jira.app.issues), jira.app.states) == (1, {1: "To Do"})
        assert jira.app.comments[1][0].startswith("*Critical error* came back in shop-api, production: ")
        assert receipt.excerpt == "opened OPS-1 again by Reopen"

    @pytest.mark.parametrize("lost", ["/comment", "/transitions"])
    def test_what_was_said_when_it_came_back_is_said_once(self, lost: str, jira: Server[Jira]) -> None:
        """The answer to the comment is lost, or that to the transition; the next attempt finds what is there."""
        notifier = self.notifier(jira)
        closing = answering(ended(), notifier)
        notifier.send(closing)
        jira.app.loses_answers_to = lost
        with pytest.raises(RetryableError) as caught:
            notifier.send(again(closing))
        jira.app.loses_answers_to = ""

        notifier.send(again(closing))

        assert caught.value.ambiguous
        assert (len(jira.app.comments[1]), jira.app.states) == (1, {1: "To Do"})

    def test_an_issue_that_was_moved_to_another_project_is_closed_there(self, jira: Server[Jira]) -> None:
        notifier = self.notifier(jira)
        closing = answering(ended(), notifier)
        jira.app.moved[1] = "WEB-7"

        receipt = notifier.send(closing)

        assert (jira.app.states, receipt.reference["key"]) == ({1: "Done"}, "WEB-7")

    def test_what_nobody_will_mend_is_not_opened_again(self, jira: Server[Jira]) -> None:
        notifier = self.notifier(jira)
        closing = answering(ended(), notifier)
        jira.app.states[1], jira.app.resolutions[1] = "Done", "Won't Do"

        receipt = notifier.send(again(closing))

        assert (len(jira.app.issues), jira.app.states) == (1, {1: "Done"})
        assert receipt.excerpt == "OPS-1 is closed as Won't Do, so it was left alone"

    def test_the_transitions_may_have_names(self, jira: Server[Jira]) -> None:
        jira.app.workflow = {"To Do": ("Start",), "Doing": ("Close",)}
        notifier = self.notifier(jira, resolve_transition="Start")

        assert notifier.send(answering(ended(), notifier)).excerpt == "closed OPS-1 by Start"

    @pytest.mark.parametrize(
        ("options", "wanted"),
        [({}, "no transition that closes it now"), ({"resolve_transition": "Finish"}, 'no transition "Finish" now')],
        ids=["by where it leads", "by name"],
    )
    def test_a_transition_that_is_missing_is_told_with_those_that_are_there(
        self, options: dict[str, str], wanted: str, jira: Server[Jira]
    ) -> None:
        jira.app.workflow = {"To Do": ("Start",)}
        notifier = self.notifier(jira, **options)
        closing = answering(ended(), notifier)

        with pytest.raises(PermanentError, match=f"OPS-1 has {wanted}; write one of those that it has as `resolve_transition`: Start"):
            notifier.send(closing)

    def test_an_issue_whose_key_is_not_known_is_found_by_its_label(self, jira: Server[Jira]) -> None:
        notifier = self.notifier(jira)
        notifier.send(FIRST)

        notifier.send(ended())

        assert jira.app.states == {1: "Done"}

    def test_an_issue_that_was_deleted_is_not_missed_at_its_end(self, jira: Server[Jira]) -> None:
        notifier = self.notifier(jira)
        closing = answering(ended(), notifier)
        jira.app.issues.clear()

        assert notifier.send(closing).excerpt == "the incident has no issue, so none was closed"
