"""Silences as they are stored, and the reminders of those that are long or old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec
import structlog
from sqlalchemy import Connection, Engine, Row, and_, insert, select, update

from routing.facts import Facts
from routing.notification import State
from routing.own_events import SILENCE
from routing.query import Query
from routing.sentry import UnreadableAlert, parse
from routing.silences import Silence, SilenceError, SilenceState, check, is_matched, read_matchers
from storage import events as stored_events
from storage.events import EventState, pack
from storage.tables import events, notifications, silences

log = structlog.get_logger()

PREVIEWED = timedelta(days=1)
MAX_PREVIEWED = 2000
"""So many events are looked at, the newest."""


class NoSuchSilenceError(LookupError):
    """No silence has this number."""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a silence would have held in the last day."""

    events: int
    notifications: dict[str, int]
    """By receiver."""
    titles: tuple[str, ...]
    """The first ones."""
    is_cut: bool
    """There was more to look at than was looked at."""


def add(engine: Engine, silence: Silence, now: datetime) -> Silence:
    """Store a new one; it has a number from then on.

    Raises:
        SilenceError: it makes no sense.
    """
    check(silence, now)
    row = {
        "matchers": msgspec.json.encode([str(matcher) for matcher in silence.matchers]).decode(),
        "author": silence.author,
        "comment": silence.comment,
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "created_at": silence.created_at,
        "reminded": "[]",
    }
    with engine.begin() as connection:
        id_ = connection.execute(insert(silences).values(row).returning(silences.c.id)).scalar_one()
    return find(engine, id_)


def find(engine: Engine, id_: int) -> Silence:
    """One of them.

    Raises:
        NoSuchSilenceError: there is none of this number.
    """
    with engine.connect() as connection:
        row = connection.execute(select(silences).where(silences.c.id == id_)).first()
    found = _silence(row) if row else None
    if found is None:
        raise NoSuchSilenceError(f"there is no silence {id_}")
    return found


def listed(engine: Engine, *, state: SilenceState | None, now: datetime, limit: int, before: int | None = None) -> tuple[Silence, ...]:
    """Silences, the newest first; those that come after one, by its number."""
    query = select(silences).order_by(silences.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(silences.c.id < before)
    match state:
        case SilenceState.PENDING:
            query = query.where(silences.c.starts_at > now)
        case SilenceState.ACTIVE:
            query = query.where(and_(silences.c.starts_at <= now, silences.c.ends_at > now))
        case SilenceState.EXPIRED:
            query = query.where(and_(silences.c.starts_at <= now, silences.c.ends_at <= now))
    with engine.connect() as connection:
        return tuple(silence for row in connection.execute(query) if (silence := _silence(row)))


def expire(engine: Engine, id_: int, now: datetime) -> Silence:
    """End one now.

    Raises:
        NoSuchSilenceError: there is none of this number.
        SilenceError: it is over already.
    """
    with engine.connect() as connection:
        row = connection.execute(select(silences).where(silences.c.id == id_)).first()
    if row is None:
        raise NoSuchSilenceError(f"there is no silence {id_}")
    # One that cannot be read holds nothing, and can be ended all the same.
    over = (_silence(row) or _with(row, ())).expired(now)
    with engine.begin() as connection:
        connection.execute(update(silences).where(silences.c.id == id_).values(starts_at=over.starts_at, ends_at=over.ends_at))
    return over


def in_force(connection: Connection, since: datetime) -> tuple[Silence, ...]:
    """Those that were active or pending at some time since, the oldest first. One that this version cannot read is left out, and said."""
    rows = connection.execute(select(silences).where(silences.c.ends_at > since).order_by(silences.c.id))
    return tuple(silence for row in rows if (silence := _silence(row)))


def holding(engine: Engine, event_id: int, now: datetime) -> tuple[Silence, ...]:
    """Those that hold alerts like this event, or will: active or to come."""
    with engine.connect() as connection:
        found = in_force(connection, now)
        return tuple(one for one in found if _matched(connection, [event_id], one.matchers)) if found else ()


def preview(engine: Engine, matchers: Sequence[Query], now: datetime) -> Preview:
    """What these matchers would have held in the last day, of what was told."""
    told = (
        select(notifications.c.event_id, notifications.c.receiver)
        .where(notifications.c.created_at > now - PREVIEWED, notifications.c.state != State.HELD)
        .order_by(notifications.c.event_id.desc())
    )
    with engine.connect() as connection:
        receivers: dict[int, list[str]] = {}
        for event_id, receiver in connection.execute(told):
            receivers.setdefault(event_id, []).append(receiver)
        newest = sorted(receivers, reverse=True)[:MAX_PREVIEWED]
        held: dict[int, str] = {}
        for start in range(0, len(newest), 100):
            held |= _matched(connection, newest[start : start + 100], matchers)
    counts: dict[str, int] = {}
    for receiver in (receiver for event_id in held for receiver in receivers[event_id]):
        counts[receiver] = counts.get(receiver, 0) + 1
    return Preview(events=len(held), notifications=counts, titles=tuple(held.values())[:5], is_cut=len(receivers) > len(newest))


def remind(engine: Engine, now: datetime) -> int:
    """Let rules tell of silences that are about to end, or old: each reminder once, as an event of our own; says how many."""
    told = 0
    with engine.begin() as connection:
        for row in connection.execute(select(silences).where(silences.c.starts_at <= now, silences.c.ends_at > now)).all():
            silence = _silence(row)
            known = set(msgspec.json.decode(row.reminded, type=list[str]))
            due = [reminder for reminder in silence.reminders(now) if reminder.key not in known] if silence else []
            if not silence or not due:
                continue
            reminded = msgspec.json.encode(sorted(known | {reminder.key for reminder in due})).decode()
            # Who comes second finds that it has been told.
            is_ours = silences.c.reminded == row.reminded
            if connection.execute(update(silences).where(silences.c.id == row.id, is_ours).values(reminded=reminded)).rowcount:
                told += len(due)
                connection.execute(insert(events), [_event(silence, reminder.words, now) for reminder in due])
    return told


def _event(silence: Silence, words: str, now: datetime) -> dict[str, object]:
    body = {
        "silence": silence.id,
        "author": silence.author,
        "comment": silence.comment,
        "matchers": [str(matcher) for matcher in silence.matchers],
        "words": words,
    }
    return {"received_at": now, "resource": SILENCE, "body": pack(msgspec.json.encode(body)), "state": EventState.WAITING}


def _matched(connection: Connection, event_ids: Sequence[int], matchers: Sequence[Query]) -> dict[int, str]:
    """By event the title, of those that the matchers meet."""
    found = {}
    for event in stored_events.of(connection, event_ids):
        try:
            alert = parse(event.resource, event.body, event.received_at, findings=event.findings)
        except UnreadableAlert:
            continue
        if is_matched(matchers, Facts(alert)):
            found[event.id] = alert.title
    return found


@lru_cache(maxsize=1000)
def _matchers(text: str) -> tuple[Query, ...]:
    """They are read anew for each batch of alerts, and do not change."""
    return read_matchers(msgspec.json.decode(text, type=list[str]))


def _silence(row: Row[tuple[object, ...]]) -> Silence | None:
    try:
        matchers = _matchers(row.matchers)
    except (SilenceError, msgspec.DecodeError) as error:
        log.error("silence_not_in_force", silence_id=row.id, error=str(error), way_out="expire it, and add it anew")
        return None
    return _with(row, matchers)


def _with(row: Row[tuple[object, ...]], matchers: tuple[Query, ...]) -> Silence:
    return Silence(
        id=row.id,
        matchers=matchers,
        author=row.author,
        comment=row.comment,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        created_at=row.created_at,
    )
