"""The door for Sentry's webhooks: proves that Sentry sent the bytes and turns them, of whatever resource and age, into an Alert.

Sentry's own words (resource, action, issue, installation) stay in here and in the `sentry_*` modules, which read the parts.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from routing import own_events
from routing import sentry_resources as resources
from routing.alert import Alert, Status
from routing.findings import Findings, enriched
from routing.payload import Object, UnreadableJsonError, decode, first_text, mapping, text
from routing.pruned import said_of_pruned

_STATUS_OF_ACTION: Mapping[str, Mapping[str, Status]] = {
    "event_alert": {"triggered": Status.FIRING},
    "error": {"created": Status.FIRING},
    "issue": {
        "created": Status.FIRING,
        "unresolved": Status.FIRING,
        "resolved": Status.RESOLVED,
        "ignored": Status.ARCHIVED,
        "archived": Status.ARCHIVED,
        "assigned": Status.UNCHANGED,
    },
    "metric_alert": {
        "critical": Status.FIRING,
        "warning": Status.FIRING,
        "open": Status.FIRING,
        "resolved": Status.RESOLVED,
    },
    # Seer has finished something about an issue: news, but the issue is no better or worse for it.
    "activity_alert": {"triggered": Status.UNCHANGED},
    "legacy": {"triggered": Status.FIRING},
    "glitchtip": {"triggered": Status.FIRING},
}
"""Actions that say something of an incident; any other changes nothing, whatever its resource."""

_READERS: Mapping[str, Callable[[resources.Webhook], Alert]] = {
    "event_alert": resources.read_event,
    "error": resources.read_event,
    "issue": resources.read_issue,
    "activity_alert": resources.read_issue,
    "metric_alert": resources.read_metric_alert,
    "comment": resources.read_comment,
    "installation": resources.read_installation,
    "seer": resources.read_seer,
    "preprod_artifact": resources.read_build,
    "size_analysis": resources.read_build,  # its name in 2025
    "legacy": resources.read_legacy,
    "glitchtip": resources.read_glitchtip,
}

RESOURCES = frozenset(_READERS) | own_events.RESOURCES
"""Those that this version knows."""

_RESOURCE_OF_DATA = {"metric_alert": "metric_alert", "error": "error", "event": "event_alert", "issue": "issue", "comment": "comment"}
_ONLY_ACTION = {"event_alert": "triggered", "error": "created", "legacy": "triggered", "glitchtip": "triggered"}
_WITHOUT_ENVELOPE = frozenset({"legacy", "glitchtip"})
_MAX_RESOURCE = 40


class UnreadableAlert(ValueError):  # noqa: N818  # it names the thing, as the design does
    """A body that is no webhook. The text is short, quotes nothing of the body and may be shown."""


def verify_signature(body: bytes, signatures: Sequence[str | None], secrets: Sequence[str]) -> bool:
    """Whether one of the header values is the HMAC-SHA256 of the raw body under one of the secrets.

    Several secrets allow for rotation, several headers for Sentry-App-Signature beside Sentry-Hook-Signature. It takes the
    same time whichever matches. Whatever the headers hold, nothing is raised; without a secret nothing is ever true.
    """
    given = [part.strip().lower().encode("ascii", "replace") for header in signatures if header for part in header.split(",")]
    keys = [secret.encode("utf-8", "surrogatepass") for secret in secrets if secret]
    wanted = [hmac.digest(key, body, "sha256").hex().encode() for key in keys]
    matches = [hmac.compare_digest(digest, candidate) for digest in wanted for candidate in given]
    return any(matches)


def sign(body: bytes, secret: str) -> str:
    """What Sentry-Hook-Signature has to say of a body."""
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), body, "sha256").hex()


def parse(
    resource: str,
    body: bytes,
    received_at: datetime,
    *,
    base_url: str | None = None,
    organization: str | None = None,
    findings: Findings | None = None,
) -> Alert:
    """The alert that a webhook's body holds.

    Args:
        resource: the header Sentry-Hook-Resource; `legacy` for the WebHooks plugin, `glitchtip` for GlitchTip's webhook. An
            unknown one, like an unknown action, gives an alert of category OTHER that changes no status.
        body: the bytes as they came.
        received_at: stands in for the time where the body tells none.
        base_url: Sentry's own address, and
        organization: its slug: with both, an alert without a link gets one to its issue.
        findings: what is known beside what the body says.

    Raises:
        UnreadableAlert: the body is no JSON object, or was pruned. Nothing else is ever raised, whatever the bytes.
    """
    try:
        content = decode(body)
    except UnreadableJsonError as error:
        raise UnreadableAlert(said_of_pruned(body) or f"the body is unreadable: {error}") from None
    if not isinstance(content, dict):
        raise UnreadableAlert("the body is JSON, but not an object")
    if own := own_events.read(resource, content, received_at):
        return enriched(own, findings)
    webhook = _open(resource, content, received_at, lambda: mapping(decode(body)))
    alert = _READERS.get(webhook.resource, resources.read_unknown)(webhook)
    return _linked(enriched(alert, findings), base_url, alert.organization or organization)


def resource_of(body: bytes) -> str | None:
    """Which resource a webhook's body is of, by what it holds; None where that does not show. For bodies that come without headers."""
    try:
        content = decode(body)
    except UnreadableJsonError:
        return None
    if not isinstance(content, dict):
        return None
    data = mapping(content.get("data"))
    found = next((resource for key, resource in _RESOURCE_OF_DATA.items() if data.get(key)), None)
    return found or ("legacy" if "project_name" in content and "event" in content else None)


def _open(resource: str, content: Object, received_at: datetime, read_again: Callable[[], Object]) -> resources.Webhook:
    name = re.sub(r"[^a-z0-9_.-]", "", resource.lower())[:_MAX_RESOURCE]
    bare = name in _WITHOUT_ENVELOPE
    action = first_text(None if bare else content.get("action"), _ONLY_ACTION.get(name)) or ""
    status = _STATUS_OF_ACTION.get(name, {}).get(action)
    installation = mapping(content.get("installation"))
    return resources.Webhook(
        envelope={
            "resource": name,
            "action": action,
            "status": status or Status.UNCHANGED,
            "received_at": received_at,
            "installation": text(installation.get("uuid")),
            "actor": _actor(mapping(content.get("actor"))),
            "by_app": _is_app(mapping(content.get("actor"))),
        },
        is_known=status is not None,
        data=content if bare else _data_of(content),
        read_again=read_again if bare else lambda: _data_of(read_again()),
        organization=text(mapping(installation.get("organization")).get("slug")),
    )


def _data_of(content: Object) -> Object:
    return mapping(content.get("data"))


def _actor(actor: Object) -> str | None:
    """Who did it; None for Sentry itself (sentry-webhooks, 2.2)."""
    return None if actor.get("id") == "sentry" else text(actor.get("name"))


def _is_app(actor: Object) -> bool:
    """Whether an integration did it (sentry-webhooks, 2.2)."""
    return actor.get("type") == "application" and actor.get("id") != "sentry"


def _linked(alert: Alert, base_url: str | None, organization: str | None) -> Alert:
    if alert.link or not (base_url and organization and alert.issue_id):
        return alert
    return replace(alert, link=f"{base_url.rstrip('/')}/organizations/{organization}/issues/{alert.issue_id}/")
