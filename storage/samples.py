"""The samples that alerts leave behind for figures: a planner loads those that its batch looks at, and stores those that it adds."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, FromClause, delete, func, insert, literal, select

from routing.aggregates import Value
from routing.samples import EVERYTHING, INCIDENT, PROJECT, Sample, Scope, plain
from storage.tables import incidents, sample_scopes, samples

MOST = 100_000
"""Of a scope no more samples are loaded than these newest; a figure over more is one over these."""

_KINDS = (INCIDENT, PROJECT, EVERYTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A sample with where it belongs."""

    event: int
    sample: Sample
    incident: int | None
    project: str | None
    scopes: Sequence[Scope]
    """Those of the alert that rules look at."""


def load(connection: Connection, wanted: Mapping[Scope, datetime], *, most: int = MOST) -> dict[Scope, list[Sample]]:
    """Of each scope the samples after a time, the oldest first; one statement for all scopes over the same thing."""
    by_over: dict[str, list[Scope]] = defaultdict(list)
    for scope in wanted:
        by_over[scope.over].append(scope)
    found: dict[Scope, list[Sample]] = {}
    for over, scopes in by_over.items():
        found.update(_load(connection, over, scopes, min(wanted[scope] for scope in scopes), most))
    return found


def save(connection: Connection, taken: Iterable[Taken]) -> None:
    """Store them, each event's once, however often it is planned."""
    by_event = {one.event: one for one in taken}
    stored = connection.execute(select(samples.c.event_id).where(samples.c.event_id.in_(by_event))).scalars() if by_event else ()
    for event in stored:
        del by_event[event]
    if by_event:
        connection.execute(insert(samples), [_row(one) for one in by_event.values()])
    places = [
        {"scope": scope.key, "at": one.sample.at, "event_id": one.event}
        for one in by_event.values()
        for scope in one.scopes
        if scope.over not in _KINDS
    ]
    if places:
        connection.execute(insert(sample_scopes), places)


def forget(connection: Connection, before: datetime) -> None:
    """Drop what no figure looks back to."""
    connection.execute(delete(sample_scopes).where(sample_scopes.c.at < before))
    connection.execute(delete(samples).where(samples.c.at < before))


def _load(connection: Connection, over: str, scopes: Sequence[Scope], since: datetime, most: int) -> dict[Scope, list[Sample]]:
    source, place, keys = _source(over, scopes)
    at = samples.c.at if over in _KINDS else sample_scopes.c.at  # the one that the index has
    rank = func.row_number().over(partition_by=place, order_by=(samples.c.at.desc(), samples.c.event_id.desc()))
    ranked = (
        select(place.label("place"), samples.c.event_id, samples.c.at, samples.c.sentry_event, samples.c["values"], rank.label("rank"))
        .select_from(source)
        .where(at > since, place.in_(keys))
        .subquery()
    )
    rows = connection.execute(
        select(ranked.c.place, ranked.c.at, ranked.c.sentry_event, ranked.c["values"])
        .where(ranked.c.rank <= most)
        .order_by(ranked.c.at, ranked.c.event_id)
    ).all()
    said = _said({values for _, _, _, values in rows if values})
    found: dict[Scope, list[Sample]] = defaultdict(list)
    for key, at, event, values in rows:
        found[keys[key]].append(Sample(at=at, values=said[values] if values else {}, event=event))
    return found


def _source(over: str, scopes: Sequence[Scope]) -> tuple[FromClause, ColumnElement[str], dict[str, Scope]]:
    """Where samples over something stand, in which column it is said what of, and the scopes by what the column says."""
    if over == INCIDENT:
        return samples.join(incidents, incidents.c.id == samples.c.incident_id), incidents.c.key, {scope.value: scope for scope in scopes}
    if over == PROJECT:
        return samples, samples.c.project, {scope.value: scope for scope in scopes}
    if over == EVERYTHING:
        return samples, literal(""), {scope.value: scope for scope in scopes}
    joined = samples.join(sample_scopes, sample_scopes.c.event_id == samples.c.event_id)
    return joined, sample_scopes.c.scope, {scope.key: scope for scope in scopes}


def _row(taken: Taken) -> Mapping[str, object]:
    values = taken.sample.values
    return {
        "event_id": taken.event,
        "at": taken.sample.at,
        "incident_id": taken.incident,
        "project": taken.project and plain(taken.project),
        "sentry_event": taken.sample.event,
        "values": json.dumps(values) if values else None,
    }


def _said(texts: Iterable[str]) -> Mapping[str, Mapping[str, Value]]:
    """What stored texts say. Read as one list, because a hundred thousand small ones take ten times as long."""
    distinct = list(texts)
    return dict(zip(distinct, json.loads(f"[{','.join(distinct)}]"), strict=True))
