"""How many events a second the planner decides, commit included, by few rules and by many, and where its time goes."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, event

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import rig
from notifiers.registry import KINDS
from routing import sentry
from routing.alert import Status
from routing.fingerprint import content_key, incident_key
from routing.history import History
from routing.plan import plan
from routing.rules import RuleSet
from routing.rules_loading import load
from storage import events
from storage.database import open_database
from storage.inspection import count_by_state
from storage.intake import Intake
from storage.planning import plan_batch

WANTED_PER_SECOND = 1500.0
WANTED_COST = 10.0
FEW, MANY = 20, 1000
DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one event costs the planner, in seconds."""

    whole: float
    read: float
    """To decompress and parse it."""
    evaluate: float
    """To hold it against the rules."""
    statements: float
    """In the database's driver. What remains of the whole is the commit, and rows turned into values and back."""
    notifications: float
    """How many follow from an event, held ones included."""


@dataclass(slots=True)
class _Stopwatch:
    seconds: float = 0.0
    began: float = 0.0


def main() -> None:
    """Measure and print."""
    options = _options()
    few, many = (load(rig.rules_text(rules), kinds=KINDS, environment={}) for rules in (FEW, MANY))
    with rig.report("plan: waiting events of 20 kB, decided in batches as the worker does", options.folder) as folder:
        rows = []
        for kind in DATABASES:
            with rig.databases(kind, folder) as made:
                found = _measure(made.create(), few, many, options)
                rows += [_row(kind, FEW, found[FEW], found[FEW]), _row(kind, MANY, found[MANY], found[FEW])]
        rig.print_table(
            (
                "database",
                "rules",
                "events a second",
                "wanted",
                "of 20 rules",
                "wanted",
                "told",
                "read µs",
                "evaluate µs",
                "SQL µs",
                "rest µs",
            ),
            rows,
        )


def _measure(url: str, few: RuleSet, many: RuleSet, options: argparse.Namespace) -> dict[int, list[Costs]]:
    """Few and many rules take turns, so that what disturbs the machine disturbs both."""
    engine = open_database(url)
    found: dict[int, list[Costs]] = {FEW: [], MANY: []}
    _plan_all(engine, few, 100)
    for _ in range(options.rounds):
        found[FEW].append(_plan_all(engine, few, options.events))
        found[MANY].append(_plan_all(engine, many, options.events // 5))
    engine.dispose()
    return found


def _plan_all(engine: Engine, rules: RuleSet, number: int) -> Costs:
    """Let new events wait, then plan until none does."""
    first = rig.new_serials()
    bodies = [rig.alert_body(first + one) for one in range(number)]
    intake = Intake(engine)
    for body in bodies:
        intake.store(resource="event_alert", body=body, received_at=datetime.now(UTC))
    told_before = sum(count_by_state(engine).values())
    with _timed_statements(engine) as statements:
        began = time.perf_counter()
        while plan_batch(engine, rules, lambda: datetime.now(UTC)).events:
            pass
        whole = time.perf_counter() - began
    read, evaluate = _alone(bodies, rules)
    return Costs(
        whole=whole / number,
        read=read / number,
        evaluate=evaluate / number,
        statements=statements.seconds / number,
        notifications=(sum(count_by_state(engine).values()) - told_before) / number,
    )


@contextmanager
def _timed_statements(engine: Engine) -> Iterator[_Stopwatch]:
    """Adds up how long the driver takes over statements."""
    watch = _Stopwatch()

    def start(*_: object) -> None:
        watch.began = time.perf_counter()

    def stop(*_: object) -> None:
        watch.seconds += time.perf_counter() - watch.began

    event.listen(engine, "before_cursor_execute", start)
    event.listen(engine, "after_cursor_execute", stop)
    try:
        yield watch
    finally:
        event.remove(engine, "before_cursor_execute", start)
        event.remove(engine, "after_cursor_execute", stop)


def _alone(bodies: Sequence[bytes], rules: RuleSet) -> tuple[float, float]:
    """How long the pure parts take over the same events: reading and evaluating."""
    now, read, evaluate = datetime.now(UTC), 0.0, 0.0
    for packed in [events.pack(body) for body in bodies]:
        began = time.perf_counter()
        alert = sentry.parse("event_alert", events.unpack(packed), now)
        content_key(alert)
        incident_key(alert)
        is_read = time.perf_counter()
        plan(alert, rules, History(was=Status.FIRING), now)
        read, evaluate = read + is_read - began, evaluate + time.perf_counter() - is_read
    return read, evaluate


def _row(kind: str, rules: int, costs: Sequence[Costs], of_few: Sequence[Costs]) -> tuple[str, ...]:
    rates = [1 / each.whole for each in costs]
    cost = statistics.median(each.whole / few.whole for each, few in zip(costs, of_few, strict=True))
    rest = [each.whole - each.read - each.evaluate - each.statements for each in costs]
    parts = ([each.read for each in costs], [each.evaluate for each in costs], [each.statements for each in costs], rest)
    return (
        kind,
        f"{rules:,}",
        rig.median(rates),
        rig.verdict(statistics.median(rates), at_least=WANTED_PER_SECOND) if rules == FEW else "",
        f"{cost:.1f}",
        rig.verdict(cost, below=WANTED_COST) if rules == MANY else "",
        f"{statistics.median(each.notifications for each in costs):.2f}",
        *(rig.figure(statistics.median(part) * 1e6) for part in parts),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2000, help="how many are planned in each round, a fifth of them by many rules")
    parser.add_argument("--rounds", type=int, default=3, help="how often")
    parser.add_argument("--folder", type=Path, default=rig.ROOT / "var", help="where databases are made, on the disk that is meant")
    return parser.parse_args()


if __name__ == "__main__":
    main()
