"""What came of an incident: the alerts that told of it, and the messages that were, or were not, sent about it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

import msgspec
from sqlalchemy import Engine, Select, and_, exists, or_, select, union_all

from routing.notification import Reason, Severity, State
from routing.plan import Disposition
from storage.tables import announcements, events, incident_turns, notifications

ALERTS = (Disposition.MATCHED, Disposition.UNROUTED, Disposition.IGNORED)
"""What became of events that say that something is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An event that was heard of the incident."""

    id: int
    received_at: datetime
    resource: str
    action: str | None
    title: str | None
    level: str | None
    environment: str | None
    disposition: Disposition | None

    @property
    def is_alert(self) -> bool:
        """Whether it says that something is wrong; the others tell what became of that."""
        return self.disposition in ALERTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A notification about the incident, or about a group that it is one of."""

    id: int
    event_id: int
    receiver: str
    kind: str
    severity: Severity
    reason: Reason
    why: str
    state: State
    created_at: datetime
    next_attempt_at: datetime
    finished_at: datetime | None
    attempts: int
    link: str | None
    """Where people see it at the vendor, as that has said."""
    next_step: str | None
    """Who was to be told next if nobody acted, when it was planned."""


def heard(engine: Engine, incident_id: int, *, limit: int, before: int | None = None) -> tuple[Heard, ...]:
    """What was heard of an incident, the newest first; what comes after an event, by its number.

    But for what is a turn of its life (`incident_desk.life`), and no alert.
    """
    is_turn = exists().where(incident_turns.c.incident_id == incident_id, incident_turns.c.event_id == events.c.id)
    is_told = or_(events.c.disposition.is_(None), events.c.disposition.in_(ALERTS), ~is_turn)
    query = select(*_HEARD).where(events.c.incident_id == incident_id, is_told).order_by(events.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(events.c.id < before)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return tuple(Heard(**{**row._asdict(), "disposition": Disposition(row.disposition) if row.disposition else None}) for row in rows)


def messages(engine: Engine, incident_id: int, key: str, *, limit: int, before: int | None = None) -> tuple[Message, ...]:
    """What was, or was not, told of an incident, the newest first; what comes after one, by its number.

    Also what was told of it in messages about several, where those are not closed yet. What only brings up to date what stands
    somewhere tells nobody, and is left out.
    """
    ids = union_all(
        *(select(one.subquery().c.id) for one in (_its_own(incident_id, before, limit), _of_groups(incident_id, key, before, limit)))
    )
    query = select(*_MESSAGE).where(notifications.c.id.in_(ids)).order_by(notifications.c.id.desc()).limit(limit)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return tuple(
        Message(**{**row._asdict(), "severity": Severity(row.severity), "reason": Reason(row.reason), "state": State(row.state)})
        for row in rows
    )


def _its_own(incident_id: int, before: int | None, limit: int) -> Select[int]:
    wanted = [notifications.c.incident_id == incident_id, notifications.c.reason != Reason.UPDATED]
    if before is not None:
        wanted.append(notifications.c.id < before)
    return select(notifications.c.id).where(*wanted).order_by(notifications.c.id.desc()).limit(limit)


def _of_groups(incident_id: int, key: str, before: int | None, limit: int) -> Select[int]:
    """By the destinations at which it was announced: an index has those, the list of others in a message is only a text."""
    topic = and_(announcements.c.subject == notifications.c.subject, announcements.c.place == notifications.c.place)
    names_it = notifications.c.others.contains(msgspec.json.encode(key).decode(), autoescape=True)
    wanted = [] if before is None else [notifications.c.id < before]
    return (
        select(notifications.c.id)
        .join(announcements, topic)
        .where(announcements.c.incident_id == incident_id, announcements.c.subject != key, *wanted)
        .where(notifications.c.incident_id != incident_id, notifications.c.reason != Reason.UPDATED)
        .where(or_(names_it, notifications.c.reason == Reason.RESOLVED))
        .order_by(notifications.c.id.desc())
        .limit(limit)
    )


_HEARD = tuple(events.c[field.name] for field in fields(Heard))
_MESSAGE = tuple(notifications.c[field.name] for field in fields(Message))
