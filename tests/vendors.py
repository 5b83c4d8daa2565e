"""The stand-ins of all vendors of the shipped rules, for tests of the whole service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from notifiers.pagerduty import NEVER_OPENED
from tests.factories import Webhook, event_alert_webhook
from tests.stand_ins import jira, slack
from tests.stand_ins.jira import Jira
from tests.stand_ins.pagerduty import ROUTING_KEY, PagerDuty
from tests.stand_ins.server import Server
from tests.stand_ins.slack import Slack
from tests.stand_ins.smtp import MailServer

EVERYTHING = "1000000"
"""These vendors have no limit."""
CHANNELS = {f"C0{name.upper().replace('-', '')}": name for name in ("errors", "alerts", "payments", "performance", "new-errors")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendors:
    """The vendors of the shipped rules, each holding what it is told to its own specification."""

    slack: Server[Slack]
    pagerduty: Server[PagerDuty]
    jira: Server[Jira]
    mail: MailServer

    def environment(self) -> dict[str, str]:
        """The credentials and addresses that lead to them."""
        return {
            "SLACK_BOT_TOKEN": slack.TOKEN,
            "SLACK_API_URL": f"{self.slack.url}/api",
            "SLACK_PER_MINUTE": EVERYTHING,
            "PAGERDUTY_PER_MINUTE": EVERYTHING,
            "PAGERDUTY_EVENTS_URL": self.pagerduty.url,
            "PAGERDUTY_CRITICAL_KEY": ROUTING_KEY,
            "PAGERDUTY_ON_CALL_KEY": ROUTING_KEY,
            "JIRA_URL": self.jira.url,
            "JIRA_TOKEN": jira.TOKEN,
            "SMTP_URL": f"smtp://127.0.0.1:{self.mail.port}?starttls=off",
            "MAIL_FROM": "Alerts <alerts@thebot.local>",
        }

    def told(self) -> dict[str, int]:
        """How much each was told, without what canaries ask; Jira by the issues that were asked for."""
        messages = [request for request in self.slack.requests if request.path.startswith("/api/chat.")]
        events = [request for request in self.pagerduty.requests if NEVER_OPENED.encode() not in request.body]
        issues = [request for request in self.jira.requests if request.method == "POST" and request.path.endswith("/issue")]
        requests = {"slack": messages, "pagerduty": events, "jira": issues}
        return {name: len(got) for name, got in requests.items()} | {"mail": len(self.mail.received)}


@contextmanager
def all_vendors() -> Iterator[Vendors]:
    """All of them, listening."""
    with ExitStack() as stack:
        yield Vendors(
            slack=stack.enter_context(Server(Slack(channels=CHANNELS))),
            pagerduty=stack.enter_context(Server(PagerDuty())),
            jira=stack.enter_context(
                Server(Jira(now=datetime.now(UTC), is_cloud=False, projects=("OPS", "PAY"), issue_types=("Bug", "Incident")))
            ),
            mail=stack.enter_context(MailServer()),
        )


def critical_error(number: int = 1) -> Webhook:
    """An error that only the rule for critical errors asks for, of an issue of its own."""
    return event_alert_webhook(
        event_id=f"{number:032x}",
        issue_id=str(7000 + number),
        title="KeyError: 'currency'",
        culprit="shop.cart in total",
        metadata={"type": "KeyError", "value": "'currency'"},
        exception={"values": [{"type": "KeyError", "value": "'currency'"}]},
        transaction="total",
        tags=[["critical", "true"]],
    )
