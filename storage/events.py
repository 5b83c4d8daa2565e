"""Events: every accepted webhook, from its bytes to what was decided of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import msgspec
from isal import isal_zlib
from sqlalchemy import Connection, Engine, Row, and_, bindparam, func, insert, literal, select, update
from sqlalchemy.sql.elements import ColumnElement

from routing.alert import Alert
from routing.findings import Findings
from routing.history import History
from routing.plan import Disposition, Plan, RuleTrace
from storage.tables import events

T = TypeVar("T")

MAX_BATCH_BYTES = 2 * 1024 * 1024
"""Compressed; about four times as much when it is read, and several times that once it is parsed."""
MAX_PLAIN_BYTES = 16 * 1024 * 1024
"""Not compressed: what repeats itself packs a thousandfold."""


class EventState(StrEnum):
    """Where an event is on its way to a decision."""

    WAITING = "waiting"
    PLANNED = "planned"
    FAILED = "failed"
    """Planning raised; it is tried again after a change of the rules or of the code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One accepted webhook."""

    id: int
    received_at: datetime
    resource: str
    body: bytes
    findings: Findings | None = None
    """What others said of it when they were asked; None: nobody was."""


@dataclass(slots=True, kw_only=True)
class Decision:
    """What the planner made of one event; without an alert where none could be read, without a plan where none could be made."""

    event: Event
    disposition: Disposition | None
    alert: Alert | None = None
    content_key: str | None = None
    incident_key: str | None = None
    """Of the incident that it belongs to, None if it begins none."""
    duplicate_of: int | None = None
    plan: Plan | None = None
    trace: bytes | None = None
    """The plan's, packed: while it is stored, nobody else can write to SQLite."""
    error: str | None = None


def is_yet(state: EventState) -> ColumnElement[bool]:
    """In a statement: whether an event is in a state in which it is not planned.

    In the words of the index of just those: SQLite takes an index of a part only where the statement says the same of that part, and no
    database does for a parameter. Without it each look at what waits is one at all that ever came.
    """
    planned, wanted = (literal(one.value, literal_execute=True) for one in (EventState.PLANNED, state))
    return and_(events.c.state != planned, events.c.state == wanted)


class Waiting(NamedTuple):
    """The oldest events that wait for a decision, in the order in which they were stored."""

    events: tuple[Event, ...] = ()
    are_all: bool = True


def waiting(connection: Connection, limit: int) -> Waiting:
    """So many, or fewer if they are large."""
    is_waiting = is_yet(EventState.WAITING)
    sizes = connection.execute(select(events.c.id, func.length(events.c.body)).where(is_waiting).order_by(events.c.id).limit(limit)).all()
    ids = [id_ for id_, _ in _first_within(sizes, lambda row: row[1], MAX_BATCH_BYTES)]
    found = tuple(_first_within(_of(connection, ids), lambda event: len(event.body), MAX_PLAIN_BYTES))
    return Waiting(found, are_all=len(found) == len(sizes) < limit)


def of(connection: Connection, ids: Iterable[int]) -> tuple[Event, ...]:
    """The events of these numbers, in their order."""
    return tuple(_of(connection, ids))


def _of(connection: Connection, ids: Iterable[int]) -> Iterator[Event]:
    """One at a time, so that whoever has enough unpacks no more."""
    columns: tuple[ColumnElement[Any], ...] = tuple(events.c[name] for name in ("id", "received_at", "resource", "body", "findings"))
    for row in connection.execute(select(*columns).where(events.c.id.in_(list(ids))).order_by(events.c.id)).all():
        yield event_of(row, row.id)


def event_of(row: Row[Any], id_: int) -> Event:
    """The event of this number in a row that has what it says."""
    findings = msgspec.json.decode(row.findings, type=Findings) if row.findings else None
    return Event(id=id_, received_at=row.received_at, resource=row.resource, body=unpack(row.body), findings=findings)


def _first_within(some: Iterable[T], size: Callable[[T], int], limit: int) -> Iterator[T]:
    """The first ones that are together within the limit, at least one; whatever comes after them is not looked at."""
    total = 0
    for number, one in enumerate(some):
        total += size(one)
        if number and total > limit:
            return
        yield one


def pack(plain: bytes) -> bytes:
    """As it is stored: a quarter of its size or less. isal's lowest level that still packs as well as zlib's."""
    return isal_zlib.compress(plain, 1)


def unpack(packed: bytes) -> bytes:
    """The bytes as they came in; of what a disk has damaged those that are stored, so that only that event is unreadable."""
    try:
        return isal_zlib.decompress(packed)
    except isal_zlib.error:  # type: ignore[misc]  # its stubs take the class for an instance
        return packed


def pack_trace(plan: Plan) -> bytes | None:
    """What all rules said, as it is stored: of a thousand rules 60 kB, a tenth of it packed."""
    return pack(msgspec.json.encode((plan.asked, plan.verdicts, plan.inputs))) if plan.asked else None


def unpack_trace(packed: bytes | None) -> tuple[RuleTrace, ...]:
    """For every rule that was asked what it said."""
    if packed is None:
        return ()
    asked, verdicts, _ = msgspec.json.decode(unpack(packed), type=tuple[list[str], list[tuple[bool, str]], msgspec.Raw])
    return tuple(RuleTrace(rule, *verdict) for rule, verdict in zip(asked, verdicts, strict=True))


def unpack_inputs(packed: bytes) -> History:
    """What of the history was looked at: the same alert, rules and time decide the same by it."""
    _, _, inputs = msgspec.json.decode(unpack(packed), type=tuple[msgspec.Raw, msgspec.Raw, History])
    return inputs


def is_waiting(engine: Engine) -> bool:
    """Whether any event waits for a decision."""
    with engine.connect() as connection:
        return connection.execute(select(events.c.id).where(is_yet(EventState.WAITING)).limit(1)).first() is not None


def first_with_content(connection: Connection, content_keys: Sequence[str]) -> dict[str, int]:
    """By content key the first event that said so."""
    rows = connection.execute(
        select(events.c.content_key, func.min(events.c.id))
        .where(events.c.content_key.in_(content_keys), events.c.duplicate_of.is_(None))
        .group_by(events.c.content_key)
    )
    return {key: event_id for key, event_id in rows if key is not None}


def record(connection: Connection, decisions: Sequence[Decision], *, ids: Mapping[str, int], rules_version: str, now: datetime) -> None:
    """Store what was decided of each event; `ids` has the numbers of the incidents by key."""
    if decisions:
        connection.execute(_DECIDE, [_row(decision, ids, rules_version, now) for decision in decisions])


def add(connection: Connection, new: Sequence[Event]) -> None:
    """Store events that nobody has sent here: they follow from others, and wait for their own decision."""
    if new:
        rows = [{"received_at": one.received_at, "resource": one.resource, "body": pack(one.body)} for one in new]
        connection.execute(insert(events).values(state=EventState.WAITING), rows)


def retry_failed(engine: Engine) -> int:
    """Let events whose planning failed be planned again; says how many."""
    with engine.begin() as connection:
        return connection.execute(update(events).where(is_yet(EventState.FAILED)).values(state=EventState.WAITING)).rowcount


def _row(decision: Decision, ids: Mapping[str, int], rules_version: str, now: datetime) -> dict[str, object]:
    alert, plan = decision.alert, decision.plan
    return {
        "b_id": decision.event.id,
        "state": EventState.PLANNED if decision.disposition else EventState.FAILED,
        "disposition": decision.disposition,
        "error": decision.error,
        "content_key": decision.content_key,
        "duplicate_of": decision.duplicate_of,
        "incident_id": ids.get(decision.incident_key) if decision.incident_key else None,
        "action": alert and alert.action[:64],
        "project": alert and alert.project and alert.project[:200],
        "environment": alert and alert.environment and alert.environment[:200],
        "level": alert and alert.level,
        "title": alert and alert.title[:1000],
        "ignored_by": (plan and plan.ignored_by) or None,
        "findings": msgspec.json.encode(decision.event.findings).decode() if decision.event.findings else None,
        "rules_version": rules_version,
        "trace": decision.trace,
        "planned_at": now,
        **_counted_by(alert),
    }


def _counted_by(alert: Alert | None) -> dict[str, object]:
    """What dashboards count by."""
    if alert is None:
        return dict.fromkeys(_COUNTED_BY)
    user, raised = alert.user, alert.exception
    person = user and (user.id or user.email or user.username or user.ip_address)
    return {
        "release": alert.release and alert.release[:200],
        "endpoint": alert.transaction and alert.transaction[:200],
        "category": alert.category,
        "error_type": raised and raised.type and raised.type[:200],
        "person": person and person[:200],
        "duration_ms": alert.duration_ms,
        "database_ms": alert.database_ms,
    }


_COUNTED_BY = ("release", "endpoint", "category", "error_type", "person", "duration_ms", "database_ms")


_DECIDE = (
    update(events)
    .where(events.c.id == bindparam("b_id"))
    .values(
        {
            column: bindparam(column)
            for column in (
                "state",
                "disposition",
                "error",
                "content_key",
                "duplicate_of",
                "incident_id",
                "action",
                "project",
                "environment",
                "level",
                "title",
                "ignored_by",
                "findings",
                "rules_version",
                "trace",
                "planned_at",
                *_COUNTED_BY,
            )
        }
    )
)
