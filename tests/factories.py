"""What tests are made of: alerts and notifications that show only what a case is about, and webhook bodies as Sentry signs them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from routing.alert import Alert, Category, ExceptionValue, Frame, Json, Level, Status, User
from routing.notification import Notification, Reason, Severity
from routing.query import parse
from routing.silences import Silence

FIXTURES = Path(__file__).parent / "fixtures" / "sentry"
SECRET = "test-client-secret"
INSTALLATION = "7d0a3f52-1c7e-4b39-9a55-2f1f0c7e9b11"
NOW = datetime(2026, 3, 4, 10, 15, 32, tzinfo=UTC)
"""When tests receive things, two seconds after they happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One request of Sentry's integration platform."""

    resource: str
    body: bytes
    headers: Mapping[str, str]


def make_alert(**changes: object) -> Alert:
    """An unhandled error in production; `changes` are fields of Alert."""
    alert = Alert(
        resource="event_alert",
        action="triggered",
        status=Status.FIRING,
        category=Category.ERROR,
        level=Level.ERROR,
        title="KeyError: 'currency'",
        text="'currency'",
        received_at=NOW,
        occurred_at=datetime(2026, 3, 4, 10, 15, 30, tzinfo=UTC),
        culprit="shop.cart in total",
        organization="acme",
        project="shop-api",
        environment="production",
        release="shop-api@4.2.0",
        platform="python",
        link="https://acme.sentry.io/issues/5300000123/events/3f1b6c0a9d5e4c72b8a1e0f4d2c6b890/",
        event_id="3f1b6c0a9d5e4c72b8a1e0f4d2c6b890",
        event_type="error",
        issue_id="5300000123",
        sentry_rule="Errors in production",
        installation=INSTALLATION,
        exceptions=(ExceptionValue(type="KeyError", value="'currency'", mechanism="flask", handled=False, frames=_FRAMES),),
        tags=(("environment", "production"), ("level", "error"), ("server_name", "shop-api-7c9f")),
        user=User(id="8812"),
    )
    return replace(alert, **changes)  # type: ignore[arg-type]  # a test names any field; the constructor refuses unknown ones


def make_silence(*matchers: str, begins: timedelta = timedelta(), lasts: timedelta = timedelta(hours=1), id_: int = 1) -> Silence:
    """From now on for an hour, of production if nothing else is said; any of the matchers will do."""
    return Silence(
        id=id_,
        matchers=tuple(map(parse, matchers or ("environment:production",))),
        author="ann",
        comment="migration",
        starts_at=NOW + begins,
        ends_at=NOW + begins + lasts,
        created_at=NOW,
    )


def make_notification(**changes: object) -> Notification:
    """The first critical message about `make_alert()`; `changes` are fields of Notification."""
    notification = Notification(
        id=1,
        incident="issue:5300000123",
        receiver="slack-errors",
        rules=("critical-error",),
        severity=Severity.CRITICAL,
        reason=Reason.FIRST,
        why='tags.critical is "true"',
        created_at=NOW,
        alert=make_alert(),
    )
    return replace(notification, **changes)  # type: ignore[arg-type]  # as above


def sign(body: bytes, secret: str = SECRET) -> str:
    """The digest that Sentry sends with a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signed(resource: str, body: bytes, secret: str = SECRET) -> Webhook:
    """The request that carries a body."""
    headers = {
        "Content-Type": "application/json",
        "Request-ID": "7f2b6f0c1d3e4a5b8c9d0e1f2a3b4c5d",
        "Sentry-Hook-Resource": resource,
        "Sentry-Hook-Timestamp": str(int(NOW.timestamp())),
        "Sentry-Hook-Signature": sign(body, secret),
    }
    return Webhook(resource=resource, body=body, headers=headers)


def wire(content: Json) -> bytes:
    """The bytes in which Sentry writes JSON: no blanks, ASCII only, keys in their order."""
    return json.dumps(content, separators=(",", ":")).encode()


def fixture(name: str) -> bytes:
    """A body of tests/fixtures/sentry as it would come over the wire: `issue.created`."""
    return wire(_read(name))


def event_alert_webhook(rule: str = "Errors in production", /, **event: Json) -> Webhook:
    """An unhandled PaymentError of a Python service; `event` overrides keys of the event."""
    content = _read("event_alert.triggered")
    content["data"] = {"event": {**_part(content, "event"), **event}, "triggered_rule": rule}
    return signed("event_alert", wire(content))


def transaction_webhook(rule: str = "Slow endpoints", /, **event: Json) -> Webhook:
    """A slow transaction of 8.4 s; `event` overrides keys of the event."""
    content = _read("event_alert.triggered-transaction")
    content["data"] = {"event": {**_part(content, "event"), **event}, "triggered_rule": rule}
    return signed("event_alert", wire(content))


def error_webhook(**event: Json) -> Webhook:
    """A browser's TypeError in staging; `event` overrides keys of the error."""
    return _built("error", "error.created", "error", event)


def issue_webhook(action: str = "created", /, **issue: Json) -> Webhook:
    """The life of the issue of `event_alert_webhook`; `action` must have a fixture, `issue` overrides keys of the issue."""
    return _built("issue", f"issue.{action}", "issue", issue)


def metric_alert_webhook(action: str = "critical", description_text: str | None = None, /, **incident: Json) -> Webhook:
    """A failure rate over its limit (`critical`), back to normal (`resolved`), or a slow p95 (`warning`); a text with another number."""
    content = _read(f"metric_alert.{action}")
    data = {**_mapping(content["data"]), "metric_alert": {**_part(content, "metric_alert"), **incident}}
    if description_text is not None:
        data["description_text"] = description_text
    return signed("metric_alert", wire({**content, "data": data}))


def comment_webhook(action: str = "created", /, **comment: Json) -> Webhook:
    """A comment on the issue of `event_alert_webhook`."""
    content = _read("comment.created")
    return signed("comment", wire({**content, "action": action, "data": {**_mapping(content["data"]), **comment}}))


def installation_webhook(action: str = "created") -> Webhook:
    """The integration was installed or removed."""
    return signed("installation", fixture(f"installation.{action}"))


def activity_alert_webhook(**issue: Json) -> Webhook:
    """Seer found the cause of the issue of `event_alert_webhook`."""
    return _built("activity_alert", "activity_alert.triggered", "issue", issue)


def seer_webhook(action: str = "root_cause_completed") -> Webhook:
    """A step of Seer on the issue of `event_alert_webhook`."""
    return signed("seer", fixture(f"seer.{action}"))


def preprod_artifact_webhook(**build: Json) -> Webhook:
    """A failed size analysis of a build."""
    content = _read("preprod_artifact.size_analysis_completed")
    return signed("preprod_artifact", wire({**content, "data": {**_mapping(content["data"]), **build}}))


def legacy_body(**fields: Json) -> bytes:
    """What the unsigned WebHooks plugin sends; `fields` override the keys beside `event`."""
    return json.dumps({**_read("legacy.triggered"), **fields}).encode()


def glitchtip_body(**fields: Json) -> bytes:
    """What GlitchTip sends, two issues in one body."""
    return json.dumps({**_read("glitchtip.triggered"), **fields}).encode()


def _built(resource: str, name: str, part: str, changes: Mapping[str, Json]) -> Webhook:
    content = _read(name)
    content["data"] = {**_mapping(content["data"]), part: {**_part(content, part), **changes}}
    return signed(resource, wire(content))


def _read(name: str) -> dict[str, Json]:
    return _mapping(json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8")))


def _part(content: Mapping[str, Json], name: str) -> dict[str, Json]:
    return _mapping(_mapping(content["data"])[name])


def _mapping(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value


_FRAMES = (
    Frame(filename="flask/app.py", module="flask.app", function="dispatch_request", line_number=1484),
    Frame(
        filename="shop/cart.py",
        module="shop.cart",
        function="total",
        line_number=31,
        source_line='    rate = rates[item["currency"]]',
        in_app=True,
    ),
)
