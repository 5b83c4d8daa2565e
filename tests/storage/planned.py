"""What the tests of storage begin with: stored webhooks, rules that preview, and a planner at a fixed time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Barrier, Thread

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.sql import ColumnElement

from notifiers.preview import PreviewOptions
from routing.alert import Json
from routing.notification import Attempt, Lane, Outcome, State
from routing.query import Facts, Query, Verdict, parse
from routing.rules import RuleSet
from routing.rules_loading import load
from storage import claims, inspection
from storage.claims import Claimed
from storage.inspection import Listed
from storage.intake import Intake
from storage.planning import Planned, plan_batch
from storage.readings import Inquire
from storage.retention import Retention, prune
from storage.tables import announcements, incidents, notifications, timers
from tests.factories import NOW, Webhook, event_alert_webhook

RULES = """\
version: 1
receivers:
  pager: {kind: preview}
  chat: {kind: preview}
rules:
  - {name: critical, when: "tags.critical:true", severity: critical, notify: [pager, chat]}
  - {name: payment, when: "payment", severity: warning, notify: [chat]}
"""
"""Both are met by `event_alert_webhook()`, the second one alone by `issue()`."""

WORKER = "worker-a"


def make_rules(text: str = RULES) -> RuleSet:
    return load(text, kinds={"preview": PreviewOptions}, environment={})


def store(engine: Engine, webhook: Webhook | None = None, *, at: datetime = NOW) -> int:
    """Store a webhook as the request does; the event's number."""
    webhook = webhook or event_alert_webhook()
    event_id, _ = Intake(engine).store(resource=webhook.resource, body=webhook.body, received_at=at)
    return event_id


def plan_all(
    engine: Engine, rules: RuleSet | None = None, *, at: datetime = NOW, limit: int = 100, inquire: Inquire | None = None
) -> list[Planned]:
    """Plan batch after batch until nothing waits."""
    rules = rules or make_rules()
    batches = []
    while (planned := plan_batch(engine, rules, lambda: at, limit=limit, inquire=inquire)).events:
        batches.append(planned)
    return batches


def issue(number: int, event: int = 1, **changes: Json) -> Webhook:
    """An alert on an issue of its own, about one of its events; not tagged critical."""
    return event_alert_webhook(**{"issue_id": str(number), "event_id": f"{number:016x}{event:016x}", "tags": [], **changes})


def notified(engine: Engine, *, at: datetime = NOW) -> Listed:
    """One notification that waits to be sent, to `chat`."""
    store(engine, issue(1), at=at)
    plan_all(engine, at=at)
    (planned,) = inspection.listed(engine)
    return planned


def prune_bodies(engine: Engine) -> None:
    """Two months later; nothing is to be closed any more."""
    with engine.begin() as connection:
        for table in (announcements, timers):
            connection.execute(delete(table))
        connection.execute(update(notifications).values(state=State.DEAD))
    day = timedelta(days=1)
    keep = Retention(bodies=30 * day, events=900 * day, records=900 * day)
    assert prune(engine, keep, lambda: NOW + 60 * day, rest=lambda _: None)["bodies"]


def claim(
    engine: Engine, lane: Lane = Lane.NORMAL, *, worker: str = WORKER, after: timedelta = timedelta(), limit: int = 64
) -> tuple[Claimed, ...]:
    return claims.claim(engine, lane, worker=worker, now=NOW + after, limit=limit).taken


def only(engine: Engine, id_: int) -> Listed:
    (listed,) = inspection.listed(engine, id=id_)
    return listed


def ids(some: Sequence[Claimed | Listed]) -> list[int]:
    return [one.id for one in some]


def make_many(engine: Engine, *issues: int) -> list[int]:
    """A notification to `chat` for each of these issues, in this order and an hour apart, so that no cooldown holds any."""
    for number, about in enumerate(issues):
        at = NOW + timedelta(hours=number - len(issues))
        store(engine, issue(about, number), at=at)
        plan_all(engine, at=at)
    return sorted(ids(inspection.listed(engine)))


def ended(number: int = 1, outcome: Outcome = Outcome.DELIVERED, **changes: object) -> Attempt:
    """An attempt of one second that began at NOW."""
    times = {"began_at": NOW, "ended_at": NOW + timedelta(seconds=1)}
    return Attempt(**{"number": number, "outcome": outcome, **times, **changes})  # type: ignore[arg-type]  # a test names any field


def stumbling(over: str, error: Exception) -> Query:
    """A condition that any alert meets, but for the one of this title, over which it raises."""

    def check(facts: Facts) -> Verdict:
        if over in facts.alert.title:
            raise error
        return Verdict(matched=True, why="any")

    return Query(tree=parse("").tree, keys=frozenset(), aggregates=frozenset(), check=check)


def in_threads(count: int, work: Callable[[], object]) -> None:
    """Do the same at the same time in several threads; the first error of any is raised."""
    errors: list[Exception] = []
    start = Barrier(count)

    def run() -> None:
        start.wait()
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised below, in the test's own thread
            errors.append(error)

    threads = [Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def incident_rows(engine: Engine, *columns: ColumnElement[object]) -> list[tuple[object, ...]]:
    """These columns of all incidents, oldest first."""

    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(incidents.c.id))]
