"""Which receivers get people out of bed, for those who check that a page reaches somebody."""

from __future__ import annotations

from notifiers.jira import JiraOptions
from notifiers.pagerduty import PagerDutyOptions
from notifiers.sms import SmsOptions
from notifiers.webhook import WebhookOptions
from routing.rules import Receiver


def wakes(receiver: Receiver) -> bool:
    """Whether a message may ring somebody's phone.

    Pages and SMS do; a webhook may lead to what does. Jira Service Management calls who is on call for an Incident
    (https://support.atlassian.com/jira-service-management-cloud/docs/what-is-incident-management), for other issues it does not.
    """
    options = receiver.options
    if isinstance(options, JiraOptions):
        return "incident" in options.issue_type.lower()
    return isinstance(options, PagerDutyOptions | SmsOptions | WebhookOptions)
