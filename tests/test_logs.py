"""docs/logs.md lists every line that the service can log, and each says the same thing under the same name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("app.py", "worker.py", "signals.py", "cli", "notifiers", "storage", "telemetry", "watch", "web")
LEVELS = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "exception": "error",
    "critical": "critical",
    "log": "any",
}
ROW = re.compile(r"^\| `(\w+)` \| ([a-z, ]+) \| ([^|]*) \| [^|]+ \|$", re.MULTILINE)

OTHERWISE_CALLED = {
    "event": "event_id",
    "events": "count",
    "incident": "incident_id",
    "notification": "notification_id",
    "silence": "silence_id",
    "user": "user_id",
    "name": "user_id",
    "email": "user_id",
    "ip": "address",
    "reason": "why",
    "message": "said",
}
"""Names that would say what another one says everywhere."""


class Line(NamedTuple):
    event: str
    level: str
    facts: frozenset[str]
    place: str


def lines() -> Iterator[Line]:
    """All that the code can log."""
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")) if (ROOT / part).is_dir() else [ROOT / part]:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and is_log(node.func):
                    yield read(node, f"{path.relative_to(ROOT)}:{node.lineno}")


def is_log(called: ast.expr) -> bool:
    """`log.info`, `self._log.info`, `structlog.get_logger().info`."""
    if not isinstance(called, ast.Attribute) or called.attr not in LEVELS:
        return False
    match called.value:
        case ast.Name(id="log") | ast.Attribute(attr="_log" | "log"):
            return True
        case ast.Call(func=ast.Attribute(attr="get_logger")):
            return True
    return False


def read(call: ast.Call, place: str) -> Line:
    assert isinstance(call.func, ast.Attribute)
    *_, event = call.args
    assert isinstance(event, ast.Constant), f"{place}: the event's name is a constant, so that it can be looked for"
    assert all(one.arg for one in call.keywords), f"{place}: facts are named one by one, not by **"
    facts = frozenset(str(one.arg) for one in call.keywords) - {"exc_info"}
    return Line(str(event.value), LEVELS[call.func.attr], facts, place)


def listed() -> dict[str, tuple[set[str], set[str]]]:
    """By event its levels and facts, as the page has them."""
    page = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
    return {event: (set(levels.split(", ")), set(re.findall(r"`(\w+)`", facts))) for event, levels, facts in ROW.findall(page)}


LINES = tuple(lines())


def test_the_walk_finds_what_is_logged() -> None:
    assert {"event_accepted", "event_planned", "notification_attempted", "library_said", "redis_away", "not_said_alive"} <= {
        line.event for line in LINES
    }


def test_the_page_lists_each_line_with_its_level_and_all_of_its_facts() -> None:
    found: dict[str, tuple[set[str], set[str]]] = {}
    for line in LINES:
        levels, facts = found.setdefault(line.event, (set(), set()))
        levels.add(line.level)
        facts |= line.facts

    assert listed() == found


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.event}-{line.place}")
def test_a_fact_has_the_name_that_it_has_everywhere(line: Line) -> None:
    assert {name: OTHERWISE_CALLED[name] for name in line.facts & OTHERWISE_CALLED.keys()} == {}


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.event}-{line.place}")
def test_a_step_of_a_notification_names_its_event_and_its_incident_too(line: Line) -> None:
    ids = {"event_id", "incident_id", "notification_id"} & line.facts

    assert "notification_id" not in ids or ids == {"event_id", "incident_id", "notification_id"}
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", line.event)
