"""Wildcards are searched in one walk over the text, however they are arranged."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

from routing.query import parse
from routing.query_comparison import BOUNDARY, contained, is_like, pattern
from tests.factories import make_alert

LONG = "a" * 300_000

_wildcards = st.text(alphabet="ab*", max_size=20)
_texts = st.text(alphabet="ab", max_size=20)


@dataclass
class Walk:
    """Where searches began and what they were allowed to look at; the measure of work, where time would be a guess."""

    begins: list[int] = field(default_factory=list)
    looked_at: int = 0


class Watched(str):
    """A text that records how it is searched."""

    __slots__ = ("walk",)

    walk: Walk

    def find(self, piece: str, start: int = 0, end: int | None = None, /) -> int:  # type: ignore[override]  # all that is called
        found = super().find(piece, start, len(self) if end is None else end)
        stop = (len(self) if end is None else end) if found < 0 else found + len(piece)
        self.walk.begins.append(start)
        self.walk.looked_at += max(stop - start, 0)
        return found


def _watched(text: str) -> Watched:
    watched = Watched(text)
    watched.walk = Walk()
    return watched


@given(wildcard=_wildcards, text=_texts)
@example("*a*a*a*a*a*a*a*a*b", "a" * 10_000)
@example("*" + "aa*" * 1000 + "b*", "a" * 10_000)
@example("a*" * 1000, "ab" * 5000)
def test_a_text_is_walked_through_once_whatever_the_wildcards(wildcard: str, text: str) -> None:
    watched, pieces = _watched(text), pattern(wildcard)

    is_like(watched, pieces)

    assert watched.walk.begins == sorted(watched.walk.begins)
    assert len(watched.walk.begins) <= len(pieces)
    assert watched.walk.looked_at <= len(text)


@given(wildcard=_wildcards, text=_texts)
@example("a*a", "a")
@example("*a*b*a*", "abba")
def test_wildcards_mean_what_an_expression_of_dots_and_stars_means(wildcard: str, text: str) -> None:
    expression = ".*".join(map(re.escape, wildcard.split("*")))

    assert is_like(text, pattern(wildcard)) is (re.fullmatch(expression, text) is not None)
    assert contained(wildcard)(BOUNDARY.join(("", text))) is (re.search(expression, text) is not None)


def test_a_text_of_any_length_and_a_query_of_any_stars_end() -> None:
    """What backtracks would not end in years, so that this test has no limit of its own."""
    alert = make_alert(tags=(("name", LONG),), text=LONG)

    for query in (f"name:{'a*' * 1000}b", f"{'a*' * 1000}b", f"name:*{'aa*' * 1000}*b*", f"name:[{'*a*b, ' * 500}x]"):
        assert not parse(query).evaluate(alert).matched
