"""What was told before: at a destination of an incident, and what a vendor calls it there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, FromClause, Row, and_, exists, func, or_, select
from sqlalchemy.sql.selectable import ScalarSelect

from routing.echo import Saying
from routing.notification import Link, Mention, Outcome, Reason, Severity, State
from storage.pairs import is_one_of
from storage.tables import announcements, attempts, incidents, notifications

WAS_AMBIGUOUS = exists().where(attempts.c.notification_id == notifications.c.id, attempts.c.outcome == Outcome.AMBIGUOUS)
"""Whether any attempt at a notification may have gone out."""


NEAR = 10_000
"""How many earlier notifications are searched for messages that could be mistaken for this one."""
LAST_SAYINGS = 20
"""How many of the last messages are searched for what a vendor may be telling back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told at a destination of an incident, before what comes now."""

    reason: Reason
    """Of the last message."""
    reference: Mapping[str, str] = field(default_factory=dict)
    """The vendor's name for what stands there for the incident."""
    rules_version: str | None = None
    """The rules under which it was told."""
    place: str | None = None
    """Where that was, as `Receiver.place` spells it."""
    severity: Severity = Severity.CRITICAL
    """Of the last message."""
    at: datetime | None = None
    """When the last message went out, if it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What helps to find a message that may have gone out."""

    until: datetime | None
    """When the last attempt was over that may have arrived."""
    of_others: frozenset[str]
    """The vendor's names for what may be taken for it, and is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stands at a destination for an incident."""

    incident: str
    """Its key."""
    place: str
    subject: str
    """What the vendor was told of: the incident, or a group in which it was the first."""
    told: tuple[Saying, ...] = ()
    """What it was told last, the newest first."""


def told_before(connection: Connection, rows: Sequence[Row[tuple[object, ...]]]) -> dict[int, Told]:
    """By number what was told before these."""
    wanted = {id_ for row in rows for id_ in (row.told_id, row.reference_id) if id_}
    if not wanted:
        return {}
    columns = (
        notifications.c.id,
        notifications.c.reason,
        notifications.c.severity,
        notifications.c.reference,
        notifications.c.rules_version,
        notifications.c.sent_place,
        notifications.c.finished_at,
    )
    found = {row.id: row for row in connection.execute(select(*columns).where(notifications.c.id.in_(wanted)))}
    told = {}
    for row in rows:
        began_again_there = row.ends and row.told_id and row.told_id > row.ends
        if row.told_id and not began_again_there:
            referred = found[row.reference_id or row.told_id]
            reference = msgspec.json.decode(referred.reference, type=dict[str, str]) if referred.reference else {}
            last = found[row.told_id]
            told[row.id] = Told(
                reason=Reason(last.reason),
                severity=Severity(last.severity),
                reference=reference,
                rules_version=referred.rules_version,
                place=referred.sent_place,
                at=last.finished_at,
            )
    return told


def links_beside(connection: Connection, rows: Sequence[Row[tuple[object, ...]]]) -> dict[int, tuple[Link, ...]]:
    """By number where else what these tell of stands: at vendors that were told, and have a page for it, or have said so themselves."""
    subjects = {row.subject for row in rows}
    columns = (notifications.c.subject, notifications.c.kind, notifications.c.vendor_key, notifications.c.link)
    query = select(*columns).where(notifications.c.subject.in_(subjects), notifications.c.link.is_not(None)).order_by(notifications.c.id)
    found: dict[str, dict[str, Link]] = {}
    for subject, kind, key, url in connection.execute(query) if subjects else ():
        found.setdefault(subject, {})[kind] = Link(kind.capitalize(), key or url, url)
    return {row.id: tuple(_beside(row, found.get(row.subject, {}))) for row in rows if row.links or row.subject in found}


def _beside(row: Row[tuple[object, ...]], told: Mapping[str, Link]) -> Iterator[Link]:
    """Those of other vendors than the one that is told now; what was told there is newer than what it has said."""
    said = {vendor.lower(): Link(vendor, url.rstrip("/").rpartition("/")[2], url) for vendor, url in (row.links or {}).items()}
    yield from (link for kind, link in {**said, **told}.items() if kind != row.kind)


def known_as(connection: Connection, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Standing]:
    """What stands at vendors under these names, each after the kind of receiver, as far as it is ours."""
    columns = (notifications.c.kind, notifications.c.vendor_key, notifications.c.place, notifications.c.subject, incidents.c.key)
    query = select(*columns).join(incidents, incidents.c.id == notifications.c.incident_id).order_by(notifications.c.id)
    keys = [name[::-1] for name in names]
    rows = connection.execute(query.where(is_one_of(keys, notifications.c.vendor_key, notifications.c.kind)))
    found = {(row.kind, row.vendor_key): Standing(incident=row.key, place=row.place, subject=row.subject) for row in rows}
    return {name: replace(one, told=_last_sayings(connection, one)) for name, one in found.items()}


def _last_sayings(connection: Connection, standing: Standing) -> tuple[Saying, ...]:
    of_it = (notifications.c.subject == standing.subject, notifications.c.place == standing.place, notifications.c.state == State.SENT)
    query = select(notifications.c.reason, notifications.c.finished_at).where(*of_it, notifications.c.reason != Reason.UPDATED)
    rows = connection.execute(query.order_by(notifications.c.id.desc()).limit(LAST_SAYINGS))
    return tuple(Saying(Reason(row.reason), row.finished_at) for row in rows)


def members(connection: Connection, standing: Standing) -> tuple[str, ...]:
    """The keys of the incidents that a group's message stands for: those still announced by it, or, if none is, those of the last one."""
    query = select(incidents.c.key).join(announcements, announcements.c.incident_id == incidents.c.id).order_by(incidents.c.id)
    of_group = (announcements.c.subject == standing.subject, announcements.c.place == standing.place)
    if open_ := connection.execute(query.where(*of_group)).scalars().all():
        return tuple(open_)
    of_it = (notifications.c.subject == standing.subject, notifications.c.place == standing.place, notifications.c.others.is_not(None))
    named = select(incidents.c.key, notifications.c.others).join(incidents, incidents.c.id == notifications.c.incident_id)
    last = connection.execute(named.where(*of_it).order_by(notifications.c.id.desc()).limit(1)).first()
    if last is None:
        return (standing.incident,)
    return (last.key, *(one.incident for one in msgspec.json.decode(last.others, type=list[Mention])))


def lost(connection: Connection, rows: Sequence[Row[tuple[object, ...]]]) -> dict[int, Lost]:
    """By number what helps to find those that may have gone out: after a crash that is each of a batch."""
    of = [row for row in rows if row.may_be_there]
    if not of:
        return {}
    until = _tried_until(connection, [row.id for row in of])
    names = _names_at(connection, {row.place for row in of}, since=min(row.id for row in of) - NEAR)
    return {row.id: Lost(until=until.get(row.id), of_others=_near(row, names.get(row.place, ()))) for row in of}


def _tried_until(connection: Connection, ids: Sequence[int]) -> dict[int, datetime]:
    is_lost = (attempts.c.notification_id.in_(ids), attempts.c.outcome == Outcome.AMBIGUOUS)
    query = select(attempts.c.notification_id, func.max(attempts.c.ended_at).label("at")).where(*is_lost)
    return {row.notification_id: row.at for row in connection.execute(query.group_by(attempts.c.notification_id))}


def _names_at(connection: Connection, places: Collection[str], *, since: int) -> dict[str, list[tuple[int, tuple[str, ...]]]]:
    """By destination, of each notification since that number, what the vendor calls it."""
    is_there = (notifications.c.id > since, notifications.c.place.in_(places), notifications.c.reference.is_not(None))
    found: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
    for id_, place, reference in connection.execute(
        select(notifications.c.id, notifications.c.place, notifications.c.reference).where(*is_there)
    ):
        found.setdefault(place, []).append((id_, tuple(msgspec.json.decode(reference, type=dict[str, str]).values())))
    return found


def _near(row: Row[tuple[object, ...]], names: Iterable[tuple[int, tuple[str, ...]]]) -> frozenset[str]:
    return frozenset(name for id_, found in names if id_ > row.id - NEAR and id_ != row.id for name in found)


def passed_on_in_vain(connection: Connection, passed_on: Mapping[str, datetime]) -> frozenset[str]:
    """Of these issues, each with when its end was to be passed on to Sentry, those for which that came to nothing."""
    columns = (
        notifications.c.subject,
        notifications.c.created_at,
        notifications.c.state,
        notifications.c.reference,
        WAS_AMBIGUOUS.label("may_be"),
    )
    query = select(*columns).where(notifications.c.subject.in_(passed_on), notifications.c.reason == Reason.PASSED_ON)
    first: dict[str, Row[tuple[object, ...]]] = {}
    for row in connection.execute(query.order_by(notifications.c.id)) if passed_on else ():
        if row.created_at >= passed_on[row.subject]:
            first.setdefault(row.subject, row)
    unfinished = (State.PLANNED, State.SENDING)
    return frozenset(subject for subject, row in first.items() if row.state not in unfinished and row.reference is None and not row.may_be)


def last_told(*, has_reference: bool = False) -> ScalarSelect[int]:
    """The last message to the same destination about the same thing, of those that went out, or may have; with a name of the vendor's.

    A later one counts, too: a page may have overtaken this one. For an end that goes to one of several places, the last one there.
    """
    earlier = notifications.alias("earlier")
    return (
        select(func.max(earlier.c.id))
        .where(earlier.c.subject == notifications.c.subject, earlier.c.place == notifications.c.place)
        .where(earlier.c.id != notifications.c.id, or_(earlier.c.id < notifications.c.id, notifications.c.reason != Reason.RESOLVED))
        .where(earlier.c.reference.is_not(None) if has_reference else went_out(earlier))
        .where(or_(notifications.c.ends.is_(None), earlier.c.sent_place == notifications.c.sent_place))
        .correlate(notifications)
        .scalar_subquery()
    )


def went_out(earlier: FromClause) -> ColumnElement[bool]:
    """Whether a message did, or may have."""
    may_have_gone_out = exists().where(attempts.c.notification_id == earlier.c.id, attempts.c.outcome == Outcome.AMBIGUOUS)
    return or_(
        earlier.c.state == State.SENT,
        and_(earlier.c.state == State.HELD, earlier.c.reason.in_((Reason.PREVIEW, Reason.RESOLVED))),
        and_(earlier.c.state == State.DEAD, may_have_gone_out),
        # Some of those who were to be told were.
        and_(earlier.c.state.in_((State.HELD, State.DEAD)), earlier.c.reference.is_not(None)),
    )
