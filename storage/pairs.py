"""Whether two columns are one of some pairs, so that SQLite takes an index, too."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, tuple_


def is_one_of(pairs: Collection[tuple[str, str]], first: Column[Any], second: Column[Any]) -> ColumnElement[bool]:
    """In a statement. The first ones by themselves are asked for, too: pairs are no index's to SQLite."""
    return and_(first.in_({one for one, _ in pairs}), tuple_(first, second).in_(list(pairs)))
