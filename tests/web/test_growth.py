"""However much is stored, nobody looks through all of it: each statement of the service finds its rows by an index."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine, event

from notifiers.limits import limits
from notifiers.registry import KINDS
from routing.rules_loading import load
from storage import claims, events, fallbacks, outcomes, overflow
from storage.coming_back import is_due, plan_due
from tests.web.everywhere import RULES, Everywhere, opened

GROW = ("events", "notifications", "incidents", "attempts", "announcements", "cooldowns", "sightings", "incident_turns", "last_changes")
"""The tables that hold more with each event."""
ALIASES = ("earlier", "other", "later", "ended", "told", "standing")
RULES_OF_ALL = RULES.replace(
    "rules: [{name: all,", "rules: [{name: grouped, when: '', notify: [chat], group_by: [project], group_wait: 1s, repeat: 5m}, {name: all,"
)


@contextmanager
def heard() -> Iterator[dict[str, Sequence[object]]]:
    """By statement, of all that are executed meanwhile, the parameters of the last time."""
    found: dict[str, Sequence[object]] = {}

    def hear(_connection: object, _cursor: object, statement: str, parameters: Sequence[object], _context: object, many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's signature
        if re.match(r"SELECT|UPDATE|DELETE|INSERT INTO \w+ \([^)]*\) SELECT", statement):
            found[statement] = parameters[0] if many else parameters  # type: ignore[assignment]  # one row's, of many

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


def live(all_: Everywhere) -> None:
    """An incident begins, is acknowledged, repeated, ended, reopened; groups, timers, failures and the dead are looked for."""
    for deed in (
        all_.fires,
        lambda: all_.slack_does("acknowledge"),
        all_.fires,
        lambda: all_.pagerduty_does("unacknowledged"),
        lambda: all_.jira_does("Doing"),
        lambda: all_.sentry_does("assigned"),
        lambda: all_.sentry_does("resolved"),
        all_.fires,
    ):
        deed()
        all_.settle()
        all_.later(minutes=6)
        if is_due(all_.engine, all_.now):
            plan_due(all_.engine, all_.rules, lambda: all_.now)
        events.is_waiting(all_.engine)
        claims.due_lanes(all_.engine, all_.now)
        outcomes.take_from_dead(all_.engine, all_.now)
        fallbacks.fall_back(all_.engine, all_.rules, lambda: all_.now)
        overflow.sum_up(all_.engine, all_.rules, limits(all_.settings), lambda: all_.now)


def test_no_statement_looks_through_what_grows(sqlite_url: str) -> None:
    with opened(sqlite_url) as all_:
        all_.rules = load(RULES_OF_ALL, kinds=KINDS, environment={**all_.settings.environment})
        with heard() as statements:
            live(all_)
        scans = {}
        with all_.engine.connect() as connection:
            for statement, parameters in statements.items():
                steps = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))]
                names = "|".join((*GROW, *ALIASES))
                found = [step for step in steps if re.fullmatch(rf"SCAN ({names})(_\d+)?", step)]
                if found:
                    scans[statement] = found

    assert len(statements) > 30
    assert scans == {}
