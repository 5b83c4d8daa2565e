"""Changes conditions one thing at a time: operators, negations, thresholds, words, wildcards, and each term taken out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from routing.query import Query, QueryError, parse
from routing.query_tree import And, Form, Node, Or, Term

_TEXT_OF_OPERATORS = (">=", "<=", ">", "<")
_ORDERING = re.compile(r"(?<=:)(?:>=|<=|>|<)")
_NUMBER = re.compile(r"(?<=[:=<>\[ ])\d+(?:\.\d+)?(?=[a-z%]{0,3}(?:[\s)\],]|$))")
_WORD = re.compile(r"[^\W\d]{2,}")
_BEGIN_OF_TERM = re.compile(r"(?:^|(?<=[ (]))!?(?=[^\s()!\"]+:)")
_KEYWORDS = frozenset({"OR", "AND", "TO"})


def mutant_queries(query: Query) -> Iterator[tuple[str, Query]]:
    """Other conditions that differ in one thing, and how they are written; such as say the same, or nothing, are left out."""
    met = {str(query)}
    for text in (*_texts(str(query)), *map(str, _with_less(query.tree)), *map(str, _with_other_joins(query.tree))):
        if text in met:
            continue
        met.add(text)
        try:
            changed = parse(text)
        except QueryError:
            continue
        if changed != query:
            yield text, changed


def _texts(text: str) -> Iterator[str]:
    for found in _ORDERING.finditer(text):
        yield from (_put(text, found, operator) for operator in _TEXT_OF_OPERATORS)
    for found in _BEGIN_OF_TERM.finditer(text):
        yield _put(text, found, "" if found[0] else "!")
    for found in _NUMBER.finditer(text):
        yield from (_put(text, found, number) for number in _numbers(found[0]))
    for found in _WORD.finditer(text):
        if found[0] not in _KEYWORDS:
            yield _put(text, found, f"{found[0]}x")
    for found in re.finditer(r"\*", text):
        yield _put(text, found, "")


def _put(text: str, found: re.Match[str], instead: str) -> str:
    return text[: found.start()] + instead + text[found.end() :]


def _numbers(written: str) -> Iterator[str]:
    """The next ones below and above in its last place, its half and its double."""
    places = len(written.partition(".")[2])
    for number in (float(written) - 10**-places, float(written) + 10**-places, float(written) / 2, float(written) * 2):
        yield f"{number:.{places + 1}f}".rstrip("0").rstrip(".")


def _with_less(node: Node) -> Iterator[Node]:
    """Without one of its terms, or one of a list of values."""
    match node:
        case And(parts=parts) | Or(parts=parts):
            for index, part in enumerate(parts):
                others = (*parts[:index], *parts[index + 1 :])
                if others:
                    yield _joined(node, others)
                yield from (_joined(node, (*parts[:index], less, *parts[index + 1 :])) for less in _with_less(part))
        case Term(form=Form.LIST, values=values) if len(values) > 1:
            for index in range(len(values)):
                yield _term(node, index)


def _term(term: Term, index: int) -> Term:
    return Term(
        key=term.key,
        operator=term.operator,
        negated=term.negated,
        values=(*term.values[:index], *term.values[index + 1 :]),
        form=Form.LIST,
    )


def _with_other_joins(node: Node) -> Iterator[Node]:
    """With AND where OR was, and the other way."""
    if isinstance(node, And | Or):
        if len(node.parts) > 1:
            yield Or(parts=node.parts) if isinstance(node, And) else And(parts=node.parts)
        for index, part in enumerate(node.parts):
            yield from (_joined(node, (*node.parts[:index], other, *node.parts[index + 1 :])) for other in _with_other_joins(part))


def _joined(node: And | Or, parts: tuple[Node, ...]) -> Node:
    if len(parts) == 1:
        return parts[0]
    return And(parts=parts) if isinstance(node, And) else Or(parts=parts)
