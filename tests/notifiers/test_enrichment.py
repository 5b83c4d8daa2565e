"""What webhooks do not say is asked of Sentry and Slack; what cannot be asked quickly is gone without, and not asked again for a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from notifiers.enrichment import LONGEST_SECONDS, Enrichment
from notifiers.registry import KINDS
from routing.alert import Alert, Status
from routing.findings import Findings, enriched
from routing.notification import Details
from routing.own_events import read_change
from routing.rules_loading import load
from settings import Settings
from tests.factories import NOW, make_alert
from tests.stand_ins import sentry_api, slack
from tests.stand_ins.sentry_api import Issue, SentryApi
from tests.stand_ins.server import Server
from tests.stand_ins.slack import Slack

RULES = load("version: 1\nreceivers: {}\nrules: []\nbuttons: {resolve: ['@on-call']}", kinds=KINDS, environment={})


@dataclass
class Place:
    """Sentry and Slack, and somebody who asks them."""

    sentry: Server[SentryApi]
    slack: Server[Slack]
    now: datetime = NOW
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.variables |= {"ALLOW_UNSIGNED": "true", "SENTRY_BASE_URL": self.sentry.url, "SLACK_API_URL": f"{self.slack.url}/api"}
        self.variables |= {"SENTRY_API_TOKEN": sentry_api.TOKEN, "SENTRY_ORG": sentry_api.ORG, "SLACK_BOT_TOKEN": slack.TOKEN}
        self.enrichment = Enrichment(Settings.from_variables(self.variables), lambda: self.now)

    def find_out(self, *alerts: Alert) -> list[Findings | None]:
        return self.enrichment.find_out(alerts, RULES)

    @property
    def asked(self) -> int:
        return len(self.sentry.requests) + len(self.slack.requests)


@pytest.fixture
def place() -> Iterator[Place]:
    with Server(SentryApi()) as there, Server(Slack()) as chat:
        yield Place(there, chat)


def an_issue(number: str = "1", **changes: object) -> Alert:
    return make_alert(**{"resource": "issue", "action": "created", "issue_id": number, "tags": (), "event_id": None, **changes})


def a_press(user: str = "U1", change: str = "resolved") -> Alert:
    return read_change({"change": change, "incident": "issue:1", "who": "ann", "where": "Slack", "user": user}, NOW)


class TestBeforeItIsDecided:
    def test_an_issue_is_asked_for_the_tags_of_its_latest_event(self, place: Place) -> None:
        place.sentry.app.issues["1"] = Issue(tags={"environment": "staging", "critical": "true"})
        alert = an_issue(environment=None, release=None)

        [findings] = place.find_out(alert)
        known = enriched(alert, findings)

        assert (known.tag("critical"), known.environment, known.release) == ("true", "staging", None)
        assert known.event_id == "fe628bfa48064c9b97ce7e75a19e6197"

    def test_a_project_that_is_known_by_its_number_gets_its_name(self, place: Place) -> None:
        alert = make_alert(project=None, payload={"project": 4506})

        [findings] = place.find_out(alert)

        assert enriched(alert, findings).project == "shop-api"

    @pytest.mark.parametrize(
        "alert",
        [make_alert(), an_issue(status=Status.RESOLVED), an_issue(tags=(("a", "b"),)), a_press(change="acknowledged")],
        ids=["an event", "an end", "tags are known", "anybody may"],
    )
    def test_nobody_is_asked_what_need_not_be(self, place: Place, alert: Alert) -> None:
        assert (place.find_out(alert), place.asked) == ([None], 0)

    def test_without_a_token_nobody_is_asked(self) -> None:
        enrichment = Enrichment(Settings(allow_unsigned=True), lambda: NOW)

        assert (enrichment.find_out([an_issue()], RULES), enrichment.details(make_alert())) == ([None], None)

    @pytest.mark.parametrize(("user", "groups"), [("U1", {"@on-call", "S0ONCALL1"}), ("U2", set())])
    def test_who_has_pressed_is_looked_for_in_the_user_groups(self, place: Place, user: str, groups: set[str]) -> None:
        [findings] = place.find_out(a_press(user))

        assert findings is not None
        assert set(findings.member_of) == groups

    def test_many_are_asked_for_at_once(self, place: Place) -> None:
        place.sentry.app.issues = {str(number): Issue() for number in range(30)}

        findings = place.find_out(*(an_issue(str(number)) for number in range(30)))

        assert [one is not None and one.fault for one in findings] == [""] * 30


class TestFailures:
    def test_a_vendor_that_fails_is_not_asked_again_for_a_minute(self, place: Place) -> None:
        place.sentry.app.refuses = 503
        first = place.find_out(an_issue())
        again = place.find_out(an_issue())
        place.now += timedelta(minutes=2)
        place.sentry.app.refuses = 0
        later = place.find_out(an_issue())

        assert first[0] is not None
        assert first[0].fault.startswith("HTTP 503")
        assert again == [None]
        assert later[0] is not None
        assert later[0].tags

    def test_a_budget_that_is_used_up_is_waited_for(self, place: Place) -> None:
        place.sentry.app.resets_at = int((NOW + timedelta(minutes=5)).timestamp())
        place.find_out(an_issue())
        place.now += timedelta(minutes=4)
        place.find_out(an_issue())

        assert place.asked == 1

    def test_one_issue_that_is_not_there_stops_no_question_about_others(self, place: Place) -> None:
        found = place.find_out(an_issue("99"), an_issue("1"))
        place.now += timedelta(seconds=1)

        assert [bool(one and one.tags) for one in (*found, *place.find_out(an_issue("1")))] == [False, True, True]

    def test_a_vendor_that_says_nothing_holds_nothing_up(self, place: Place) -> None:
        place.sentry.app.hangs_seconds = LONGEST_SECONDS + 1
        began = datetime.now(NOW.tzinfo)

        [findings] = place.find_out(an_issue())

        assert findings is not None
        assert findings.fault
        assert (datetime.now(NOW.tzinfo) - began).total_seconds() < LONGEST_SECONDS + 1

    def test_where_slack_does_not_say_who_is_who_that_is_told(self, place: Place) -> None:
        place.slack.app.scopes = frozenset()

        first, again = place.find_out(a_press())[0], place.find_out(a_press())[0]

        assert first is not None
        assert first.fault == "usergroups.list: missing_scope"
        assert again is not None


class TestDetails:
    def test_numbers_owners_and_the_suspect_commit_are_told(self, place: Place) -> None:
        details = place.enrichment.details(make_alert(issue_id="1", project="shop-api"))

        assert details == Details(event_count=7, user_count=3, owners=("checkout",), suspect_commit="a1b2c3d by Ann Lee: Round prices")

    def test_all_messages_about_an_issue_ask_once_in_half_a_minute(self, place: Place) -> None:
        alert = make_alert(issue_id="1", project="shop-api")
        place.enrichment.details(alert)
        place.enrichment.details(alert)
        asked_at_once = place.asked
        place.now += timedelta(seconds=31)
        place.enrichment.details(alert)

        # The event's owners and commits do not change.
        assert (asked_at_once, place.asked) == (3, 4)

    def test_without_a_commit_the_rest_is_told(self, place: Place) -> None:
        details = place.enrichment.details(make_alert(issue_id="1", project="shop-api", event_id="0" * 32))

        assert details == Details(event_count=7, user_count=3, owners=("checkout",))

    @pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
    def test_whatever_sentry_answers_the_message_goes_out(self, place: Place, status: int) -> None:
        place.sentry.app.refuses = status

        assert place.enrichment.details(make_alert(issue_id="1")) is None
