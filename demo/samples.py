"""The sample alerts: one for each rule of the guide, made new at every run so that none is a repeat."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import Template

SAMPLES = Path(__file__).parent / "samples"
SLOW_SECONDS = 8.4

_RESOURCES: Mapping[str, str] = {
    "critical-error": "event_alert",
    "high-error-rate": "metric_alert",
    "payment-failure": "event_alert",
    "slow-transaction": "event_alert",
    "new-error": "issue",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One webhook and the rule that is to fire."""

    rule: str
    resource: str
    body: bytes

    def headers(self, secret: str) -> dict[str, str]:
        """As Sentry sends it: signed over the bytes (sentry-webhooks, 2.3)."""
        return {
            "Content-Type": "application/json",
            "Sentry-Hook-Resource": self.resource,
            "Sentry-Hook-Signature": hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest(),
        }


def samples(now: datetime) -> Iterator[Sample]:
    """One for each rule, about issues that nobody has heard of yet."""
    for rule, resource in _RESOURCES.items():
        text = Template((SAMPLES / f"{rule}.json").read_text(encoding="utf-8")).substitute(
            event_id=uuid.uuid4().hex,
            issue_id=str(random.randrange(10**9, 10**10)),
            now=now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            timestamp=f"{now.timestamp():.3f}",
            slow_start=f"{now.timestamp() - SLOW_SECONDS:.3f}",
        )
        # Compact and pure ASCII, the way Sentry writes it.
        yield Sample(rule=rule, resource=resource, body=json.dumps(json.loads(text), separators=(",", ":")).encode())
