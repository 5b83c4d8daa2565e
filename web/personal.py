"""What of alerts is somebody's own: users, messages, requests. Shown to those whom the settings name."""

from __future__ import annotations

import re

from routing.query import Query
from routing.query_keys import is_known
from routing.query_syntax import parse_key
from routing.query_tree import FreeText, conditions
from storage.users import Role
from web.access import person
from web.desk import desk

MASK = "•••"
_FIELD = re.compile(r"(user|geo|http|request|contexts|payload)\b.*|url|title|message|error\.value|stack\.vars.*")
_TAG = re.compile(r"user(\..*)?|.*(url|mail|ip|name|phone|referer).*", re.IGNORECASE)


_TYPED = re.compile(r"([A-Za-z_][\w.$]*): ")
"""Sentry heads an error with its type and its message: `PaymentError: card of joe@example.com declined`."""
_OF_SOMEBODY = re.compile(r"[\w.+-]+@[\w.-]+|\+\d[\d ().-]{6,}\d|(?:\d[ -]?){7,}\d|\"[^\"]*\"|'[^']*'")
"""In other texts: addresses, long numbers, and what is quoted."""


def may_see_personal() -> bool:
    """Whether who asks may."""
    who = person()
    return who is not None and who.may(Role(desk().settings.personal_data_for))


def masked(value: object) -> object:
    """The value, for those who may see it; for others that there is one."""
    return value if may_see_personal() or not value else MASK


def visible_title(title: str | None) -> str:
    """An alert's title; for those who may not see messages the type of the error, or what is left without what may be somebody's."""
    if not title or may_see_personal():
        return title or ""
    typed = _TYPED.match(title)
    return f"{typed[1]}: {MASK}" if typed else _OF_SOMEBODY.sub(MASK, title)


def visible_answer(words: str | None) -> str:
    """What a vendor answered; for those who may not see addresses and the like, without what may be such."""
    return words or "" if may_see_personal() else _OF_SOMEBODY.sub(MASK, words or "")


def is_personal_tag(name: str) -> bool:
    """Whether a tag of this name may say who somebody is."""
    return _TAG.fullmatch(name) is not None


def is_personal(name: str) -> bool:
    """Whether what conditions ask for by this name, a field of Sentry's or a tag, is somebody's own."""
    return _FIELD.fullmatch(name) is not None or (is_personal_tag(name) and not is_known(name))


def refused_search(query: Query) -> str:
    """Why whoever asks may not look for this: what they may not see they may not find out by searching either. Empty: they may."""
    if may_see_personal():
        return ""
    for key in sorted(query.keys):
        if is_personal(key) or is_personal(parse_key(key).name):
            return f"{key} is personal data, which your role does not see; ask an admin of this console"
    if any(isinstance(part, FreeText) for part in conditions(query.tree)):
        return "text by itself is looked for in messages, too, which are personal data that your role does not see; write error.type:Text*"
    return ""
