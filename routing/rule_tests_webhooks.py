"""Short alerts of a rule test as the webhooks that Sentry would send, in the same shapes and for the same door."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from routing import own_events
from routing.alert import Json, Level
from routing.document import Content
from routing.rule_tests import Webhook
from routing.rule_tests_forms import METRIC_ORGANIZATION, AlertForm, ErrorForm, IssueForm, MetricForm, Reference, ReminderForm, SubjectForm

_INSTALLATION: Mapping[str, Json] = {"uuid": "00000000-0000-4000-8000-000000000000"}
_ORGANIZATION = "test"
_ACTION_OF_STATUS = {"created": "unresolved", "assigned": "unresolved"}
_RAISED = re.compile(r"([A-Z]\w{0,99}): (.*)", re.DOTALL)
_UNIT_OF_DURATION = "millisecond"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?")
_WORDS: Mapping[str, Json] = {"true": True, "false": False, "null": None}


def event_alert(form: AlertForm, at: datetime, number: int) -> Webhook:
    """An alert on an event. `number` tells it from every other one of the test, unless the test gives it a number itself."""
    event = _event(form, at, form.event or 10**13 + number)
    data: Mapping[str, Json] = {"event": _merged(event, form.payload), "triggered_rule": form.rule}
    return _webhook("event_alert", "triggered", data)


def issue_change(form: IssueForm, at: datetime) -> Webhook:
    """A change of an issue."""
    kind, value = _raised(form)
    title = _title(form, kind, value)
    issue: Mapping[str, Json] = {
        "id": str(form.issue),
        "shortId": f"{form.project.upper()}-{form.issue}",
        "title": title,
        "culprit": form.culprit or "",
        "level": str(form.level),
        "status": _ACTION_OF_STATUS.get(form.action, form.action),
        "substatus": form.substatus,
        "platform": form.platform or "python",
        "project": {"id": "1", "name": form.project, "slug": form.project},
        "type": "error" if kind else "default",
        "metadata": {"type": kind, "value": value} if kind else {"title": title},
        "issueType": form.category,
        "issueCategory": form.category,
        "priority": form.priority,
        "assignedTo": {"type": "user", "id": "1", "name": form.assigned_to} if form.assigned_to else None,
        "count": str(form.events),
        "userCount": form.users,
        "firstSeen": _spelt(at),
        "lastSeen": _spelt(at),
    }
    return _webhook("issue", form.action, {"issue": _merged(issue, form.payload)})


def change_of(incident: Reference, action: str, at: datetime) -> Webhook:
    """The end of an incident, or an assignment, of which no more is said than which one.

    Raises:
        ValueError: Sentry says no such thing of incidents of this kind.
    """
    kind, _, name = incident.incident_key.partition(":")
    if kind == "issue" and name.isdecimal():
        return issue_change(IssueForm.model_validate({"action": action, "issue": name}), at)
    if incident.kind == "metric" and action == "resolved":
        return metric_alert(MetricForm.model_validate({"action": "resolved", "metric": name.rpartition(":")[2], "value": "0"}), at)
    raise ValueError(
        f"Sentry says nothing like it of {incident.incident_key}; write issue 1" + (" or metric 1" if action == "resolved" else "")
    )


def metric_alert(form: MetricForm, at: datetime) -> Webhook:
    """A metric alert that crossed its threshold, or came back."""
    minutes = form.window / timedelta(minutes=1)
    triggers: list[Json] = (
        [] if form.threshold is None else [{"label": form.action, "threshold_type": 0, "alert_threshold": form.threshold}]
    )
    alert: Mapping[str, Json] = {
        "id": str(form.metric),
        "identifier": str(form.metric),
        "organization_id": METRIC_ORGANIZATION,
        "projects": [form.project],
        "alert_rule": {
            "id": str(form.metric),
            "name": form.name,
            "query": form.query,
            "aggregate": form.aggregate,
            "threshold_type": 0,
            "time_window": minutes,
            "environment": form.environment,
            "triggers": triggers,
            "projects": [form.project],
            "comparison_delta": None,
        },
        "title": form.name,
        "date_started": _spelt(at),
        "date_closed": _spelt(at) if form.action == "resolved" else None,
    }
    data: Mapping[str, Json] = {
        "metric_alert": alert,
        "description_text": f"{form.value} {form.aggregate} in the last {minutes:g} minutes",
        "description_title": f"{form.action.title()}: {form.name}",
        # Sentry gives each of its messages another address, by which a repetition is known.
        "web_url": f"https://{_ORGANIZATION}.sentry.io/alerts/rules/details/{form.metric}/?notification_uuid={at:%Y%m%d%H%M%S%f}",
    }
    return _webhook("metric_alert", form.action, data)


def reminder(form: ReminderForm) -> Webhook:
    """A reminder of a silence, as the router writes it."""
    return Webhook(resource=own_events.SILENCE, body=json.dumps(form.model_dump()).encode())


def _webhook(resource: str, action: str, data: Mapping[str, Json]) -> Webhook:
    content = {"action": action, "installation": _INSTALLATION, "data": data, "actor": {"type": "application", "id": "sentry"}}
    return Webhook(resource=resource, body=json.dumps(content).encode())


def _event(form: AlertForm, at: datetime, number: int) -> Mapping[str, Json]:
    kind, value = _raised(form)
    event_id = f"{form.issue:016x}{number:016x}"
    events = f"https://sentry.io/api/0/projects/{_ORGANIZATION}/{form.project}/events/{event_id}/"
    address = f"https://{_ORGANIZATION}.sentry.io/issues/{form.issue}/"
    event: dict[str, Json] = {
        "event_id": event_id,
        "issue_id": str(form.issue),
        "project": 1,
        "platform": form.platform or "python",
        "type": "transaction" if form.duration is not None else "error" if kind else "default",
        "title": _title(form, kind, value),
        "message": form.message or "",
        "level": str(form.level),
        "environment": form.environment,
        "release": form.release,
        "transaction": form.transaction,
        "culprit": form.culprit or form.transaction or "",
        "tags": [list(tag) for tag in _tags(form)],
        "user": form.user.model_dump(exclude_none=True) if form.user else None,
        "contexts": {"response": {"status_code": form.status}} if form.status else {},
        "timestamp": at.timestamp(),
        "datetime": _spelt(at),
        "metadata": {"type": kind, "value": value} if kind else {},
        "url": events,
        "web_url": f"{address}events/{event_id}/",
        "issue_url": f"https://sentry.io/api/0/organizations/{_ORGANIZATION}/issues/{form.issue}/",
    }
    if kind:
        event["exception"] = {"values": [{"type": kind, "value": value, **_raising(form.error)}]}
    if form.url or form.method:
        event["request"] = {"url": form.url, "method": form.method}
    if form.message:
        event["logentry"] = {"formatted": form.message}
    if form.duration is not None:
        event["start_timestamp"] = (at - timedelta(milliseconds=form.duration)).timestamp()
        event["measurements"] = {"duration": {"value": form.duration, "unit": _UNIT_OF_DURATION}}
    return event


def _tags(form: AlertForm) -> Iterator[tuple[str, str]]:
    """Those of the test, and those that Sentry makes of what it knows."""
    known = {
        "environment": form.environment,
        "level": str(form.level),
        "release": form.release,
        "transaction": form.transaction,
        "url": form.url,
    }
    yield from ({name: value for name, value in known.items() if value} | form.tags).items()


def _raised(form: SubjectForm) -> tuple[str | None, str]:
    """Type and value of the exception: as they are given, or as Sentry's title has them."""
    if form.error:
        return form.error.type, form.error.value
    found = _RAISED.fullmatch(form.title or "")
    return (found[1], found[2]) if found and not _is_slow(form) else (None, "")


def _is_slow(form: SubjectForm) -> bool:
    return isinstance(form, AlertForm) and form.duration is not None


def _title(form: SubjectForm, kind: str | None, value: str) -> str:
    said = (form.message, form.transaction) if isinstance(form, AlertForm) else ()
    raised = f"{kind}: {value}" if value else kind
    return next(
        filter(None, (form.title, raised, *said)), "Something of the test" if form.level is not Level.ERROR else "An error of the test"
    )


def _raising(error: ErrorForm | None) -> Mapping[str, Json]:
    """How and where an exception was raised."""
    if error is None:
        return {"mechanism": {"type": "generic"}}
    frames: list[Json] = [{"filename": error.file, "function": "raising", "lineno": 1, "in_app": True}] if error.file else []
    return {"mechanism": {"type": error.mechanism or "generic", "handled": error.handled}, "stacktrace": {"frames": frames}}


def _merged(base: Mapping[str, Json], changes: Mapping[str, object]) -> Mapping[str, Json]:
    """What the test says of the payload itself goes before what was made of its short form."""
    merged = dict(base)
    for key, value in changes.items():
        known = merged.get(key)
        merged[key] = _merged(known, value) if isinstance(known, Mapping) and isinstance(value, dict) else _json(value)
    return merged


def _json(value: Content | object) -> Json:
    """In a payload 5, true and null are what they are in JSON."""
    match value:
        case dict():
            return {str(key): _json(part) for key, part in value.items()}
        case list():
            return [_json(part) for part in value]
        case str() if found := _NUMBER.fullmatch(value):
            return float(value) if found[2] else int(value)
        case str():
            return _WORDS.get(value, value)
    return None


def _spelt(at: datetime) -> str:
    return at.isoformat()
