"""Receivers: who is told, and how telling them goes."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint
from pydantic import Field

from storage import overview
from storage.tokens import Scope
from web.api.operations import Answer, operation
from web.desk import desk
from web.rules_in_force import rules_in_force


class ClosedAnswer(Answer):
    """That it is told nothing for now."""

    until: datetime
    why: str
    is_broken: bool = Field(description="it failed; else it only lets so much through at a time")


class ReceiverAnswer(Answer):
    """A receiver, and how telling it goes."""

    receiver: str
    kind: str | None = Field(description="null: the rules in force do not know it any more")
    last_sent_at: datetime | None
    last_dead_at: datetime | None = Field(description="when a message to it was given up last")
    waiting: int
    oldest: datetime | None = Field(description="since when the first of those waits")
    closed: ClosedAnswer | None


class Receivers(Answer):
    """All of them."""

    items: list[ReceiverAnswer]


def add_receivers(api: Blueprint) -> None:
    """Their path."""

    @api.get("/receivers")
    @operation(scope=Scope.READ, answer=Receivers)
    def list_receivers() -> Receivers:
        """List receivers: those of the rules in force, and those for which anything still waits."""
        rules = rules_in_force()
        known = rules.receivers if rules else {}
        found = overview.health(desk().engine, [*known], desk().clock())
        return Receivers(
            items=[
                ReceiverAnswer(
                    receiver=one.receiver,
                    kind=known[one.receiver].kind if one.receiver in known else None,
                    last_sent_at=one.last_sent_at,
                    last_dead_at=one.last_dead_at,
                    waiting=one.waiting,
                    oldest=one.oldest,
                    closed=ClosedAnswer.model_validate(one.closed) if one.closed else None,
                )
                for one in found
            ]
        )
