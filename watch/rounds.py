"""Goes the rounds of the checks, and has the alarm told what each has found."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from watch.alarm import Alarm
from watch.checks import Check, NotKnownYetError

EVERY_SECONDS = 10.0

log = structlog.get_logger()


def go_round(checks: Sequence[Check], alarm: Alarm) -> None:
    """Once. What a check cannot know now it leaves as it was."""
    for check in checks:
        try:
            trouble = check.look()
        except (SQLAlchemyError, NotKnownYetError):
            continue  # `database` tells of the first
        except Exception:  # a fault of ours in one check must not end the others
            log.exception("check_failed", check=check.name, effect="tried again at the next round")
            continue
        if trouble:
            alarm.see(trouble)
        else:
            alarm.over(check.name, unseen_for=check.unseen_for)
    alarm.catch_up()


def keep_going_round(checks: Sequence[Check], alarm: Alarm, stopping: threading.Event, *, every_seconds: float = EVERY_SECONDS) -> None:
    """At once, so that checks know how things were at the start, and until it is time to stop."""
    go_round(checks, alarm)
    while not stopping.wait(every_seconds):
        go_round(checks, alarm)
