"""The kinds of receivers, a line each, and how any of them is opened."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from notifiers.email import EmailOptions, EmailSettings
from notifiers.http import Network
from notifiers.jira import JiraOptions, JiraSettings
from notifiers.notifier import Clock, Notifier, ReceiverOptions
from notifiers.pagerduty import PagerDutyOptions, PagerDutySettings
from notifiers.preview import PreviewNotifier, PreviewOptions
from notifiers.slack import SlackOptions, SlackSettings
from notifiers.sms import SmsOptions, SmsSettings
from notifiers.webhook import WebhookOptions


class VendorSettings(SlackSettings, EmailSettings, PagerDutySettings, JiraSettings, SmsSettings, Protocol):
    """What the kinds read of the environment, all together; `settings.Settings` has it."""


KINDS: Mapping[str, type[ReceiverOptions[VendorSettings]]] = MappingProxyType(
    {
        "slack": SlackOptions,
        "email": EmailOptions,
        "pagerduty": PagerDutyOptions,
        "jira": JiraOptions,
        "sms": SmsOptions,
        "webhook": WebhookOptions,
        "preview": PreviewOptions,
    }
)
"""By the name that `kind` has in rules.yaml."""


def open_notifier(options: ReceiverOptions[VendorSettings], settings: VendorSettings, *, network: Network, clock: Clock) -> Notifier:
    """The receiver's notifier, or one that only records if a credential is not set."""
    if missing := options.missing_credential(settings):
        return PreviewNotifier(options.render, because=f"{missing} is not set")
    return options.open(settings, network=network, clock=clock)
