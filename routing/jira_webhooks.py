"""Jira's webhooks: reads what its people did to an issue. They are signed by nothing: a token in the path proves them.

https://developer.atlassian.com/server/jira/platform/webhooks/ and the cloud's of the same name
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from routing.alert import Alert, Category, Level, Status
from routing.payload import Object, first_text, mapping, sequence, text, whole

RESOURCE = "router:jira"
"""Under which it is kept. No webhook of Sentry's has such a resource: app.py takes no colon in one."""
WONT_FIX = ("Won't Do", "Won't Fix")
"""Resolutions, as Jira ships them, by which somebody says that nothing will be done."""
DONE = "done"
"""The key of the category of statuses in which nothing is left to do; its name is another in each language."""

_ACKNOWLEDGED: Mapping[str, bool] = {"indeterminate": True, "new": False}
"""By the category of the status into which somebody has moved an issue; the first one is shown as In Progress."""


def read(content: Object, received_at: datetime) -> Alert:
    """What one of them says. Those that change nothing here, a comment's among them, are read, too."""
    issue, user = mapping(content.get("issue")), mapping(content.get("user"))
    fields = mapping(issue.get("fields"))
    changed = {text(item.get("field")): item for item in map(mapping, sequence(mapping(content.get("changelog")).get("items")))}
    category = text(mapping(mapping(fields.get("status")).get("statusCategory")).get("key")) if "status" in changed else None
    is_given_up = text(mapping(fields.get("resolution")).get("name")) in WONT_FIX
    ends = Status.ARCHIVED if is_given_up else Status.RESOLVED
    key, event = text(issue.get("key")), text(content.get("webhookEvent")) or ""
    return Alert(
        resource="jira",
        action=text(content.get("issue_event_type_name")) or event,
        status=ends if category == DONE else Status.UNCHANGED,
        category=Category.OTHER,
        level=Level.INFO,
        title=(text(fields.get("summary")) or f"Jira {event}")[:1000],
        received_at=received_at,
        occurred_at=_moment(content, received_at),
        actor=first_text(user.get("displayName"), user.get("name")),
        by_app=True,  # perhaps: an integration's account looks like a person's
        origin="Jira",
        reference=key,
        assigns_to=_assignee(fields) if "assignee" in changed else None,
        acknowledged=_ACKNOWLEDGED.get(category or ""),
        # Whether it was done before is known by what it was here.
        reopens=category is not None and category != DONE,
        payload=content,
    )


def _assignee(fields: Object) -> str | None:
    assignee = mapping(fields.get("assignee"))
    return first_text(assignee.get("emailAddress"), assignee.get("name"), assignee.get("displayName"))


def _moment(content: Object, received_at: datetime) -> datetime:
    """Jira says it in milliseconds."""
    at = whole(content.get("timestamp"))
    return datetime.fromtimestamp(at / 1000, UTC) if at is not None and 0 < at < 10**14 else received_at
