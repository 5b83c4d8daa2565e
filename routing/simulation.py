"""The service in small: alerts under rules, with a clock that the caller turns. Decides by the planner's World; stores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from routing.alert import Alert, Status
from routing.fingerprint import content_key, incident_key
from routing.incident import Incident, Timer
from routing.notification import PlannedNotification
from routing.own_events import Change, read_change
from routing.plan import Plan
from routing.rules import RuleSet
from routing.sentry import RESOURCES
from routing.silences import Silence
from routing.world import Heard, World, due_together

MAX_COMEBACKS = 20_000
"""Of the rules of one simulation; a reminder every second makes as many in a day."""


class TooManyComebacksError(Exception):
    """The rules come back to their incidents without end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """A notification that the service would make, sent or held."""

    at: datetime
    event: int
    """The number of the alert that it tells of."""
    alert: Alert
    incident: str
    """Its key, also where a fingerprint joins several issues."""
    notification: PlannedNotification
    timer: Timer | None = None
    """On which occasion a rule came back to it; None: its alert came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What became of one alert."""

    event: int
    """Its number, from 1."""
    at: datetime
    alert: Alert
    incident: str
    plan: Plan | None
    """None for a webhook of a resource that this version has never heard of."""


class Simulation:
    """What the service would do, alert after alert. Time only goes forward.

    What is due by time comes at its own moment, and before an alert that comes at the same.
    """

    def __init__(self, rules: RuleSet, silences: Sequence[Silence] = ()) -> None:
        self.rules = rules
        self.sayings: list[Saying] = []
        """All that was said and held, in its order."""
        self.hearings: list[Hearing] = []
        self._world = World(silences=tuple(silences))
        self._alerts: dict[int, Alert] = {}
        self._comebacks = 0
        self._now: datetime | None = None

    def hear(self, alert: Alert, at: datetime) -> Hearing:
        """An alert comes at a time."""
        self.advance(at)
        event, issue = len(self.hearings) + 1, incident_key(alert)
        heard = Heard(event=event, alert=alert, incident_key=issue, content_key=content_key(alert))
        planned = self._world.hear(heard, self.rules, at) if alert.resource in RESOURCES else None
        incident = planned.inputs.incident if planned else issue
        hearing = Hearing(event=event, at=at, alert=alert, incident=incident, plan=planned)
        self.hearings.append(hearing)
        self._alerts[event] = alert
        for notification in planned.notifications if planned else ():
            self.sayings.append(Saying(at=at, event=event, alert=alert, incident=incident, notification=notification))
        return hearing

    def advance(self, to: datetime) -> None:
        """Let time pass: whatever is due until then comes, each at its own time.

        Raises:
            ValueError: that time is over.
            TooManyComebacksError: so much comes in it that nobody means it.
        """
        if self._now is not None and to < self._now:
            raise ValueError(f"{to} is before {self._now}, and time only goes forward")
        while (due_at := self._next_due()) is not None and due_at <= to:
            if self._comebacks > MAX_COMEBACKS:
                raise TooManyComebacksError(f"rules came back to incidents more than {MAX_COMEBACKS:,} times")
            self._come_due(max(due_at, self._now or due_at))
        self._now = to

    def acknowledge(self, incident: str, at: datetime) -> bool:
        """Somebody takes an incident on, or the one into which its issue is joined; whether it is one that fires."""
        self.advance(at)
        key = self._world.joined.get(incident, incident)
        known = self._world.incidents.get(key)
        if known is None or known.status is not Status.FIRING:
            return False
        self.hear(read_change({"change": Change.ACKNOWLEDGED.value, "incident": key, "where": "the test"}, at), at)
        return True

    def set_silences(self, silences: Sequence[Silence], at: datetime) -> None:
        """From now on these are the silences."""
        self.advance(at)
        self._world.silences = tuple(silences)

    def _next_due(self) -> datetime | None:
        return min((timer.due_at for _, timer in self._timers()), default=None)

    def _come_due(self, now: datetime) -> None:
        self._now = now
        for batch in due_together(self._timers(), now):
            self._comebacks += len(batch)
            for due, notification in self._world.come_due(batch, self._alerts, self.rules, now).notifications:
                timer, incident = due.timer, due.history.incident
                saying = Saying(at=now, event=timer.event, alert=due.alert, incident=incident, notification=notification, timer=timer)
                self.sayings.append(saying)

    def _timers(self) -> list[tuple[Incident, Timer]]:
        return [(incident, timer) for incident in self._world.incidents.values() for timer in incident.timers.values()]
