"""Incidents: what is or was wrong, and what people do to them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from flask import Blueprint
from pydantic import Field
from werkzeug.exceptions import Conflict, NotFound

from routing.alert import Status
from routing.incident import Turn
from routing.own_events import Change
from storage import incident_desk
from storage.incident_desk import Life
from storage.tokens import Scope
from web.api.notifications import Title
from web.api.operations import Answer, operation
from web.api.paging import LARGEST, AskedPage, Page, before_alert, part
from web.desk import desk
from web.incident_acts import API, act_on

NOT_FIRING = {409: "it does not fire"}


class AskedIncidents(AskedPage):
    """Which incidents."""

    status: Literal["firing", "resolved", "archived"] | None = Field(None, description="only those")


class IncidentAnswer(Answer):
    """An incident in a line."""

    id: int
    key: str
    status: Status
    acknowledged_by: str | None
    assigned: bool
    title: Title
    project: str | None
    alert_count: int
    first_alert_at: datetime
    last_alert_at: datetime


class IncidentPage(Page[IncidentAnswer]):
    """Incidents, those with the latest alert first."""


class TurnAnswer(Answer):
    """Something that became of it."""

    turn: Turn
    how: str
    at: datetime
    who: str | None
    origin: str
    event_id: int


class WholeIncident(IncidentAnswer):
    """An incident and its life."""

    turns: list[TurnAnswer]
    event_count: int | None
    user_count: int | None
    first_seen: datetime | None
    last_seen: datetime | None
    assignee: str | None
    seen_in: list[str] = Field(description="releases and environments, as `release:4.2.0`")
    announced_to: list[str] = Field(description="the receivers that are told how it ends")
    links: dict[str, str] = Field(description="by the place where it is seen, too")


class Taken(Answer):
    """It is kept, and done by a worker in its turn."""

    incident: str = Field(description="its key")
    change: Change


def add_incidents(api: Blueprint) -> None:
    """Their paths."""

    @api.get("/incidents")
    @operation(scope=Scope.READ, query=AskedIncidents, answer=IncidentPage)
    def list_incidents(query: AskedIncidents) -> IncidentPage:
        """List incidents, those with the latest alert first."""
        status = Status(query.status) if query.status else None
        found = incident_desk.listed(desk().engine, status=status, limit=query.limit + 1, before=before_alert(query))
        items, following = part(found, query.limit, lambda one: [one.last_alert_at, one.id])
        return IncidentPage(items=[IncidentAnswer.model_validate(one) for one in items], next=following)

    @api.get(f"/incidents/<int(max={LARGEST}):incident_id>")
    @operation(scope=Scope.READ, answer=WholeIncident)
    def show_incident(incident_id: int) -> WholeIncident:
        """Show an incident: what is known of it, and what became of it, by whom, where and when."""
        found = incident_desk.life(desk().engine, str(incident_id))
        if found is None:
            raise _none(incident_id)
        return _whole(found)

    @api.post(f"/incidents/<int(max={LARGEST}):incident_id>/acknowledge")
    @operation(scope=Scope.OPERATE, answer=Taken, status=202, refuses=NOT_FIRING)
    def acknowledge_incident(incident_id: int) -> Taken:
        """Say that somebody has taken an incident on: reminders and escalations stop."""
        return _changed(incident_id, Change.ACKNOWLEDGED, "acknowledge")

    @api.post(f"/incidents/<int(max={LARGEST}):incident_id>/resolve")
    @operation(scope=Scope.OPERATE, answer=Taken, status=202, refuses=NOT_FIRING)
    def resolve_incident(incident_id: int) -> Taken:
        """Say that an incident is over: it is closed wherever it was announced."""
        return _changed(incident_id, Change.RESOLVED, "resolve")


def _changed(incident_id: int, what: Change, act: str) -> Taken:
    key = act_on(incident_id, what, where=API, act=act)
    if key is None:
        if incident_desk.life(desk().engine, str(incident_id)) is None:
            raise _none(incident_id)
        raise Conflict(f"incident {incident_id} does not fire: there is nothing to be {what}")
    return Taken(incident=key, change=what)


def _none(incident_id: int) -> NotFound:
    return NotFound(f"there is no incident {incident_id}")


def _whole(found: Life) -> WholeIncident:
    numbers = found.numbers
    return WholeIncident(
        **IncidentAnswer.model_validate(found.incident).model_dump(),
        turns=[TurnAnswer.model_validate(turn) for turn in found.turns],
        event_count=numbers.event_count,
        user_count=numbers.user_count,
        first_seen=numbers.first_seen,
        last_seen=numbers.last_seen,
        assignee=numbers.assignee,
        seen_in=[*found.seen_in],
        announced_to=[*found.announced_to],
        links=dict(found.links),
    )
