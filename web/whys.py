"""Why something was told, without the values that met a condition for those who may not see what is somebody's own."""

from __future__ import annotations

import re

from web.personal import MASK, may_see_personal

_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"')


def why(words: str) -> str:
    """The words, with each value in quotes masked for who may not see them."""
    return words if may_see_personal() else _VALUE.sub(f'"{MASK}"', words)
