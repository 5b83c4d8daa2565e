"""Reads the text of a query into its tree, by the grammar beside it. Knows which values a key takes, but no alert."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from routing.query_keys import QUANTITATIVE, TEXTUAL, Kind, kind_of, read_value, read_version, wanted
from routing.query_mistakes import NO_ARGUMENT, advise_on_date, empty_argument, in_text, in_value, is_unit
from routing.query_states import WORDS
from routing.query_tree import (
    AgeValue,
    And,
    BooleanValue,
    Form,
    FreeText,
    Key,
    KeyKind,
    Node,
    NowValue,
    Operator,
    Or,
    Quantity,
    QueryError,
    Term,
    TextValue,
    Value,
    conditions,
)

MAX_CHARACTERS = 4096
MAX_DEPTH = 32
"""Of parentheses within each other."""
MAX_CONDITIONS = 256

ORDERING = frozenset({Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST})

_LISTED = (TEXTUAL | QUANTITATIVE) - {Kind.PRESENCE, Kind.STATE}
_RANGED = QUANTITATIVE | {Kind.DATE}
_KEY = re.compile(r'!?(?:(tags|flags|payload)\[)?"?([a-zA-Z0-9_.:-]+)"?(?:, *(\w+))?\]?:')
_STRING = re.compile(r'"(?:[^"\\]|\\"|\\(?!"))*"')
_ARGUMENT = re.compile(rf"{_STRING.pattern}|[^(), ]+(?:\((?:{_STRING.pattern}|[^()\"])*\))?")
_ITEM = re.compile(rf"{_STRING.pattern}|[^, ]+")
_COMMA = re.compile(r" *, *")
_LONE_QUOTE = re.compile(r'(?<!\\)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phrase:
    """Words of free text that stand side by side, as a slice of the query."""

    start: int
    end: int


def parse_tree(text: str) -> Node:
    """Read a query.

    Raises:
        QueryError: at the first character that cannot be understood, or where a bound is passed.
    """
    if len(text) > MAX_CHARACTERS:
        raise QueryError(f"a query has at most {MAX_CHARACTERS} characters, this one has {len(text)}", position=MAX_CHARACTERS)
    try:
        parsed = _parser().parse(text)
    except UnexpectedInput as error:
        raise _syntax_error(error, text) from None
    _check_depth(parsed)
    tree = _disjunction(_only_tree(parsed), text) if parsed.children else And()
    for number, condition in enumerate(conditions(tree), 1):
        if number > MAX_CONDITIONS:
            raise QueryError(f"a query has at most {MAX_CONDITIONS} conditions; make two rules of it", position=condition.position)
    return tree


def refuse_mistakes(tree: Node, text: str) -> None:
    """Refuse what Sentry reads as text and a person can hardly have meant as such: `level = error`, `not`, curly quotes.

    Raises:
        QueryError: with the position, and what to write instead.
    """
    for condition in conditions(tree):
        if isinstance(condition, FreeText):
            mistake = None if condition.quoted else in_text(condition.text)
            if mistake:
                raise QueryError(f"{mistake.advice}; put it in quotes if it is text", position=condition.position + mistake.offset)
            continue
        for value in condition.values:
            mistake = in_value(str(condition.key), value.text) if isinstance(value, TextValue) and not value.quoted else None
            if mistake:
                begin = max(text.find(value.text, condition.position), condition.position)
                raise QueryError(mistake.advice, position=begin + mistake.offset)


def parse_key(text: str) -> Key:
    """The key that `has:` asks for: `release`, `tags[fruit]`; any other text is the name of a tag."""
    matched = _KEY.fullmatch(text + ":")
    return _field_key(matched) if matched and not text.startswith("!") else Key(name=text)


@cache
def _parser() -> Lark:
    return Lark.open("query.lark", rel_to=__file__, parser="lalr", lexer="contextual")


def _check_depth(parsed: Tree[Token]) -> None:
    """Without recursion, so that all that comes later may recurse."""
    waiting = [(parsed, 0)]
    while waiting:
        tree, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise QueryError(f"parentheses go at most {MAX_DEPTH} deep", position=_start(tree))
        waiting += [(child, depth + (child.data == "group")) for child in tree.children if isinstance(child, Tree)]


def _disjunction(tree: Tree[Token], text: str) -> Node:
    parts = [_conjunction(child, text) for child in tree.children if isinstance(child, Tree)]
    return parts[0] if len(parts) == 1 else Or(parts=tuple(parts))


def _conjunction(tree: Tree[Token], text: str) -> Node:
    parts = [_operand(operand, text) for operand in _operands(tree)]
    for left, right in pairwise(parts):
        _check_neighbours(left, right)
    return parts[0] if len(parts) == 1 else And(parts=tuple(parts))


def _check_neighbours(left: Node, right: Node) -> None:
    """What belongs to a value, and stands apart from it."""
    if not isinstance(left, Term) or not isinstance(right, FreeText) or right.quoted:
        return
    if isinstance(left.value, NowValue) and right.text.startswith("()"):
        raise QueryError(f"now has no parentheses; write now{right.text[2:].split()[0] if right.text[2:] else ''}", position=right.position)
    if isinstance(left.value, Quantity) and is_unit(right.text):
        raise QueryError(f"a unit stands directly after its number; write {left}{right.text}", position=right.position)


def _operands(tree: Tree[Token]) -> Iterator[_Phrase | Token | Tree[Token]]:
    """What AND joins. Words side by side are one phrase, and quotes and plain parentheses after a word belong to it.

    So a pasted `TypeError in total(cart) of "shop"` is one text, as it is in Sentry.
    """
    phrase: _Phrase | None = None
    for child in tree.children:
        if _continues_phrase(child, phrase):
            phrase = _Phrase(start=phrase.start if phrase else _start(child), end=_end(child))
            continue
        if phrase:
            yield phrase
            phrase = None
        if isinstance(child, Tree) or child.type == "QUOTED":
            yield child
    if phrase:
        yield phrase


def _continues_phrase(child: Token | Tree[Token], phrase: _Phrase | None) -> bool:
    if isinstance(child, Token):
        return child.type == "WORD" or (child.type == "QUOTED" and phrase is not None)
    return child.data == "group" and (_is_empty(child) or (phrase is not None and _is_plain(child)))


def _is_plain(group: Tree[Token]) -> bool:
    """Whether parentheses hold nothing but words."""
    if _is_empty(group):
        return True
    alternatives = _only_tree(group).children
    return len(alternatives) == 1 and all(
        child.type != "AND" if isinstance(child, Token) else child.data == "group" and _is_plain(child)
        for alternative in alternatives
        if isinstance(alternative, Tree)
        for child in alternative.children
    )


def _is_empty(group: Tree[Token]) -> bool:
    return not any(isinstance(child, Tree) for child in group.children)


def _operand(operand: _Phrase | Token | Tree[Token], text: str) -> Node:
    if isinstance(operand, _Phrase):
        return _free_text(operand, text)
    if isinstance(operand, Token):
        return FreeText(text=_unescape(operand[1:-1]), quoted=True, position=_start(operand))
    return _disjunction(_only_tree(operand), text) if operand.data == "group" else _term(operand)


def _free_text(phrase: _Phrase, text: str) -> FreeText:
    return FreeText(text=text[phrase.start : phrase.end], position=phrase.start)


def _term(tree: Tree[Token]) -> Term:
    head, *middle, body = (child for child in tree.children if isinstance(child, Token))
    key = _key(head)
    kind = kind_of(key)
    if kind is None:
        raise QueryError(f"{key}: {key.arguments[0]} is not a number, so it has no {key.name}", position=_start(head))
    if middle and body.startswith("["):
        raise QueryError(f'a list stands directly after the colon; write {key}:[a, b] or !{key}:[a, b], or "{body}"', position=_start(body))
    values, form = _values(key, kind, body)
    term = Term(
        key=key,
        operator=Operator(middle[0]) if middle else Operator.EQUAL,
        negated=head.startswith("!"),
        values=values,
        form=form,
        position=_start(head),
    )
    return _fitted(term, kind, _start(body))


def _key(head: Token) -> Key:
    matched = _KEY.fullmatch(head)
    if matched:
        return _field_key(matched)
    missing = empty_argument(head)
    if missing is not None:
        raise QueryError(NO_ARGUMENT, position=_start(head) + missing)
    name, _, arguments = head.lstrip("!").removesuffix(":").partition("(")
    spelled = tuple(_ARGUMENT.findall(arguments.removesuffix(")")))
    return Key(name=name, kind=KeyKind.AGGREGATE, arguments=spelled)


def _field_key(matched: re.Match[str]) -> Key:
    kind = {"tags": KeyKind.TAG, "flags": KeyKind.FLAG, "payload": KeyKind.PAYLOAD}.get(matched[1], KeyKind.FIELD)
    return Key(name=matched[2], kind=kind, type=matched[3])


def _values(key: Key, kind: Kind, body: Token) -> tuple[tuple[Value, ...], Form]:
    position = _start(body)
    if body.type == "LIST":
        if kind not in _LISTED or key.kind is KeyKind.AGGREGATE:
            raise QueryError(f"{key} takes no list; write {key}:A OR {key}:B", position=position)
        return tuple(_items(key, kind, body)), Form.LIST
    if body.type == "RANGE":
        if kind not in _RANGED or key.kind is KeyKind.AGGREGATE:
            raise QueryError(f'{key} takes no range; put the value in quotes if it is text: {key}:"{body}"', position=position)
        begin, end = (_value(key, kind, part.strip(), position) for part in body[1:-1].split(" TO "))
        return (begin, end), Form.RANGE
    return (_value(key, kind, body, position),), Form.ONE


def _items(key: Key, kind: Kind, body: Token) -> Iterator[Value]:
    start = 1
    while True:
        item = _ITEM.match(body, start, len(body) - 1)
        if item is None:
            raise QueryError("a list has no empty values; take out the comma that has nothing after it", position=_start(body) + start)
        yield _value(key, kind, item[0], _start(body) + start)
        comma = _COMMA.match(body, item.end())
        if comma is None:
            return
        start = comma.end()


def _value(key: Key, kind: Kind, text: str, position: int) -> Value:
    if _STRING.fullmatch(text):
        return _quoted_value(key, kind, text[1:-1], position)
    lone = _LONE_QUOTE.search(text)
    if lone:
        if mistake := in_value(str(key), text):
            raise QueryError(mistake.advice, position=position + mistake.offset)
        message = f'a quote encloses the whole value or is escaped: {key}:"..." or {key}:...\\"'
        raise QueryError(message, position=position + lone.start())
    value = read_value(kind, _unescape(text))
    if value is None:
        advice = advise_on_date(str(key), kind, text) or f'{key} takes {wanted(kind)}, not "{text}"'
        raise QueryError(advice, position=position)
    return value


def _quoted_value(key: Key, kind: Kind, text: str, position: int) -> Value:
    if kind in TEXTUAL:
        return TextValue(text=_unescape(text), quoted=True)
    if not text:
        raise QueryError(f"a {kind} is never empty; write !has:{key} if the alert must say nothing of it", position=position)
    raise QueryError(f"{key} takes {wanted(kind)}, without quotes", position=position)


def _fitted(term: Term, kind: Kind, position: int) -> Term:
    """The condition with its operator as the key takes it."""
    objection = _objection(term, kind)
    if objection:
        raise QueryError(objection, position=position)
    value = term.value
    if term.operator not in ORDERING or not isinstance(value, TextValue) or kind is Kind.VERSION:
        return term
    number = read_value(Kind.NUMBER, value.text) if kind is Kind.CODE else None
    if number is not None:
        return replace(term, values=(number,))
    # In Sentry `random:>500` looks for the text ">500".
    return replace(term, operator=Operator.EQUAL, values=(replace(value, text=term.operator + value.text),))


def _objection(term: Term, kind: Kind) -> str | None:
    """What is wrong with operator and value taken together."""
    is_ordering = term.operator in ORDERING
    key, text = term.key, term.value.text
    objection = None
    match term.value:
        case TextValue() if kind is Kind.STATE and (is_ordering or text.lower() not in WORDS):
            objection = f'is: takes one of {", ".join(sorted(WORDS))}, not "{text}"'
        case TextValue() if kind is Kind.PRESENCE and (is_ordering or not text):
            objection = "has: takes the name of a key, as in has:release"
        case TextValue() if kind is Kind.VERSION and is_ordering and read_version(text) is None:
            objection = f'"{text}" is no version; compare with one such as 1.2.3 or 1.2.3-beta'
        case BooleanValue() if is_ordering:
            objection = f"{key} is true or false; it cannot be compared by {term.operator}"
        case AgeValue() if term.form is Form.RANGE:
            objection = f"a range has no ages; write {key}:[now-24h TO now]"
        case AgeValue() if is_ordering and key.kind is not KeyKind.AGGREGATE:
            objection = f"an age stands without {term.operator}: {key}:{text}, where - means newer and + older"
        case NowValue() if not is_ordering and term.form is Form.ONE:
            objection = f"compare with {text}, as in {key}:>{text}"
    return objection


def _syntax_error(error: UnexpectedInput, text: str) -> QueryError:
    expected: set[str] = set()
    token: Token | None = None
    position = len(text)
    if isinstance(error, UnexpectedToken):
        expected, token = set(error.expected), error.token
        position = position if token.type == "$END" else _start(token)
    elif isinstance(error, UnexpectedCharacters):
        expected, position = set(error.allowed), error.pos_in_stream or 0
    return QueryError(_complaint(text, position, token, expected), position=min(position, max(len(text) - 1, 0)))


def _complaint(text: str, position: int, token: Token | None, expected: set[str]) -> str:
    before = text[:position].rstrip()
    if "VALUE" in expected:
        return _complaint_of_no_value(before.split()[-1], text[position:])
    if text[position : position + 1] == "\n":
        return "a line break outside quotes; write the query in one line"
    word = re.search(r"(?i)(?<![^\s()])(and|or)$", before)
    if token is not None and token.type in {"AND", "OR"}:
        place = f"follows {word[0]}" if word else "has nothing before it"
        return f'{token} {place}; write a condition there, or "{token}" if it is text'
    if word:
        return f'{word[0]} has nothing after it; write a condition there, or "{word[0]}" if it is text'
    if position == len(text):
        return 'a "(" is not closed; write ")", or put text with parentheses in quotes'
    return '")" closes nothing; take it out, or put text with parentheses in quotes'


def _complaint_of_no_value(head: str, rest: str) -> str:
    if rest.startswith("("):
        return f"parentheses hold no values; write {head}value, or {head}[a, b] if it may be any of several"
    following = re.match(r'[ \t]+("[^"]*"|[^\s()"]+)', rest)
    if following and following[1].lower() not in {"and", "or"} and ":" not in following[1]:
        return f"{head} has no value directly after it; take out the blank: {head}{following[1]}"
    return f'{head} has no value directly after it; write {head}value, {head}"a value", or {head}"" if it must be empty'


def _only_tree(tree: Tree[Token]) -> Tree[Token]:
    return next(child for child in tree.children if isinstance(child, Tree))


def _start(node: Token | Tree[Token]) -> int:
    first = node.children[0] if isinstance(node, Tree) else node
    return (first.start_pos or 0) if isinstance(first, Token) else _start(first)


def _end(node: Token | Tree[Token]) -> int:
    last = node.children[-1] if isinstance(node, Tree) else node
    return (last.end_pos or 0) if isinstance(last, Token) else _end(last)


def _unescape(text: str) -> str:
    return text.replace('\\"', '"')
