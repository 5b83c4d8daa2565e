"""A condition for a silence of alerts like one."""

from __future__ import annotations

from routing.alert import Alert
from routing.query_tree import Key, Quantity, Term, TextValue, Value, ValueType

_LONGEST = 200


def matcher_like(alert: Alert) -> str:
    """What this alert and those of its issue meet; without an issue those of its project with the same title."""
    terms = []
    if alert.project:
        terms.append(_term("project", _text(alert.project)))
    if alert.issue_id and alert.issue_id.isascii() and alert.issue_id.isdecimal():
        terms.append(_term("issue.id", Quantity(type=ValueType.NUMBER, amount=float(alert.issue_id), text=alert.issue_id)))
    else:
        terms.append(_term("title", _text(alert.title)))
    return " ".join(map(str, terms))


def _term(name: str, value: Value) -> Term:
    return Term(key=Key(name=name), values=(value,))


def _text(words: str) -> TextValue:
    r"""A text of which every star is one; of a long one the beginning. What a query cannot hold as it is, `"` or `\`, may be anything."""
    plain = "".join("*" if letter in '"\\' or not letter.isprintable() else letter.replace("*", r"\*") for letter in words[:_LONGEST])
    return TextValue(text=plain + ("*" if len(words) > _LONGEST else ""), quoted=True)
