"""How many webhooks of each project came in each hour: counted once, so that neither how many are stored nor which were deleted matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from routing.rhythm import WEEK, WEEKS, Rhythm, beginning_of_hour
from storage import marks
from storage.events import EventState
from storage.tables import arrivals, events

COUNTED = "arrivals"
"""The mark of how far is counted."""
AT_ONCE = 5_000


def count(engine: Engine, now: datetime) -> int:
    """Count what was decided since it was counted last; says how many. For one worker at a time."""
    done = int(marks.read(engine, COUNTED) or 0)
    query = select(events.c.id, events.c.state, events.c.resource, events.c.project, events.c.received_at).where(events.c.id > done)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(events.c.id).limit(AT_ONCE)).all()
    decided = []
    for row in rows:
        if row.state == EventState.WAITING:
            break
        decided.append(row)
    if not decided:
        return 0
    # What is of our own has a colon in its resource, and canaries have no project.
    counted = Counter((row.project, beginning_of_hour(row.received_at)) for row in decided if row.project and ":" not in row.resource)
    last = {row.project: row.received_at for row in decided if row.project and ":" not in row.resource}
    _add(engine, counted, last)
    marks.write(engine, COUNTED, str(decided[-1].id), now)
    return len(decided)


def rhythms(engine: Engine, now: datetime) -> Mapping[str, Rhythm]:
    """By project what was seen of it lately."""
    found: dict[str, dict[datetime, int]] = {}
    last: dict[str, datetime] = {}
    with engine.connect() as connection:
        for row in connection.execute(
            select(arrivals, arrivals.c["count"].label("number")).where(arrivals.c.hour > now - WEEK * WEEKS).order_by(arrivals.c.hour)
        ):
            found.setdefault(row.project, {})[row.hour] = row.number
            last[row.project] = max(last.get(row.project, row.last_at), row.last_at)
    return {project: Rhythm(counts, last[project]) for project, counts in found.items()}


def forget(engine: Engine, before: datetime) -> None:
    """What is too old to tell what is usual."""
    with engine.begin() as connection:
        connection.execute(delete(arrivals).where(arrivals.c.hour < before))


def _add(engine: Engine, counted: Mapping[tuple[str, datetime], int], last: Mapping[str, datetime]) -> None:
    dialect = sqlite if engine.dialect.name == "sqlite" else postgresql
    rows = [
        {"project": project, "hour": hour, "count": number, "last_at": min(last[project], hour.replace(minute=59, second=59))}
        for (project, hour), number in counted.items()
    ]
    if not rows:
        return
    new = dialect.insert(arrivals).values(rows)
    changed = {"count": arrivals.c["count"] + new.excluded["count"], "last_at": new.excluded.last_at}
    with engine.begin() as connection:
        connection.execute(new.on_conflict_do_update(index_elements=["project", "hour"], set_=changed))
