"""Sentry's own samples of its search syntax are accepted, rejected and taken apart as Sentry does it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from routing.alert import Json
from routing.query import QueryError, parse
from routing.query_tree import BooleanValue, DateValue, Form, FreeText, KeyKind, Node, Or, Quantity, Term, Value

FOLDER = Path(os.environ.get("SHARED_DIR") or Path(__file__).resolve().parents[3] / "shared") / "search-syntax"


def _samples() -> list[tuple[str, Mapping[str, Json]]]:
    found: list[tuple[str, Mapping[str, Json]]] = []
    for path in sorted(FOLDER.glob("*.json")):
        found += [(path.stem, _mapping(case)) for case in _list(json.loads(path.read_text(encoding="utf-8")))]
    return found


def _mapping(value: Json) -> Mapping[str, Json]:
    assert isinstance(value, Mapping)
    return value


def _list(value: Json) -> Sequence[Json]:
    assert isinstance(value, list)
    return value


def _is_rejected(sample: Mapping[str, Json]) -> bool:
    return bool(sample.get("raisesError")) or '"invalid": {' in json.dumps(sample["result"])


_NO_SAMPLES = pytest.param("", {}, marks=pytest.mark.skip(reason=f"Sentry's samples are not at {FOLDER}; set SHARED_DIR"))
_ACCEPTED = [pytest.param(name, case, id=f"{name}: {case['query']}") for name, case in _samples() if not _is_rejected(case)]
_REJECTED = [pytest.param(name, case, id=f"{name}: {case['query']}") for name, case in _samples() if _is_rejected(case)]


@pytest.mark.parametrize(("name", "sample"), _ACCEPTED or [_NO_SAMPLES])
def test_what_sentry_accepts_is_taken_apart_as_sentry_does(name: str, sample: Mapping[str, Json]) -> None:  # noqa: ARG001 - the name is the id
    query = parse(str(sample["query"]))

    assert _shape(query.tree) == _wanted(_list(sample["result"]))


@pytest.mark.parametrize(("name", "sample"), _ACCEPTED or [_NO_SAMPLES])
def test_the_normal_form_of_what_sentry_accepts_means_the_same(name: str, sample: Mapping[str, Json]) -> None:  # noqa: ARG001 - as above
    query = parse(str(sample["query"]))

    assert parse(str(query)) == query


@pytest.mark.parametrize(("name", "sample"), _REJECTED or [_NO_SAMPLES])
def test_what_sentry_rejects_is_rejected(name: str, sample: Mapping[str, Json]) -> None:  # noqa: ARG001 - as above
    text = str(sample["query"])

    with pytest.raises(QueryError) as raised:
        parse(text)

    assert 0 <= raised.value.position < len(text)


def _shape(node: Node) -> str:
    """All that must come out alike: words, keys, operators, negations, types, values, and how AND and OR join them."""
    if isinstance(node, FreeText):
        return _spell_text(node.text)
    if isinstance(node, Term):
        return _spell_term(_key(node), node.operator, [_said(value) for value in node.values], negated=node.negated, form=node.form)
    return _join("or" if isinstance(node, Or) else "and", [_shape(part) for part in node.parts])


def _key(term: Term) -> str:
    key = term.key
    if key.kind is KeyKind.AGGREGATE:
        return f"{key.name}({'|'.join(key.arguments)})"
    return key.name if key.kind is KeyKind.FIELD else f"{key.kind}s[{key.name}]"


def _said(value: Value) -> str:
    match value:
        case Quantity(type=kind, amount=amount):
            return f"{kind} {amount}"
        case BooleanValue(truth=truth):
            return f"boolean {truth}"
        case DateValue(moment=moment):
            return f"date {moment}"
        case _:
            return f"{value.type} {value.text}"


def _wanted(tokens: Sequence[Json]) -> str:
    """Sentry's flat list with its words AND and OR, as a tree in which AND binds tighter."""
    alternatives: list[list[str]] = [[]]
    for token in map(_mapping, tokens):
        if token["type"] == "logicBoolean":
            alternatives += [[]] if str(token["value"]).upper() == "OR" else []
        elif token["type"] != "spaces":
            alternatives[-1].append(_wanted_part(token))
    return _join("or", [_join("and", parts) for parts in alternatives])


def _wanted_part(token: Mapping[str, Json]) -> str:
    if token["type"] == "logicGroup":
        return _wanted(_list(token["inner"]))
    if token["type"] == "freeText":
        return _spell_text(str(token["value"]))
    value = _mapping(token["value"])
    items = [_mapping(item)["value"] for item in _list(value["items"])] if "items" in value else [value]
    return _spell_term(
        _wanted_key(_mapping(token["key"])),
        str(token["operator"]) or "=",
        [_wanted_value(_mapping(item)) for item in items],
        negated=bool(token["negated"]),
        form=Form.LIST if "items" in value else Form.ONE,
    )


def _wanted_key(key: Mapping[str, Json]) -> str:
    if key["type"] == "keyAggregate":
        arguments = _list(_mapping(key["args"] or {"args": []})["args"])
        return f"{_mapping(key['name'])['value']}({'|'.join(str(_mapping(_mapping(item)['value'])['value']) for item in arguments)})"
    return f"{key['prefix']}[{_mapping(key['key'])['value']}]" if "prefix" in key else str(key["value"])


def _wanted_value(value: Mapping[str, Json]) -> str:
    kind = str(value["type"]).removeprefix("value")
    if kind == "Text":
        return "text {}".format(str(value["value"]).replace('\\"', '"'))
    if kind == "RelativeDate":
        return f"relative date {value['sign']}{value['value']}{value['unit']}"
    parsed = _mapping(value["parsed"])["value"]
    if kind == "Iso8601Date":
        return f"date {datetime.fromisoformat(str(parsed))}"
    assert isinstance(parsed, bool | int | float)
    return f"{kind.lower()} {parsed if isinstance(parsed, bool) else float(parsed)}"


def _spell_text(text: str) -> str:
    return f'"{text.strip()}"'


def _spell_term(key: str, operator: str, values: Sequence[str], *, negated: bool, form: Form) -> str:
    return f"{'not ' if negated else ''}{key} {operator} {form} of {list(values)}"


def _join(word: str, parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({f' {word} '.join(parts)})"
