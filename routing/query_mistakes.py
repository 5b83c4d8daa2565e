"""What people write who come from other languages of conditions, and what to write instead. Knows no grammar and no alert.

Sentry takes most of it for free text, which then is never found; so only what can hardly be meant as text is refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from routing.query_keys import Kind, is_function, is_known

_NO_WORDS = {
    "!": "`!` negates one condition; write it directly before that one: !level:info",
    "not": "there is no NOT; write `!` directly before one condition, as in !level:info",
    "&&": "`&&` joins nothing; write AND",
    "||": "`||` joins nothing; write OR",
}
_NEGATED_GROUP = re.compile(r"(!|NOT)(?: ?)\(")
_CALL = re.compile(r"(!?([a-zA-Z0-9_.-]+)\([^()]*\))(?::| *[<>=!]=? *(?=[0-9])) *(?P<value>[<>=!]*[^\s()\[\],]*)")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NO_ARGUMENT = re.compile(r"(?<=\(),|, *(?=[,)])")
_PRESENCE = re.compile(r"(!?)(has|is)(?:\(|(?<=!has) |(?<=!is) )(\w*)")
_COMPARED = re.compile(
    r"""(?P<no>!?)(?P<key>(?:tags|flags|payload)\[[^\]\s]{1,200}\]|[a-zA-Z0-9_.-]{1,200})
        \ ?(?:(?P<sign>=>|[=!]=|=~|!~|[<>]=?|=|(?<=\ ):|:(?=\ ))|\ (?P<word>(?i:in|like|contains|matches|is|equals))\ ?(?=["'\[(]))\ ?
        (?P<value>"[^"]*"|'[^']*'|[^\s"',()\[\]]+)?""",
    re.VERBOSE,
)
_SURE_SIGNS = frozenset({"==", "=~", "!~", "!="})
_ORDERING = frozenset({">", ">=", "<", "<="})
_SEARCHED = frozenset({"=~", "!~", "like", "contains", "matches"})
_CURLY = re.compile("[\u201c\u201d\u201e\u201f\u2018\u2019\u201a]")
_NO_CURLY = "curly quotes enclose nothing; write straight ones"
_NO_PATTERN = "`*` stands for anything, as in {key}:*timeout*; put it in quotes if it is text"
_TILDE = re.compile(r"~[\"'*]")
_EXPRESSION = re.compile(r"\.[*+]|\\[dwsb]|\][*+]")
NO_ARGUMENT = "arguments are never empty; take out the comma, or write what is missing"
_ANYTHING = r"\.[*+]|%"
"""As regular expressions and SQL write it."""
_UNITS = re.compile(r"(?i)(?:ms|msecs?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?|w|weeks?|[kmgt]i?b|bytes?|%)")


class Mistake(NamedTuple):
    """What is wrong with a text."""

    offset: int
    """Of the first character that is wrong, from the text's beginning."""
    advice: str


def in_text(words: str) -> Mistake | None:
    """What free text was meant as, if it can hardly be meant as text."""
    negated = _NEGATED_GROUP.match(words)
    advice = _NO_WORDS.get(negated[1].lower() if negated else words.lower())
    if advice is None and _CURLY.match(words) and _CURLY.match(words[-1]):
        advice = _NO_CURLY
    elif words.startswith("{") and words.endswith("}"):
        advice = "braces enclose no conditions; write them side by side, as in level:error environment:production"
    elif re.match(r"(?i)select\s.*\s(?:from|where)\s", words):
        advice = "this is no SQL; write the conditions alone, as in level:error environment:production"
    return Mistake(0, advice) if advice else _in_presence(words) or _in_call(words) or _in_comparison(words)


def in_value(key: str, value: str) -> Mistake | None:
    """What an unquoted value was meant as."""
    if _CURLY.match(value):
        return Mistake(0, f'{_NO_CURLY}: {key}:"..."')
    if _TILDE.match(value):
        return Mistake(0, f"there is no `~`; {_NO_PATTERN.format(key=key)}")
    if value.startswith("/") and value.endswith(("/", "/i")) and _EXPRESSION.search(value):
        return Mistake(0, f"there are no regular expressions; {_NO_PATTERN.format(key=key)}")
    return None


def empty_argument(call: str) -> int | None:
    """Where an argument of `f(a, , b):` is missing; None if none is."""
    filled = _STRING.sub(lambda string: "x" * len(string[0]), call)
    missing = _NO_ARGUMENT.search(filled)
    return missing.start() if missing else None


def is_unit(text: str) -> bool:
    """Whether a text is a unit, which then was meant for the number before it."""
    return _UNITS.fullmatch(text) is not None


def advise_on_date(key: str, kind: Kind, value: str) -> str | None:
    """How to write an age that was written as a duration."""
    age = re.fullmatch(r"([0-9]+)([mhdw])", value)
    if kind is not Kind.DATE or not age:
        return None
    return f"write {key}:-{value} if it may be {value} old at most, {key}:+{value} if at least"


def _in_presence(words: str) -> Mistake | None:
    asked = _PRESENCE.match(words)
    if not asked:
        return None
    return Mistake(asked.end(2), f"write {asked[1]}{asked[2]}:{asked[3] or 'release'}")


def _in_call(words: str) -> Mistake | None:
    call = _CALL.match(words)
    if not call or not is_function(call[2]):
        return None
    missing = empty_argument(call[1])
    if missing is not None:
        return Mistake(missing, NO_ARGUMENT)
    value = call["value"] if re.match("[<>=!]*[0-9]", call["value"]) else ">100"
    sign = re.search("[<>]=?", words[call.end(1) : call.start("value")])
    return Mistake(call.end(1), f"{call[1]} needs a figure directly after the colon, as in {call[1]}:{sign[0] if sign else ''}{value}")


def _in_comparison(words: str) -> Mistake | None:
    compared = _COMPARED.match(words)
    if not compared:
        return None
    key, sign = compared["key"], compared["sign"] or compared["word"].lower()
    is_ours = is_known(key) or key.startswith(("tags.", "tags[", "flags[", "payload["))
    is_quoted = (compared["value"] or "").startswith(('"', "'"))
    if is_ours or is_function(key) or (sign in _SURE_SIGNS and is_quoted):
        offset = compared.start("sign" if compared["sign"] else "word")
        return Mistake(offset, f"`{sign}` compares nothing here; write {_written(compared, key, sign)}")
    return None


def _written(compared: re.Match[str], key: str, sign: str) -> str:
    """The condition as it is written here."""
    value = (compared["value"] or "value").strip("\"'")
    is_negated = bool(compared["no"]) is not (sign in {"!=", "!~"})
    name = f"{'!' if is_negated else ''}{key}{'()' if is_function(key) and not is_known(key) else ''}"
    options = value.split("|")
    if sign == "in" or (sign in _SEARCHED and len(options) > 1):
        return f"{name}:[{', '.join(options) if len(options) > 1 else 'a, b'}]"
    wanted = f"*{re.sub(_ANYTHING, '*', value).strip('*')}*" if sign in _SEARCHED else value
    spelled = f'"{wanted}"' if " " in wanted else wanted
    return f"{name}:{sign if sign in _ORDERING else ''}{spelled}"
