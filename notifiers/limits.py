"""How fast the vendors let themselves be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from routing.gate import AT_ONCE, UPDATES, Limit

SLACK_UPDATES = 50
"""chat.update is a method of Tier 3: so many a minute and workspace (https://docs.slack.dev/apis/web-api/rate-limits)."""

AT_ONCE_OF = {"pagerduty": 0.5}
"""PagerDuty counts by the minute (https://developer.pagerduty.com/docs/events-api-v2/overview), and a page must not wait for its turn."""


class LimitSettings(Protocol):
    """What is read of the environment; `settings.Settings` has it."""

    @property
    def slack_per_minute(self) -> int:
        """Messages that a channel may get."""

    @property
    def pagerduty_per_minute(self) -> int:
        """Events that a routing key may get."""

    @property
    def smtp_per_minute(self) -> int | None:
        """Mails that the server takes."""

    @property
    def twilio_per_minute(self) -> int | None:
        """Messages that the account may send."""


def limits(settings: LimitSettings) -> Mapping[str, Limit]:
    """By kind of receiver; of a destination each, or of the account where that reaches them all (`routing.gate.ACCOUNTS`).

    A vendor's 429 counts in any case, and so its Retry-After.
    """
    a_minute = {
        "slack": settings.slack_per_minute,
        f"slack{UPDATES}": SLACK_UPDATES,
        "pagerduty": settings.pagerduty_per_minute,
        "email": settings.smtp_per_minute,
        "sms": settings.twilio_per_minute,
    }
    return {kind: Limit.per_minute(most, at_once=AT_ONCE_OF.get(kind, AT_ONCE)) for kind, most in a_minute.items() if most}
