"""PagerDuty: what a responder sees, and how one incident stays one alert."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pdpyras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network
from notifiers.pagerduty import PagerDutyNotifier, PagerDutyOptions
from routing.alert import ExceptionValue, Frame, Metric
from routing.notification import Severity
from tests.factories import NOW, make_alert, make_notification
from tests.notifiers.contract import Contract
from tests.notifiers.golden import Goldens
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS
from tests.stand_ins import pagerduty as stand_in
from tests.stand_ins.faults import FaultServer, answer
from tests.stand_ins.pagerduty import ROUTING_KEY, PagerDuty
from tests.stand_ins.server import Server

OPTIONS = PagerDutyOptions(routing_key=SecretStr(ROUTING_KEY))
NOTIFICATION = NOTIFICATIONS["critical-error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An account's."""

    pagerduty_events_url: str = "https://events.pagerduty.com"


def open_at(url: str, network: Network) -> PagerDutyNotifier:
    return OPTIONS.open(Settings(pagerduty_events_url=url), network=network, clock=lambda: NOW)


def fault_of(rendered: str) -> str | None:
    event = {**json.loads(rendered), "routing_key": ROUTING_KEY}
    return stand_in.fault_of(event, json.dumps(event).encode())


CONTRACT = Contract(options=OPTIONS, open=open_at, secrets=(ROUTING_KEY, ROUTING_KEY[-4:]), fault_of=fault_of)


@pytest.fixture
def pagerduty() -> Iterator[Server[PagerDuty]]:
    with Server(PagerDuty()) as server:
        yield server


@pytest.fixture
def notifier(pagerduty: Server[PagerDuty]) -> PagerDutyNotifier:
    return open_at(pagerduty.url, Network())


@pytest.mark.parametrize("rule", NOTIFICATIONS)
def test_an_event_looks_as_its_golden(rule: str, goldens: Goldens) -> None:
    rendered = OPTIONS.render(NOTIFICATIONS[rule])

    goldens.check(f"pagerduty/{rule}.json", rendered)
    assert fault_of(rendered) is None


def test_an_event_is_taken_with_the_routing_key_and_recorded_without_it(pagerduty: Server[PagerDuty], notifier: PagerDutyNotifier) -> None:
    receipt = notifier.send(NOTIFICATION)

    [request] = pagerduty.requests
    assert request.json == {**json.loads(receipt.payload), "routing_key": ROUTING_KEY}
    assert receipt.status_code == 202
    assert receipt.reference == {"dedup_key": "issue:4509877001/team"}
    assert ROUTING_KEY not in receipt.payload


def test_whatever_is_said_of_an_incident_is_said_of_one_alert(pagerduty: Server[PagerDuty], notifier: PagerDutyNotifier) -> None:
    notifier.send(NOTIFICATION)
    notifier.send(replace(NOTIFICATION, id=99, rules=("payment-failure",)))

    [alert] = pagerduty.app.alerts.values()
    assert len(alert.events) == 2


def test_what_pagerduty_took_without_saying_so_is_no_second_alert_when_it_is_sent_again() -> None:
    with Server(PagerDuty(loses_answers=True)) as pagerduty:
        notifier = open_at(pagerduty.url, Network())
        with pytest.raises(RetryableError) as raised:
            notifier.send(NOTIFICATION)
        pagerduty.app.loses_answers = False

        notifier.send(NOTIFICATION)

    assert raised.value.ambiguous
    assert len(pagerduty.app.alerts) == 1


def test_another_incident_and_another_receiver_are_other_alerts(pagerduty: Server[PagerDuty], notifier: PagerDutyNotifier) -> None:
    notifier.send(NOTIFICATION)
    notifier.send(replace(NOTIFICATION, incident="issue:2"))
    notifier.send(replace(NOTIFICATION, receiver="other-team"))

    assert len(pagerduty.app.alerts) == 3


@pytest.mark.parametrize("incident", ["transaction:" + "x" * 300, "transaction:Оплата", "a\nb"], ids=["long", "cyrillic", "line-break"])
def test_a_key_that_pagerduty_would_not_take_is_hashed(incident: str) -> None:
    first = json.loads(OPTIONS.render(make_notification(incident=incident)))
    again = json.loads(OPTIONS.render(make_notification(incident=incident, id=2)))

    assert first["dedup_key"] == again["dedup_key"]
    assert len(first["dedup_key"]) == 64


@pytest.mark.parametrize(("severity", "word"), [(Severity.CRITICAL, "critical"), (Severity.WARNING, "warning"), (Severity.INFO, "info")])
def test_a_severity_has_its_word_at_pagerduty(severity: Severity, word: str) -> None:
    event = json.loads(OPTIONS.render(make_notification(severity=severity)))

    assert event["payload"]["severity"] == word


def test_a_refused_event_is_refused_for_good_with_pagerdutys_reason() -> None:
    options = PagerDutyOptions(routing_key=SecretStr("X" * 32))
    with Server(PagerDuty()) as pagerduty, pytest.raises(PermanentError, match="Invalid routing key") as raised:
        options.open(Settings(pagerduty_events_url=pagerduty.url), network=Network(), clock=lambda: NOW).send(NOTIFICATION)

    assert raised.value.status_code == 400


@pytest.mark.parametrize("body", ["", "{}", "[1]", "<html>", '{"status": "success"}'])
def test_a_yes_that_is_not_pagerdutys_is_not_believed(body: str) -> None:
    with FaultServer(answer(202, body=body)) as proxy, pytest.raises(RetryableError, match="not the vendor's answer") as raised:
        open_at(proxy.url, Network()).send(NOTIFICATION)

    assert raised.value.ambiguous


def test_the_stand_in_is_understood_by_pagerdutys_own_client(pagerduty: Server[PagerDuty]) -> None:
    session = pdpyras.EventsAPISession(ROUTING_KEY)
    session.url, session.trust_env = pagerduty.url, False

    key = session.trigger("disk is full", "db-1", severity="error")
    session.acknowledge(key)
    acknowledged = pagerduty.app.alerts[key].state
    session.resolve(key)

    assert (acknowledged, pagerduty.app.alerts[key].state) == ("acknowledged", "resolved")


@given(st.text(max_size=3000), st.lists(st.tuples(st.text(max_size=300), st.text(max_size=300)), max_size=12))
def test_whatever_an_alert_says_pagerduty_takes_the_event(text: str, tags: list[tuple[str, str]]) -> None:
    exception = ExceptionValue(type=text, value=text, frames=(Frame(filename=text, function=text, source_line=text),) * 6)
    metric = Metric(rule_name=text, aggregate=text, value=0.5) if "m" in text else None
    alert = make_alert(title=text, culprit=text, project=text, release=text, tags=tuple(tags), exceptions=(exception,), metric=metric)

    rendered = OPTIONS.render(make_notification(alert=alert, why=text, incident=text))

    assert fault_of(rendered) is None


@pytest.mark.parametrize("key", ["R012", "R" * 33, "R0123456789ABCDEF0123456789ABCD-", "К" * 32])
def test_a_key_of_another_shape_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValidationError, match="is no key of 32 letters and digits") as raised:
        PagerDutyOptions.model_validate({"routing_key": key})

    assert key not in str(raised.value)


@pytest.mark.parametrize(("key", "missing"), [("", "routing_key"), ("  ", "routing_key"), (f" {ROUTING_KEY}\n", None)])
def test_a_variable_that_is_not_set_is_a_missing_credential(key: str, missing: str | None) -> None:
    assert PagerDutyOptions.model_validate({"routing_key": key}).missing_credential(Settings()) == missing
