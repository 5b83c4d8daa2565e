"""Events: what came, and what was decided of it."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from flask import Blueprint
from pydantic import Field, model_validator
from werkzeug.exceptions import NotFound

from routing.plan import Disposition
from routing.query import QueryError
from storage import alert_search, inspection, lists
from storage.alert_search import Wanted
from storage.events import EventState
from storage.inspection import NoSuchEventError
from storage.tokens import Scope
from web.api.notifications import NotificationAnswer, Title, Why
from web.api.operations import Answer, operation
from web.api.paging import LARGEST, AskedPage, Page, before, page_after, part
from web.api.problems import Fault, UnfitError
from web.desk import desk
from web.personal import masked
from web.searches import LONGEST, read_search


class AskedEvents(AskedPage):
    """Which events."""

    state: EventState | None = Field(None, description="only those")
    incident_id: int | None = Field(None, ge=1, le=LARGEST, description="only those of this incident")
    q: str | None = Field(None, max_length=LONGEST, description="only those that meet this search, in the language of rules.yaml")

    @model_validator(mode="after")
    def _alone(self) -> Self:
        if self.q is not None and (self.state or self.incident_id):
            raise ValueError("q goes with neither state nor incident_id")
        return self


class EventAnswer(Answer):
    """An event in a line."""

    id: int
    received_at: datetime
    resource: str
    action: str | None
    project: str | None
    environment: str | None
    title: Title | None
    state: EventState
    disposition: Disposition | None = Field(description="what became of it; null: nothing yet")


class EventInList(EventAnswer):
    """An event in a line, and whose it is."""

    level: str | None
    incident_id: int | None


class RuleVerdict(Answer):
    """What a rule said to an alert."""

    rule: str
    matched: bool
    why: Why = Field(description="the conditions that were met with their values, or the first one that was not")


class WholeEvent(EventAnswer):
    """An event, and why it was or was not told."""

    duplicate_of: int | None
    ignored_by: Why | None = Field(description="the entry of `ignore` that it met, and by what")
    error: str | None = Field(description="why it could not be planned")
    pruned_at: datetime | None = Field(description="when what it said was deleted for its age; null: it is still kept")
    rules_version: str | None
    trace: list[RuleVerdict]
    notifications: list[NotificationAnswer]


class EventPage(Page[EventInList]):
    """Events, the newest first."""


def add_events(api: Blueprint) -> None:
    """Their paths."""

    @api.get("/events")
    @operation(scope=Scope.READ, query=AskedEvents, answer=EventPage)
    def list_events(query: AskedEvents) -> EventPage:
        """List events, the newest first. A search looks for a fifth of a second: a page of it may hold fewer than `limit`, and go on."""
        if query.q is not None:
            return _searched(query, query.q)
        found = lists.events_before(desk().engine, before(query), state=query.state, incident_id=query.incident_id, limit=query.limit + 1)
        items, following = part(found, query.limit, lambda one: [one.id])
        return EventPage(items=[EventInList.model_validate(one) for one in items], next=following)

    @api.get(f"/events/<int(max={LARGEST}):event_id>")
    @operation(scope=Scope.READ, answer=WholeEvent)
    def show_event(event_id: int) -> WholeEvent:
        """Show an event: what each rule said to it, and who was told or not told, and why."""
        try:
            found = inspection.find_event(desk().engine, event_id)
        except NoSuchEventError as error:
            raise NotFound(str(error)) from None
        told = [NotificationAnswer.model_validate(one) for one in inspection.listed(desk().engine, event_id=event_id, oldest_first=True)]
        verdicts = [RuleVerdict(rule=one.rule, matched=one.matched, why=one.why) for one in found.trace]
        plain = EventAnswer.model_validate(found).model_dump()
        return WholeEvent(
            **plain,
            duplicate_of=found.duplicate_of,
            ignored_by=found.ignored_by,
            error=found.error and str(masked(found.error)),
            rules_version=found.rules_version,
            pruned_at=found.pruned_at,
            trace=verdicts,
            notifications=told,
        )


def _searched(asked: AskedEvents, text: str) -> EventPage:
    try:
        wanted = Wanted(query=read_search(text))
    except QueryError as error:
        raise UnfitError("the search is not right", [Fault(where="q", detail=f"at {error.position + 1}: {error}")]) from None
    found = alert_search.search(desk().engine, wanted, desk().clock(), before=before(asked), limit=asked.limit)
    following = page_after([found.older_than]) if found.older_than is not None else None
    return EventPage(items=[EventInList.model_validate(one) for one in found.events], next=following)
