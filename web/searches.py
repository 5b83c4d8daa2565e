"""A search for alerts, as somebody writes it: the language of rules.yaml, within what one alert says and whoever asks may see."""

from __future__ import annotations

from routing.query import Query, QueryError, parse_condition
from web.personal import refused_search

LONGEST = 2_000
"""In characters."""


def read_search(text: str) -> Query:
    """What is looked for.

    Raises:
        QueryError: with what is wrong, and where.
    """
    if len(text) > LONGEST:
        raise QueryError(f"a search has at most {LONGEST} characters", position=LONGEST)
    query = parse_condition(text)
    if query.aggregates:
        raise QueryError(f"{min(query.aggregates)} is a figure over many alerts; a search asks each by itself", position=0)
    if refused := refused_search(query):
        raise QueryError(refused, position=0)
    return query
