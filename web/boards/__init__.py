"""The dashboards: from the alerts of a time to charts and tables, one module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Engine

from storage.dashboards import Looked
from web.boards.board import Board
from web.boards.issues import issues
from web.boards.performance import performance
from web.boards.releases import releases
from web.boards.users import users

BOARDS: Mapping[str, tuple[str, Callable[[Engine, Looked], Board]]] = {
    "issues": ("Issues", issues),
    "performance": ("Performance", performance),
    "releases": ("Releases", releases),
    "users": ("User impact", users),
}
"""By name as the address has it."""
