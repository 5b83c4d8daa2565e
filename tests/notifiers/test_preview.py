"""The preview: says loudly that nothing was sent, and keeps what would have been."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from notifiers.configuration import open_receiver
from notifiers.http import Network
from notifiers.notifier import Notifier, ReceiverOptions
from notifiers.pagerduty import PagerDutyOptions
from notifiers.preview import PreviewNotifier, PreviewOptions
from notifiers.registry import VendorSettings
from notifiers.slack import SlackNotifier, SlackOptions
from routing.rules import Receiver
from settings import Settings
from tests.factories import NOW
from tests.notifiers.contract import Contract
from tests.notifiers.golden import Goldens
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS

OPTIONS = PreviewOptions()


def open_at(_url: str, network: Network) -> PreviewNotifier:
    return OPTIONS.open(None, network=network, clock=lambda: NOW)


CONTRACT = Contract(options=OPTIONS, open=open_at, secrets=(), fault_of=lambda _: None, speaks_http=False)


def opened(options: ReceiverOptions[VendorSettings], **variables: str) -> Notifier:
    settings = Settings.from_variables({"ALLOW_UNSIGNED": "true", **variables})
    receiver = Receiver(name="errors", kind="any", options=options)
    return open_receiver(receiver, settings, network=Network(), clock=lambda: NOW)


@pytest.mark.parametrize("rule", NOTIFICATIONS)
def test_a_preview_looks_as_its_golden(rule: str, goldens: Goldens) -> None:
    goldens.check(f"preview/{rule}.txt", OPTIONS.render(NOTIFICATIONS[rule]))


def test_a_receiver_of_kind_preview_sends_nothing() -> None:
    receipt = opened(OPTIONS).send(NOTIFICATIONS["new-error"])

    assert not receipt.sent
    assert receipt.excerpt == "preview: this receiver is of kind preview; nothing was sent"


def test_a_receiver_without_its_credential_keeps_the_very_payload_that_it_would_have_sent() -> None:
    options = SlackOptions(channel="#errors")

    receipt = opened(options).send(NOTIFICATIONS["new-error"])

    assert not receipt.sent
    assert receipt.excerpt == "preview: SLACK_BOT_TOKEN is not set; nothing was sent"
    assert receipt.payload == options.render(NOTIFICATIONS["new-error"])


def test_a_receiver_with_its_credential_is_opened() -> None:
    notifier = opened(SlackOptions(channel="#errors"), SLACK_BOT_TOKEN="xoxb-1")

    assert isinstance(notifier, SlackNotifier)


def test_a_receivers_own_credential_may_be_the_missing_one() -> None:
    receipt = opened(PagerDutyOptions(routing_key=SecretStr(""))).send(NOTIFICATIONS["new-error"])

    assert receipt.excerpt == "preview: routing_key is not set; nothing was sent"
