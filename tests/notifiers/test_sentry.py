"""Sentry: what people do elsewhere is done to its issues, once, and not where it is no longer wanted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from pydantic import SecretStr, ValidationError

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network
from notifiers.sentry import SentryNotifier, SentryOptions
from routing.alert import Alert, Status
from routing.notification import Notification, Reason
from tests.factories import NOW, make_alert, make_notification
from tests.notifiers.contract import Contract
from tests.notifiers.golden import Goldens
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS
from tests.stand_ins.sentry_api import ORG, TOKEN, SentryApi
from tests.stand_ins.server import Server

OPTIONS = SentryOptions(people={"Ann Lee": "ann@example.com"})
TOLD = NOTIFICATIONS["critical-error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An organization's."""

    sentry_base_url: str = "https://sentry.io"
    sentry_org: str | None = ORG
    sentry_api_token: SecretStr | None = field(default_factory=lambda: SecretStr(TOKEN))


def open_at(url: str, network: Network, options: SentryOptions = OPTIONS) -> SentryNotifier:
    return options.open(Settings(sentry_base_url=url), network=network, clock=lambda: NOW)


def fault_of(rendered: str) -> str | None:
    content = json.loads(rendered)
    is_known = content.keys() <= {"issue", "status", "substatus", "assignedTo", "comment"}
    return None if is_known and len(content["comment"]) < 20_100 else "no change of an issue"


CONTRACT = Contract(options=OPTIONS, open=open_at, secrets=(TOKEN,), fault_of=fault_of)


def passed_on(*, fires: bool = False, **changes: object) -> Notification:
    """What Ann did in Slack, of issue 1."""
    alert = make_alert(**{"resource": "change", "status": Status.RESOLVED, "origin": "Slack", "actor": "ann", **changes})
    why = "resolved in Slack by ann"
    reason = Reason.REOPENED if alert.reopens else Reason.PASSED_ON
    return make_notification(incident="issue:1", reason=reason, why=why, alert=alert, fires=fires)


RESOLVED = passed_on()
ASSIGNED = passed_on(status=Status.UNCHANGED, assigns_to="Ann Lee", fires=True)
ACKNOWLEDGED = passed_on(status=Status.UNCHANGED, acknowledged=True, fires=True)
REOPENED = passed_on(status=Status.UNCHANGED, reopens=True)
ARCHIVED = passed_on(status=Status.ARCHIVED)


@pytest.fixture
def sentry() -> Iterator[Server[SentryApi]]:
    with Server(SentryApi()) as server:
        yield server


@pytest.fixture
def notifier(sentry: Server[SentryApi]) -> SentryNotifier:
    return open_at(sentry.url, Network())


@pytest.mark.parametrize("rule", NOTIFICATIONS)
def test_what_is_told_looks_as_its_golden(rule: str, goldens: Goldens) -> None:
    rendered = OPTIONS.render(NOTIFICATIONS[rule])

    goldens.check(f"sentry/{rule}.json", rendered)
    assert fault_of(rendered) is None


@pytest.mark.parametrize(
    ("done", "status", "assignee"),
    [
        (RESOLVED, "resolved", None),
        (ARCHIVED, "ignored", None),
        (ASSIGNED, "unresolved", "ann@example.com"),
        (ACKNOWLEDGED, "unresolved", None),
        (REOPENED, "unresolved", None),
    ],
    ids=["resolved", "archived", "assigned", "acknowledged", "reopened"],
)
def test_what_somebody_did_is_done_and_said(
    done: Notification, status: str, assignee: str | None, sentry: Server[SentryApi], notifier: SentryNotifier
) -> None:
    receipt = notifier.send(done)

    issue = sentry.app.issues["1"]
    assert (issue.status, issue.assignee) == (status, assignee)
    assert issue.comments == [f"Resolved in Slack by ann\n(notification {done.id})"]
    assert receipt.reference == {"issue": "1"}
    assert TOKEN not in receipt.payload


def test_what_is_told_by_a_rule_is_a_comment_and_changes_nothing(sentry: Server[SentryApi], notifier: SentryNotifier) -> None:
    notifier.send(TOLD)

    issue = sentry.app.issues["4509877001"]
    assert (issue.status, issue.comments) == ("unresolved", [json.loads(OPTIONS.render(TOLD))["comment"]])


def test_without_comments_it_is_done_in_silence(sentry: Server[SentryApi]) -> None:
    open_at(sentry.url, Network(), SentryOptions(comment=False)).send(RESOLVED)

    assert (sentry.app.issues["1"].status, sentry.app.issues["1"].comments) == ("resolved", [])


@pytest.mark.parametrize(
    ("done", "why"),
    [
        (replace(RESOLVED, fires=True), "the incident fires again"),
        (replace(ASSIGNED, fires=False), "the incident is over"),
        (replace(REOPENED, fires=True), "the incident fires again"),
    ],
    ids=["an end", "an assignment", "a return"],
)
def test_what_is_no_longer_wanted_is_left(done: Notification, why: str, sentry: Server[SentryApi], notifier: SentryNotifier) -> None:
    receipt = notifier.send(done)

    assert receipt.excerpt == f"{why}; nothing was changed"
    assert sentry.requests == []


def test_an_answer_that_was_lost_is_looked_for(sentry: Server[SentryApi], notifier: SentryNotifier) -> None:
    sentry.app.loses_answers = True
    with pytest.raises(RetryableError) as lost:
        notifier.send(ACKNOWLEDGED)
    sentry.app.loses_answers = False

    assert lost.value.ambiguous
    assert notifier.find(ACKNOWLEDGED)
    assert notifier.find(replace(ACKNOWLEDGED, id=99)) is None


@pytest.mark.parametrize(("after", "wait"), [(42, 42), (-5, 1), (86400, 900)])
def test_a_used_up_budget_says_when_to_come_back(after: int, wait: int, sentry: Server[SentryApi], notifier: SentryNotifier) -> None:
    sentry.app.resets_at = int(NOW.timestamp()) + after

    with pytest.raises(RetryableError) as refused:
        notifier.send(RESOLVED)

    assert refused.value.retry_after
    assert round(refused.value.retry_after / timedelta(seconds=1)) == wait
    assert not refused.value.ambiguous


def test_somebody_whom_sentry_does_not_know_is_said(notifier: SentryNotifier) -> None:
    with pytest.raises(PermanentError, match="Unknown actor input"):
        notifier.send(passed_on(status=Status.UNCHANGED, assigns_to="bob", fires=True))


def test_what_is_of_no_issue_cannot_be_done(notifier: SentryNotifier) -> None:
    with pytest.raises(PermanentError, match="no issue in Sentry"):
        notifier.send(replace(TOLD, incident="metric:1", alert=make_alert(issue_id=None)))


@pytest.mark.parametrize(
    ("alert", "is_told"),
    [
        (RESOLVED.alert, True),
        (replace(RESOLVED.alert, origin="PagerDuty"), False),
        (ASSIGNED.alert, True),
        (ACKNOWLEDGED.alert, True),
        (passed_on(status=Status.UNCHANGED, silenced_until=NOW).alert, False),
    ],
    ids=["from a place that is named", "from another one", "assigned", "acknowledged", "silenced"],
)
def test_it_hears_of_ends_from_the_places_named(alert: Alert, *, is_told: bool) -> None:
    options = SentryOptions.model_validate({"resolve": ["slack", "jira"]})

    assert options.is_told_what_is_done(alert) is is_told


def test_a_place_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="'slack', 'pagerduty', 'jira' or 'console'"):
        SentryOptions.model_validate({"resolve": ["phone"]})


def test_without_a_token_or_an_organization_it_only_previews() -> None:
    assert OPTIONS.missing_credential(Settings(sentry_api_token=None)) == "SENTRY_API_TOKEN"
    assert OPTIONS.missing_credential(Settings(sentry_org=None)) == "SENTRY_ORG"
    assert OPTIONS.missing_credential(Settings()) is None
