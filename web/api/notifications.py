"""Notifications: what was told to whom, or why it was not; and sending it again."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self, TypeAlias

from flask import Blueprint
from pydantic import AfterValidator, Field, model_validator
from werkzeug.exceptions import NotFound

from routing.notification import Lane, Outcome, Reason, Severity, State
from storage import inspection, notifications
from storage.tokens import Scope
from web.access import note
from web.alert_masking import visible_reason
from web.api.operations import Answer, Body, Moment, operation
from web.api.paging import LARGEST, AskedPage, Page, before, part
from web.desk import desk
from web.personal import masked, visible_answer, visible_title

MOST = 1000
"""So many are named in one request."""

Title: TypeAlias = Annotated[str, AfterValidator(visible_title)]
"""What an alert is headed; without the message for whoever may not see it."""
Why: TypeAlias = Annotated[str, AfterValidator(visible_reason)]
"""Why something was done; ••• for whoever may not see the personal data in it."""


class AskedNotifications(AskedPage):
    """Which notifications."""

    state: State | None = Field(None, description="only those")
    receiver: str | None = Field(None, max_length=200, description="only those to this receiver")
    event_id: int | None = Field(None, ge=1, le=LARGEST, description="only those of this event")
    incident_id: int | None = Field(None, ge=1, le=LARGEST, description="only those of this incident")
    since: Moment | None = Field(None, description="planned then or later")
    until: Moment | None = Field(None, description="planned before then")


class NotificationAnswer(Answer):
    """A notification in a line."""

    id: int
    event_id: int
    incident: str = Field(description="its key")
    receiver: str
    kind: str
    rules: list[str]
    severity: Severity
    reason: Reason
    why: Why
    state: State
    created_at: datetime
    next_attempt_at: datetime
    finished_at: datetime | None
    attempts: int


class NotificationPage(Page[NotificationAnswer]):
    """Notifications, the newest first."""


class AttemptAnswer(Answer):
    """A try to deliver it."""

    number: int
    began_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None = Field(description="null: it is under way")
    status_code: int | None
    excerpt: Annotated[str, AfterValidator(visible_answer)] = Field(description="what the receiver answered")
    payload: str = Field(description="what was sent; ••• for whoever may not see personal data")


class WholeNotification(NotificationAnswer):
    """A notification with each attempt."""

    tried: list[AttemptAnswer]


class Group(StrEnum):
    """What is sent again together."""

    DEAD = "dead"
    PREVIEWS = "previews"


class Requeue(Body):
    """Which are to be sent again: named, or all that are dead or were only previewed."""

    ids: list[int] | None = Field(None, min_length=1, max_length=MOST, description="these")
    all: Group | None = Field(None, description="all of these, as far as what follows does not narrow them")
    receiver: str | None = Field(None, max_length=200)
    since: Moment | None = Field(None, description="planned then or later")
    until: Moment | None = Field(None, description="planned before then")
    dry_run: bool = Field(default=False, description="only say which")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.ids is None) == (self.all is None):
            raise ValueError("write ids, or all, one of them")
        if self.ids is not None and any((self.receiver, self.since, self.until)):
            raise ValueError("receiver, since and until narrow all; ids need no narrowing")
        if self.ids and not all(0 < number <= LARGEST for number in self.ids):
            raise ValueError("ids are numbers of notifications")
        return self


class Requeued(Answer):
    """Which are, or would be. What is neither dead nor a preview, or is over, is left alone."""

    ids: list[int]
    dry_run: bool


def add_notifications(api: Blueprint) -> None:
    """Their paths."""

    @api.get("/notifications")
    @operation(scope=Scope.READ, query=AskedNotifications, answer=NotificationPage)
    def list_notifications(query: AskedNotifications) -> NotificationPage:
        """List notifications, the newest first."""
        which = query.model_dump(exclude={"limit", "cursor"})
        found = inspection.listed(desk().engine, before=before(query), **which, limit=query.limit + 1)
        items, following = part(found, query.limit, lambda one: [one.id])
        return NotificationPage(items=[NotificationAnswer.model_validate(one) for one in items], next=following)

    @api.get(f"/notifications/<int(max={LARGEST}):notification_id>")
    @operation(scope=Scope.READ, answer=WholeNotification)
    def show_notification(notification_id: int) -> WholeNotification:
        """Show a notification with each attempt to deliver it."""
        found = inspection.listed(desk().engine, id=notification_id)
        if not found:
            raise NotFound(f"there is no notification {notification_id}")
        tried = [AttemptAnswer.model_validate(one) for one in inspection.tried(desk().engine, notification_id)]
        shown = [one.model_copy(update={"payload": one.payload and masked(one.payload)}) for one in tried]
        return WholeNotification(**NotificationAnswer.model_validate(found[0]).model_dump(), tried=shown)

    @api.post("/notifications/requeue")
    @operation(scope=Scope.OPERATE, body=Requeue, answer=Requeued)
    def requeue_notifications(body: Requeue) -> Requeued:
        """Send dead notifications again, and previews now."""
        ids = notifications.requeue(
            desk().engine,
            ids=body.ids,
            state=State.HELD if body.all is Group.PREVIEWS else State.DEAD,
            receiver=body.receiver,
            since=body.since,
            until=body.until,
            now=desk().clock(),
            dry_run=body.dry_run,
        )
        if ids and not body.dry_run:
            note("notification.requeue", f"{len(ids)} notifications", ", ".join(map(str, ids)))
            for lane in Lane:
                desk().ring(lane)
        return Requeued(ids=[*ids], dry_run=body.dry_run)
