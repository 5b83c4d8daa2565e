"""What would be decided of a webhook if it came at some time, by what is remembered now. Changes nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from routing.alert import Alert
from routing.fingerprint import incident_key
from routing.plan import Plan
from routing.rules import RuleSet
from routing.world import Heard, World
from storage import events
from storage.events import Event
from storage.inspection import NoSuchEventError
from storage.memory import Coming, Memory


def decide(engine: Engine | None, alert: Alert, rules: RuleSet, at: datetime) -> Plan:
    """The plan for an alert that comes at this time; without an engine as if nothing had ever come before."""
    return _world(engine, alert, rules, at).hear(_heard(alert), rules, at)


def find(engine: Engine, event_id: int) -> Event:
    """The webhook of an event.

    Raises:
        NoSuchEventError: there is none of this number.
    """
    with engine.connect() as connection:
        found = events.of(connection, [event_id])
    if not found:
        raise NoSuchEventError(f"there is no event {event_id}")
    return found[0]


def _world(engine: Engine | None, alert: Alert, rules: RuleSet, at: datetime) -> World:
    if engine is None:
        return World()
    with engine.connect() as connection:
        return Memory.for_alerts(connection, [Coming(alert, incident_key(alert), at)], rules, at).world


def _heard(alert: Alert) -> Heard:
    # Without a content key: who asks what would happen does not mean that nothing would, because it has happened.
    return Heard(event=0, alert=alert, incident_key=incident_key(alert), content_key=None)
