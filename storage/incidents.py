"""Incidents as they are stored: one row for each, and a row for each thing that is remembered of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, Executable, Table, bindparam, case, delete, insert, select, update
from sqlalchemy.engine import Row as SqlRow
from sqlalchemy.sql.elements import ColumnElement

from routing.alert import Alert, Status
from routing.announcement import Announcement, Quiet
from routing.incident import Cause, Change, Incident, Timer
from routing.notification import Numbers, Reason, Severity
from storage.tables import announcements, cooldowns, explanations, incident_issues, incidents, last_changes, sightings, timers

Row: TypeAlias = Mapping[str, object]
Remembered: TypeAlias = Mapping[str, Mapping[tuple[object, ...], Row]]
"""By table the rows about one incident, by their key beside it."""


@dataclass(slots=True, kw_only=True)
class Kept:
    """An incident with what is stored of it, so that only what has changed is written."""

    incident: Incident
    id: int | None = None
    """None until it is stored."""
    row: Row = field(default_factory=dict)
    """What is stored of it, as far as it can change."""
    remembered: Remembered = field(default_factory=dict)
    """What is stored of what it remembers."""
    alerts: list[Alert] = field(default_factory=list)
    """Heard since, in their order."""


def by_key(connection: Connection, keys: Sequence[str]) -> dict[str, Kept]:
    """The incidents that exist among these keys."""
    return _load(connection, incidents.c.key.in_(keys))


def joined(connection: Connection, issue_keys: Sequence[str]) -> dict[str, str]:
    """By the key of an issue the incident into which a fingerprint has joined it, for those that are."""
    rows = connection.execute(
        select(incident_issues.c.issue_key, incidents.c.key)
        .join(incidents, incidents.c.id == incident_issues.c.incident_id)
        .where(incident_issues.c.issue_key.in_(issue_keys))
    )
    return {row.issue_key: row.key for row in rows}


def by_id(connection: Connection, ids: Iterable[int]) -> dict[str, Kept]:
    """The incidents of these numbers, by key."""
    return _load(connection, incidents.c.id.in_(list(ids)))


def save(connection: Connection, kept: Iterable[Kept]) -> None:
    """Store what has changed in these incidents, and the new ones, which have an id from then on."""
    all_kept = list(kept)
    new = [one for one in all_kept if one.id is None]
    if new:
        made = connection.execute(_MAKE, [_first_row(one) for one in new])
        ids = {row.key: row.id for row in made}
        for one in new:
            one.id = ids[one.incident.key]
    _execute(connection, _COUNT, [_tally(one) for one in all_kept if one.alerts and one.row])
    changed = [(one, row) for one in all_kept if one.row and (row := _row(one.incident)) != one.row]
    _execute(connection, _CHANGE, [{"b_id": one.id, **row} for one, row in changed])
    now = [(one, _remembered(one.incident)) for one in all_kept]
    for table in _REMEMBERED:
        _save_remembered(connection, table, now)


def _load(connection: Connection, which: ColumnElement[bool]) -> dict[str, Kept]:
    found = {row.id: row for row in connection.execute(select(*_COLUMNS).where(which))}
    remembered: dict[int, dict[str, list[dict[str, Any]]]] = {id_: {table.name: [] for table in _REMEMBERED} for id_ in found}
    for table in _REMEMBERED if found else ():
        for row in connection.execute(select(table).where(table.c.incident_id.in_(found))).mappings():
            remembered[row["incident_id"]][table.name].append({name: row[name] for name in row if name != "incident_id"})
    kept = [_kept(row, remembered[id_]) for id_, row in found.items()]
    return {one.incident.key: one for one in kept}


def _kept(row: SqlRow[Any], remembered: Mapping[str, Sequence[Mapping[str, Any]]]) -> Kept:
    incident = Incident(
        key=row.key,
        status=Status(row.status),
        began_at=row.began_at,
        ended_at=row.ended_at,
        last_change=row.last_change,
        acknowledged_by=row.acknowledged_by,
        quiet=Quiet(until=row.quiet_until, why=row.quiet_why) if row.quiet_until else None,
        assigned=row.assigned,
        numbers=numbers_of(row),
        links=dict(row.links or {}),
        notified_at={told["rule"]: told["notified_at"] for told in remembered["cooldowns"]},
        seen_in={seen["place"] for seen in remembered["sightings"]},
        explains={explained["likeness"] for explained in remembered["explanations"]},
        issues={joined["issue_key"]: joined["is_open"] for joined in remembered["incident_issues"]},
        changes={change["issue_key"]: Change(change["at"], change["heard_at"]) for change in remembered["last_changes"]},
        announced={one.topic: one for one in map(_announcement, remembered["announcements"])},
        passed_on=_moments(row.passed_on),
        done_at=_moments(row.done_at),
    )
    incident.set_timers(map(_timer, remembered["timers"]))
    return Kept(incident=incident, id=row.id, row=_row(incident), remembered=_remembered(incident))


def _moments(stored: str | None) -> dict[str, datetime]:
    return msgspec.json.decode(stored, type=dict[str, datetime]) if stored else {}


def _stored(moments: Mapping[str, datetime]) -> str | None:
    return msgspec.json.encode(moments).decode() if moments else None


def numbers_of(row: SqlRow[Any]) -> Numbers:
    """What is known of the incident in a row that has it."""
    return Numbers(**{name: getattr(row, name) for name in _NUMBERS}, trend=tuple(map(tuple, row.trend or ())))


def _row(incident: Incident) -> Row:
    return {
        "status": incident.status,
        "began_at": incident.began_at,
        "ended_at": incident.ended_at,
        "last_change": incident.last_change,
        "acknowledged_by": incident.acknowledged_by,
        "quiet_until": incident.quiet and incident.quiet.until,
        "quiet_why": incident.quiet and incident.quiet.why,
        "assigned": incident.assigned,
        **{name: getattr(incident.numbers, name) for name in _NUMBERS},
        "trend": incident.numbers.trend or None,
        "links": dict(incident.links) or None,
        "passed_on": _stored(incident.passed_on),
        "done_at": _stored(incident.done_at),
    }


def _remembered(incident: Incident) -> Remembered:
    return {
        "cooldowns": {(rule,): {"rule": rule, "notified_at": at} for rule, at in incident.notified_at.items()},
        "sightings": {(place,): {"place": place} for place in incident.seen_in},
        "explanations": {(likeness,): {"likeness": likeness} for likeness in incident.explains},
        "incident_issues": {(key,): {"issue_key": key, "is_open": is_open} for key, is_open in incident.issues.items()},
        "last_changes": {(key,): {"issue_key": key, **change._asdict()} for key, change in incident.changes.items()},
        "announcements": {tuple(topic): _announcement_row(one) for topic, one in incident.announced.items()},
        "timers": {tuple(timer.key): _timer_row(timer) for timer in incident.timers.values()},
    }


def _announcement(row: Mapping[str, Any]) -> Announcement:
    return Announcement(
        **{name: row[name] for name in ("subject", "place", "receiver", "kind", "why")},
        event=row["event_id"],
        follows=frozenset(map(Reason, msgspec.json.decode(row["follows"], type=list[str]))),
        rules=tuple(msgspec.json.decode(row["rules"], type=list[str])),
        severity=Severity(row["severity"]),
        changes=msgspec.json.decode(row["changes"], type=dict[str, object]),
    )


def _announcement_row(one: Announcement) -> Row:
    return {
        **{name: getattr(one, name) for name in ("subject", "place", "receiver", "kind", "why")},
        "event_id": one.event,
        "follows": msgspec.json.encode(sorted(one.follows)).decode(),
        "rules": msgspec.json.encode(one.rules).decode(),
        "severity": one.severity.value,
        "changes": msgspec.json.encode(one.changes).decode(),
    }


def _timer(row: Mapping[str, Any]) -> Timer:
    return Timer(
        rule=row["rule"],
        cause=Cause(row["cause"]),
        step=row["step"],
        due_at=row["due_at"],
        event=row["event_id"],
        group=row["group_key"],
        why=row["why"],
        held_by=row["held_by"] and Reason(row["held_by"]),
    )


def _timer_row(timer: Timer) -> Row:
    return {
        "rule": timer.rule,
        "cause": timer.cause.value,
        "step": timer.step,
        "due_at": timer.due_at,
        "event_id": timer.event,
        "group_key": timer.group,
        "why": timer.why,
        "held_by": timer.held_by and timer.held_by.value,
    }


def _save_remembered(connection: Connection, table: Table, now: Sequence[tuple[Kept, Remembered]]) -> None:
    """Take out the rows that are gone or have changed, and put in those that are new or have changed."""
    gone, fresh = [], []
    for kept, rows in now:
        before, after = kept.remembered.get(table.name, {}), rows[table.name]
        if before == after:
            continue
        gone += [{"b_incident_id": kept.id, **_key(table, row)} for key, row in before.items() if after.get(key) != row]
        fresh += [{"incident_id": kept.id, **row} for key, row in after.items() if before.get(key) != row]
    _execute(connection, _TAKE_OUT[table.name], gone)
    _execute(connection, insert(table), fresh)


def _key(table: Table, row: Row) -> Row:
    return {f"b_{column.name}": row[column.name] for column in table.primary_key if column.name in row}


def _execute(connection: Connection, statement: Executable, rows: Sequence[Row]) -> None:
    if rows:
        connection.execute(statement, rows)


def _first_row(kept: Kept) -> Row:
    """A new incident as its first alert has it, with all that it has heard."""
    first = kept.alerts[0]
    return {
        "key": kept.incident.key,
        **_row(kept.incident),
        "title": first.title[:1000],
        "project": first.project and first.project[:200],
        "link": first.link,
        "alert_count": len(kept.alerts),
        "first_alert_at": first.occurred_at,
        "last_alert_at": _latest(kept),
    }


def _tally(kept: Kept) -> Row:
    return {"b_id": kept.id, "more": len(kept.alerts), "last_alert_at": _latest(kept)}


def _latest(kept: Kept) -> datetime:
    return max(alert.occurred_at for alert in kept.alerts)


_REMEMBERED = (cooldowns, sightings, explanations, incident_issues, last_changes, announcements, timers)
_MAKE = insert(incidents).returning(incidents.c.id, incidents.c.key)
_COUNT = (
    update(incidents)
    .where(incidents.c.id == bindparam("b_id"))
    .values(
        alert_count=incidents.c.alert_count + bindparam("more"),
        # Webhooks overtake each other (sentry-webhooks, 3.4).
        last_alert_at=case(
            (incidents.c.last_alert_at < bindparam("last_alert_at"), bindparam("last_alert_at")), else_=incidents.c.last_alert_at
        ),
    )
)
_NUMBERS = ("event_count", "user_count", "first_seen", "last_seen", "assignee")
_TIMES = ("began_at", "ended_at", "passed_on", "done_at")
_OWN = ("status", "last_change", "acknowledged_by", "quiet_until", "quiet_why", "assigned", "trend", "links", *_TIMES)
_CHANGEABLE = (*_OWN, *_NUMBERS)
_COLUMNS = tuple(incidents.c[name] for name in ("id", "key", *_CHANGEABLE))
_CHANGE = update(incidents).where(incidents.c.id == bindparam("b_id")).values({name: bindparam(name) for name in _CHANGEABLE})
_TAKE_OUT = {
    table.name: delete(table).where(*(column == bindparam(f"b_{column.name}") for column in table.primary_key)) for table in _REMEMBERED
}
