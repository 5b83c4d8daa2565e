"""Who has changed what, for those who keep watch over it elsewhere."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint

from storage import audit
from storage.tokens import Scope
from web.api.operations import Answer, operation
from web.api.paging import AskedPage, Page, before, part
from web.desk import desk


class EntryAnswer(Answer):
    """A change."""

    id: int
    at: datetime
    who: str
    origin: str
    action: str
    subject: str
    detail: str


class AuditPage(Page[EntryAnswer]):
    """Changes, the newest first."""


def add_audit(api: Blueprint) -> None:
    """Their path."""

    @api.get("/audit")
    @operation(scope=Scope.ADMIN, query=AskedPage, answer=AuditPage)
    def list_changes(query: AskedPage) -> AuditPage:
        """List who has changed what in the console or by the API, the newest first."""
        found = audit.listed(desk().engine, before=before(query), limit=query.limit + 1)
        items, following = part(found, query.limit, lambda one: [one.id])
        return AuditPage(items=[EntryAnswer.model_validate(one) for one in items], next=following)
