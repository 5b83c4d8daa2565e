"""What waits to be sent, and for what: how many go before it, and when its turn is to be expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, Subquery, func, select

from routing.gate import UPDATES, Limit
from routing.notification import Reason
from storage import gates
from storage.due import PLANNED
from storage.tables import gates as gates_table
from storage.tables import notifications

LOOKED_AT = 5_000
"""So many of those that wait are put in their order; what is behind them waits long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """When a notification is to be sent, as far as is known now."""

    ahead: int
    """How many that wait go before it to the same destination, or by the same account."""
    expected_at: datetime
    """Not before this; others may come that are more urgent."""
    why: str
    """What holds it; empty: nothing but those before it."""
    per_minute: float | None
    """How many may go in a minute; None: nobody has set a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits for one receiver."""

    receiver: str
    waiting: int
    oldest: datetime
    turn: Turn
    """Of the last one."""


def turns(engine: Engine, ids: Sequence[int], limits: Mapping[str, Limit], now: datetime) -> Mapping[int, Turn]:
    """By number of those that wait when they are to be sent; the limits are by kind of receiver."""
    if not ids:
        return {}
    ordered = _ordered()
    query = select(*ordered.c, *_GATE).outerjoin(gates_table, gates_table.c.name == ordered.c.gate).where(ordered.c.id.in_(ids))
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return {row.id: _turn(row, limits, now) for row in rows}


def queues(engine: Engine, limits: Mapping[str, Limit], now: datetime) -> tuple[Queue, ...]:
    """For each receiver for which something waits, the longest queue first."""
    columns, waiting = notifications.c, func.count()
    counted = (
        select(
            columns.receiver,
            waiting.label("waiting"),
            func.min(columns.created_at).label("oldest"),
            func.max(columns.next_attempt_at).label("next_attempt_at"),
            func.min(columns.kind).label("kind"),
            func.min(columns.reason).label("reason"),
            gates.NAME.label("gate"),
            # The last one goes when all have gone that go by the same gate.
            func.sum(waiting).over(partition_by=gates.NAME).label("number"),
        )
        .where(columns.state == PLANNED, columns.reason != Reason.UPDATED)
        .group_by(columns.receiver, gates.NAME)
        .subquery()
    )
    query = select(*counted.c, *_GATE).outerjoin(gates_table, gates_table.c.name == counted.c.gate)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(counted.c.waiting.desc(), counted.c.receiver)).all()
    return tuple(Queue(receiver=row.receiver, waiting=row.waiting, oldest=row.oldest, turn=_turn(row, limits, now)) for row in rows)


def _ordered() -> Subquery:
    """What waits, numbered for each gate in the order in which it goes: pages first."""
    columns = notifications.c
    due = (
        select(
            columns.id,
            columns.receiver,
            columns.kind,
            columns.reason,
            columns.lane,
            columns.created_at,
            columns.next_attempt_at,
            gates.NAME.label("gate"),
        )
        .where(columns.state == PLANNED)
        .order_by(columns.lane, columns.next_attempt_at, columns.id)
        .limit(LOOKED_AT)
        .subquery()
    )
    order = func.row_number().over(partition_by=due.c.gate, order_by=(due.c.lane, due.c.next_attempt_at, due.c.id))
    return select(due, order.label("number")).subquery()


def _turn(row: Row[Any], limits: Mapping[str, Limit], now: datetime) -> Turn:
    limit = limits.get(row.kind + UPDATES if row.reason == Reason.UPDATED else row.kind)
    opens_at = row.opens_at if row.opens_at and row.seen_at <= now + gates.CLOCKS_DIFFER else now
    first = max(now, opens_at)
    ahead = int(row.number) - 1
    expected = max(row.next_attempt_at, first + ahead * limit.step if limit else first)
    is_closed = bool(row.closed_until and row.closed_until > now)
    return Turn(
        ahead=ahead,
        expected_at=expected,
        why=_why(row, limit, now, is_closed=is_closed),
        per_minute=round(limit.per_second * 60 + limit.burst - 1, 1) if limit else None,
    )


def _why(row: Row[Any], limit: Limit | None, now: datetime, *, is_closed: bool) -> str:
    if is_closed:
        return f"told nothing for now: {row.gate_why}"
    if row.opens_at and row.opens_at > now and limit:
        return f"the limit of {limit.per_second * 60 + limit.burst - 1:.0f} a minute is used up"
    if row.next_attempt_at > now:
        return "its next try is planned for then"
    return ""


_GATE: tuple[ColumnElement[Any], ...] = (
    gates_table.c.opens_at,
    gates_table.c.closed_until,
    gates_table.c.seen_at,
    gates_table.c.why.label("gate_why"),
)
