"""A sequence of alerts under rules, with a clock that the test turns: what is told when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from notifiers.preview import PreviewOptions
from routing.alert import Alert, Status
from routing.durations import read_duration
from routing.fingerprint import incident_key
from routing.incident import Timer
from routing.notification import PlannedNotification, State
from routing.own_events import read_change
from routing.rules import RuleSet
from routing.rules_loading import load
from routing.silences import Silence
from routing.world import Heard, World, due_together
from tests.factories import NOW, make_alert

RECEIVERS = "version: 1\nreceivers: {chat: {kind: preview}, mail: {kind: preview}, pager: {kind: preview}}\n"


def rules_of(text: str) -> RuleSet:
    """The rules of a text; it may tell chat, mail and pager."""
    return load(RECEIVERS + text, kinds={"preview": PreviewOptions}, environment={})


class Story:
    """What the service would do, hour after hour."""

    def __init__(self, rules: str, *, now: datetime = NOW, silences: Sequence[Silence] = ()) -> None:
        self.rules = rules_of(rules)
        self.now = now
        self.world = World(silences=silences)
        self.notifications: list[PlannedNotification] = []
        """Those of the last step, held ones too."""
        self._alerts: dict[int, Alert] = {}

    def alert(self, issue: int = 1, **changes: object) -> list[str]:
        """An alert comes; what is told or held, as `chat first`, `(chat cooldown)`."""
        return self.hear(make_alert(**{"issue_id": str(issue), "received_at": self.now, "occurred_at": self.now, **changes}))

    def acknowledge(self, issue: int = 1, **content: str) -> list[str]:
        """Somebody takes an issue on; what is told."""
        content = {"change": "acknowledged", "incident": f"issue:{issue}", "where": "Slack", **content}
        return self.hear(read_change(content, self.now))

    def hear(self, alert: Alert) -> list[str]:
        """As `alert`, of one that is ready; it comes now, whatever it says."""
        event = len(self._alerts) + 1
        self._alerts[event] = alert
        self.heard = Heard(event=event, alert=alert, incident_key=incident_key(alert), content_key=None)
        self.plan = self.world.hear(self.heard, self.rules, self.now)
        self.notifications = list(self.plan.notifications)
        return self._told()

    def resolved(self, issue: int = 1) -> list[str]:
        """Sentry says that an issue is resolved; what is told or held."""
        return self.alert(issue, resource="issue", action="resolved", status=Status.RESOLVED)

    def wait(self, duration: str) -> list[str]:
        """Time passes; what is told or held by itself."""
        end = self.now + read_duration(duration)
        self.notifications = []
        while due := self._due(end):
            self.now = max(self.now, due[0].due_at)
            pairs = [(incident, timer) for incident in self.world.incidents.values() for timer in incident.timers.values()]
            for batch in due_together(pairs, self.now):
                comeback = self.world.come_due(batch, self._alerts, self.rules, self.now)
                self.notifications += [notification for _, notification in comeback.notifications]
        self.now = end
        return self._told()

    def _due(self, end: datetime) -> list[Timer]:
        timers = [timer for incident in self.world.incidents.values() for timer in incident.timers.values()]
        return sorted((timer for timer in timers if timer.due_at <= end), key=lambda timer: timer.due_at)[:1]

    def _told(self) -> list[str]:
        return [
            f"{one.receiver} {one.reason}" if one.state is State.PLANNED else f"({one.receiver} {one.reason})" for one in self.notifications
        ]
