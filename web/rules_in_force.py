"""The rules that workers have in force, as far as the database knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from routing.rules import RulesError, RuleSet
from storage import rules_versions
from web.desk import Desk, desk


def rules_in_force() -> RuleSet | None:
    """Those that a worker has said last to have in force; None: none has, or this version cannot read them."""
    version = rules_versions.latest(desk().engine)
    return _read(desk(), version) if version else None


def receivers_in_force() -> Sequence[str]:
    """Their receivers' names."""
    rules = rules_in_force()
    return [*rules.receivers] if rules else []


@lru_cache(maxsize=8)
def _read(at: Desk, version: str) -> RuleSet | None:
    """They are the same for ever: a version is the hash of its texts."""
    texts = rules_versions.texts_of(at.engine, version) or {}
    try:
        return at.read_rules(texts.get("", ""), {name: text for name, text in texts.items() if name})
    except RulesError:
        return None
