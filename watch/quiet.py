"""Whether Sentry has gone quiet: a project of which nothing comes any more for longer than is usual at this time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from routing.rhythm import WEEK, WEEKS
from routing.trouble import Trouble
from storage import arrivals
from watch.alarm import Alarm

CHECK = "source-quiet"
_WAY_OUT = (
    "See in Sentry whether the integration is still installed and its webhook on (Settings, Custom Integrations: its dashboard lists the "
    "last requests), whether alert rules still name it, and whether the project still sends. If it was given up, this ends in eight weeks."
)


def look(engine: Engine, alarm: Alarm, now: datetime) -> None:
    """Count what came, and compare."""
    while arrivals.count(engine, now) == arrivals.AT_ONCE:
        pass
    arrivals.forget(engine, now - WEEK * WEEKS)
    for project, rhythm in arrivals.rhythms(engine, now).items():
        if rhythm.is_broken(now):
            said = f"No webhook of {project} has come from Sentry since {rhythm.last_at:%Y-%m-%d %H:%M} UTC, which is unusual at this time"
            alarm.see(Trouble(check=CHECK, subject=project, said=said, way_out=_WAY_OUT))
        elif rhythm.is_learnt():
            alarm.over(CHECK, project)
