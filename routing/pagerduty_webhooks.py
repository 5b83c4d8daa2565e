"""PagerDuty's V3 webhooks: proves that PagerDuty sent the bytes, and reads what its people did to an incident.

https://developer.pagerduty.com/docs/webhooks-overview and .../verifying-signatures
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

from routing.alert import Alert, Category, Level, Status
from routing.payload import Object, mapping, moment, sequence, text

RESOURCE = "router:pagerduty"
"""Under which it is kept. No webhook of Sentry's has such a resource: app.py takes no colon in one."""

_ACKNOWLEDGED: Mapping[str, bool] = {"incident.acknowledged": True, "incident.unacknowledged": False}
_PREFIX = "v1="
_PERSON = "user_reference"
"""The type of an agent; what the Events API is told has another one, or none."""


def verify_signature(body: bytes, signature: str, secrets: Sequence[str]) -> bool:
    """Whether one of the signatures in the header is the HMAC-SHA256 of the raw body under one of the secrets. Raises nothing."""
    given = [part.strip().removeprefix(_PREFIX).lower().encode("ascii", "replace") for part in signature.split(",") if _PREFIX in part]
    wanted = [hmac.digest(secret.encode(), body, "sha256").hex().encode() for secret in secrets if secret]
    matches = [hmac.compare_digest(digest, candidate) for digest in wanted for candidate in given]
    return any(matches)


def read(content: Object, received_at: datetime) -> Alert:
    """What one of them says. Events that change nothing here, a test's `pagey.ping` among them, are read, too."""
    event = mapping(content.get("event"))
    data, agent, action = mapping(event.get("data")), mapping(event.get("agent")), text(event.get("event_type")) or ""
    return Alert(
        resource="pagerduty",
        action=action,
        status=Status.RESOLVED if action == "incident.resolved" else Status.UNCHANGED,
        category=Category.OTHER,
        level=Level.INFO,
        title=(text(data.get("title")) or f"PagerDuty {action}")[:1000],
        received_at=received_at,
        occurred_at=moment(event.get("occurred_at")) or received_at,
        link=text(data.get("html_url")),
        event_id=text(event.get("id")),
        actor=text(agent.get("summary")),
        by_app=agent.get("type") != _PERSON,
        origin="PagerDuty",
        reference=text(data.get("incident_key")),
        reopens=action == "incident.reopened",
        assigns_to=_assignee(data) if action == "incident.reassigned" and agent.get("type") == _PERSON else None,
        acknowledged=_ACKNOWLEDGED.get(action),
        payload=event,
    )


def _assignee(data: Object) -> str | None:
    """To whom somebody has given an incident, by name; an escalation gives it on by itself, and is no such thing."""
    people = [assignee for assignee in map(mapping, sequence(data.get("assignees"))) if assignee.get("type") == _PERSON]
    return text(people[0].get("summary")) if people else None
