"""What others take the time to be."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sqlalchemy import Engine

from notifiers.errors import DeliveryError
from notifiers.http import Network, Timeouts
from settings import Settings
from storage.lateness import time_there

TIMEOUTS = Timeouts(connect_seconds=2.0, read_seconds=3.0)


def time_of_others(engine: Engine, settings: Settings) -> datetime | None:
    """The clock of the database's machine, if that is another; else Sentry's or Slack's, where we ask these anyway; None: nobody says."""
    if there := time_there(engine):
        return there
    network = Network(TIMEOUTS)
    try:
        if settings.sentry_api_token:
            answer = network.get(f"{settings.sentry_base_url}/api/0/", headers={"Accept": "application/json"})
        elif settings.slack_bot_token:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = network.post(f"{settings.slack_api_url}/api.test", body=b"", headers=form)
        else:
            return None
    except DeliveryError:
        return None  # that is for others to say
    said = next((value for name, value in answer.headers.items() if name.lower() == "date"), "")
    try:
        found = parsedate_to_datetime(said)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
