"""PagerDuty: one alert per incident and receiver, by the Events API v2.

Telling it twice is safe: events with the same dedup_key are one alert.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol

from pydantic import BaseModel, BeforeValidator, SecretStr, ValidationError, field_validator

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network, Timeouts, error_of, excerpt, sealed, translate_requests_errors
from notifiers.message import Message, compose
from notifiers.notifier import Called, Clock, Receipt, ReceiverOptions, credential, readable
from notifiers.wording import cut, key_within
from routing.alert import Json
from routing.notification import Notification, Reason, Severity

if TYPE_CHECKING:
    import requests

# https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
MAX_SUMMARY = 1024
MAX_DEDUP_KEY = 255
MAX_NAME = 255
"""Ours, for source, component, group and class, of which PagerDuty says nothing. With it no event comes near 512 KB."""
CLIENT = "Sentry alert router"
NEVER_OPENED = "alert-router:harmless-call"
"""A dedup_key that no alert of ours has: those have a slash in them, or are a SHA-256."""

_SEVERITIES: Mapping[Severity, str] = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}


_ACTIONS: Mapping[Reason, str] = {Reason.ACKNOWLEDGED: "acknowledge", Reason.RESOLVED: "resolve"}


class PagerDutySettings(Protocol):
    """What this kind reads of the environment."""

    @property
    def pagerduty_events_url(self) -> str:
        """`https://events.pagerduty.com`."""


class PagerDutyOptions(ReceiverOptions[PagerDutySettings]):
    """`{kind: pagerduty, routing_key: ${PAGERDUTY_KEY}}`."""

    address: ClassVar[tuple[str, ...]] = ("routing_key",)
    shows: ClassVar[frozenset[Reason]] = frozenset({Reason.ACKNOWLEDGED})

    routing_key: Annotated[SecretStr | None, BeforeValidator(credential)]

    @field_validator("routing_key")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        key = value.get_secret_value() if value else "0" * 32
        if len(key) != 32 or not key.isascii() or not key.isalnum():
            raise ValueError(
                f"is no key of 32 letters and digits (it has {len(key)} characters); copy the Integration Key of Events API v2"
            )
        return value

    def missing_credential(self, settings: PagerDutySettings) -> str | None:  # noqa: ARG002 - the key is the receiver's own
        """The routing key."""
        return None if self.routing_key else "routing_key"

    def render(self, notification: Notification) -> str:
        """The JSON body but for the routing key."""
        return readable(self.event(notification))

    def event(self, notification: Notification) -> dict[str, Json]:
        """The event, as the Events API documents it, but for the routing key."""
        if action := _ACTIONS.get(notification.reason):
            return {"event_action": action, "dedup_key": _dedup_key(notification)}
        message = compose(notification)
        event: dict[str, Json] = {"event_action": "trigger", "dedup_key": _dedup_key(notification), "client": CLIENT}
        if message.link:
            text = f"Sentry issue {message.reference}" if message.reference else "Open in Sentry"
            event |= {"client_url": message.link, "links": [{"href": message.link, "text": text}]}
        return event | {"payload": _payload(message)}

    def open(self, settings: PagerDutySettings, *, network: Network, clock: Clock) -> PagerDutyNotifier:  # noqa: ARG002 - the event has its own time
        """The notifier of this key."""
        return PagerDutyNotifier(self, self.routing_key or SecretStr(""), settings.pagerduty_events_url, network.timeouts)


class PagerDutyNotifier:
    """Triggers, acknowledges and resolves alerts through pdpyras."""

    def __init__(self, options: PagerDutyOptions, routing_key: SecretStr, url: str, timeouts: Timeouts) -> None:
        self._options, self._routing_key = options, routing_key
        self._session = _one_request_session(routing_key, url, timeouts)

    def send(self, notification: Notification) -> Receipt:
        """Trigger the incident's alert, or find it already open; resolve it, or find that done."""
        event = self._options.event(notification)
        return Receipt(payload=readable(event), status_code=202, excerpt="accepted", reference={"dedup_key": self._say(event)})

    def probe(self) -> Called:
        """Resolve an alert that never was: PagerDuty drops that, and refuses a key that it does not know.

        https://developer.pagerduty.com/docs/events-api-v2/trigger-events/: an event that resolves what is not open is ignored.
        """
        try:
            self._say({"event_action": "resolve", "dedup_key": NEVER_OPENED})
        except PermanentError as error:
            if error.status_code != HTTPStatus.BAD_REQUEST:
                raise
            way_out = "copy the Integration Key of Events API v2 from the service's page in PagerDuty into the receiver's routing_key"
            return Called(is_fine=False, said=f"PagerDuty does not take the key: {_objections(error)}", way_out=way_out)
        return Called(is_fine=True, said="PagerDuty knows the key", proves="routing key")

    def probe_account(self) -> Called:
        """The same: the key is all there is."""
        return self.probe()

    def _say(self, event: Mapping[str, Json]) -> str:
        """Send an event; the dedup_key under which PagerDuty has it."""
        import pdpyras  # noqa: PLC0415 - loaded when the session was made

        properties = {name: value for name, value in event.items() if name != "event_action"}
        with translate_requests_errors(secrets=(self._routing_key,)):
            try:
                return self._session.send_event(str(event["event_action"]), **properties)
            except pdpyras.PDClientError as error:
                raise _reason(error, self._routing_key) from None


class _Refusal(BaseModel):
    errors: tuple[str, ...] = ()


class _Session(Protocol):
    def send_event(self, action: str, **properties: Json) -> str: ...


def _one_request_session(routing_key: SecretStr, url: str, timeouts: Timeouts) -> _Session:
    # Not at the top: pdpyras, jira and their like cost 0.15 s and 20 MB each, and the web process opens no notifier.
    # Operators can do nothing about its end, which it announces at import; docs/adr/0002-dependencies.md has it.
    warnings.filterwarnings("ignore", message='The package "pdpyras" is deprecated')
    import pdpyras  # noqa: PLC0415

    session = pdpyras.EventsAPISession(routing_key.get_secret_value())
    sealed(session)
    session.url = url.rstrip("/")
    session.timeout = timeouts
    # By default it repeats: a 429 for ever, a 503 for three minutes. It gives up once the tries so far are more than the
    # maximum: so -1. A number of 0 per status would mean its default.
    session.max_http_attempts = -1
    session.max_network_attempts = 0
    session.retry = dict.fromkeys((429, 500, 502, 503, 504), 1)
    # It logs each refusal as the last of many tries. There is one, and the worker logs it with the vendor's own words.
    session.log.disabled = True
    opened: _Session = session
    return opened


def _reason(error: Exception, routing_key: SecretStr) -> Exception:
    """Why pdpyras gave up, without its text, which ends with the last characters of the key."""
    response: requests.Response | None = getattr(error, "response", None)
    if response is None:
        return error.__cause__ if isinstance(error.__cause__, Exception) else RetryableError("no answer was understood", ambiguous=True)
    if refusal := error_of(response.status_code, response.headers, response.text, secrets=(routing_key,)):
        return refusal
    text = f"HTTP {response.status_code}, but not the vendor's answer: {excerpt(response.text, (routing_key,)) or 'empty'}"
    return RetryableError(text, status_code=response.status_code, ambiguous=True)


def _objections(error: PermanentError) -> str:
    """What PagerDuty has against an event, in its own words; the whole answer where it says it otherwise."""
    try:
        return excerpt(", ".join(_Refusal.model_validate_json(error.answer).errors)) or str(error)
    except ValidationError:
        return str(error)


def _dedup_key(notification: Notification) -> str:
    """One alert for all that this receiver hears of an incident, and another one for another receiver of the same key."""
    if known := notification.reference.get("dedup_key"):
        return known
    return key_within(f"{notification.incident}/{notification.receiver}", MAX_DEDUP_KEY)


def _payload(message: Message) -> dict[str, Json]:
    place = "/".join(filter(None, (message.project, message.environment)))
    payload: dict[str, Json] = {
        "summary": message.headed(f"[{place}] {message.heading}: {message.title}", MAX_SUMMARY),
        "source": message.project,
        "severity": _SEVERITIES[message.severity],
        "timestamp": message.occurred_at.isoformat(),
        "group": cut(place, MAX_NAME),
        "class": message.heading,
    }
    if message.culprit:
        payload["component"] = cut(message.culprit, MAX_NAME)
    return payload | {"custom_details": _details(message)}


def _details(message: Message) -> dict[str, Json]:
    """Flat, for PagerDuty shows it as a table; what is not known is left out."""
    details: dict[str, Json] = {
        "rule": message.heading,
        "text": "\n\n".join(message.opening),
        "why": message.why,
        "also": list(message.other_rules[:20]),
        "culprit": message.culprit,
        "environment": message.environment,
        "release": message.release,
        "sentry_issue": message.reference,
    }
    facts: dict[str, Json] = {fact.label: fact.value for fact in message.facts if fact.label not in details}
    others = [*(other.line for other in message.others), message.others_elsewhere(len(message.others))]
    details |= facts | {"tags": dict(message.tags), "stack": message.stack, "other_incidents": list(filter(None, others))}
    return {name: value for name, value in details.items() if value}
