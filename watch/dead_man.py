"""Tells somebody outside, every minute, that all is well; where that does not come, he raises the alarm: whatever else is dead here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from pydantic import SecretStr
from sqlalchemy import Engine

from notifiers.errors import DeliveryError
from notifiers.http import Network, Timeouts
from settings import Settings
from storage import lateness, troubles
from watch import canary, checks

TIMEOUTS = Timeouts(connect_seconds=3.0, read_seconds=5.0)

log = structlog.get_logger()


def what_is_wrong(engine: Engine, canary_every: timedelta, now: datetime) -> str:
    """Why nobody may be told that all is well; empty: it is."""
    if lasting := troubles.listed(engine, is_open=True, limit=1):
        return lasting[0].said
    waiting, late = lateness.undecided_since(engine), lateness.untold_since(engine, now)
    if waiting and now - waiting >= checks.LATE:
        return "webhooks wait to be decided"
    if late and now - late >= checks.LATE:
        return "messages wait that could go"
    return "" if canary.is_fresh(engine, canary_every, now) else "the last canary is too old"


def ping_if_well(settings: Settings, engine: Engine, canary_every: timedelta, clock: Callable[[], datetime]) -> None:
    """One ping, if all is well; a service as Healthchecks is missing it, if not: https://healthchecks.io/docs/http_api/."""
    assert settings.dead_man_url, "there is nobody to ping"  # noqa: S101 - whoever has none does not ask
    url = settings.dead_man_url.get_secret_value().rstrip("/")
    if why := what_is_wrong(engine, canary_every, clock()):
        log.warning("dead_man_not_pinged", said=why, effect="whoever waits for the ping raises the alarm")
        if not settings.dead_man_hears_of_faults:
            return
        url += "/fail"
    try:
        Network(TIMEOUTS).get(url, headers={"User-Agent": "sentry-alert-router"}, secrets=(SecretStr(url), settings.dead_man_url))
    except DeliveryError as error:
        log.warning("dead_man_not_pinged", said=str(error), effect="tried again in a minute")
