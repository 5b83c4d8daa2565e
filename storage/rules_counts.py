"""How often each rule was met lately, and what came of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy import Engine, select

from routing.notification import ANNOUNCES_NOTHING, State
from storage.tables import notifications

MOST = 20_000
"""So many of the newest notifications are looked at: whatever is stored, the answer is there at once."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What one rule came to."""

    events: set[int] = field(default_factory=set)
    """Those that it spoke of, or would have."""
    notified: int = 0
    """Messages, given up ones included."""
    held: int = 0

    @property
    def matched(self) -> int:
        """How many events met it."""
        return len(self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """All of them, and how far back was looked."""

    by_rule: Mapping[str, Counts]
    since: datetime
    """Of older ones nothing is counted."""
    are_all: bool
    """Whether all since then were asked for; else there were more than are looked at."""


def counted(engine: Engine, since: datetime) -> Counted:
    """What each rule came to since then, of the newest notifications; what only follows an announcement is not counted.

    An event that meets a rule leaves a notification, sent or held, for each receiver: by them, and not by the traces, it is counted.
    """
    # By ix_notifications_created_at from its end, so the number of rows that are read is the limit and no more.
    columns = notifications.c
    newest = columns.created_at.desc()
    query = select(columns.event_id, columns.rules, columns.state, columns.reason).where(columns.created_at > since).order_by(newest)
    with engine.connect() as connection:
        rows = connection.execute(query.limit(MOST + 1)).all()
        are_all = len(rows) <= MOST
        if not are_all:
            since = connection.execute(select(columns.created_at).order_by(newest).offset(MOST - 1).limit(1)).scalar_one()
    by_rule: defaultdict[str, Counts] = defaultdict(Counts)
    names: dict[str, list[str]] = {}
    for event, rules, state, reason in rows[:MOST]:
        if reason in ANNOUNCES_NOTHING:
            continue
        if rules not in names:
            names[rules] = msgspec.json.decode(rules, type=list[str])
        for name in names[rules]:
            _count(by_rule[name], event, state)
    return Counted(by_rule=dict(by_rule), since=since, are_all=are_all)


def _count(counts: Counts, event: int, state: str) -> None:
    counts.events.add(event)
    if state == State.HELD:
        counts.held += 1
    else:
        counts.notified += 1
