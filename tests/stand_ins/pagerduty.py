"""PagerDuty's Events API v2: keeps one alert per routing key and dedup_key, and holds each event to the documented limits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from routing.alert import Json
from tests.notifiers import specs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ROUTING_KEY = "R0KEY5678901234567890123456789AB"
MAX_BYTES = 512_000


@dataclass(slots=True, kw_only=True)
class Alert:
    """What a responder sees."""

    state: str
    events: list[Mapping[str, Json]]
    """All that was said of it, the trigger first."""


@dataclass(slots=True, kw_only=True)
class PagerDuty:
    """One account with one integration."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    """By dedup_key; a resolved one gives way to a new one."""
    changes: list[str] = field(default_factory=list)
    """What became of alerts by events and was not told yet: states."""
    is_revoked: bool = False
    """The integration, and its key with it, is gone."""
    is_too_much: bool = False
    loses_answers: bool = False
    """Takes the event, but what comes back is a gateway's error."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if (request.method, request.path) != ("POST", "/v2/enqueue"):
            return Response("not found", status=404)
        wire = request.get_data()
        event: Mapping[str, Json] = json.loads(wire)
        if fault := fault_of(event, wire):
            return _json(400, {"status": "invalid event", "message": "Event object is invalid", "errors": [fault]})
        if self.is_too_much:
            return Response("Too Many Requests", status=429, headers={"Retry-After": "30"})
        if self.is_revoked or event["routing_key"] != ROUTING_KEY:
            return _json(400, {"status": "invalid event", "message": "Event object is invalid", "errors": ["Invalid routing key"]})
        key = str(event.get("dedup_key") or len(self.alerts))
        self._take(key, event)
        if self.loses_answers:
            return Response("upstream went away", status=502)
        return _json(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def _take(self, key: str, event: Mapping[str, Json]) -> None:
        alert = self.alerts.get(key)
        if event["event_action"] == "trigger" and (alert is None or alert.state == "resolved"):
            self.alerts[key] = Alert(state="triggered", events=[event])
        elif alert:
            alert.events.append(event)
            states = {"acknowledge": "acknowledged", "resolve": "resolved"}
            state = alert.state if alert.state == "resolved" else states.get(str(event["event_action"]), alert.state)
            self.changes += [state] if state != alert.state else []
            alert.state = state


def fault_of(event: Mapping[str, Json], wire: bytes) -> str | None:
    """What the documented limits, the strict schema and PagerDuty's own specification have against an event."""
    return _limits(event, wire) or (_specification(event, wire) if specs.present() else None)


def _limits(event: Mapping[str, Json], wire: bytes) -> str | None:
    """https://developer.pagerduty.com/docs/events-api-v2/trigger-events/."""
    payload = event.get("payload")
    if event["event_action"] == "trigger" and not isinstance(payload, Mapping):
        return "'payload' is missing"
    found = payload if isinstance(payload, Mapping) else {}
    lengths = ((event.get("dedup_key", "x"), 255), (found.get("summary", "x"), 1024), (found.get("source", "x"), 1024))
    if not all(isinstance(text, str) and 1 <= len(text) <= limit for text, limit in lengths):
        return "dedup_key, summary or source is missing or too long"
    if payload and found.get("severity") not in {"critical", "error", "warning", "info"}:
        return "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"
    return "event is over 512 KB" if len(wire) > MAX_BYTES else None


def _specification(event: Mapping[str, Json], wire: bytes) -> str | None:
    return specs.schema_fault(event, "pagerduty/events-v2.strict.schema.json") or specs.openapi_fault(
        "pagerduty/events-v2.openapi.json", host="https://events.pagerduty.com", path="/v2/enqueue", body=wire
    )


def _json(status: int, body: Mapping[str, Json]) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")
