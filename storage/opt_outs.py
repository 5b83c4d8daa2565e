"""Destinations whose owners want to hear nothing any more, as their vendors say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from routing.notification import Attempt
from storage.tables import notifications, opt_outs


def since(connection: Connection, places: Collection[str]) -> dict[str, datetime]:
    """By destination since when, for those of them that have opted out."""
    rows = connection.execute(select(opt_outs.c.place, opt_outs.c.at).where(opt_outs.c.place.in_(places))) if places else ()
    return {row.place: row.at for row in rows}


def remember(connection: Connection, finished: Sequence[tuple[int, Attempt]]) -> None:
    """What attempts have found out of their notifications' destinations."""
    found = {id_: attempt for id_, attempt in finished if attempt.opted_out is not None}
    if not found:
        return
    rows = connection.execute(select(notifications.c.id, notifications.c.place).where(notifications.c.id.in_(found))).all()
    connection.execute(delete(opt_outs).where(opt_outs.c.place.in_({row.place for row in rows})))
    out = {row.place: found[row.id].ended_at for row in rows if found[row.id].opted_out}
    if out:
        connection.execute(insert(opt_outs), [{"place": place, "at": at} for place, at in out.items()])
