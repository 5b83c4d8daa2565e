"""What the pages of the console stand on: settings, database, clock, and what only the wiring can do for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import current_app, g
from sqlalchemy import Engine

from routing.gate import Limit
from routing.notification import Attempt
from routing.rules import Receiver, RuleSet
from settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Desk:
    """One for an application; `desk()` is that of the request."""

    settings: Settings
    engine: Engine
    clock: Callable[[], datetime]
    ring: Callable[[str], None]
    """Wakes the workers: by `PLAN` the planner, by the name of a lane what sends."""
    read_rules: Callable[[str, Mapping[str, str]], RuleSet]
    """Rules from the text of the first file and, by name, those of the others. Raises RulesError."""
    limits: Mapping[str, Limit]
    """How fast vendors let themselves be told, by kind of receiver."""
    missing: Callable[[RuleSet], Mapping[str, str]]
    """By receiver the variable that is not set, for those that can only preview."""
    test_message: Callable[[Receiver, str], str]
    """What a receiver would be sent as a test, by whom it is asked."""
    send_test: Callable[[Receiver, str], Attempt]
    """Sends that, within seconds, and says how it ended. Raises nothing."""
    wakes: Callable[[Receiver], bool]
    """Whether a receiver gets people out of bed."""


def leave_place() -> None:
    """Make room for other pages: at the end of a request, and before somebody outside is waited for."""
    g.pop("leave_place", lambda: None)()


def desk() -> Desk:
    """That of the application which answers this request."""
    return cast("Desk", current_app.extensions["desk"])
