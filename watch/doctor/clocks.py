"""This machine's clock beside those of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from notifiers.errors import DeliveryError
from notifiers.http import Network, Timeouts
from storage.lateness import time_there
from watch.doctor.finding import Finding, Says
from watch.doctor.patient import Patient

SAYS = Says(group="clock")
OFF, FAR_OFF = timedelta(seconds=30), timedelta(minutes=2)
"""HTTP tells whole seconds, and an answer takes some time. Slack refuses what is five minutes old."""
TIMEOUTS = Timeouts(connect_seconds=2.0, read_seconds=3.0)
"""They are asked one after the other."""
_WAY_OUT = "see to NTP on both machines (`timedatectl`): silences, windows and cooldowns go by this clock"


def look(patient: Patient) -> Iterator[Finding]:
    """Beside the database's machine, Sentry's and Slack's, where there are such."""
    others = _others(patient)
    for name, ask in others.items():
        try:
            theirs = ask()
        except (DeliveryError, SQLAlchemyError):
            yield SAYS.unchecked(name, "it does not answer", "see what is said of it elsewhere in this report")
            continue
        if theirs is not None:
            yield _beside(name, patient.clock() - theirs)
    if not others:
        yield SAYS.unchecked("others", "nobody is asked who has a clock", "set SENTRY_API_TOKEN or SLACK_BOT_TOKEN, or see `timedatectl`")


def _others(patient: Patient) -> Mapping[str, Callable[[], datetime | None]]:
    found: dict[str, Callable[[], datetime | None]] = {}
    settings, engine = patient.settings, patient.engine
    if engine is not None and engine.dialect.name == "postgresql":
        found["database"] = lambda: time_there(engine)
    network = Network(TIMEOUTS)
    if settings.sentry_api_token or settings.sentry_client_secrets:
        found["sentry"] = lambda: network.time_at(f"{settings.sentry_base_url}/api/0/")
    if settings.slack_bot_token:
        found["slack"] = lambda: network.time_at(f"{settings.slack_api_url}/api.test")
    return found


def _beside(name: str, skew: timedelta) -> Finding:
    seconds = abs(skew).total_seconds()
    seen = f"ours is {seconds:.0f} s {'ahead' if skew > timedelta() else 'behind'}" if seconds >= 2 else "the same"
    if abs(skew) < OFF:
        return SAYS.ok(name, seen)
    return SAYS.fault(name, seen, _WAY_OUT) if abs(skew) >= FAR_OFF else SAYS.warning(name, seen, _WAY_OUT)
