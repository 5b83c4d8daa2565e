"""Whatever people, vendors and Sentry do, in whatever order: once all has settled, what is open at a vendor is open here, and no more."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from datetime import timedelta
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy import select

from notifiers.registry import KINDS
from routing.alert import Status
from routing.notification import Lane
from routing.rules_loading import load
from storage import claims, inspection, notifications, outcomes
from storage.database import open_database, upgrade
from storage.tables import announcements, incidents
from tests.web.everywhere import RULES, Everywhere, opened

EXAMPLES = int(os.environ.get("LIFE_EXAMPLES") or 40) // 4 * 2
"""So many in the suite; `make nightly` asks for a thousand."""
EDITED = RULES.replace("chat:", "talk:").replace("[chat,", "[talk,").replace("notify: [chat", "notify: [talk")
VENDORS = st.sampled_from(["slack", "pagerduty", "jira", "sentry"])
MOST_ROUNDS = 12


class Together(RuleBasedStateMachine):
    """The router, real notifiers, and vendors that keep state."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = self.stack.enter_context(TemporaryDirectory())
        url = f"sqlite:///{folder}/router.db"
        engine = open_database(url)
        upgrade(engine)
        engine.dispose()
        self.all: Everywhere = self.stack.enter_context(opened(url))

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.all.engine.dispose()
            self.stack.close()

    @initialize()
    def begin(self) -> None:
        self.all.fires()
        self.all.settle()

    @rule()
    def another_event(self) -> None:
        self.all.fires()

    @rule(action=st.sampled_from(["resolved", "unresolved", "archived", "assigned"]))
    def somebody_in_sentry(self, action: str) -> None:
        self.all.sentry_does(action)

    @rule(action=st.sampled_from(["acknowledge", "resolve", "assign", "silence_1h", "why"]))
    def somebody_in_slack(self, action: str) -> None:
        self.all.slack_does(action)

    @precondition(lambda self: any(one.state != "resolved" for one in self.all.pagerduty.app.alerts.values()))
    @rule(action=st.sampled_from(["acknowledged", "unacknowledged", "reassigned", "resolved"]))
    def somebody_in_pagerduty(self, action: str) -> None:
        self.all.pagerduty_does(action)

    @precondition(lambda self: self.all.jira.app.issues)
    @rule(state=st.sampled_from(["To Do", "Doing", "Done", "assigned"]))
    def somebody_in_jira(self, state: str) -> None:
        self.all.jira_does(state)

    @rule(vendor=VENDORS)
    def a_vendor_loses_its_answers(self, vendor: str) -> None:
        getattr(self.all, vendor).app.loses_answers = True

    @rule(vendor=VENDORS)
    def a_vendor_answers_again(self, vendor: str) -> None:
        getattr(self.all, vendor).app.loses_answers = False

    @rule(is_edited=st.booleans())
    def the_rules_are_edited(self, *, is_edited: bool) -> None:
        self.all.rules = load(EDITED if is_edited else RULES, kinds=KINDS, environment=self.all.settings.environment)

    @rule(minutes=st.sampled_from([1, 20, 40]))
    def time_passes(self, minutes: int) -> None:
        self.all.passed += timedelta(minutes=minutes)

    @rule(lane=st.sampled_from(Lane))
    def a_worker_dies(self, lane: Lane) -> None:
        """It had claimed something, and perhaps sent it."""
        for claimed in claims.claim(self.all.engine, lane, worker="b", now=self.all.now, limit=2).taken:
            if claimed.id % 2:
                self.all.dispatch.deliver(claimed)
        outcomes.take_from_dead(self.all.engine, self.all.now)

    @rule()
    def they_work(self) -> None:
        self.all.work()

    @rule()
    def they_tell(self) -> None:
        self.all.echo()

    def settle(self) -> None:
        """All vendors answer, what died is sent by hand, and each tells what became of it there, until there is quiet."""
        for vendor in ("slack", "pagerduty", "jira", "sentry"):
            getattr(self.all, vendor).app.loses_answers = False
        for _ in range(MOST_ROUNDS):
            notifications.requeue(self.all.engine, now=self.all.now)
            self.all.passed += timedelta(minutes=35)
            self.all.work()
            if not self.all.echo():
                break
        else:
            raise AssertionError(f"they go on telling each other: {self.told()}")
        self.check()

    def check(self) -> None:
        """What is open at a vendor is announced here, and what is announced here is open there, or somebody has left it so."""
        state, app = self.all.state(), self.all.jira.app
        with self.all.engine.connect() as connection:
            kinds = set(connection.execute(select(announcements.c.kind)).scalars())
            status = connection.execute(select(incidents.c.status)).scalar()
        assert not kinds or status == Status.FIRING
        open_there = {
            "slack": state["Slack"] != "resolved",
            "pagerduty": state["PagerDuty"] != "resolved",
            "jira": state["Jira"] != "Done" and bool(app.issues),
        }
        for kind, is_open in open_there.items():
            assert is_open is (kind in kinds), f"{kind}: {state}, announced to {kinds}: {self.told()}"
        assert len(app.issues) <= 1
        messages = self.all.slack.app.messages.get("C0ERRORS1", [])
        for alike in ([one for one in messages if "thread_ts" not in one], [one for one in messages if "thread_ts" in one]):
            told = [json.dumps(one.get("metadata")) for one in alike]
            assert len(set(told)) == len(told), f"said twice: {told}"

    def told(self) -> list[str]:
        found = reversed(inspection.listed(self.all.engine, limit=100))
        return [f"{one.receiver} {one.reason} {one.state} {one.last_excerpt}" for one in found]


TestTogether = Together.TestCase
TestTogether.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=15,
    deadline=None,
    report_multiple_bugs=False,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    derandomize=EXAMPLES == 20,
)
