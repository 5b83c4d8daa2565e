"""Sentry's own samples of its search syntax, and what a query says put into words, by us and by the samples, for comparison.

An unseen kind of token makes a comparison fail with both sides shown; it never makes a test crash.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from routing.alert import Json
from routing.query_keys import Kind, read_value
from routing.query_tree import BooleanValue, DateValue, FreeText, KeyKind, Node, Or, Quantity, Term, Value

FOLDER = Path(os.environ.get("SHARED_DIR") or Path(__file__).resolve().parents[3] / "shared") / "search-syntax"

_EXPLICIT_KEY = re.compile(r"keyExplicit(String|Number|Boolean|Array)?(Tag|Flag)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A query with what Sentry makes of it."""

    file: str
    query: str
    tokens: Sequence[Json]
    is_rejected: bool
    is_configured: bool
    """Read under settings of its own, such as `disallowWildcard`, which say nothing of the language as it is."""


def read_samples(folder: Path = FOLDER) -> list[Sample]:
    """All samples of a folder; none if it is absent."""
    return [_sample(path.stem, case) for path in sorted(folder.glob("*.json")) for case in _list(json.loads(path.read_bytes()))]


def say_tree(node: Node) -> str:
    """All that must come out alike: words, keys, operators, negations, types, values, and how AND and OR join them."""
    if isinstance(node, FreeText):
        return _say_text(node.text)
    if isinstance(node, Term):
        return _say_term(_say_key(node), node.operator, [_say_value(value) for value in node.values], negated=node.negated)
    return _join("or" if isinstance(node, Or) else "and", [say_tree(part) for part in node.parts])


def say_tokens(tokens: Sequence[Json]) -> str:
    """The same of Sentry's flat list with its words AND and OR, as a tree in which AND binds tighter."""
    alternatives: list[list[str]] = [[]]
    for token in map(_mapping, _grouped(tokens)):
        if token.get("type") == "logicBoolean":
            alternatives += [[]] if str(token.get("value")).upper() == "OR" else []
        elif token.get("type") != "spaces":
            alternatives[-1].append(_say_token(token))
    return _join("or", [_join("and", parts) for parts in alternatives])


def _sample(file: str, case: Json) -> Sample:
    fields = _mapping(case)
    tokens = _list(fields.get("result"))
    return Sample(
        file=file,
        query=str(fields.get("query", "")),
        tokens=tokens,
        is_rejected=bool(fields.get("raisesError")) or any(_is_invalid(token) for token in tokens),
        is_configured=bool(fields.get("additionalConfig")),
    )


def _is_invalid(token: Json) -> bool:
    """Whether Sentry flags a token, or one within it: it reads the query then, and refuses to run it."""
    if isinstance(token, Mapping):
        return bool(token.get("invalid")) or any(map(_is_invalid, token.values()))
    return any(map(_is_invalid, token)) if isinstance(token, list) else False


def _say_key(term: Term) -> str:
    key = term.key
    if key.kind is KeyKind.AGGREGATE:
        return _say_call(key.name, key.arguments)
    return key.name if key.kind is KeyKind.FIELD else _say_explicit(f"{key.kind}s", key.name, key.type or "")


def _say_value(value: Value) -> str:
    match value:
        case Quantity(type=kind, amount=amount):
            return f"{kind} {amount:.12g}"
        case BooleanValue(truth=truth):
            return f"boolean {truth}"
        case DateValue(moment=moment):
            return _say_date(moment)
        case _:
            return f"{value.type} {value.text}"


def _grouped(tokens: Sequence[Json]) -> Sequence[Json]:
    """Sentry can also leave parentheses in the list as tokens of their own."""
    levels: list[list[Json]] = [[]]
    for token in tokens:
        kind = _mapping(token).get("type")
        if kind == "L_PAREN":
            levels.append([])
        elif kind == "R_PAREN" and len(levels) > 1:
            inner = levels.pop()
            levels[-1].append({"type": "logicGroup", "inner": inner})
        else:
            levels[-1].append(token)
    return levels[0]


def _say_token(token: Mapping[str, Json]) -> str:
    match token.get("type"):
        case "logicGroup":
            inner = _list(token.get("inner"))
            return say_tokens(inner) if any(_mapping(part).get("type") != "spaces" for part in inner) else _say_text("()")
        case "freeText":
            return _say_text(str(token.get("value")))
        case "filter":
            values = [_say_sampled(value) for value in _values(token)]
            return _say_term(
                _say_sampled_key(_mapping(token.get("key"))), str(token.get("operator") or "="), values, negated=bool(token.get("negated"))
            )
        case unseen:
            return f"an unseen token {unseen}: {json.dumps(token)}"


def _values(token: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    value = _mapping(token.get("value"))
    if "items" not in value:
        yield value
    for item in _list(value.get("items")):
        yield _mapping(_mapping(item).get("value"))


def _say_sampled_key(key: Mapping[str, Json]) -> str:
    if key.get("type") == "keyAggregate":
        arguments = [str(_mapping(_mapping(item).get("value")).get("value")) for item in _list(_mapping(key.get("args")).get("args"))]
        return _say_call(str(_mapping(key.get("name")).get("value")), arguments)
    explicit = _EXPLICIT_KEY.fullmatch(str(key.get("type")))
    if explicit:
        name = str(_mapping(key.get("key")).get("value"))
        return _say_explicit(str(key.get("prefix") or f"{explicit[2].lower()}s"), name, (explicit[1] or "").lower())
    return str(key.get("value"))


def _say_sampled(value: Mapping[str, Json]) -> str:
    if str(value.get("type")).startswith("key"):
        return f"text {_say_sampled_key(value)}"
    kind, text = str(value.get("type")).removeprefix("value"), f"{value.get('value')}{value.get('unit') or ''}"
    if kind == "Text":
        return f"text {_unescape(text)}"
    if kind == "RelativeDate":
        return f"relative date {value.get('sign')}{text}"
    parsed = _mapping(value.get("parsed")).get("value")
    if kind == "Iso8601Date":
        return _say_sampled_date(str(parsed or text))
    if isinstance(parsed, bool):
        return f"boolean {parsed}"
    return f"{kind.lower()} {parsed:.12g}" if isinstance(parsed, int | float) else _say_unparsed(kind.lower(), text)


def _say_unparsed(kind: str, text: str) -> str:
    value = read_value(Kind(kind), text) if kind in set(Kind) else None
    return _say_value(value) if value else f"an unseen {kind}: {text}"


def _say_sampled_date(text: str) -> str:
    try:
        return _say_date(datetime.fromisoformat(text))
    except ValueError:
        return f"an unseen date: {text}"


def _say_date(moment: datetime) -> str:
    """To the millisecond, as far as Sentry's samples go."""
    return f"date {moment.isoformat(timespec='milliseconds')}"


def _say_call(name: str, arguments: Sequence[str]) -> str:
    return f"{name}({'|'.join(_unescape(argument.strip(chr(34))) for argument in arguments)})"


def _say_explicit(prefix: str, name: str, kind: str) -> str:
    return f"{prefix}[{name}{',' + kind if kind else ''}]"


def _say_text(text: str) -> str:
    return f'"{_unescape(text).strip()}"'


def _say_term(key: str, operator: str, values: Sequence[str], *, negated: bool) -> str:
    return f"{'not ' if negated else ''}{key} {operator} {list(values)}"


def _join(word: str, parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({f' {word} '.join(parts)})"


def _unescape(text: str) -> str:
    return text.replace('\\"', '"')


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()
