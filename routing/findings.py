"""What others said of an alert when they were asked, since its webhook does not say it. Kept with the event: the same decides the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

from routing.alert import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found out."""

    tags: tuple[tuple[str, str], ...] = ()
    """Those of the latest event of an issue, whose own webhooks have none (sentry-webhooks, 5.4)."""
    event_id: str | None = None
    """That of the event."""
    project: str | None = None
    """The slug, where the webhook has a number alone."""
    member_of: tuple[str, ...] = ()
    """The user groups of whoever pressed a button in Slack, by handle and by id."""
    fault: str = ""
    """Why more is not known."""


def enriched(alert: Alert, findings: Findings | None) -> Alert:
    """An alert with what was found out beside; what it says itself stands."""
    if findings is None:
        return alert
    tags = dict(reversed(findings.tags))  # of a key that comes twice the first one counts
    return replace(
        alert,
        tags=alert.tags or findings.tags,
        environment=alert.environment or tags.get("environment"),
        release=alert.release or tags.get("release"),
        transaction=alert.transaction or tags.get("transaction"),
        event_id=alert.event_id or findings.event_id,
        project=alert.project or findings.project,
        member_of=findings.member_of,
        unknown=findings.fault,
    )
