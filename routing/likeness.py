"""Keys under which alerts are alike: one for all that agree on what some keys of the query language say of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from routing.alert import Alert
from routing.query import Context, Facts
from routing.query_answers import reader_of, texts
from routing.query_tree import Key


def likeness(name: str, keys: Iterable[Key], facts: Facts) -> str:
    """Equal for two alerts, under the same name, if and only if they say the same under each of the keys.

    What an alert says nothing of is a value like any other: two that lack a tag agree on it, as with Alertmanager's `equal`.
    At most 200 characters, ASCII without blanks as far as the name is.
    """
    return keyed(name, [facts[_texts_reader(key)] for key in keys])


def keyed(name: str, said: object) -> str:
    """A key of at most 200 characters for what can be written as JSON, equal for what is equal."""
    return f"{name[:150]}:{hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]}"


def shown(keys: Iterable[Key], facts: Facts) -> str:
    """What an alert says under the keys, for people: `project "shop-api", tags.team absent`."""
    parts = ((key, facts[_texts_reader(key)]) for key in keys)
    return ", ".join(f'{key} "{said[0][:80]}"' if said else f"{key} absent" for key, said in parts)


@lru_cache(maxsize=4096)
def _texts_reader(key: Key) -> Callable[[Alert, Context], Sequence[str]]:
    read = reader_of(key)
    return lambda alert, _: tuple(texts(read(alert)))
