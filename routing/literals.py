"""Conditions that are met or are not, and what each of them asks about, whatever its spelling. Decides nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from routing.query_comparison import Pattern, pattern
from routing.query_keys import is_known, normal_aggregate
from routing.query_syntax import parse_key
from routing.query_tree import FreeText, Key, KeyKind, Operator, Quantity, Term, TextValue

TEXT, STATE = "text", "is"

_ALIASES = {
    **dict.fromkeys(("project.name", "project.slug"), "project"),
    **dict.fromkeys(("user.ip",), "user.ip_address"),
    **dict.fromkeys(("http.url",), "url"),
    **dict.fromkeys(("http.response.status_code",), "http.status_code"),
    **dict.fromkeys(("event.timestamp", "time", "date", "transaction.end_time"), "timestamp"),
    **dict.fromkeys(("first_seen", "age"), "firstSeen"),
    **dict.fromkeys(("last_seen",), "lastSeen"),
    **dict.fromkeys(("times_seen",), "timesSeen"),
    **dict.fromkeys(("userCount", "users"), "user_count"),
    "platform.name": "platform",
    "error.unhandled": "error.handled",
}
_SINGLE = frozenset(
    {
        *("title", "level", "environment", "release", "release.version", "release.package", "release.build", "platform", "organization"),
        *("transaction", "transaction.duration", "culprit", "user.id", "user.email", "user.username", "user.ip_address"),
        *("error.handled", "http.method", "http.status_code", "url", "issue", "issue.id", "issue.priority", "event.type", "id"),
        *("timestamp", "firstSeen", "lastSeen", "timesSeen", "user_count", "resource", "action"),
        *("metric.value", "metric.threshold", "metric.aggregate", "alert_rule.name"),
    }
)
"""Keys under which an alert says one thing at most."""
_FIELDS = frozenset(
    {
        *("dist", "location", "trace", "logger", "user", "project", "project_id", "assigned", "assigned_to", "assigned_or_suggested"),
        *("message", "start", "end", "is_application", "symbolicated_in_app", "team_key_transaction"),
    }
)
"""Sentry's other names without a dot; what else has none is a tag."""


class Literal(NamedTuple):
    """A condition that is met, or one that is not."""

    condition: Term | FreeText
    is_met: bool
    scope: str = ""
    """Figures and places mean the same only within one."""


def wanted(literal: Literal) -> bool:
    """Whether the value must be one of those that are written, its negations taken together."""
    term = literal.condition
    return (
        literal.is_met if isinstance(term, FreeText) else literal.is_met is not (term.negated is not (term.operator is Operator.NOT_EQUAL))
    )


def subject_of(literal: Literal) -> str:
    """What a condition asks about: equal for all the spellings of a key."""
    term = literal.condition
    if isinstance(term, FreeText):
        return TEXT
    if term.key.kind is KeyKind.AGGREGATE:
        return f"{normal_aggregate(str(term.key))} {literal.scope}".strip()
    if term.key.kind is KeyKind.FIELD and term.key.name == "message" and all(texts_of(term)):
        return TEXT
    if term.key.kind is KeyKind.FIELD and term.key.name == "has":
        return _subject(parse_key(texts_of(term)[0]))
    if term.key.kind is KeyKind.FIELD and term.key.name == "is":
        return f"is:new {literal.scope}" if literal.scope and texts_of(term) == ("new",) else STATE
    return _subject(term.key)


def _subject(key: Key) -> str:
    name = _ALIASES.get(key.name, key.name)
    if key.kind is KeyKind.TAG or (key.kind is KeyKind.FIELD and name.startswith("tags.")):
        return f"tags[{name.removeprefix('tags.') if key.kind is KeyKind.FIELD else name}]"
    if key.kind is not KeyKind.FIELD:
        return str(replace(key, type=None))
    is_field = "." in name or is_known(name) or name in _SINGLE or name in _FIELDS
    return name if is_field else f"tags[{name}]"


def is_single(subject: str) -> bool:
    """Whether an alert says one thing at most about a subject."""
    return subject in _SINGLE or subject.startswith("tags[") or "(" in subject


def is_presence(literal: Literal) -> bool:
    """Whether it asks only if something is said: `has:`."""
    return term_of(literal).key.name == "has" and term_of(literal).key.kind is KeyKind.FIELD


def is_figure(literal: Literal) -> bool:
    """Whether it compares numbers."""
    return isinstance(term_of(literal).value, Quantity)


def is_text(literal: Literal) -> bool:
    """Whether it compares or searches texts."""
    return isinstance(literal.condition, FreeText) or isinstance(term_of(literal).value, TextValue)


def patterns_of(literal: Literal) -> tuple[Pattern, ...]:
    """The texts that are written, split at their stars."""
    condition = literal.condition
    if isinstance(condition, FreeText):
        return (pattern(condition.text),)
    return tuple(pattern(text) for text in texts_of(condition) if text)


def term_of(literal: Literal) -> Term:
    """The condition, of one that is known not to be free text."""
    assert isinstance(literal.condition, Term)  # noqa: S101 - free text has a subject of its own
    return literal.condition


def texts_of(term: Term) -> tuple[str, ...]:
    """The texts that are written, the empty one too."""
    return tuple(value.text for value in term.values if isinstance(value, TextValue))
