"""When what is planned may be sent: a receiver with `max_per_minute` is told no faster, and what must wait says so."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from routing.notification import Lane, State
from routing.rules import Receiver
from storage.notifications import Said
from storage.tables import slots

MINUTE = timedelta(minutes=1)


def paced(connection: Connection, said: Sequence[Said], receivers: Mapping[str, Receiver], now: datetime) -> list[Said]:
    """These notifications, those of receivers that are told only so many a minute each at its own time.

    What is critical does not wait, but counts. A minute is any sixty seconds.
    """
    limited = {name for name, receiver in receivers.items() if receiver.max_per_minute}
    if not any(_takes_a_slot(one, limited) for one in said):
        return list(said)
    taken = _taken(connection, limited, now)
    new: list[dict[str, object]] = []
    result = []
    for one in said:
        if _takes_a_slot(one, limited):
            name = one.notification.receiver
            limit = receivers[name].max_per_minute or 1
            at = now if one.notification.lane is Lane.CRITICAL else _next(taken[name], limit, now)
            insort(taken[name], at)
            new.append({"receiver": name, "at": at})
            one = _put_off(one, at, limit) if at > now else one  # noqa: PLW2901 - the same one, later
        result.append(one)
    connection.execute(delete(slots).where(slots.c.at <= now - MINUTE))
    connection.execute(insert(slots), new)
    return result


def _takes_a_slot(said: Said, limited: set[str]) -> bool:
    return said.notification.state is State.PLANNED and said.notification.receiver in limited


def _taken(connection: Connection, limited: set[str], now: datetime) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = defaultdict(list)
    rows = select(slots.c.receiver, slots.c.at).where(slots.c.receiver.in_(limited), slots.c.at > now - MINUTE).order_by(slots.c.at)
    for receiver, at in connection.execute(rows):
        found[receiver].append(at)
    return found


def _next(taken: Sequence[datetime], limit: int, now: datetime) -> datetime:
    """The first moment at which no minute would hold more than the limit."""
    return max(now, taken[-limit] + MINUTE) if len(taken) >= limit else now


def _put_off(said: Said, at: datetime, limit: int) -> Said:
    why = f"{said.notification.why}; waits until {at:%H:%M:%S} UTC, {said.notification.receiver} is told {limit} times a minute"
    return replace(said, notification=replace(said.notification, why=why), at=at)
