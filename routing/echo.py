"""Tells whether a vendor says no more than what the router itself did there: the incident may have gone on since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from routing.alert import ENDS, Alert
from routing.notification import FOLLOW_UPS, Reason

CLOCKS_DIFFER = timedelta(minutes=1)
"""Of vendors, who say when somebody did something, and ours."""


class Saying(NamedTuple):
    """What the router told a place of something, but for what tells nobody."""

    reason: Reason
    at: datetime
    """When it went out."""


def is_echo(alert: Alert, told: Sequence[Saying]) -> bool:
    """Whether a vendor's alert may only say what the router did, by what it told there last; `told` has the newest first.

    What people do is none, where the vendor says who did it.
    """
    if not alert.by_app:
        return False
    if alert.status in ENDS:
        return Reason.RESOLVED in _reasons(alert, told)
    if alert.acknowledged is True and not alert.reopens:
        return Reason.ACKNOWLEDGED in _reasons(alert, told)
    return alert.reopens and any(
        later.reason not in FOLLOW_UPS and earlier.reason is Reason.RESOLVED and _is_near(alert, later) for later, earlier in pairwise(told)
    )


def _reasons(alert: Alert, told: Sequence[Saying]) -> set[Reason]:
    """Why the router spoke there at the time, and last before that."""
    before = [said.reason for said in told if said.at <= alert.occurred_at + CLOCKS_DIFFER]
    return {*before[:1], *(said.reason for said in told if _is_near(alert, said))}


def _is_near(alert: Alert, said: Saying) -> bool:
    return abs(said.at - alert.occurred_at) <= CLOCKS_DIFFER
