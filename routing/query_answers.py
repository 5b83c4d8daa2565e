"""What an alert says under a key of Sentry's search language. Knows no operators and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from routing.alert import Alert, ExceptionValue, Frame, Json
from routing.query_keys import in_milliseconds_or_bytes, read_number, read_version
from routing.query_occurrences import issue_types, priorities
from routing.query_tree import Key, KeyKind

Scalar: TypeAlias = bool | int | float | str | datetime
Reader: TypeAlias = Callable[[Alert], Sequence[Scalar]]
"""All that an alert says under a key: nothing, one value, or several of which any may be meant. Never empty text."""

MAX_ANSWERS = 5000
"""Of one path into a payload; the frames of any trace are fewer."""

_LARGEST = 10**300
_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def reader_of(key: Key) -> Reader:
    """Where the values of a key are found; what Sentry has no field for is a tag."""
    if key.kind is KeyKind.TAG:
        return _tag(key.name)
    if key.kind is KeyKind.FLAG:
        return _flag(key.name)
    if key.kind is KeyKind.PAYLOAD:
        return _dotted_path(key.name)
    reader = _READERS.get(key.name)
    if reader is not None:
        return reader
    for prefix, family in _FAMILIES.items():
        if key.name.startswith(prefix) and len(key.name) > len(prefix):
            return family(key.name, key.name.removeprefix(prefix))
    return _tag(key.name)


def searched_texts(alert: Alert) -> tuple[str, ...]:
    """Where free text and `message:` look. Sentry puts title, log message and the exceptions of an event into its message."""
    message = alert.payload.get("message")
    return (
        alert.title,
        alert.text,
        alert.culprit or "",
        alert.transaction or "",
        message if isinstance(message, str) else "",
        *(text for exception in alert.exceptions for text in (exception.type, exception.value) if text),
    )


def texts(values: Sequence[Scalar]) -> Sequence[str]:
    """The values as text."""
    if len(values) == 1 and isinstance(values[0], str):
        return (values[0],)
    return [value if isinstance(value, str) else spell(value) for value in values]


def numbers(values: Sequence[Scalar]) -> Sequence[float]:
    """Those of the values that are numbers."""
    if len(values) == 1 and isinstance(values[0], float):
        return (values[0],)
    amounts = (read_number(value) if isinstance(value, str) else _amount(value) for value in values)
    return [amount for amount in amounts if amount is not None]


def truths(values: Sequence[Scalar]) -> Sequence[bool]:
    """Those of the values that are yes or no."""
    return [_TRUTHS[word] for word in map(str.lower, texts(values)) if word in _TRUTHS]


def moments(values: Sequence[Scalar]) -> Sequence[datetime]:
    """Those of the values that are dates."""
    return [value if value.tzinfo else value.replace(tzinfo=UTC) for value in values if isinstance(value, datetime)]


def spell(value: Scalar) -> str:
    """A value as a person would type it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    # Python refuses to spell integers of more than 4300 digits.
    return str(value) if -_LARGEST < value < _LARGEST else "a huge number"


def _amount(value: float | datetime) -> float | None:
    if isinstance(value, bool | datetime) or not -_LARGEST < value < _LARGEST:
        return None
    return float(value)


def _one(read: Callable[[Alert], Scalar | None]) -> Reader:
    def values(alert: Alert) -> Sequence[Scalar]:
        value = read(alert)
        return () if value is None or value == "" else (value,)

    return values


def _first(*readers: Reader) -> Reader:
    def values(alert: Alert) -> Sequence[Scalar]:
        for read in readers:
            found = read(alert)
            if found:
                return found
        return ()

    return values


def _all(*readers: Reader) -> Reader:
    return lambda alert: list(dict.fromkeys(value for read in readers for value in read(alert)))


def _tag(name: str) -> Reader:
    return lambda alert: [value for key, value in alert.tags if key == name and value]


def _of_exceptions(read: Callable[[ExceptionValue], str | None]) -> Reader:
    return lambda alert: list(filter(None, map(read, alert.exceptions)))


def _of_frames(read: Callable[[Frame], Scalar | None]) -> Reader:
    """Of every frame of every exception, each value once."""
    return lambda alert: list(
        dict.fromkeys(
            value
            for exception in alert.exceptions
            for value in map(read, exception.frames[-MAX_ANSWERS:])
            if value is not None and value != ""
        )
    )


def _path(*names: str) -> Reader:
    """What the payload has at a path, through lists; of an object its plain members."""

    def values(alert: Alert) -> Sequence[Scalar]:
        found: list[Scalar] = []
        for node in _nodes(alert.payload, names):
            members = node.values() if isinstance(node, dict) else (node,)
            found += [member for member in members if isinstance(member, bool | int | float | str) and member != ""]
        return found[:MAX_ANSWERS]

    return values


def _dotted_path(path: str) -> Reader:
    """A path as it is written in a query: the dots may also be those of a name, at its end."""
    first, *rest = path.split(".")
    readings = ((first, *rest), (first, ".".join(rest)), (first, *rest[:1], ".".join(rest[1:])))
    return _first(*(_path(*names) for names in dict.fromkeys(readings)))


def _measured(*names: str) -> Reader:
    """Measurements `{value, unit}`, in milliseconds or bytes where they are times or sizes."""

    def values(alert: Alert) -> Sequence[Scalar]:
        found = []
        for node in _nodes(alert.payload, names):
            value, unit = (node.get("value"), node.get("unit")) if isinstance(node, dict) else (node, None)
            amount = _amount(value) if isinstance(value, int | float) else None
            if amount is not None:
                found.append(in_milliseconds_or_bytes(amount, unit if isinstance(unit, str) else ""))
        return found

    return values


def _flag(name: str) -> Reader:
    """Of `contexts.flags.values`, a list of `{flag, result}`."""
    return lambda alert: [
        result
        for node in _nodes(alert.payload, ("contexts", "flags", "values"))
        if isinstance(node, dict) and node.get("flag") == name
        for result in (node.get("result"),)
        if isinstance(result, bool | str) and result != ""
    ]


def _nodes(payload: Json, names: tuple[str, ...]) -> Sequence[Json]:
    """What stands at the end of a path."""
    node = payload
    for place, name in enumerate(names):
        if not isinstance(node, dict):
            return _spread(node, names[place:])
        if name not in node:
            return ()
        node = node[name]
    return _spread(node, ()) if isinstance(node, list) else (node,)


def _spread(start: Json, path: tuple[str, ...]) -> Sequence[Json]:
    """The same through lists. Not recursive: a payload may be nested to any depth."""
    found: list[Json] = []
    waiting = [(start, path)]
    while waiting:
        node, names = waiting.pop()
        if isinstance(node, list | tuple):
            waiting += [(item, names) for item in reversed(node)]
        elif not names:
            found.append(node)
        elif isinstance(node, Mapping) and names[0] in node:
            waiting.append((node[names[0]], names[1:]))
    return found


def _header(wanted: str) -> Reader:
    """Of the request; Sentry has its headers as pairs."""

    def values(alert: Alert) -> Sequence[Scalar]:
        request = alert.payload.get("request")
        headers = request.get("headers") if isinstance(request, Mapping) else None
        pairs = [pair for pair in headers if isinstance(pair, list) and len(pair) == 2] if isinstance(headers, list) else []
        return [value for name, value in pairs if isinstance(name, str) and name.lower() == wanted and isinstance(value, str) and value]

    return values


def _is_main_thread(alert: Alert) -> bool | None:
    """Whether the thread that crashed, or else the one that was reported, is the main one; None where nothing says."""
    threads = [thread for thread in _nodes(alert.payload, ("threads", "values")) if isinstance(thread, Mapping)]
    for mark in ("crashed", "current"):
        for thread in threads:
            if thread.get(mark) is True and isinstance(thread.get("main"), bool):
                return thread.get("main") is True
    return None


def _is_handled(alert: Alert) -> bool | None:
    """Sentry: handled unless one exception of the chain is not; None where nothing says."""
    told = [exception.handled for exception in alert.exceptions if exception.handled is not None]
    if told:
        return all(told)
    unhandled = alert.payload.get("isUnhandled")
    return not unhandled if isinstance(unhandled, bool) else None


def _is_unhandled(alert: Alert) -> bool | None:
    handled = _is_handled(alert)
    return None if handled is None else not handled


def _release(alert: Alert) -> tuple[str, str, str]:
    """Package, version and build of `package@version+build`; a bare version has no package, a hash has none of the three."""
    release = alert.release or ""
    package, at, version = release.rpartition("@")
    if not at and ("." not in release or read_version(release) is None):
        return "", "", ""
    version, _, build = version.partition("+")
    return package, version, build


def _projects(alert: Alert) -> Sequence[Scalar]:
    """The slug, the name where Sentry gives it, and all projects of a metric alert over several."""
    said = {alert.project: None} if alert.project else {}
    project, projects = alert.payload.get("project"), alert.payload.get("projects")
    names = project.get("name") if isinstance(project, Mapping) else None
    for name in (names, *(projects if isinstance(projects, list | tuple) else ())):
        if isinstance(name, str) and name:
            said[name] = None
    return tuple(said)


def _user(alert: Alert) -> Sequence[Scalar]:
    """As Sentry's tag `user` has it."""
    user = alert.user
    if user is None:
        return ()
    parts = {"id": user.id, "email": user.email, "username": user.username, "ip": user.ip_address}
    return [f"{name}:{value}" for name, value in parts.items() if value]


def _displayed(alert: Alert) -> str | None:
    user = alert.user
    return (user.email or user.username or user.id or user.ip_address) if user else None


def _assignee(alert: Alert) -> Sequence[Scalar]:
    """Name, address and so on of who is assigned; `none` if Sentry says that nobody is."""
    if "assignedTo" in alert.payload and not alert.payload["assignedTo"]:
        return ("none",)
    told = _all(*(_path("assignedTo", name) for name in ("name", "email", "username", "slug")))(alert)
    is_team = "team" in _path("assignedTo", "type")(alert)
    return [f"#{name}" for name in told if is_team] + list(told)


def _on_frames(_name: str, rest: str) -> Reader:
    return _path("exception", "values", "stacktrace", "frames", rest)


def _in_contexts(name: str, _rest: str) -> Reader:
    return _first(_tag(name), _dotted_path(f"contexts.{name}"))


_FIRST_SEEN = _one(lambda alert: alert.first_seen)
_LAST_SEEN = _one(lambda alert: alert.last_seen)
_OCCURRED = _one(lambda alert: alert.occurred_at)
_EVENTS = _one(lambda alert: alert.event_count)
_USERS = _one(lambda alert: alert.user_count)
_STATUS_CODE = _first(_tag("http.status_code"), _tag("status_code"), _path("contexts", "response", "status_code"))
_URL = _first(_path("request", "url"), _tag("url"))

_READERS: Mapping[str, Reader] = {
    "message": lambda alert: list(filter(None, searched_texts(alert))),
    "title": _one(lambda alert: alert.title),
    "level": _one(lambda alert: alert.level),
    "environment": _first(_one(lambda alert: alert.environment), _tag("environment")),
    "release": _first(_one(lambda alert: alert.release), _tag("release")),
    "release.package": _one(lambda alert: _release(alert)[0]),
    "release.version": _one(lambda alert: _release(alert)[1]),
    "release.build": _one(lambda alert: _release(alert)[2]),
    "dist": _first(_path("dist"), _tag("dist")),
    "platform": _one(lambda alert: alert.platform),
    "platform.name": _one(lambda alert: alert.platform),
    **dict.fromkeys(("project", "project.name", "project.slug"), _projects),
    **dict.fromkeys(("project.id", "project_id"), _all(_path("project", "id"), _path("project"), _path("project_id"))),
    "organization": _one(lambda alert: alert.organization),
    "transaction": _first(_one(lambda alert: alert.transaction), _tag("transaction")),
    "transaction.duration": _one(lambda alert: alert.duration_ms),
    "transaction.op": _path("contexts", "trace", "op"),
    "transaction.status": _path("contexts", "trace", "status"),
    "trace": _path("contexts", "trace", "trace_id"),
    "trace.span": _path("contexts", "trace", "span_id"),
    "trace.parent_span": _path("contexts", "trace", "parent_span_id"),
    "culprit": _one(lambda alert: alert.culprit),
    "location": _path("location"),
    "logger": _first(_tag("logger"), _path("logger")),
    "user": _all(_tag("user"), _user),
    "user.id": _one(lambda alert: alert.user.id if alert.user else None),
    "user.email": _one(lambda alert: alert.user.email if alert.user else None),
    "user.username": _one(lambda alert: alert.user.username if alert.user else None),
    **dict.fromkeys(("user.ip", "user.ip_address"), _one(lambda alert: alert.user.ip_address if alert.user else None)),
    "user.display": _one(_displayed),
    "error.type": _of_exceptions(lambda exception: exception.type),
    "error.value": _of_exceptions(lambda exception: exception.value),
    "error.mechanism": _of_exceptions(lambda exception: exception.mechanism),
    "error.handled": _one(_is_handled),
    "error.unhandled": _one(_is_unhandled),
    "error.main_thread": _one(_is_main_thread),
    "stack.filename": _of_frames(lambda frame: frame.filename),
    "stack.module": _of_frames(lambda frame: frame.module),
    "stack.function": _of_frames(lambda frame: frame.function),
    "stack.lineno": _of_frames(lambda frame: frame.line_number),
    "stack.in_app": _of_frames(lambda frame: frame.in_app),
    "http.method": _first(_path("request", "method"), _tag("http.method")),
    **dict.fromkeys(("http.url", "url"), _URL),
    **dict.fromkeys(("http.status_code", "http.response.status_code"), _STATUS_CODE),
    "http.referer": _first(_header("referer"), _tag("http.referer")),
    "http.response_content_length": _first(_tag("http.response_content_length"), _path("contexts", "response", "body_size")),
    "issue": _one(lambda alert: alert.short_id),
    "issue.id": _one(lambda alert: alert.issue_id),
    "issue.category": _all(_one(lambda alert: alert.category), _path("issueCategory")),
    "issue.type": issue_types,
    "issue.priority": priorities,
    **dict.fromkeys(("assigned", "assigned_to", "assigned_or_suggested"), _assignee),
    "event.type": _one(lambda alert: alert.event_type),
    "id": _one(lambda alert: alert.event_id),
    **dict.fromkeys(("timestamp", "event.timestamp", "time", "date", "transaction.end_time"), _OCCURRED),
    "timestamp.to_hour": _one(lambda alert: alert.occurred_at.replace(minute=0, second=0, microsecond=0)),
    "timestamp.to_day": _one(lambda alert: alert.occurred_at.replace(hour=0, minute=0, second=0, microsecond=0)),
    **dict.fromkeys(("firstSeen", "first_seen", "age"), _FIRST_SEEN),
    **dict.fromkeys(("lastSeen", "last_seen"), _LAST_SEEN),
    **dict.fromkeys(("timesSeen", "times_seen"), _EVENTS),
    **dict.fromkeys(("user_count", "userCount", "users"), _USERS),
    "resource": _one(lambda alert: alert.resource),
    "action": _one(lambda alert: alert.action),
    "metric.value": _one(lambda alert: alert.metric.value if alert.metric else None),
    "metric.threshold": _one(lambda alert: alert.metric.threshold if alert.metric else None),
    "metric.aggregate": _one(lambda alert: alert.metric.aggregate if alert.metric else None),
    "alert_rule.name": _first(_one(lambda alert: alert.sentry_rule), _one(lambda alert: alert.metric.rule_name if alert.metric else None)),
}

_FAMILIES: Mapping[str, Callable[[str, str], Reader]] = {
    "tags.": lambda _, rest: _tag(rest),
    "contexts.": lambda name, _: _dotted_path(name),
    "sdk.": lambda name, _: _dotted_path(name),
    "alert_rule.": lambda name, _: _dotted_path(name),
    "user.": lambda name, _: _first(_dotted_path(name), _tag(name)),
    "geo.": lambda name, _: _first(_dotted_path(f"user.{name}"), _tag(name)),
    "measurements.": lambda _, rest: _measured("measurements", rest),
    "spans.": lambda _, rest: _measured("breakdowns", "span_ops", f"ops.{rest}"),
    "stack.": _on_frames,
    **dict.fromkeys(("os.", "device.", "browser.", "runtime.", "app.", "gpu.", "monitor.", "replay.", "feedback."), _in_contexts),
}
