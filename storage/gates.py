"""How fast destinations are told, and which are closed for a time: known to all workers, because it is kept where the messages are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import NamedTuple

from sqlalchemy import Connection, Engine, Row, bindparam, case, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from routing.gate import ACCOUNTS, FIRST_PAUSE, UPDATES, End, Gate, Limit, Said, gate_of
from routing.notification import Attempt, Outcome, Reason
from storage.tables import gates, notifications

_ENDS: Mapping[Outcome, End] = {
    Outcome.DELIVERED: End.FINE,
    Outcome.REFUSED: End.FINE,
    Outcome.RETRY: End.FAILED,
    Outcome.AMBIGUOUS: End.FAILED,
    Outcome.NEEDLESS: End.UNUSED,
    Outcome.PREVIEWED: End.UNUSED,
}
MAX_WHY = 300
CLOCKS_DIFFER = timedelta(seconds=5)
"""Those of several machines, at most."""

NAME: ColumnElement[str] = case(  # as `gate_of` says
    (notifications.c.reason == Reason.UPDATED, notifications.c.kind + UPDATES),
    (notifications.c.kind.in_(sorted(ACCOUNTS)), notifications.c.kind),
    else_=notifications.c.place,
)
"""In a statement: by which gate a notification goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A destination, or an account, that is told nothing for now."""

    receiver: str
    """Through which it was told last."""
    until: datetime
    why: str
    is_broken: bool
    """It has failed too often; else it has said when to come back."""


def is_closed(now: ColumnElement[datetime], soon: ColumnElement[datetime]) -> ColumnElement[bool]:
    """In a statement: whether a notification goes by a gate that is closed, or through which enough has gone.

    A row stamped later than `soon` (now, and `CLOCKS_DIFFER`) was written before the clock was put back, and is ignored.
    """
    return select(gates.c.name).where(gates.c.name == NAME, gates.c.opens_at > now, gates.c.seen_at <= soon).exists()


def is_scarce(now: ColumnElement[datetime], soon: ColumnElement[datetime]) -> ColumnElement[bool]:
    """In a statement: whether a destination has a limit, and has used up part of it."""
    return select(gates.c.name).where(gates.c.name == NAME, gates.c.paid_until > now, gates.c.seen_at <= soon).exists()


class _Way(NamedTuple):
    """By which gate a notification goes."""

    name: str
    limit: Limit | None
    receiver: str


def let_pass(
    connection: Connection, rows: Sequence[Row[tuple[object, ...]]], limits: Mapping[str, Limit], now: datetime
) -> list[Row[tuple[object, ...]]]:
    """Of what is due the messages that may go out now, by their gates; the limits are by kind of receiver."""
    ways = [_way(row, gate_of(row.kind, Reason(row.reason), row.place), limits) for row in rows]
    by_name = {way.name: way for way in ways}
    known = _load(connection, by_name, now, make={way.name for way in ways if way.limit})
    allowed = {name: gate.allowed(by_name[name].limit, now) for name, gate in known.items()}
    passed, counts = [], dict.fromkeys(by_name, 0)
    for row, way in zip(rows, ways, strict=True):
        most = allowed.get(way.name)
        if most is None or counts[way.name] < most:
            counts[way.name] += 1
            passed.append(row)
    taken = {name: gate.took(counts[name], by_name[name].limit, now) for name, gate in known.items()}
    _save(connection, known, taken, by_name, now)
    return passed


def hear(connection: Connection, finished: Sequence[tuple[int, Attempt]], limits: Mapping[str, Limit]) -> tuple[Closed, ...]:
    """What attempts say of their destinations; those that have failed too often, and are closed by it."""
    if not finished:
        return ()
    attempts = dict(finished)
    columns = (notifications.c.id, notifications.c.kind, notifications.c.reason, notifications.c.receiver, NAME.label("gate"))
    rows = connection.execute(select(*columns).where(notifications.c.id.in_(attempts)).order_by(notifications.c.id)).all()
    heard = [(_way(row, row.gate, limits), _said(attempts[row.id]), attempts[row.id].ended_at) for row in rows]
    ways = {way.name: way for way, _, _ in heard}
    # Most are fine for ever, and need no row.
    now = max(attempt.ended_at for attempt in attempts.values())
    known = _load(connection, ways, now, make={way.name for way, said, _ in heard if said.end in {End.FAILED, End.PUT_OFF}})
    changed = dict(known)
    for way, said, at in heard:
        if way.name in changed:
            changed[way.name] = changed[way.name].heard(said, way.limit, at)
    _save(connection, known, changed, ways, now)
    return tuple(_closed(ways[name].receiver, gate) for name, gate in changed.items() if gate.trips > known[name].trips)


def closed(engine: Engine, now: datetime) -> tuple[Closed, ...]:
    """All that are closed now, those first that open last."""
    with engine.connect() as connection:
        rows = connection.execute(select(gates).where(gates.c.closed_until > now).order_by(gates.c.closed_until.desc(), gates.c.name))
        return tuple(_closed(row.receiver, _gate(row)) for row in rows)


def _way(row: Row[tuple[object, ...]], name: str, limits: Mapping[str, Limit]) -> _Way:
    return _Way(name, limits.get(row.kind + UPDATES if row.reason == Reason.UPDATED else row.kind), row.receiver)


def _said(attempt: Attempt) -> Said:
    if not attempt.was_asked:
        return Said(End.UNUSED)
    if attempt.was_put_off and attempt.retry_after:
        return Said(End.PUT_OFF, attempt.ended_at + attempt.retry_after, attempt.excerpt)
    if attempt.status_code == HTTPStatus.TOO_MANY_REQUESTS and attempt.retry_after:
        # It does not say until when, as PagerDuty never does: what comes next would get the same answer.
        return Said(End.PUT_OFF, attempt.ended_at + min(attempt.retry_after, FIRST_PAUSE), attempt.excerpt)
    return Said(_ENDS[attempt.outcome], words=attempt.excerpt, began_at=attempt.began_at)


def _closed(receiver: str, gate: Gate) -> Closed:
    return Closed(receiver=receiver, until=gate.closed_until or _LONG_AGO, why=gate.why, is_broken=gate.trips > 0)


def _load(connection: Connection, ways: Mapping[str, _Way], now: datetime, *, make: Collection[str]) -> dict[str, Gate]:
    """The gates that there are, and those that are to be, locked until the transaction ends."""
    if make:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        new = [_row(ways[name], Gate(), _LONG_AGO) for name in sorted(make)]
        connection.execute(dialect.insert(gates).on_conflict_do_nothing(), new)
    # In one order, so that two workers never wait for each other.
    query = select(gates).where(gates.c.name.in_(ways)).order_by(gates.c.name).with_for_update()
    rows = connection.execute(query).all() if ways else ()
    known = {row.name: _gate(row) for row in rows}
    put_back = {row.name: known[row.name].put_back(row.seen_at - now) for row in rows if row.seen_at > now + CLOCKS_DIFFER}
    _save(connection, {name: known[name] for name in put_back}, put_back, ways, now)
    return known | put_back


def _gate(row: Row[tuple[object, ...]]) -> Gate:
    return Gate(**{field.name: getattr(row, field.name) for field in fields(Gate)})


def _save(connection: Connection, before: Mapping[str, Gate], after: Mapping[str, Gate], ways: Mapping[str, _Way], now: datetime) -> None:
    rows = [{"b_name": name, **_row(ways[name], gate, now)} for name, gate in sorted(after.items()) if gate != before[name]]
    if rows:
        connection.execute(_CHANGE, rows)


def _row(way: _Way, gate: Gate, now: datetime) -> dict[str, object]:
    values = {field.name: getattr(gate, field.name) for field in fields(Gate)}
    times = {"opens_at": gate.opens_at(way.limit, now), "seen_at": now}
    return {**values, **times, "why": gate.why[:MAX_WHY], "name": way.name, "receiver": way.receiver}


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_CHANGE = update(gates).where(gates.c.name == bindparam("b_name")).values({column.name: bindparam(column.name) for column in gates.c})
