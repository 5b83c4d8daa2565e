"""Ends of what stands in several places: each place gets one of its own.

A receiver may be led elsewhere while messages to it are on their way: what was planned for one place has then been told in two.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection, bindparam, func, insert, literal, or_, select, update

from routing.notification import FOLLOW_UPS, Reason, State
from storage.tables import UtcDateTime, notifications
from storage.told import went_out


def part(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """See to it that these ends, which are about to be told, are told wherever what they end was told since the last end.

    Where that is one place, as it nearly always is, nothing changes. Where there are more, the last of them gets the end itself, and
    each other a copy. Only now is known which they are: all that an end has to end is out, or will never be.
    """
    if not ids:
        return
    places = connection.execute(_PLACES, {"ids": ids}).all()
    for id_, found in groupby(places, key=attrgetter("id")):
        last, *others = sorted(found, key=attrgetter("told_id"), reverse=True)
        if others:
            connection.execute(_TO_ONE, {"end": id_, "at": last.sent_place, "ends": last.told_id})
            connection.execute(_COPY, [{"end": id_, "at": one.sent_place, "ends": one.told_id, "now": now} for one in others])


_told, _ended = notifications.alias("told"), notifications.alias("ended")
_last_end = (
    select(func.coalesce(func.max(_ended.c.id), 0))
    .where(_ended.c.subject == notifications.c.subject, _ended.c.place == notifications.c.place, _ended.c.id < notifications.c.id)
    .where(_ended.c.reason == Reason.RESOLVED, or_(_ended.c.state == State.SENT, _ended.c.state == State.HELD))
    .correlate(notifications)
    .scalar_subquery()
)
_PLACES = (
    select(notifications.c.id, _told.c.sent_place, func.max(_told.c.id).label("told_id"))
    .join(_told, (_told.c.subject == notifications.c.subject) & (_told.c.place == notifications.c.place))
    .where(notifications.c.id.in_(bindparam("ids", expanding=True)), notifications.c.ends.is_(None))
    .where(_told.c.id < notifications.c.id, _told.c.id > _last_end, _told.c.sent_place.is_not(None))
    .where(_told.c.reason.not_in(FOLLOW_UPS), went_out(_told))
    .group_by(notifications.c.id, _told.c.sent_place)
    .order_by(notifications.c.id)
)
_TO_ONE = update(notifications).where(notifications.c.id == bindparam("end")).values(sent_place=bindparam("at"), ends=bindparam("ends"))
_ITS_OWN = {
    "sent_place": bindparam("at"),
    "ends": bindparam("ends"),
    "next_attempt_at": bindparam("now", type_=UtcDateTime()),
    "occasion": notifications.c.occasion + literal(" at ") + bindparam("at"),
}
_ANEW = {"id", "claimed_by", "finished_at", "reference", "vendor_key", "link", "rules_version"}
_copied = {column.name: column for column in notifications.c if column.name not in _ANEW}
_COPY = insert(notifications).from_select(
    [*_copied], select(*{**_copied, **_ITS_OWN}.values()).where(notifications.c.id == bindparam("end"))
)
