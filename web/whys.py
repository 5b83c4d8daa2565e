"""Why something was told, without the values that met a condition for those who may not see what is somebody's own."""

from __future__ import annotations

import re

from web.personal import MASK, may_see_personal

_VALUES = re.compile(r'".*"', re.DOTALL)
"""From the first quote to the last: a value may hold some itself, so where one ends nobody can tell."""


def why(words: str) -> str:
    """The words, with what stands in quotes masked for who may not see them."""
    return words if may_see_personal() else _VALUES.sub(f'"{MASK}"', words)
