"""What an alert says that a fingerprint may name, by the name of its place: the path, the field, the constraint, the property.

Knows where an alert says such things; how messages are worded and paths written is known by error_wording and path_pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TypeAlias

from routing.alert import Alert
from routing.error_wording import constraint_in, constraint_name_in, field_in, property_in, variable_in
from routing.path_pattern import path_pattern
from routing.payload import Object, mapping, sequence, text, whole

Part: TypeAlias = Callable[[Alert], str | None]

TAGS = "tags."

_MAX_MESSAGE = 4000
_MAX_EXCEPTIONS = 10
_MAX_BREADCRUMBS = 100

_METHOD = re.compile(r"[A-Z]{3,10}")
_ADDRESS = re.compile(r"https?://[^\s\"'<>()]+|(?<![^\s\"'(=])/[^\s\"'<>()/][^\s\"'<>()]*")
_REQUESTS = frozenset({"fetch", "xhr", "http", "httplib", "axios"})
_FAILED_FROM = 400


def part(place: str) -> Part | None:
    """What reads a place of a key from an alert, None if there is no such place."""
    if place.startswith(TAGS) and len(place) > len(TAGS):
        name = place.removeprefix(TAGS)
        return lambda alert: alert.tag(name)
    return PARTS.get(place)


def _error_type(alert: Alert) -> str | None:
    return alert.exception.type if alert.exception else None


def _said_by(read: Callable[[str], str | None]) -> Part:
    return lambda alert: next(filter(None, map(read, _messages(alert))), None)


def _messages(alert: Alert) -> Iterator[str]:
    """What was raised first, then its causes: who wraps a database's error mostly leaves its words out. Without any, the title."""
    raised = (exception.value for exception in reversed(alert.exceptions[-_MAX_EXCEPTIONS:]))
    said = [value[:_MAX_MESSAGE] for value in raised if value]
    yield from said or (value[:_MAX_MESSAGE] for value in (alert.text, alert.title) if value)


def _path(alert: Alert) -> str | None:
    """Of the request during which it happened: the route if the SDK knows it, else the address, else the culprit of the issue."""
    address = (text(_request(alert).get("url")), alert.tag("url"))
    route = (_route(alert.transaction), _route(alert.culprit))
    # The HttpClient integration of browsers puts the request that was refused in place of the page's.
    is_of_client = bool(alert.exception and "http.client" in (alert.exception.mechanism or ""))
    return _first_pattern(*(address + route if is_of_client else (route[0], *address, route[1])))


def _endpoint(alert: Alert) -> str | None:
    """Of the request that was made and failed: as the message has it, as the error's own fields, or as the last failed breadcrumb."""
    return _first_pattern(*_addresses_in_messages(alert), *_addresses_in_contexts(alert), *_addresses_in_breadcrumbs(alert))


def _method(alert: Alert) -> str | None:
    said = text(_request(alert).get("method")) or alert.tag("http.method") or (alert.transaction or "").partition(" ")[0]
    method = said[:20].upper()
    return method if _METHOD.fullmatch(method) else None


PARTS: Mapping[str, Part] = {
    "error.type": _error_type,
    "field": _said_by(field_in),
    "constraint": _said_by(constraint_in),
    "constraint.name": _said_by(constraint_name_in),
    "property": _said_by(property_in),
    "variable": _said_by(variable_in),
    "path": _path,
    "endpoint": _endpoint,
    "method": _method,
    "transaction": lambda alert: alert.transaction,
    "environment": lambda alert: alert.environment,
}
"""By place; `tags.NAME` is one too, for any tag."""


def _request(alert: Alert) -> Object:
    return mapping(alert.payload.get("request"))


def _route(transaction: str | None) -> str | None:
    """`/api/users/{pk}/` of `GET /api/users/{pk}/`."""
    first, _, rest = (transaction or "").partition(" ")
    return rest.lstrip() if _METHOD.fullmatch(first) else transaction


def _first_pattern(*addresses: str | None) -> str | None:
    return next(filter(None, map(path_pattern, filter(None, addresses))), None)


def _addresses_in_messages(alert: Alert) -> Iterator[str]:
    for message in _messages(alert):
        if found := _ADDRESS.search(message):
            yield found[0].rstrip(".,;:")


def _addresses_in_contexts(alert: Alert) -> Iterator[str | None]:
    """Axios and the ExtraErrorData integration leave the request's `config` with the error."""
    extra = mapping(alert.payload.get("extra"))
    for found in (mapping(mapping(alert.payload.get("contexts")).get(_error_type(alert) or "")), extra):
        yield text(mapping(found.get("config")).get("url"))
        yield text(found.get("url"))


def _addresses_in_breadcrumbs(alert: Alert) -> Iterator[str | None]:
    breadcrumbs = alert.payload.get("breadcrumbs")
    crumbs = sequence(breadcrumbs) or sequence(mapping(breadcrumbs).get("values"))
    for crumb in map(mapping, islice(reversed(crumbs), _MAX_BREADCRUMBS)):
        if crumb.get("category") in _REQUESTS and _has_failed(crumb):
            yield text(mapping(crumb.get("data")).get("url"))


def _has_failed(crumb: Object) -> bool:
    """Whether the request got no answer or a refusal; requests that went well are no news."""
    status = whole(mapping(crumb.get("data")).get("status_code"))
    return status >= _FAILED_FROM or status == 0 if status is not None else crumb.get("level") == "error"
