"""Bootstrap's dark colours for whoever's system is dark: as packaged, Bootstrap needs JavaScript to know."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import flask_bootstrap

_BOOTSTRAP = Path(flask_bootstrap.__file__).parent / "static" / "bootstrap5" / "css" / "bootstrap.min.css"
_RULE = re.compile(r"([^{}]*\[data-bs-theme=dark\][^{}]*)\{([^{}]*)\}")


@cache
def dark_by_system() -> str:
    """Its rules for a page that is said to be dark, for a page of which nothing is said on a system that is."""
    rules = _RULE.findall(_BOOTSTRAP.read_text(encoding="utf-8"))
    ours = (f"{selector.replace('[data-bs-theme=dark]', ':root:not([data-bs-theme])')}{{{body}}}" for selector, body in rules)
    return f"@media (prefers-color-scheme: dark) {{\n{chr(10).join(ours)}\n}}\n"
