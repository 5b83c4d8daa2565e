"""What may be lost although every process lives: each check looks once, and says what it has found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from routing.rules import RuleSet
from routing.trouble import Trouble
from storage import fallbacks, lateness, marks, spool
from watch import canary
from watch.checks import Check, NotKnownYetError

PLANNING, NOT_TOLD, SPOOL, CANARY_LATE = "planning", "not-told", "spool", "canary-late"
A_WHILE = timedelta(hours=1)
"""What was lost in it is news."""
SPOOLED_FOR = timedelta(minutes=2)
"""Longer than it takes to read in what came while the database was started anew."""


def cannot_decide(engine: Engine, clock: Callable[[], datetime]) -> Check:
    """Whether webhooks of the last day could not be decided, by a fault of ours."""

    def look_at_it() -> Trouble | None:
        count = lateness.undecidable(engine, clock() - timedelta(days=1))
        if not count:
            return None
        said = f"{count} of the last day's webhooks could not be decided: nobody is told of them"
        way_out = "`flask alerts explain` says why; they are decided after the next change of the rules or of the code."
        return Trouble(check=PLANNING, said=said, way_out=way_out)

    return Check(name=PLANNING, look=look_at_it)


def told_nobody(engine: Engine, clock: Callable[[], datetime]) -> Check:
    """Whether messages were given up lately, and nobody was told instead."""

    def look_at_it() -> Trouble | None:
        count = fallbacks.nobody_told_since(engine, clock() - A_WHILE)
        if not count:
            return None
        said = f"{count} messages of the last hour were given up, and nobody was told instead"
        way_out = "The console's Deliveries lists them with their errors, to send them again; name `dead_letters` of another vendor."
        return Trouble(check=NOT_TOLD, said=said, way_out=way_out)

    return Check(name=NOT_TOLD, look=look_at_it)


def spool_stays(folder: Path, writes: Engine, clock: Callable[[], datetime]) -> Check:
    """Whether what was spooled is not read in, although the database takes what is written."""

    def look_at_it() -> Trouble | None:
        _, since = spool.waiting(folder)
        if since is None or clock() - since < SPOOLED_FOR:
            return None
        marks.write(writes, "written", "", clock())  # raises if it does not: then `database` tells of that
        said = f"Webhooks wait in SPOOL_DIR since {since:%H:%M:%S} UTC, although the database takes what is written"
        way_out = "See the web process's log (`spool_not_read_in`, `spool_cut_off`) and the rights of the files."
        return Trouble(check=SPOOL, said=said, way_out=way_out)

    return Check(name=SPOOL, look=look_at_it)


def canary_stays_away(engine: Engine, rules: Callable[[], RuleSet | None], clock: Callable[[], datetime]) -> Check:
    """Whether no canary has come home for twice its time, although some did before."""

    def look_at_it() -> Trouble | None:
        in_force, last = rules(), marks.when(engine, canary.CHECK)
        if in_force is None or last is None:
            raise NotKnownYetError
        if canary.is_fresh(engine, in_force.watch.canary, clock()):
            return None
        said = f"No canary has come home since {last:%Y-%m-%d %H:%M} UTC: nobody knows whether receivers can be told"
        way_out = "See the workers' log (`duty_failed` of `fly a canary`); start a worker anew if it hangs."
        return Trouble(check=CANARY_LATE, said=said, way_out=way_out)

    return Check(name=CANARY_LATE, look=look_at_it)
