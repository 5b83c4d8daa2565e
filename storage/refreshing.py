"""Brings up to date what stands at a destination, where it can be changed: at most once a minute, and nobody is told by it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, case, delete, func, literal, select

from routing.announcement import Announcement, Topic, refresh
from routing.incident import Incident
from routing.notification import Reason, State
from storage import counting, incidents, tallies
from storage.notifications import Said, insert_planned
from storage.pairs import is_one_of
from storage.tables import UtcDateTime, attempts, notifications

EVERY = timedelta(minutes=1)
"""Between two changes of a message."""


def refreshes(connection: Connection, heard: Iterable[tuple[int, Incident]], said: Sequence[Said], now: datetime) -> list[Said]:
    """What brings up to date where these incidents, each with its number, were announced, and nothing is said now.

    One waits at a time for each message, and is sent with what is known by then; what is said now takes its place.
    """
    spoken = {Topic(one.notification.subject, one.notification.place) for one in said if one.notification.state is State.PLANNED}
    shown = {one.topic: (id_, one) for id_, incident in heard for one in incident.announced.values() if Reason.UPDATED in one.follows}
    _forget(connection, spoken, untried=True)
    wanted = {topic: found for topic, found in shown.items() if topic not in spoken}
    last = _last_told(connection, wanted, now)
    _forget(connection, last, untried=False)
    return [_said(*wanted[topic], max(now, at + EVERY)) for topic, at in last.items()]


def show_links(engine: Engine, ids: Collection[int], now: datetime) -> None:
    """Of what these messages have made at vendors, the address is shown where their incidents were announced."""
    of = select(notifications.c.incident_id).where(notifications.c.id.in_(ids), notifications.c.link.is_not(None)).distinct()
    with engine.begin() as connection:
        incident_ids = connection.execute(of).scalars().all()
        kept = incidents.by_id(connection, incident_ids) if incident_ids else {}
        heard = [(one.id, one.incident) for one in kept.values() if one.id is not None]
        shown = refreshes(connection, heard, [], now)
        insert_planned(connection, shown, now)
        tallies.add(connection, counting.of_said(shown))


def _said(incident_id: int, one: Announcement, at: datetime) -> Said:
    occasion = f"{Reason.UPDATED}:{at:%Y%m%dT%H%M%S.%f}"
    return Said(event_id=one.event, incident_id=incident_id, notification=refresh(one), occasion=occasion, at=at)


def _last_told(connection: Connection, topics: Collection[Topic], now: datetime) -> dict[Topic, datetime]:
    """When the last message of each of these went out, if none waits to go: now, if one is on its way with what was known before."""
    if not topics:
        return {}
    columns = (notifications.c.subject, notifications.c.place)
    is_waiting = case((notifications.c.state == State.PLANNED, 1), else_=0)
    at = case(
        (notifications.c.state == State.SENT, notifications.c.finished_at),
        (notifications.c.state == State.SENDING, literal(now, UtcDateTime())),
    )
    query = select(*columns, func.max(at)).where(_is_about(topics)).group_by(*columns)
    rows = connection.execute(query.having(func.max(is_waiting) == 0, func.max(at).is_not(None)))
    return {Topic(subject, place): at for subject, place, at in rows}


def _forget(connection: Connection, topics: Collection[Topic], *, untried: bool) -> None:
    """Of what tells nobody only the last one is kept: one that waits gives way to a message, one that is over to the next."""
    state = notifications.c.state == State.PLANNED if untried else notifications.c.state.in_((State.SENT, State.HELD))
    which = (_is_about(topics), notifications.c.reason == Reason.UPDATED, state)
    ids = connection.execute(select(notifications.c.id).where(*which)).scalars().all() if topics else ()
    if ids:
        connection.execute(delete(attempts).where(attempts.c.notification_id.in_(ids)))
        connection.execute(delete(notifications).where(notifications.c.id.in_(ids)))


def _is_about(topics: Collection[Topic]) -> ColumnElement[bool]:
    return is_one_of(topics, notifications.c.subject, notifications.c.place)
