"""The rules that workers have in force, as far as the database knows, and the texts of all versions as pages may show them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from pydantic import SecretStr

from routing.rules import RulesError, RuleSet
from storage import rules_versions
from web.desk import Desk, desk

_STAND_IN = "hidden"


def rules_in_force() -> RuleSet | None:
    """Those that a worker has said last to have in force; None: none has, or this version cannot read them."""
    version = rules_versions.latest(desk().engine)
    return rules_of(version) if version else None


def receivers_in_force() -> Sequence[str]:
    """Their receivers' names."""
    rules = rules_in_force()
    return [*rules.receivers] if rules else []


def rules_of(version: str) -> RuleSet | None:
    """Those of a version; None: nobody has kept it, or this code cannot read it."""
    return _read(desk(), version)


def texts_of(version: str) -> Mapping[str, str] | None:
    """By file the texts of a version as pages may show them; None as for `rules_of`: what cannot be read may hold secrets."""
    rules = rules_of(version)
    texts = rules_versions.texts_of(desk().engine, version)
    return None if rules is None or texts is None else without_secrets(texts, rules)


def without_secrets(texts: Mapping[str, str], rules: RuleSet) -> dict[str, str]:
    """Texts of rules with something harmless, of which the rules can be read as well, for the credentials that were written into them."""
    stand_ins = {secret: _stand_in(secret) for secret in sorted(_secrets(rules), key=len, reverse=True)}
    shown = dict(texts)
    for secret, stand_in in stand_ins.items():
        shown = {file: text.replace(secret, stand_in) for file, text in shown.items()}
    return shown


def _secrets(rules: RuleSet) -> Iterator[str]:
    for receiver in rules.receivers.values():
        for value in vars(receiver.options).values():
            if isinstance(value, SecretStr) and value.get_secret_value():
                yield value.get_secret_value()


def _stand_in(secret: str) -> str:
    """Of the same kind: an address, a signing secret, or a key of this length."""
    if "://" in secret:
        return f"https://{_STAND_IN}.invalid/"
    if secret.startswith("whsec_"):
        return "whsec_" + base64.b64encode(_STAND_IN.encode() * 5).decode()
    return (_STAND_IN * len(secret))[: len(secret)]


@lru_cache(maxsize=8)
def _read(at: Desk, version: str) -> RuleSet | None:
    """They are the same for ever: a version is the hash of its texts."""
    texts = rules_versions.texts_of(at.engine, version) or {}
    try:
        return at.read_rules(texts.get("", ""), {name: text for name, text in texts.items() if name})
    except RulesError:
        return None
