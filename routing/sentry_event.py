"""Reads the event that Sentry puts into its alerts, errors and legacy webhooks: what happened, where, to whom.

Knows nothing of the envelope around it; `routing.sentry` opens that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import TypedDict

from routing.alert import Category, ExceptionValue, Frame, Json, User
from routing.payload import NOTHING, Object, first_text, flag, label, mapping, moment, number, sequence, text, whole
from routing.unread import UnreadFrames, UnreadObject

# Group types by their thousands: slow code and profiles, monitors, replays, feedback, uptime, metric issues, web vitals.
_CATEGORY_OF_OCCURRENCE = {
    1: Category.PERFORMANCE,
    2: Category.PERFORMANCE,
    4: Category.CRON,
    5: Category.REPLAY,
    6: Category.FEEDBACK,
    7: Category.UPTIME,
    8: Category.METRIC,
    10: Category.PERFORMANCE,
}
_CATEGORY_OF_TYPE = {"transaction": Category.PERFORMANCE, "feedback": Category.FEEDBACK}
# Before September 2024 generic events came without their occurrence; what they are about was told by a context alone.
_CATEGORY_OF_CONTEXT = {"monitor": Category.CRON, "feedback": Category.FEEDBACK, "replay": Category.REPLAY}

# Of what a hostile body holds without end, more than any event of Sentry's has: its Relay keeps 250 frames of a stack
# (github.com/getsentry/relay/pull/3905), and of a chain its grouping reads 30 exceptions (github.com/getsentry/sentry/pull/75605).
MAX_TAGS = 1000
MAX_EXCEPTIONS = 100
MAX_FRAMES = 250
MAX_EVIDENCE = 100

_MILLISECONDS = {"millisecond": 1.0, "second": 1000.0, "": 1.0, "none": 1.0}


class EventFields(TypedDict):
    """The fields of an Alert that an event alone decides."""

    environment: str | None
    release: str | None
    platform: str | None
    transaction: str | None
    duration_ms: float | None
    database_ms: float | None
    event_id: str | None
    event_type: str | None
    exceptions: tuple[ExceptionValue, ...]
    tags: tuple[tuple[str, str], ...]
    user: User | None
    payload: Object


def event_fields(event: Object, read_again: Callable[[], Object]) -> EventFields:
    """What an event of any platform and of Sentry 8 or later says.

    Its frames, and the whole of it, are read again when somebody asks for them.
    """
    payload = UnreadObject(event, read_again)
    tags = event_tags(event)
    tagged = dict(reversed(tags))
    kind = text(event.get("type"))
    return {
        "environment": first_text(tagged.get("environment"), event.get("environment")),
        "release": first_text(event.get("release"), tagged.get("release")),
        "platform": text(event.get("platform")),
        "transaction": first_text(event.get("transaction"), tagged.get("transaction")),
        "duration_ms": _duration_ms(event) if kind == "transaction" else None,
        "database_ms": _database_ms(event) if kind == "transaction" else None,
        "event_id": text(event.get("event_id")),
        "event_type": kind,
        "exceptions": _exceptions(event, payload),
        "tags": tags,
        "user": _user(_part(event, "user", "sentry.interfaces.User")),
        "payload": payload,
    }


def event_tags(event: Object) -> tuple[tuple[str, str], ...]:
    """Tags as pairs, an object, or objects of key and value; the prefix of Sentry's own ones (`sentry:release`) is dropped.

    At most the first `MAX_TAGS`.
    """
    tags = event.get("tags")
    pairs: Iterable[tuple[Json, Json]] = tags.items() if isinstance(tags, dict) else map(_pair, sequence(tags))
    named = ((text(key), label(value)) for key, value in islice(pairs, MAX_TAGS))
    return tuple((key.removeprefix("sentry:"), value) for key, value in named if key is not None and value is not None)


def event_category(event: Object) -> Category:
    """What kind of trouble the event is a sign of; an error unless something says otherwise."""
    group_type = whole(mapping(event.get("occurrence")).get("type")) or 0
    found = _CATEGORY_OF_OCCURRENCE.get(group_type // 1000) or _CATEGORY_OF_TYPE.get(text(event.get("type")) or "")
    if found is None and event.get("type") == "generic":
        contexts = mapping(event.get("contexts"))
        found = next((category for name, category in _CATEGORY_OF_CONTEXT.items() if mapping(contexts.get(name))), None)
    return found or Category.ERROR


def event_titles(event: Object) -> tuple[Json, ...]:
    """Where an event's title may stand, best first (protocol reference, part 6)."""
    metadata = mapping(event.get("metadata"))
    return (
        event.get("title"),
        mapping(event.get("occurrence")).get("issueTitle"),
        metadata.get("title"),
        event.get("message"),
        _logged(event),
        ": ".join(filter(None, (text(metadata.get("type")), text(metadata.get("value"))))),
    )


def event_text(event: Object, exceptions: tuple[ExceptionValue, ...]) -> str:
    """The message behind the title: the raised exception's, the logged one, or what an occurrence gives as evidence."""
    raised = exceptions[-1].value if exceptions else None
    return first_text(raised, _logged(event), _evidence(event), event.get("message")) or ""


def event_time(event: Object) -> datetime | None:
    """When it happened; events of Sentry 8 may say only when they were received."""
    return moment(event.get("timestamp")) or moment(event.get("datetime")) or moment(event.get("received"))


def exceptions_of_metadata(metadata: Object) -> tuple[ExceptionValue, ...]:
    """The raised exception as an issue or a shortened event remembers it: type and value, no stack."""
    kind = text(metadata.get("type"))
    return (ExceptionValue(type=kind, value=text(metadata.get("value"))),) if kind else ()


def raised_in(event: Object) -> list[Object]:
    """Those of an event as it came: the last `MAX_EXCEPTIONS`, which are those that were raised, as opposed to their first causes."""
    chain = event.get("exception") or event.get("sentry.interfaces.Exception")
    holder = mapping(chain)
    # A chain is an object of values; old SDKs sent the bare list, or one exception alone.
    values = sequence(chain) or sequence(holder.get("values")) or ([holder] if "type" in holder or "value" in holder else ())
    return [value for value in values[-MAX_EXCEPTIONS:] if isinstance(value, dict)]


def _exceptions(event: Object, payload: Object) -> tuple[ExceptionValue, ...]:
    found = tuple(_exception(raised, payload, index) for index, raised in enumerate(raised_in(event)))
    return found or exceptions_of_metadata(mapping(event.get("metadata")))


def _exception(raised: Object, payload: Object, index: int) -> ExceptionValue:
    mechanism = mapping(raised.get("mechanism"))
    return ExceptionValue(
        type=text(raised.get("type")),
        value=text(raised.get("value")),
        module=text(raised.get("module")),
        mechanism=text(mechanism.get("type")),
        handled=flag(mechanism.get("handled")),
        frames=UnreadFrames(lambda: _frames(raised_in(payload)[index])) if raised.get("stacktrace") else (),
    )


def _frames(raised: Object) -> tuple[Frame, ...]:
    """The last `MAX_FRAMES`, which are the innermost."""
    frames = sequence(mapping(raised.get("stacktrace")).get("frames"))
    return tuple([_frame(frame) for frame in frames[-MAX_FRAMES:] if isinstance(frame, dict)])


def _frame(frame: Object) -> Frame:
    source_line = frame.get("context_line")
    return Frame(
        filename=text(frame.get("filename")) or text(frame.get("abs_path")),
        module=text(frame.get("module")) or text(frame.get("package")),
        function=text(frame.get("function")),
        line_number=whole(frame.get("lineno")) or None,  # native frames without a line say 0
        source_line=source_line if isinstance(source_line, str) else None,
        in_app=frame.get("in_app") is True,
    )


def _user(user: Object) -> User | None:
    if not user:
        return None
    found = User(
        id=text(user.get("id")),
        email=text(user.get("email")),
        username=text(user.get("username")),
        ip_address=text(user.get("ip_address")),
    )
    return found if found != User() else None


def _duration_ms(event: Object) -> float | None:
    began, ended = moment(event.get("start_timestamp")), moment(event.get("timestamp"))
    if began and ended:
        taken = (ended - began) / timedelta(milliseconds=1)
        return taken if taken >= 0 else None
    return _milliseconds(mapping(mapping(event.get("measurements")).get("duration")))


def _database_ms(event: Object) -> float | None:
    """As Relay sums it up (github.com/getsentry/relay, `relay-event-normalization`, breakdowns)."""
    operations = mapping(mapping(event.get("breakdowns")).get("span_ops"))
    return _milliseconds(mapping(operations.get("ops.db")))


def _milliseconds(measured: Object) -> float | None:
    factor = _MILLISECONDS.get(text(measured.get("unit")) or "")
    value = number(measured.get("value"))
    return value * factor if value is not None and value >= 0 and factor else None


def _evidence(event: Object) -> str:
    occurrence = mapping(event.get("occurrence"))
    if not occurrence:
        return ""
    title = text(occurrence.get("issueTitle"))
    heading = ": ".join(filter(None, (title if title != event.get("title") else None, text(occurrence.get("subtitle")))))
    rows = (row for row in map(mapping, sequence(occurrence.get("evidenceDisplay"))[:MAX_EVIDENCE]) if row.get("important") is True)
    lines = (": ".join(filter(None, (text(row.get("name")), text(row.get("value"))))) for row in rows)
    return "\n".join(filter(None, (heading, *lines)))


def _logged(event: Object) -> str | None:
    entry = _part(event, "logentry", "sentry.interfaces.Message")
    return first_text(entry.get("formatted"), entry.get("message"))


def _part(event: Object, name: str, old_name: str) -> Object:
    return mapping(event.get(name)) or mapping(event.get(old_name)) or NOTHING


def _pair(tag: Json) -> tuple[Json, Json]:
    if isinstance(tag, dict):
        return tag.get("key"), tag.get("value")
    if isinstance(tag, list) and len(tag) == 2:
        return tag[0], tag[1]
    return None, None
