"""The doctor on Sentry's side: the token, the integration, what of its webhooks failed, which alert rules name it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from routing.alert import Json
from tests.stand_ins.sentry_api import ORG, TOKEN, SentryApi, alert_rule
from tests.stand_ins.server import Server
from tests.watch.doctor import RULES, looked, patient
from watch.doctor.finding import Finding, State

OK, WARNING, FAULT, UNCHECKED = State.OK, State.WARNING, State.FAULT, State.UNCHECKED
OURS, ANOTHER = "ours", "another"


@pytest.fixture
def sentry() -> Iterator[Server[SentryApi]]:
    with Server(SentryApi()) as at:
        yield at


def found(sentry: Server[SentryApi], **more: str) -> dict[str, Finding]:
    variables = {"SENTRY_BASE_URL": sentry.url, "SENTRY_ORG": ORG, "SENTRY_API_TOKEN": TOKEN, "RULES_FILE": "nowhere.yaml"}
    return looked("sentry", patient({**variables, **more}))


def test_all_is_well(sentry: Server[SentryApi]) -> None:
    names = ["token", "integration", "alert rule action", "subscriptions", "last errors", "alert rules"]

    assert {name: one.state for name, one in found(sentry).items()} == dict.fromkeys(names, OK)


def test_nothing_is_changed_there(sentry: Server[SentryApi]) -> None:
    found(sentry)

    assert {request.method for request in sentry.requests} == {"GET"}


def change(**changes: object) -> Callable[[SentryApi], None]:
    def apply(api: SentryApi) -> None:
        api.integration = {**api.integration, **changes}  # type: ignore[dict-item]  # JSON

    return apply


def without_scopes(*scopes: str) -> Callable[[SentryApi], None]:
    return lambda api: api.scopes.difference_update(scopes)


def rules(*those: str) -> Callable[[SentryApi], None]:
    def apply(api: SentryApi) -> None:
        api.alert_rules = [alert_rule(f"rule {number}", is_ours=one == OURS) for number, one in enumerate(those)]

    return apply


def failed(code: int) -> Callable[[SentryApi], None]:
    def apply(api: SentryApi) -> None:
        one: dict[str, Json] = {"eventType": "issue.created", "date": "2026-03-04 10:15:30.000000+00:00", "responseCode": code}
        api.failed = [one, one]

    return apply


def refused(status: int) -> Callable[[SentryApi], None]:
    def apply(api: SentryApi) -> None:
        api.refuses = status

    return apply


@pytest.mark.parametrize(
    ("fault", "name", "state", "words"),
    [
        (without_scopes("event:read", "event:write"), "scopes", WARNING, ("no event:read", "Settings > Custom Integrations")),
        (without_scopes("org:read"), "integration", UNCHECKED, ("it has no org:read", "make a new token")),
        (without_scopes("alerts:read"), "alert rules", UNCHECKED, ("it has no alerts:read", "permission")),
        (change(webhookUrl="https://elsewhere.example.com/hook"), "integration", FAULT, ("elsewhere.example.com", "Webhook URL")),
        (change(isAlertable=False), "alert rule action", FAULT, ("no event_alert", "Alert Rule Action")),
        (change(events=[]), "subscriptions", FAULT, ("not subscribed to issue", "tick issue")),
        (rules(), "alert rules", FAULT, ("there is none", "make an alert")),
        (rules(ANOTHER, ANOTHER), "alert rules", FAULT, ('none of 2 tells the integration: "rule 0", "rule 1"', "Alert Router")),
        (rules(OURS, ANOTHER), "alert rules", WARNING, ('1 of 2 do not tell the integration: "rule 1"', "Alert Router")),
        (failed(401), "last errors", WARNING, ("2 webhooks failed, the last one 2026-03-04 10:15:30: issue.created", "CLIENT_SECRETS")),
        (failed(0), "last errors", WARNING, ("no answer within its time", "one second")),
        (failed(503), "last errors", WARNING, ("HTTP 503", "SPOOL_DIR")),
        (refused(401), "token", FAULT, ("HTTP 401", "SENTRY_API_TOKEN")),
        (refused(502), "token", FAULT, ("HTTP 502", "SENTRY_BASE_URL")),
    ],
)
def test_each_fault_is_found_and_the_way_out_said(
    sentry: Server[SentryApi], fault: Callable[[SentryApi], None], name: str, state: State, words: tuple[str, str]
) -> None:
    fault(sentry.app)

    finding = found(sentry)[name]

    assert finding.state is state, finding
    assert words[0] in finding.seen
    assert words[1] in finding.way_out
    assert TOKEN not in f"{finding}"


def test_too_much_asked_is_said(sentry: Server[SentryApi]) -> None:
    sentry.app.resets_at = int(time.time()) + 30

    assert "429" in found(sentry)["token"].seen


def test_an_older_server_is_asked_by_its_own_pages(sentry: Server[SentryApi]) -> None:
    sentry.app.has_workflows = False
    rules(OURS, ANOTHER)(sentry.app)

    said = found(sentry)

    assert said["alert rules"].seen == '1 of 2 do not tell the integration: "rule 1"'
    assert said["last errors"].state is OK


def test_a_server_that_has_no_such_pages_leaves_it_unchecked(sentry: Server[SentryApi]) -> None:
    sentry.app.integration = {}

    assert "no integration of acme" in found(sentry)["integration"].seen


def test_what_rules_ask_for_has_to_be_subscribed_to(sentry: Server[SentryApi], tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES.replace("tags.critical:true", "resource:error"), encoding="utf-8")

    finding = found(sentry, RULES_FILE=str(path))["subscriptions"]

    assert (finding.state, finding.way_out) == (WARNING, "tick error under Webhooks in the integration's settings in Sentry")


def test_webhooks_that_go_to_another_address_than_ours_are_warned_of(sentry: Server[SentryApi]) -> None:
    assert found(sentry, PUBLIC_URL="https://router.example.org")["address"].state is WARNING
    assert "address" not in found(sentry, PUBLIC_URL="https://alerts.example.com")


@pytest.mark.parametrize("name", ["SENTRY_API_TOKEN", "SENTRY_ORG"])
def test_without_a_token_it_is_said_what_is_needed(sentry: Server[SentryApi], name: str) -> None:
    finding = found(sentry, **{name: ""})["token"]

    assert finding.state is UNCHECKED
    assert finding.way_out.startswith(f"set {name}")
