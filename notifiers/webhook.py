"""Any HTTP endpoint: a JSON body of ours, signed as Standard Webhooks has it (https://www.standardwebhooks.com).

What is promised about the body is in docs/notifiers/webhook.md; a change that could break a reader raises VERSION.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, SecretStr, field_validator

from notifiers.addresses import is_web_address
from notifiers.http import Network, excerpt
from notifiers.message import compose
from notifiers.notifier import Called, Clock, Receipt, ReceiverOptions, credential, on_the_wire, readable
from notifiers.reach import reached
from notifiers.wording import cut, one_line, web_address
from routing.alert import Alert, Json, Metric
from routing.notification import Mention, Notification, Reason

VERSION = 1
MAX_TEXT = 1000
MAX_TAGS = 100
MAX_TAG = 200
MAX_OTHERS = 50
SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix, not a secret


class WebhookOptions(ReceiverOptions[object]):
    """`{kind: webhook, url: ${HOOK_URL}, secret: ${HOOK_SECRET}}`."""

    address: ClassVar[tuple[str, ...]] = ("url",)
    shows: ClassVar[frozenset[Reason]] = frozenset({Reason.ACKNOWLEDGED, Reason.UNACKNOWLEDGED, Reason.MUTED})

    url: Annotated[SecretStr | None, BeforeValidator(credential)]
    """Secret, for many endpoints have a token in it."""
    secret: Annotated[SecretStr | None, BeforeValidator(credential)]
    allow_private: bool = False
    """Whether the endpoint may be in a private network or on this machine."""

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_web_address(value.get_secret_value()):
            raise ValueError("is no web address that can be called; write https://host/path, without user and password")
        return value

    @field_validator("secret")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not 24 <= len(_key(value)) <= 64:
            raise ValueError(
                "is no signing secret: write whsec_ and 24 to 64 random bytes in base64: echo whsec_$(openssl rand -base64 32)"
            )
        return value

    def missing_credential(self, settings: object) -> str | None:  # noqa: ARG002 - both are the receiver's own
        """The address or the secret."""
        return None if self.url and self.secret else "secret" if self.url else "url"

    def render(self, notification: Notification) -> str:
        """The JSON body."""
        return readable(body(notification))

    def open(self, settings: object, *, network: Network, clock: Clock) -> WebhookNotifier:  # noqa: ARG002 - it reads none
        """The notifier of this endpoint."""
        return WebhookNotifier(self, network, clock)


class WebhookNotifier:
    """Posts and signs. The message's id is the same at each try: the receiver tells repetitions by it."""

    def __init__(self, options: WebhookOptions, network: Network, clock: Clock) -> None:
        self._url, self._secret = options.url or SecretStr(""), options.secret or SecretStr("")
        self._post = network.post if options.allow_private else network.post_to_public
        self._allow_private, self._network, self._clock = options.allow_private, network, clock

    def send(self, notification: Notification) -> Receipt:
        """Post the body; any 2xx is a yes."""
        payload = body(notification)
        wire = on_the_wire(payload)
        headers = {"Content-Type": "application/json", **signature_headers(wire, message_id(notification), self._clock(), self._secret)}
        secrets = (self._url, self._secret)
        response = self._post(self._url.get_secret_value(), body=wire, headers=headers, secrets=secrets)
        said = excerpt(response.body, secrets)
        return Receipt(payload=readable(payload), status_code=response.status, excerpt=said, reference={"id": message_id(notification)})

    def probe(self) -> Called:
        """Connect and send nothing: what an endpoint does with a request that is no message, nobody knows."""
        return reached(self._url, self._network, self._clock(), allow_private=self._allow_private)

    def probe_account(self) -> Called:
        """The same: there is no account."""
        return self.probe()


def message_id(notification: Notification) -> str:
    """The same for each try of a notification, and of no other one, even if the database is started anew."""
    return f"msg_{notification.id}_{int(notification.created_at.timestamp())}"


def signature_headers(wire: bytes, message_id: str, now: datetime, secret: SecretStr) -> dict[str, str]:
    """The three headers by which the receiver knows who speaks, and when.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
    """
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + wire
    signature = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


def body(notification: Notification) -> dict[str, Json]:
    """The documented body. A key is always there; what the alert did not say is null."""
    message = compose(notification)
    return {
        "version": VERSION,
        "type": "notification",
        "timestamp": _moment(notification.created_at),
        "data": {
            "id": message_id(notification),
            "incident": _text(notification.incident),
            "receiver": notification.receiver,
            "rules": list(notification.rules),
            "severity": notification.severity,
            "reason": notification.reason,
            "why": message.why,
            "headline": message.headline,
            "text": message.text or None,
            "facts": [{"label": fact.label, "value": fact.value} for fact in message.facts],
            "stack": message.stack or None,
            "alert": _alert(notification.alert, message.link),
            "others": [_other(mention) for mention in notification.others[:MAX_OTHERS]],
            "others_count": len(notification.others),
        },
    }


def _alert(alert: Alert, link: str | None) -> dict[str, Json]:
    return {
        "title": _text(alert.title),
        "text": _text(alert.text),
        "status": alert.status,
        "category": alert.category,
        "level": alert.level,
        "occurred_at": _moment(alert.occurred_at),
        "organization": _text(alert.organization),
        "project": _text(alert.project),
        "environment": _text(alert.environment),
        "release": _text(alert.release),
        "culprit": _text(alert.culprit),
        "transaction": _text(alert.transaction),
        "duration_ms": _number(alert.duration_ms),
        "link": link,
        "issue_id": _text(alert.issue_id),
        "short_id": _text(alert.short_id),
        "event_id": _text(alert.event_id),
        "event_count": alert.event_count,
        "user_count": alert.user_count,
        "first_seen": _moment(alert.first_seen),
        "tags": [{"key": _text(key, MAX_TAG), "value": _text(value, MAX_TAG)} for key, value in alert.tags[:MAX_TAGS]],
        "metric": _metric(alert.metric),
    }


def _other(mention: Mention) -> dict[str, Json]:
    return {
        "incident": _text(mention.incident),
        "title": _text(mention.title, MAX_TAG),
        "project": _text(mention.project, MAX_TAG),
        "link": web_address(mention.link),
    }


def _metric(metric: Metric | None) -> dict[str, Json] | None:
    if metric is None:
        return None
    return {
        "rule_name": _text(metric.rule_name),
        "aggregate": _text(metric.aggregate),
        "value": _number(metric.value),
        "threshold": _number(metric.threshold),
        "window_minutes": _number(metric.window_minutes),
    }


def _text(text: str | None, limit: int = MAX_TEXT) -> str | None:
    return None if text is None else cut(one_line(text), limit)


def _number(number: float | None) -> float | None:
    """JSON has no infinity and no NaN."""
    return number if number is not None and math.isfinite(number) else None


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _key(secret: SecretStr) -> bytes:
    """The bytes to sign with; none if it is not base64."""
    try:
        return base64.b64decode(secret.get_secret_value().removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""
