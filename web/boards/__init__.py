"""The dashboards: from the alerts of a time to charts and tables, one module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sqlalchemy import Engine

from storage.dashboards import Looked
from web.boards.board import Board
from web.boards.issues import issues
from web.boards.performance import performance
from web.boards.releases import releases
from web.boards.users import users


class Kind(NamedTuple):
    """One of them."""

    title: str
    make: Callable[[Engine, Looked], Board]
    wanted: frozenset[str]
    """What it reads of alerts, of `COUNTED_BY`."""


BOARDS: Mapping[str, Kind] = {
    "issues": Kind("Issues", issues, frozenset({"incident_id", "category", "error_type", "person"})),
    "performance": Kind("Performance", performance, frozenset({"endpoint", "release", "duration_ms", "database_ms"})),
    "releases": Kind("Releases", releases, frozenset({"incident_id", "category", "error_type", "person", "release"})),
    "users": Kind("User impact", users, frozenset({"incident_id", "person"})),
}
"""By name as the address has it."""
