"""What follows for the columns of an event from a condition that it is to meet: the database then leaves out most of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import ColumnElement, Dialect, or_
from sqlalchemy.sql import func

from routing.query_comparison import pattern
from routing.query_tree import And, Form, KeyKind, Node, Operator, Term, TextValue
from storage.tables import events

_LONGEST = 200
"""Of what is longer the columns have only the beginning."""
_COLUMNS: Mapping[str, ColumnElement[str | None]] = {
    "level": events.c.level,
    "environment": events.c.environment,
    "release": events.c.release,
    "transaction": events.c.endpoint,
    **dict.fromkeys(("project", "project.name", "project.slug"), events.c.project),
}
_HAS_ONE_PROJECT = ("event_alert", "error")
"""Others may be met by a project's name, or by one of several projects, too, which is in their body alone."""


def narrowed(tree: Node, dialect: Dialect) -> Iterator[ColumnElement[bool]]:
    """Conditions on columns that every event meets whose alert meets this query; many others meet them, too.

    A column without a value says nothing: the event is not decided yet, or is older than the column.
    """
    for term in _required(tree):
        column, wanted = _COLUMNS.get(term.key.name), _plain_values(term)
        if column is None or not wanted or term.key.kind is not KeyKind.FIELD:
            continue
        may_be_met = [column.is_(None), func.lower(column).in_(wanted), _is_foreign(column, dialect)]
        if column is events.c.project:
            may_be_met.append(events.c.resource.not_in(_HAS_ONE_PROJECT))
        yield or_(*may_be_met)


def _required(tree: Node) -> Iterator[Term]:
    """The conditions that must be met in any case."""
    if isinstance(tree, And):
        for part in tree.parts:
            yield from _required(part)
    elif isinstance(tree, Term) and not tree.negated and tree.operator is Operator.EQUAL and tree.form is not Form.RANGE:
        yield tree


def _plain_values(term: Term) -> list[str]:
    """The texts of which it must be one, in lower case; none if it may be met by others, or if they cannot be looked for in columns."""
    pieces = [pattern(value.text) for value in term.values if isinstance(value, TextValue)]
    texts = [one[0] for one in pieces if len(one) == 1 and one[0] and one[0].isascii() and len(one[0]) <= _LONGEST]
    return texts if len(texts) == len(term.values) else []


def _is_foreign(column: ColumnElement[str | None], dialect: Dialect) -> ColumnElement[bool]:
    """Whether a text has other letters than ASCII's, of which the database may not know what a query does: that ß is ss."""
    if dialect.name == "sqlite":
        return column.op("GLOB", is_comparison=True)("*[^ -~]*")
    return column.op("~", is_comparison=True)("[^ -~]")
