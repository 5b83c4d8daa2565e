"""Whether receiving and planning slow down with what is stored: a thousand events beside a million, on the same machine in turn."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import Column, ColumnElement, Connection, Engine, func

from benchmarks import rig
from benchmarks.copies import add_copies
from notifiers.registry import KINDS
from routing.rules import RuleSet
from routing.rules_loading import load
from storage.database import open_database
from storage.intake import Intake
from storage.planning import plan_batch
from storage.tables import events

FEW = 1_000
RULES = 20
WANTED = 0.9
BODY_BYTES = 200
"""Of what is copied: a body is read when its event is planned, and then by whoever asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast one database is."""

    received: float
    """Events a second, one after the other, each committed."""
    planned: float


def main() -> None:
    """Measure and print."""
    options = _options()
    rules = load(rig.rules_text(RULES), kinds=KINDS, environment={})
    with rig.report(f"growth: {FEW:,} stored events beside {options.stored:,}", options.folder) as folder:
        rows = []
        for kind in options.databases:
            with rig.databases(kind, folder) as made:
                few = made.create()
                engine = open_database(few)
                _take_and_plan(engine, rules, FEW)
                engine.dispose()
                many = made.copy(few)
                add_copies(many, options.stored // FEW - 1, _short_body)
                found = _measure({FEW: few, options.stored: many}, rules, options)
                rows += [_row(kind, stored, found[stored], found[FEW]) for stored in found]
        rig.print_table(("database", "stored", "received a second", "of few", "wanted", "planned a second", "of few", "wanted"), rows)


def _measure(urls: Mapping[int, str], rules: RuleSet, options: argparse.Namespace) -> dict[int, list[Pace]]:
    """In turn, so that what disturbs the machine disturbs both; the first round only warms them."""
    engines = {stored: open_database(url) for stored, url in urls.items()}

    def one_round() -> dict[int, Pace]:
        return {stored: _take_and_plan(engine, rules, options.events) for stored, engine in engines.items()}

    rounds = [one_round() for _ in range(options.rounds + 1)]
    for engine in engines.values():
        engine.dispose()
    return {stored: [each[stored] for each in rounds[1:]] for stored in urls}


def _take_and_plan(engine: Engine, rules: RuleSet, number: int) -> Pace:
    first = rig.new_serials()
    bodies = [rig.alert_body(serial) for serial in range(first, first + number)]
    intake, began = Intake(engine), time.perf_counter()
    for body in bodies:
        intake.store(resource="event_alert", body=body, received_at=datetime.now(UTC))
    taken = time.perf_counter()
    while plan_batch(engine, rules, lambda: datetime.now(UTC)).events:
        pass
    return Pace(received=number / (taken - began), planned=number / (time.perf_counter() - taken))


def _short_body(_: Connection, column: Column[Any], __: int) -> ColumnElement[Any] | None:
    return func.substr(column, 1, BODY_BYTES) if column is events.c.body else None


def _row(kind: str, stored: int, paces: list[Pace], few: list[Pace]) -> tuple[str, ...]:
    received = statistics.median(one.received / other.received for one, other in zip(paces, few, strict=True))
    planned = statistics.median(one.planned / other.planned for one, other in zip(paces, few, strict=True))
    is_many = stored != FEW
    return (
        kind,
        f"{stored:,}",
        rig.median([one.received for one in paces]),
        f"{received:.2f}",
        rig.verdict(received, at_least=WANTED) if is_many else "",
        rig.median([one.planned for one in paces]),
        f"{planned:.2f}",
        rig.verdict(planned, at_least=WANTED) if is_many else "",
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--stored", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=1_000, help="how many come and are planned in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=rig.ROOT / "var", help="where databases are made, on the disk that is meant")
    return parser.parse_args()


if __name__ == "__main__":
    main()
