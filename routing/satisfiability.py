"""Whether conditions can be met together, and whether one follows from others: says so only where it is proved.

A query is taken apart into alternatives, each of them conditions that are met or not met together. Knows no rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

from routing.literals import TEXT, Literal, patterns_of, subject_of, wanted
from routing.possible_values import Never, Possible, implied_texts, is_found_in, possible
from routing.query_tree import And, FreeText, Node, Or, Term

MAX_ALTERNATIVES = 512
"""Of a query with more, nothing is said."""

Conjunction: TypeAlias = tuple[Literal, ...]


class TooManyError(Exception):
    """A query has more alternatives than are looked through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That a condition is met, or that it is not."""

    tree: Node
    is_met: bool = True
    scope: str = ""
    """Figures, and what is new in a place, are compared only within one."""

    def denied(self) -> Claim:
        """The contrary."""
        return Claim(tree=self.tree, is_met=not self.is_met, scope=self.scope)


def alternatives(*claims: Claim) -> tuple[Conjunction, ...]:
    """The ways in which all the claims can be true; none if they never are.

    Raises:
        TooManyError: there are too many to look through.
    """
    found: list[Conjunction] = [()]
    for claim in claims:
        parts = _parts(claim.tree, is_met=claim.is_met, scope=claim.scope)
        joined = {tuple(dict.fromkeys((*one, *other))): None for one in found for other in parts}
        if len(joined) > MAX_ALTERNATIVES:
            raise TooManyError
        found = [one for one in joined if not is_contradictory(one)]
    return tuple(found)


def parts_of(claim: Claim) -> tuple[Conjunction, ...]:
    """The ways in which a claim could be true, contradictory ones too.

    Raises:
        TooManyError: there are too many to look through.
    """
    return tuple(_parts(claim.tree, is_met=claim.is_met, scope=claim.scope))


def is_never(*claims: Claim) -> bool:
    """Whether it is proved that no alert that fires makes all the claims true."""
    try:
        return not alternatives(*claims)
    except TooManyError:
        return False


def implies(claim: Claim, *others: Claim) -> bool:
    """Whether it is proved that any alert that makes the claim true makes one of the others true."""
    return claim in others or is_never(claim, *(other.denied() for other in others))


def values(conjunction: Sequence[Literal]) -> dict[str, tuple[Possible, ...]]:
    """By subject some values that meet all conditions on it.

    Raises:
        Never: there are none.
    """
    by_subject: dict[str, list[Literal]] = {}
    for literal in conjunction:
        by_subject.setdefault(subject_of(literal), []).append(literal)
    found = {subject: possible(subject, literals) for subject, literals in by_subject.items()}
    _hold_against_text(conjunction, by_subject.get(TEXT, ()))
    return found


def is_contradictory(conjunction: Sequence[Literal]) -> bool:
    """Whether it is proved that they exclude each other."""
    try:
        values(conjunction)
    except Never:
        return True
    return False


def conflict(conjunction: Sequence[Literal]) -> Conjunction:
    """The fewest of contradictory conditions that exclude each other already."""
    for number in (1, 2, 3):
        for some in combinations(conjunction, number):
            if is_contradictory(some):
                return some
    return tuple(conjunction)


def _hold_against_text(conjunction: Sequence[Literal], on_text: Sequence[Literal]) -> None:
    """A title or a type of error is searched, too."""
    found = list(implied_texts(conjunction))
    for literal in on_text:
        if not wanted(literal) and any(is_found_in(one, text) for one in patterns_of(literal) for text in found):
            raise Never


def _parts(node: Node, *, is_met: bool, scope: str) -> list[Conjunction]:
    match node:
        case Term() | FreeText():
            return [(Literal(node, is_met, scope),)]
        case And(parts=parts) if is_met:
            return _product([_parts(part, is_met=True, scope=scope) for part in parts])
        case Or(parts=parts) if not is_met:
            return _product([_parts(part, is_met=False, scope=scope) for part in parts])
        case And(parts=parts) | Or(parts=parts):
            found = [one for part in parts for one in _parts(part, is_met=is_met, scope=scope)]
            return _bounded(found)


def _product(choices: Sequence[Sequence[Conjunction]]) -> list[Conjunction]:
    found: list[Conjunction] = [()]
    for choice in choices:
        found = _bounded([tuple(dict.fromkeys((*one, *other))) for one in found for other in choice])
    return found


def _bounded(found: list[Conjunction]) -> list[Conjunction]:
    if len(found) > MAX_ALTERNATIVES:
        raise TooManyError
    return found
