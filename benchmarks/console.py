"""How long each page of the console takes over all that was ever stored, and how many queries it makes."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from flask import Flask
from sqlalchemy import Column, ColumnElement, Connection, Engine, event, func, insert, literal, select, update
from werkzeug.routing import Rule

from app import create_app
from benchmarks import rig
from benchmarks.copies import Change, add_copies
from notifiers.configuration import read_rules
from routing.alert import Json, Status
from routing.notification import Outcome, State
from settings import Settings
from storage import audit, rules_versions
from storage.database import open_database
from storage.intake import Intake
from storage.planning import plan_batch
from storage.tables import UtcDateTime, attempts, events, incident_turns, incidents, notifications
from tests.factories import Webhook, event_alert_webhook, transaction_webhook
from web.boards import BOARDS
from web.desk import Desk

FIRST = 2_000
"""So many events come by the one path; the others are copies of them, of times after."""
ISSUES = 200
SPREAD = timedelta(days=30)
WANTED_MS = 300.0
COPIED = (incidents, events, notifications, attempts, incident_turns)
TYPES = ("KeyError", "PaymentError", "TypeError", "IntegrityError", "TimeoutError", "ValidationError")
LEFT_OUT = frozenset({"console.static", "console.first_admin"})
LIVE = "text/event-stream"
SHEETS = {"issues": "types", "performance": "endpoints", "releases": "compared", "users": "users"}
"""Of each dashboard one, as CSV."""
MORE: Mapping[str, Sequence[str]] = {
    "console.dashboard": ("range=1h", "range=30d", "range=30d&environment=staging"),
    "console.rules_difference": ("from={version}&to={version}",),
    "console.alerts": ("q=level%3Aerror", "query=level%3Aerror"),
}
"""By page the questions that are put to it beside none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How one page did."""

    page: str
    status: int
    milliseconds: Sequence[float]
    queries: int


def main() -> None:
    """Measure and print."""
    options = _options()
    stored = {"sqlite": options.sqlite, "postgresql": options.postgresql}
    with rig.report("console: each page over all that is stored", options.folder) as folder:
        for kind in options.databases:
            with rig.databases(kind, folder) as made:
                url = made.create()
                began = time.perf_counter()
                version = _fill(url, stored[kind])
                print(f"{kind}: {stored[kind]:,} events in {time.perf_counter() - began:.0f} s")
                timings = _measure(url, version, options.rounds)
                header = ("database", "page", "status", "ms", "wanted", "queries")
                rig.print_table(header, [_row(kind, one) for one in timings])


def _fill(url: str, number: int) -> str:
    """So many events with all that follows from them, the newest of now and the oldest of a month ago; the version of the rules."""
    engine, text = open_database(url), (rig.ROOT / "rules.yaml").read_text(encoding="utf-8")
    rules = read_rules(text, _settings(url))
    copies, now = max(1, number // FIRST - 1), datetime.now(UTC)
    rules_versions.remember(engine, rules.version, {"": text}, now)
    intake, step = Intake(engine), SPREAD / (copies + 1)
    chance = random.Random(FIRST)  # noqa: S311 - the same at each run
    for serial in range(FIRST):
        at = now - SPREAD + step / FIRST * serial
        webhook = _webhook(chance, serial, at)
        intake.store(resource=webhook.resource, body=webhook.body, received_at=at)
        if serial % 100 == 99:
            plan_batch(engine, rules, lambda planned_at=at: planned_at)  # type: ignore[misc]
    _finish(engine)
    _note_changes(engine, now)
    engine.dispose()
    add_copies(url, copies, _later(step, copies), tables=COPIED)
    return rules.version


def _webhook(chance: random.Random, serial: int, at: datetime) -> Webhook:
    """One of many issues, users, releases and endpoints; every fifth is a slow transaction."""
    issue, moment = chance.randrange(ISSUES), at.timestamp()
    changes: dict[str, Json] = {
        "issue_id": str(issue),
        "event_id": f"{serial:032x}",
        "release": f"shop-api@4.{issue % 9}.{chance.randrange(3)}",
        "environment": chance.choice(("production", "production", "staging")),
        "transaction": f"/api/{chance.choice(('cart', 'orders', 'users/{id}', 'payments', 'reports'))}/{issue % 6}",
        "user": {"id": str(int(chance.expovariate(1 / 400)))},
        "timestamp": moment,
    }
    if issue % 5 == 0:
        operations: Json = {"span_ops": {"ops.db": {"value": chance.random(), "unit": "second"}}}
        return transaction_webhook(**changes, start_timestamp=moment - 1 - chance.expovariate(1 / 4), breakdowns=operations)
    type_ = TYPES[issue % len(TYPES)]
    raised = {"values": [{"type": type_, "value": f"number {issue}"}]}
    return event_alert_webhook(**changes, title=f"{type_}: number {issue}", exception=raised, tags=[["critical", str(issue < 20).lower()]])


def _finish(engine: Engine) -> None:
    """Send what was planned, one of fifty in vain, and end most incidents."""
    is_planned = notifications.c.state == State.PLANNED
    with engine.begin() as connection:
        planned = connection.execute(select(notifications.c.id, notifications.c.created_at).where(is_planned)).all()
        for state, is_so in ((State.DEAD, notifications.c.id % 50 == 0), (State.SENT, notifications.c.id % 50 != 0)):
            values = {"state": state, "attempts": 1, "finished_at": notifications.c.created_at}
            connection.execute(update(notifications).where(is_planned, is_so).values(values))
        payload = json.dumps({"text": "…" * 200})
        rest = {"number": 1, "status_code": 200, "excerpt": "ok", "payload": payload}
        outcomes = {id_: Outcome.DELIVERED if id_ % 50 else Outcome.REFUSED for id_, _ in planned}
        tries = [{"notification_id": id_, "outcome": outcomes[id_], "began_at": at, "ended_at": at, **rest} for id_, at in planned]
        connection.execute(insert(attempts), tries)
        connection.execute(update(incidents).where(incidents.c.id % 10 != 0).values(status=Status.RESOLVED))


def _note_changes(engine: Engine, now: datetime) -> None:
    for number in range(300):
        audit.record(engine, at=now, who="ann", origin="", action="silence.add", subject=f"silence {number}")


def _later(step: timedelta, copies: int) -> Change:
    """Each copy is of a step after the one before it; of all but the last, what it tells of is over."""

    def change(connection: Connection, column: Column[Any], number: int) -> ColumnElement[Any] | None:
        if column is incidents.c.status and number < copies:
            return literal(Status.RESOLVED.value)
        if not isinstance(column.type, UtcDateTime):
            return None
        seconds = number * step.total_seconds()
        if connection.dialect.name == "postgresql":
            return column + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        return func.strftime("%Y-%m-%d %H:%M:%f", column, f"+{seconds:.3f} seconds").concat("000")

    return change


def _measure(url: str, version: str, rounds: int) -> list[Timing]:
    app = create_app(_settings(url))
    desk: Desk = app.extensions["desk"]
    paths = [*_paths(app, version, desk.engine)]
    with _counted(desk.engine) as statements:
        found = [_time(app, endpoint, path, rounds, statements) for endpoint, path in paths]
    desk.engine.dispose()
    return found


def _time(app: Flask, endpoint: str, path: str, rounds: int, statements: list[str]) -> Timing:
    client, taken, status = app.test_client(), [], 0
    for _ in range(rounds + 1):
        statements.clear()
        began = time.perf_counter()
        answer = client.get(path)
        if answer.mimetype != LIVE:
            answer.get_data()
        taken.append((time.perf_counter() - began) * 1000)
        status = answer.status_code
        answer.close()
    return Timing(page=f"{endpoint.removeprefix('console.')} {path}", status=status, milliseconds=taken[1:], queries=len(statements))


def _paths(app: Flask, version: str, engine: Engine) -> Iterator[tuple[str, str]]:
    """The address of each page that the application has, and of some with questions."""
    rules = sorted((one for one in app.url_map.iter_rules() if one.endpoint.startswith("console.")), key=lambda one: one.rule)
    with engine.connect() as connection:
        tops = {table.name: connection.execute(select(func.max(table.c.id))).scalar_one() for table in (events, incidents, notifications)}
    for rule in rules:
        if "GET" not in (rule.methods or ()) or rule.endpoint in LEFT_OUT:
            continue
        for values in _values(rule, tops):
            _, path = rule.build(values) or ("", "")
            yield rule.endpoint, path
            for question in MORE.get(rule.endpoint, ()):
                yield rule.endpoint, f"{path}?{question.format(version=version)}"


def _values(rule: Rule, tops: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """What its address is completed with: numbers are those of the newest rows, by the page that it belongs to."""
    if "name" in rule.arguments and rule.rule.startswith("/dashboards"):
        sheets = SHEETS if "sheet" in rule.arguments else {}
        yield from ({"name": name} | ({"sheet": sheets[name]} if sheets else {}) for name in BOARDS)
        return
    of_page = {"/incidents": "incidents", "/deliveries": "notifications", "/notifications": "notifications"}
    table = next((name for start, name in of_page.items() if rule.rule.startswith(start)), "events")
    named = {"event_id": "events", "incident_id": "incidents", "notification_id": "notifications"}
    yield {argument: tops[named.get(argument, table)] for argument in rule.arguments}


@contextmanager
def _counted(engine: Engine) -> Iterator[list[str]]:
    """The statements that are made."""
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _settings(url: str) -> Settings:
    variables = {"ALLOW_UNSIGNED": "true", "CONSOLE_OPEN_ON_LOOPBACK": "true", "DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1/0"}
    return Settings.from_variables({**variables, "RULES_FILE": str(rig.ROOT / "rules.yaml")})


def _row(kind: str, one: Timing) -> tuple[str, ...]:
    is_page = one.status in {200, 302, 303}
    wanted = rig.verdict(statistics.median(one.milliseconds), below=WANTED_MS) if is_page else "not measured"
    return (kind, one.page, str(one.status), rig.median(one.milliseconds), wanted, str(one.queries))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--sqlite", type=int, default=100_000, help="events in SQLite")
    parser.add_argument("--postgresql", type=int, default=1_000_000, help="events in PostgreSQL")
    parser.add_argument("--rounds", type=int, default=5, help="how often each page is asked for, after once that does not count")
    parser.add_argument("--folder", type=Path, default=rig.ROOT / "var", help="where databases are made, on the disk that is meant")
    return parser.parse_args()


if __name__ == "__main__":
    main()
