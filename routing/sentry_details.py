"""Reads of an alert what nobody decides by, but people want to see: source lines, breadcrumbs, request, contexts, further links.

Whatever the payload holds, nothing is raised and all is bounded; what is left out is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple
from urllib.parse import quote

from routing.alert import Alert, ExceptionValue, Json
from routing.payload import Object, encode, first_text, label, mapping, moment, sequence, text, whole
from routing.sentry_event import MAX_FRAMES, raised_in

MAX_TEXT = 4_000
MAX_PAIRS = 200
MAX_BREADCRUMBS = 100
_ID = re.compile(r"[0-9a-fA-F-]{16,40}")
_REPLAY_ID = re.compile(r"[0-9a-fA-F-]{32,36}")


class Pair(NamedTuple):
    """Something by its name."""

    name: str
    value: str


Pairs = tuple[Pair, ...]


class SourceLine(NamedTuple):
    """A line of source around a call."""

    number: int | None
    text: str
    is_it: bool
    """Whether it is the one of the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFrame:
    """One call, with its source."""

    file: str
    module: str
    function: str
    line_number: int | None
    is_in_app: bool
    lines: tuple[SourceLine, ...]
    variables: Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One exception of the chain, or a thread, with its calls."""

    type: str
    value: str
    module: str
    mechanism: str
    is_handled: bool | None
    frames: tuple[SourceFrame, ...]
    """The innermost call first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breadcrumb:
    """Something that happened before."""

    at: str
    level: str
    category: str
    message: str
    more: Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The HTTP request in which it happened."""

    method: str
    url: str
    query: Pairs
    headers: Pairs
    cookies: Pairs
    body: Pairs
    environment: Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """All of it."""

    stacks: tuple[Stack, ...]
    """What was raised first, then its causes."""
    breadcrumbs: tuple[Breadcrumb, ...]
    """The latest last."""
    left_out: int
    """Earlier breadcrumbs, beside those."""
    request: Request | None
    user: Pairs
    tags: Pairs
    contexts: tuple[tuple[str, Pairs], ...]
    extra: Pairs
    facts: Pairs
    """What else the event says of itself in a word or a line."""
    links: Pairs


def details_of(alert: Alert, base_url: str, organization: str | None = None) -> Details:
    """Of an alert; the base and the organization are for links to what has no address of its own in it."""
    payload = alert.payload
    crumbs = _values(payload.get("breadcrumbs") or payload.get("sentry.interfaces.Breadcrumbs"))
    return Details(
        stacks=tuple(_stacks(alert)),
        breadcrumbs=tuple(map(_breadcrumb, crumbs[-MAX_BREADCRUMBS:])),
        left_out=max(0, len(crumbs) - MAX_BREADCRUMBS),
        request=_request(mapping(payload.get("request")) or mapping(payload.get("sentry.interfaces.Http"))),
        user=_pairs(payload.get("user") or payload.get("sentry.interfaces.User")),
        tags=tuple(Pair(_cut(name), _cut(value)) for name, value in alert.tags[:MAX_PAIRS]),
        contexts=tuple((_cut(name), _pairs(value)) for name, value in islice(mapping(payload.get("contexts")).items(), MAX_PAIRS) if value),
        extra=_pairs(payload.get("extra")),
        facts=tuple(Pair(name, _say(payload[name])) for name in _FACTS if payload.get(name) not in _NOTHING),
        links=tuple(_links(alert, base_url.rstrip("/"), alert.organization or organization)),
    )


def is_web_address(address: str | None) -> bool:
    """Whether an address leads to a page, and may be made a link: nothing that runs or opens something else."""
    return bool(address) and re.match(r"https?://[^\s/]", address or "", re.IGNORECASE) is not None


def replay_address(alert: Alert, *, base_url: str, organization: str | None) -> str:
    """Where the session is watched in Sentry (docs.sentry.io/product/explore/session-replay); empty where no replay is named."""
    contexts, home = mapping(alert.payload.get("contexts")), alert.organization or organization
    replay = first_text(mapping(contexts.get("replay")).get("replay_id"), alert.tag("replayId"), alert.tag("replay_id")) or ""
    if not home or not _REPLAY_ID.fullmatch(replay):
        return ""
    return f"{base_url.rstrip('/')}/organizations/{quote(home, safe='')}/replays/{replay}/"


def _stacks(alert: Alert) -> Iterator[Stack]:
    payload = alert.payload
    raised = raised_in(payload)
    for number, one in reversed([*enumerate(alert.exceptions)]):
        # Without a chain in the event the exception is that of the issue, which has no frames.
        yield _stack(one, _frames(raised[number] if len(raised) == len(alert.exceptions) else {}))
    if any(one.get("stacktrace") for one in raised):
        return
    yield from _threads(payload)


def _stack(one: ExceptionValue, frames: tuple[SourceFrame, ...]) -> Stack:
    return Stack(
        type=_cut(one.type or ""),
        value=_cut(one.value or ""),
        module=_cut(one.module or ""),
        mechanism=_cut(one.mechanism or ""),
        is_handled=one.handled,
        frames=frames,
    )


def _threads(payload: Object) -> Iterator[Stack]:
    """Where no exception has a stack: that of the event, or of the thread that crashed or is current."""
    threads = [one for one in _values(payload.get("threads")) if one.get("crashed") is True or one.get("current") is True]
    alone = mapping(payload.get("stacktrace")) or mapping(payload.get("sentry.interfaces.Stacktrace"))
    for one in [{"stacktrace": alone}] if alone else threads[:1]:
        name = f"thread {_say(one.get('name') or one.get('id'))}".strip() if one.get("name") or one.get("id") else "stack"
        if frames := _frames(one):
            yield Stack(type=name, value="", module="", mechanism="", is_handled=None, frames=frames)


def _frames(holder: Object) -> tuple[SourceFrame, ...]:
    frames = sequence(mapping(holder.get("stacktrace")).get("frames"))
    return tuple(_frame(one) for one in reversed(frames[-MAX_FRAMES:]) if isinstance(one, dict))


def _frame(frame: Object) -> SourceFrame:
    return SourceFrame(
        file=_cut(first_text(frame.get("filename"), frame.get("abs_path")) or ""),
        module=_cut(first_text(frame.get("module"), frame.get("package")) or ""),
        function=_cut(text(frame.get("function")) or ""),
        line_number=whole(frame.get("lineno")) or None,
        is_in_app=frame.get("in_app") is True,
        lines=tuple(_lines(frame)),
        variables=_pairs(frame.get("vars")),
    )


def _lines(frame: Object) -> Iterator[SourceLine]:
    number, it = whole(frame.get("lineno")) or None, frame.get("context_line")
    before, after = ([line for line in sequence(frame.get(part))[:10] if isinstance(line, str)] for part in ("pre_context", "post_context"))
    if not isinstance(it, str):
        return
    for index, line in enumerate((*before, it, *after)):
        at = None if number is None else number - len(before) + index
        yield SourceLine(at, _cut(line), index == len(before))


def _breadcrumb(crumb: Object) -> Breadcrumb:
    return Breadcrumb(
        at=_time(crumb.get("timestamp")),
        level=_say(crumb.get("level")),
        category=_say(first_text(crumb.get("category"), crumb.get("type"))),
        message=_say(crumb.get("message")),
        more=_pairs(crumb.get("data")),
    )


def _time(value: Json) -> str:
    at = moment(value)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}" if at else _say(value)


def _request(request: Object) -> Request | None:
    if not request:
        return None
    return Request(
        method=_say(request.get("method")),
        url=_say(request.get("url")),
        query=_pairs(request.get("query_string") or request.get("query")),
        headers=_pairs(request.get("headers")),
        cookies=_pairs(request.get("cookies")),
        body=_pairs(request.get("data")),
        environment=_pairs(request.get("env")),
    )


def _links(alert: Alert, base: str, organization: str | None) -> Iterator[Pair]:
    """To pages of Sentry, by its addresses of today."""
    if is_web_address(alert.link):
        yield Pair("issue", alert.link or "")
    if not organization:
        return
    home = f"{base}/organizations/{quote(organization, safe='')}"
    if replay := replay_address(alert, base_url=base, organization=organization):
        yield Pair("replay", replay)
    trace = first_text(mapping(mapping(alert.payload.get("contexts")).get("trace")).get("trace_id"), alert.tag("trace"))
    if trace and _ID.fullmatch(trace):
        yield Pair("trace", f"{home}/performance/trace/{trace}/")
    if alert.release:
        yield Pair("release", f"{home}/releases/{quote(alert.release, safe='')}/")


def _values(holder: Json) -> list[Object]:
    return [one for one in sequence(holder) or sequence(mapping(holder).get("values")) if isinstance(one, dict)]


def _pairs(value: Json) -> Pairs:
    """Names and values of whatever it is: an object, a list of pairs, or something alone, which has no name."""
    return tuple(Pair(_say(name), _say(one)) for name, one in islice(_named(value), MAX_PAIRS))


def _named(value: Json) -> Iterable[tuple[Json, Json]]:
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, list):
        return [(one[0], one[1]) if isinstance(one, list) and len(one) == 2 else ("", one) for one in value]
    return [] if value is None or value == "" else [("", value)]


def _say(value: Json) -> str:
    """A value as people read it: what is no plain one as JSON."""
    if value is None:
        return ""
    plain = label(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge number"
    return _cut(plain if plain is not None else _as_json(value))


def _as_json(value: Json) -> str:
    try:
        return encode(value).decode()
    except (ValueError, TypeError, RecursionError, OverflowError):
        return "something that cannot be shown"


def _cut(words: str) -> str:
    return words if len(words) <= MAX_TEXT else f"{words[:MAX_TEXT]}… ({len(words):,} characters)"


_FACTS: Sequence[str] = (
    "culprit",
    "logger",
    "platform",
    "server_name",
    "dist",
    "transaction",
    "location",
    "fingerprint",
    "event_id",
    "sdk",
)
_NOTHING: tuple[Json, ...] = (None, "", [], {})
