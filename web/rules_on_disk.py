"""The file of the rules as it is now, beside what is in force: an edit that was not taken is seen here, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from routing.document import Problem
from routing.rules import RulesError, RuleSet
from storage.rules_file import texts_at
from web.desk import Desk, desk
from web.rules_in_force import without_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDisk:
    """What stands there."""

    texts: Mapping[str, str]
    """By file, as pages may show them; nothing where they cannot be put in force: they may hold secrets."""
    problems: tuple[Problem, ...] = ()
    """Why they cannot."""


def edited(in_force: Mapping[str, str] | None) -> OnDisk | None:
    """The file of this process, if it is not what is in force (by its texts as they were kept); None: it is the same."""
    try:
        texts = texts_at(desk().settings.rules_file)
    except RulesError as error:
        return OnDisk(texts={}, problems=error.problems)
    return None if texts == in_force else _checked(desk(), tuple(texts.items()))


@lru_cache(maxsize=2)
def _checked(at: Desk, texts: tuple[tuple[str, str], ...]) -> OnDisk:
    """An edit stands there for a while, and each look at the page would read it again."""
    files = dict(texts)
    try:
        rules: RuleSet = at.read_rules(files[""], {name: text for name, text in texts if name})
    except RulesError as error:
        return OnDisk(texts={}, problems=error.problems)
    return OnDisk(texts=without_secrets(files, rules))
