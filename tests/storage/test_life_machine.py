"""Whatever happens, in whatever order: once all has settled, what is open at a destination is open here, and nothing else is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from tempfile import TemporaryDirectory
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlalchemy import Engine, select

from notifiers.dispatch import Dispatch
from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network
from notifiers.notifier import Clock, Receipt, ReceiverOptions
from routing.alert import Json, Status
from routing.notification import FOLLOW_UPS, Lane, Notification, Reason
from routing.own_events import Change
from routing.rules import RuleSet
from routing.rules_loading import load
from settings import Settings
from storage import claims, incident_desk, inspection, notifications, outcomes, silences
from storage.claims import Claimed
from storage.coming_back import is_due, plan_due
from storage.database import open_database, upgrade
from storage.incident_desk import Somebody
from storage.tables import announcements, incidents
from tests.factories import NOW, Webhook, event_alert_webhook, issue_webhook, make_silence, metric_alert_webhook
from tests.storage.planned import plan_all, store

EXAMPLES = int(os.environ.get("LIFE_EXAMPLES") or 60)
"""So many in the suite; `make nightly` asks for 2,000."""

SETS = [
    "{name: all, when: '', notify: [chat, mail], cooldown: 5m}",
    "{name: all, when: '', notify: [talk], cooldown: 0s, escalate: [{after: 10m, unless: acknowledged, notify: [pager]}]}",
    "{name: grouped, when: '', notify: [chat], group_by: [project], group_wait: 1m, group_interval: 5m, repeat: 30m}",
    "{name: fatal, when: 'level:fatal', severity: critical, notify: [pager]}, {name: all, when: '', notify: [chat], repeat: 20m}",
]
RECEIVERS = [
    "chat: {kind: fake, to: chat}, mail: {kind: fake, to: mail}, talk: {kind: fake, to: chat}, pager: {kind: fake, to: pager}",
    "chat: {kind: fake, to: elsewhere}, mail: {kind: fake, to: mail}, talk: {kind: fake, to: talk}, pager: {kind: fake, to: chat}",
    "chat: {kind: fake, to: mail}, mail: {kind: fake, to: chat}, talk: {kind: fake, to: pager}, pager: {kind: fake, to: mail}",
]
JOINED = "fingerprints: [{when: 'level:fatal', key: fatal}]\n"


@dataclass(slots=True)
class World:
    """All destinations together: what is open at each, by what it is about and where."""

    open: set[tuple[str, str]] = field(default_factory=set)
    done: list[tuple[int, str]] = field(default_factory=list)
    """The numbers of the notifications that arrived."""
    fails: list[str] = field(default_factory=list)
    """How the next ones fail."""

    def take(self, notification: Notification, to: str) -> None:
        """A message arrives, perhaps."""
        fault = self.fails.pop(0) if self.fails else ""
        if fault == "refused":
            raise PermanentError("no")
        if fault == "not reached":
            raise RetryableError("nobody there", retry_after=timedelta(seconds=30))
        self.done.append((notification.id, to))
        about = (notification.incident, to)
        if notification.is_closing:
            self.open.discard(about)
        elif notification.reason not in FOLLOW_UPS:
            self.open.add(about)
        if fault == "answer lost":
            raise RetryableError("cut off", retry_after=timedelta(seconds=30), ambiguous=True)


DESTINATIONS = World()


class FakeOptions(ReceiverOptions[object]):
    """A destination by its name."""

    address: ClassVar[tuple[str, ...]] = ("to",)
    shows: ClassVar[frozenset[Reason]] = frozenset({Reason.ACKNOWLEDGED, Reason.UPDATED})
    to: str

    def missing_credential(self, settings: object) -> None:
        """None."""

    def render(self, notification: Notification) -> str:
        return f"{notification.reason} {notification.incident}"

    def open(self, settings: object, *, network: Network, clock: Clock) -> FakeNotifier:  # noqa: ARG002 - it needs none of them
        return FakeNotifier(self)


@dataclass(frozen=True, slots=True)
class FakeNotifier:
    """Tells the one world there is; it can say what arrived."""

    options: FakeOptions

    def send(self, notification: Notification) -> Receipt:
        DESTINATIONS.take(notification, self.options.to)
        return Receipt(payload=self.options.render(notification), reference={"to": self.options.to})

    def find(self, notification: Notification) -> Receipt | None:
        return Receipt(payload="", reference={"to": self.options.to}) if (notification.id, self.options.to) in DESTINATIONS.done else None


def rules_of(rules: int, receivers: int, *, is_joined: bool) -> RuleSet:
    text = f"version: 1\n{JOINED if is_joined else ''}receivers: {{{RECEIVERS[receivers]}}}\nrules: [{SETS[rules]}]"
    return load(text, kinds={"fake": FakeOptions}, environment={})


issues = st.integers(1, 3)
THEN = st.sampled_from(["sent", "sent later", "planned", "nothing"])
"""What a worker does before anything else happens."""
AGES = st.integers(-5, 0)
"""In minutes: how long before it came a thing happened."""


class Life(RuleBasedStateMachine):
    """A service with a database, and all that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        DESTINATIONS.open.clear()
        DESTINATIONS.done.clear()
        DESTINATIONS.fails.clear()
        self.folder = TemporaryDirectory()
        self.engine: Engine = open_database(f"sqlite:///{self.folder.name}/router.db")
        upgrade(self.engine)
        self.now: datetime = NOW
        self.versions: dict[str, RuleSet] = {}
        self.in_force = rules_of(0, 0, is_joined=False)
        self.number = 0

    def teardown(self) -> None:
        self.settle()
        self.engine.dispose()
        self.folder.cleanup()

    @rule(issue=issues, level=st.sampled_from(["error", "fatal"]), age=AGES, then=THEN)
    def alert(self, issue: int, level: str, age: int, then: str) -> None:
        self.number += 1
        at = self.now + timedelta(minutes=age)
        event: dict[str, Json] = {"issue_id": str(issue), "event_id": f"{self.number:032x}", "level": level, "tags": [["level", level]]}
        self.come(event_alert_webhook(**event, timestamp=at.timestamp(), datetime=""), then)

    @rule(issue=issues, action=st.sampled_from(["resolved", "archived", "unresolved", "assigned"]), age=AGES, then=THEN)
    def change(self, issue: int, action: str, age: int, then: str) -> None:
        self.number += 1
        last_seen = f"{self.now + timedelta(minutes=age):%Y-%m-%dT%H:%M:%S}Z"
        self.come(issue_webhook(action, id=str(issue), lastSeen=last_seen, count=self.number), then)

    @rule(action=st.sampled_from(["critical", "warning", "resolved"]), identifier=st.integers(1, 2), then=THEN)
    def metric(self, action: str, identifier: int, then: str) -> None:
        self.number += 1
        moment = f"{self.now:%Y-%m-%dT%H:%M:%S}Z"
        text = f"0.{self.number:04} failure_rate() in the last 5 minutes"
        self.come(metric_alert_webhook(action, text, identifier=str(identifier), date_started=moment, date_closed=moment), then)

    @rule(issue=issues, what=st.sampled_from([Change.ACKNOWLEDGED, Change.RESOLVED, Change.SILENCED]))
    def somebody_does(self, issue: int, what: Change) -> None:
        incident_desk.change(self.engine, f"issue:{issue}", what, Somebody(name="ann", where="Slack"), self.now)

    @initialize(rules=st.integers(0, len(SETS) - 1), is_joined=st.booleans())
    def begin(self, rules: int, *, is_joined: bool) -> None:
        self.edit_the_rules(rules=rules, receivers=0, is_joined=is_joined)

    @rule(rules=st.integers(0, len(SETS) - 1), receivers=st.integers(0, len(RECEIVERS) - 1), is_joined=st.booleans())
    def edit_the_rules(self, rules: int, receivers: int, *, is_joined: bool) -> None:
        self.in_force = rules_of(rules, receivers, is_joined=is_joined)
        self.versions[self.in_force.version] = self.in_force

    @rule()
    def silence_all(self) -> None:
        silences.add(self.engine, make_silence("issue.category:error", begins=self.now - NOW, lasts=timedelta(minutes=15)), self.now)

    @rule(fails=st.lists(st.sampled_from(["refused", "not reached", "answer lost"]), max_size=3))
    def the_vendors_fail(self, fails: list[str]) -> None:
        DESTINATIONS.fails[:] = fails

    @rule(minutes=st.sampled_from([0, 1, 6, 16, 31]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def plan(self) -> None:
        plan_all(self.engine, self.in_force, at=self.now)
        while is_due(self.engine, self.now):
            plan_due(self.engine, self.in_force, lambda: self.now)

    @rule(lane=st.sampled_from(Lane), limit=st.integers(1, 5))
    def send(self, lane: Lane, limit: int) -> None:
        self.deliver(lane, limit)

    @rule(lane=st.sampled_from(Lane))
    def a_worker_dies(self, lane: Lane) -> None:
        """It had claimed something and perhaps sent it; another one takes over."""
        for claimed in self.claim(lane, 2):
            if claimed.id % 2:
                self.dispatch(self.in_force).deliver(claimed)
        outcomes.take_from_dead(self.engine, self.now)

    def come(self, webhook: Webhook, then: str) -> None:
        store(self.engine, webhook, at=self.now)
        if then != "nothing":
            self.plan()
        if then in {"sent", "sent later"}:
            self.now += timedelta(minutes=2 if then == "sent later" else 0)
            self.plan()
            for lane in Lane:
                self.deliver(lane)

    def dispatch(self, rules: RuleSet) -> Dispatch:
        return Dispatch(Settings(allow_unsigned=True), lambda: rules, lambda: self.now, earlier=self.versions.__getitem__)

    def claim(self, lane: Lane, limit: int) -> tuple[Claimed, ...]:
        return claims.claim(self.engine, lane, worker="a", now=self.now, limit=limit, rules_version=self.in_force.version).taken

    def deliver(self, lane: Lane, limit: int = 64) -> int:
        claimed = self.claim(lane, limit)
        dispatch = self.dispatch(self.in_force)
        if claimed:
            outcomes.record(self.engine, [(one.id, dispatch.deliver(one)) for one in claimed])
        return len(claimed)

    def settle(self) -> None:
        """All vendors answer, everything is planned and sent, what died by hand; then what is open there is open here."""
        DESTINATIONS.fails.clear()
        notifications.requeue(self.engine, now=self.now)
        for _ in range(3):
            self.plan()
            self.now += timedelta(minutes=6)
            while sum(map(self.deliver, Lane)):
                pass
        with self.engine.connect() as connection:
            firing = set(connection.execute(select(incidents.c.key).where(incidents.c.status == Status.FIRING)).scalars())
            columns = (announcements.c.subject, incidents.c.key, incidents.c.status)
            announced = connection.execute(select(*columns).join(incidents, incidents.c.id == announcements.c.incident_id)).all()
        assert {row.key for row in announced if row.status != Status.FIRING} == set()
        subjects = {row.subject for row in announced}
        for subject, to in DESTINATIONS.open:
            assert subject in subjects, f"{subject} is open at {to}, and over here: {self.told(subject)}"
            assert subject.startswith("group:") or subject in firing

    def told(self, subject: str) -> list[str]:
        found = reversed(inspection.listed(self.engine, limit=1000))
        return [f"{one.receiver} {one.reason} {one.state} {one.last_excerpt}" for one in found if one.incident == subject]


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=20,
    deadline=None,
    report_multiple_bugs=False,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    derandomize=EXAMPLES == 60,
)
