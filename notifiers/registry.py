"""The kinds of receivers, a line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from notifiers.email import EmailOptions, EmailSettings
from notifiers.jira import JiraOptions, JiraSettings
from notifiers.notifier import ReceiverOptions
from notifiers.pagerduty import PagerDutyOptions, PagerDutySettings
from notifiers.preview import PreviewOptions
from notifiers.sentry import SentryOptions, SentrySettings
from notifiers.slack import SlackOptions, SlackSettings
from notifiers.sms import SmsOptions, SmsSettings
from notifiers.webhook import WebhookOptions


class VendorSettings(SlackSettings, EmailSettings, PagerDutySettings, JiraSettings, SmsSettings, SentrySettings, Protocol):
    """What the kinds read of the environment, all together; `settings.Settings` has it."""


KINDS: Mapping[str, type[ReceiverOptions[VendorSettings]]] = MappingProxyType(
    {
        "slack": SlackOptions,
        "email": EmailOptions,
        "pagerduty": PagerDutyOptions,
        "jira": JiraOptions,
        "sms": SmsOptions,
        "webhook": WebhookOptions,
        "sentry": SentryOptions,
        "preview": PreviewOptions,
    }
)
"""By the name that `kind` has in rules.yaml."""
