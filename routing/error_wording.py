"""What the message of an error names, in the words of the libraries and engines that write such messages. Knows no alert.

Nothing here searches by a pattern that could run long on hostile text: phrases are found, and names are read where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

MAX_NAME = 100

_NAME = re.compile(r"(?![0-9])[\w$]{1,100}")
_FIELD = re.compile(r"[\w.\[\]-]{1,100}")
_FIRST_KEY = re.compile(r"\[?\{(?:'([^'\n]{1,100})'|\"([^\"\n]{1,100})\"):")
_SUBJECT = re.compile(
    r"\"([\w.\[\]-]{1,100})\" (?:must|is|length|contains|fails)\b"  # Joi
    r"|'([^'\n]{1,100})' is a required property"  # jsonschema
    r"|([\w.\[\]-]{1,100}) (?:is a required field|must be a valid|must be at|must match)\b"  # yup
    r"|The ([\w. -]{1,60}) field "  # Laravel
)

_OF_NO_FIELD = frozenset({"__all__", "non_field_errors", "nonFieldErrors", "__root__", "_schema", "detail", "this"})
_PARTS_OF_REQUEST = frozenset({"body", "query", "path", "header", "cookie"})

_CONSTRAINTS: Mapping[str, str] = {
    "unique constraint": "unique",  # PostgreSQL, SQLite, Oracle, Prisma
    "unique key constraint": "unique",  # SQL Server
    "duplicate entry": "unique",  # MySQL
    "duplicate key": "unique",  # MongoDB
    "not unique": "unique",  # SQLite before 3.8
    "primary key constraint": "primary_key",
    "foreign key constraint": "foreign_key",
    "parent key not found": "foreign_key",  # Oracle
    "child record found": "foreign_key",
    "not-null constraint": "not_null",
    "not null constraint": "not_null",
    "cannot be null": "not_null",  # MySQL
    "does not allow nulls": "not_null",  # SQL Server
    "check constraint": "check",
    "exclusion constraint": "exclusion",
}
_CONSTRAINT_NAMES = (
    ('constraint "', '"'),
    ("CONSTRAINT `", "`"),
    ("constraint '", "'"),
    ("constraint (", ")"),
    ("for key '", "'"),
    ("constraint failed: ", "\n"),
)

_PROPERTIES = (
    ("(reading '", "')"),  # V8 since Chrome 92
    ("(setting '", "')"),
    ("property '", "'"),  # V8 before, Hermes, Edge
    ('property "', '"'),  # Firefox, PHP
    ("property or method '", "'"),
    ("add property ", ","),
    ("has no attribute '", "'"),  # Python
)
_AFTER_EXPRESSION = (" is not a function", " is not a constructor", " is not iterable", " is undefined", " is null")
_VARIABLES = (
    ("Can't find variable: ", "\n"),  # Safari
    ("Property '", "' doesn't exist"),  # Hermes
    ("Cannot access '", "' before"),
    ("lexical declaration '", "' before"),  # Firefox
    ("undeclared variable ", "\n"),
    ("local variable '", "'"),  # Python
)
_AFTER_VARIABLE = (" is not defined", " is undefined")


def field_in(message: str) -> str | None:
    """The field that a validation error is about, of several the first: `email`, `address.street`.

    As Django, its REST framework, marshmallow, pydantic, FastAPI, jsonschema, Zod, Joi, yup, Mongoose and Laravel say it.
    """
    for read in _FIELD_READERS:
        found = read(message)
        if found and found not in _OF_NO_FIELD and _FIELD.fullmatch(found):
            return found
    return None


def constraint_in(message: str) -> str | None:
    """The kind of constraint that a database found violated: `unique_constraint`; also foreign_key, primary_key, not_null, check.

    Of several that the message speaks of the first: what follows may be the statement, or what a user typed.
    """
    folded = message.lower()
    found = [(position, kind) for phrase, kind in _CONSTRAINTS.items() if (position := folded.find(phrase)) >= 0]
    return f"{min(found)[1]}_constraint" if found else None


def constraint_name_in(message: str) -> str | None:
    """What the database calls the violated constraint: `users_email_key`; SQLite names columns instead: `users.email`."""
    found = _first(_between(message, *quotes) for quotes in _CONSTRAINT_NAMES)
    return found and "+".join(" ".join(part.split()) for part in found.split(","))


def property_in(message: str) -> str | None:
    """The property that was asked of what has none, in the words of Chrome, Firefox, Safari, Hermes, PHP and Python.

    Not the number of an array's element, by which nothing is told apart.
    """
    quoted = (_between(message, *quotes) for quotes in _PROPERTIES)
    found = _first(name for name in quoted if name and _NAME.fullmatch(name))
    return found or _last_member(_between(message, "(evaluating '", "')", limit=1000)) or _last_member(_subject(message, _AFTER_EXPRESSION))


def variable_in(message: str) -> str | None:
    """The name that was never defined, or not yet, in the words of Chrome, Firefox, Safari, Hermes, Edge and Python."""
    quoted = (_between(message, *quotes) for quotes in _VARIABLES)
    found = _first(name for name in quoted if name and _NAME.fullmatch(name))
    if found:
        return found
    words = (_subject(message, _AFTER_VARIABLE) or "").split()
    name = words[-1].strip("'\"") if words else ""
    return name if _NAME.fullmatch(name) else None


def _first_key(message: str) -> str | None:
    """`{'email': ['Enter a valid email address.']}`: Django, its REST framework, marshmallow."""
    matched = _FIRST_KEY.match(message)
    return matched and (matched[1] or matched[2])


def _second_line(message: str) -> str | None:
    """pydantic: the first line tells of how many errors, the second where the first of them is; version 1 writes `address -> street`."""
    first, _, rest = message.partition("\n")
    place = rest.partition("\n")[0]
    if " validation error" not in first or place[:1].isspace():
        return None
    return _located(place.replace(" -> ", ".").split("."))


def _location(message: str) -> str | None:
    """`'loc': ('body', 'email')` of FastAPI, `"path": ["email"]` of Zod."""
    written = _between(message, "'loc': (", ")") or _between(message, '"path": [', "]") or _between(message, '"path":[', "]")
    return _located(part.strip().strip("'\"") for part in written.split(",")) if written else None


def _located(parts: Iterable[str]) -> str:
    """A place within what was sent, without positions in lists and without the part of the request that it came in."""
    names = [part for part in parts if part and not part.isdigit()]
    return ".".join(names[1:] if len(names) > 1 and names[0] in _PARTS_OF_REQUEST else names)


def _quoted_field(message: str) -> str | None:
    return _between(message, "On instance['", "']") or _between(message, "validation failed: ", ":")


def _subject_field(message: str) -> str | None:
    matched = _SUBJECT.match(message)
    return matched and next(filter(None, matched.groups()), "").replace(" ", "_")


_FIELD_READERS: tuple[Callable[[str], str | None], ...] = (_location, _first_key, _second_line, _quoted_field, _subject_field)


def _last_member(expression: str | None) -> str | None:
    """`email` of `user.profile.email`, `user['email']` and `(0, api.email)`; None if no member is named."""
    written = (expression or "").partition(" = ")[0].strip()
    if written.startswith(("(0, ", "(0 , ")):
        written = written[1:-1]
    written = written.removesuffix("()")
    if written.endswith(("']", '"]')):
        name = written[:-2].rpartition("['" if written.endswith("']") else '["')[2]
    else:
        owner, _, name = written.rpartition(".")
        name = name if owner else ""
    return name if _NAME.fullmatch(name) else None


def _subject(message: str, endings: tuple[str, ...]) -> str | None:
    """What stands before the first of the endings that the message has; only an expression in parentheses may hold blanks."""
    for ending in endings:
        before, found, _ = message.partition(ending)
        if found:
            return before if before.startswith("(") or len(before.split()) <= _WORDS_BEFORE else None
    return None


_WORDS_BEFORE = 2
"""`name 'user' is not defined`: Python's, the longest."""


def _between(text: str, opening: str, closing: str, *, limit: int = MAX_NAME) -> str | None:
    """What stands between the first opening and the closing after it, which for a line break may be the end."""
    start = text.find(opening)
    if start < 0:
        return None
    start += len(opening)
    end = text.find(closing, start, start + limit + len(closing))
    if end < 0 and closing == "\n":
        end = len(text) if len(text) <= start + limit else -1
    return text[start:end].strip() or None if end >= 0 else None


def _first(names: Iterable[str | None]) -> str | None:
    return next(filter(None, names), None)
