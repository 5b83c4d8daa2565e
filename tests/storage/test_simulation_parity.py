"""What rule tests simulate is what the planner does: the same stories through both, one of them with a database."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import Engine, func, select

from routing.notification import Lane, State
from routing.own_events import Change
from routing.rule_tests import Acknowledgement, Expiry, RuleTest, Silencing, Webhook
from routing.rule_tests_reading import load_tests, read
from routing.rule_tests_running import run
from routing.rules import RuleSet
from storage import claims, incident_desk, inspection, outcomes, silences
from storage.coming_back import plan_due
from storage.database import open_database
from storage.incident_desk import Somebody
from storage.intake import Intake
from storage.planning import plan_batch
from storage.tables import timers
from tests.routing.story import rules_of
from tests.storage.planned import ended

RULES = rules_of("""
windows:
  nights: {times: [22:00-07:00], allow: critical}
ignore:
  - {name: noise, when: "tags.noise:true"}
inhibit:
  - {name: database-down, source: "tags.component:database level:fatal", target: "level:error", equal: [environment]}
throttles:
  - {name: noisy, when: "project:noisy", by: [project], limit: 3, per: 1h}
fingerprints:
  - {when: "error.type:IntegrityError", key: "IntegrityError.{constraint}"}
rules:
  - name: paged
    when: "level:fatal"
    severity: critical
    notify: [pager, chat]
    repeat: 2h
    escalate: [{after: 15m, unless: acknowledged, notify: [mail]}]
  - {name: quiet, when: "level:[error, fatal]", severity: warning, notify: [chat], mute: [nights], cooldown: 10m}
  - {name: grouped, when: "level:warning", notify: [mail], group_by: [project], group_wait: 30s, group_interval: 5m, repeat: 4h}
  - {name: new-here, when: "is:new", per: release, severity: info, notify: [pager]}
""")

STEPS = (
    "alert: {issue: 1, level: error, project: shop, environment: production}",
    "{after: 5m, alert: {issue: 1, level: error, project: shop, environment: production}}",
    "{after: 1h, alert: {issue: 2, level: fatal, environment: production, tags: {component: database}}}",
    "{after: 1m, alert: {issue: 3, level: error, environment: production}}",
    "{after: 20m, acknowledge: issue 2}",
    "{after: 1m, alert: {issue: 4, level: warning, project: shop}}",
    "{after: 10s, alert: {issue: 5, level: warning, project: shop}}",
    "{after: 2m, silence: {matchers: 'project:noisy', for: 10m}}",
    "{alert: {issue: 6, level: error, project: noisy}}",
    "{after: 1m, expire: 1}",
    "{alert: {issue: 7, level: error, project: noisy, release: shop@1.0}}",
    "{resolved: issue 2}",
    "{alert: {issue: 8, level: error, error: 'IntegrityError: violates unique constraint \"a\"', project: shop}}",
    "{alert: {issue: 9, level: error, error: 'IntegrityError: violates unique constraint \"a\"', project: shop}}",
    "{alert: {issue: 10, tags: {noise: 'true'}}}",
    "{metric: {value: 7%, threshold: 5%}}",
    "{at: 09:00}",
    "{after: 1d}",
)


THE_TEST = Somebody(name=None, where="the test")


def story(steps: tuple[str, ...], rules: RuleSet = RULES) -> RuleTest:
    text = "tests:\n  - name: story\n    at: 2026-03-04T22:30Z\n    steps:\n"
    braced = (step if step.startswith("{") else f"{{{step}}}" for step in steps)
    text += "".join(f"      - {step}\n" for step in braced) + "      - {not_told: [chat]}\n"
    (test,) = load_tests(read(text), rules, lambda name: name.encode())
    return test


def random_steps(seed: int) -> Iterator[str]:
    """Whatever may happen, at times near to each other."""
    chance = random.Random(seed)  # noqa: S311 - a story, no secret
    for _ in range(40):
        after = chance.choice(["0s", "10s", "3m", "11m", "40m", "3h", "11h"])
        issue = chance.randint(1, 6)
        level, project = chance.choice(["fatal", "error", "warning", "info"]), chance.choice(["shop", "noisy"])
        tags = chance.choice(["", ", tags: {component: database}", ", tags: {noise: 'true'}", ", release: shop@1.1"])
        happening = [
            *[f"alert: {{issue: {issue}, level: {level}, project: {project}, environment: production{tags}}}"] * 6,
            f"resolved: issue {issue}",
            f"archived: issue {issue}",
            f"acknowledge: issue {issue}",
            "silence: {matchers: 'project:noisy', for: 1h}",
        ]
        yield f"{{after: {after}, {chance.choice(happening)}}}"


class Service:
    """The planner with a database, and a clock that steps from one thing to the next."""

    def __init__(self, engine: Engine, rules: RuleSet = RULES) -> None:
        self.engine, self.rules = engine, rules

    def live(self, test: RuleTest) -> list[tuple[str, ...]]:
        """Let a story happen; all that was planned and held."""
        for step in test.steps:
            self._let_timers_come(step.at)
            self._act(step.action, step.at)
            deliver(self.engine, step.at)
        return sorted(
            _row(one.created_at, one.receiver, one.rules, one.severity, one.reason, _decided(one.state), one.why)
            for one in inspection.listed(self.engine, limit=100_000)
        )

    def _act(self, action: object, at: datetime) -> None:
        match action:
            case Webhook():
                Intake(self.engine).store(resource=action.resource, body=action.body, received_at=at)
                self._plan(at)
            case Acknowledgement():
                incident_desk.change(self.engine, action.incident, Change.ACKNOWLEDGED, THE_TEST, at)
                self._plan(at)
            case Silencing():
                silences.add(self.engine, action.silence, at)
            case Expiry():
                silences.expire(self.engine, action.silence, at)

    def _plan(self, at: datetime) -> None:
        while plan_batch(self.engine, self.rules, lambda: at).events:
            pass

    def _let_timers_come(self, until: datetime) -> None:
        while (due_at := self._next()) is not None and due_at <= until:
            plan_due(self.engine, self.rules, lambda due_at=due_at: due_at)  # type: ignore[misc]  # the moment of this turn
            deliver(self.engine, due_at)

    def _next(self) -> datetime | None:
        with self.engine.connect() as connection:
            due_at: datetime | None = connection.execute(select(func.min(timers.c.due_at))).scalar_one()
        return due_at


def deliver(engine: Engine, at: datetime) -> None:
    """All that is planned goes out at once, as rule tests have it."""
    for lane in Lane:
        while claimed := claims.claim(engine, lane, worker="a", now=at, limit=64).taken:
            outcomes.record(engine, [(one.id, ended(one.tries.number, began_at=at, ended_at=at)) for one in claimed])


def _decided(state: State) -> State:
    return State.PLANNED if state is State.SENT else state


def simulated(test: RuleTest, rules: RuleSet = RULES) -> list[tuple[str, ...]]:
    return sorted(
        _row(saying.at, one.receiver, one.rules, one.severity, one.reason, one.state, one.why)
        for saying in run(test, rules).sayings
        for one in [saying.notification]
    )


def _row(*parts: object) -> tuple[str, ...]:
    return tuple(map(str, parts))


def test_a_night_with_everything_is_the_same_with_a_database_and_without(engine: Engine) -> None:
    test = story(STEPS)

    lived = Service(engine).live(test)

    assert len(lived) > 20
    assert simulated(test) == lived


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_is_the_same_with_a_database_and_without(sqlite_url: str, seed: int) -> None:
    test = story(tuple(random_steps(seed)))
    engine = open_database(sqlite_url)

    assert simulated(test) == Service(engine).live(test)

    engine.dispose()


def test_two_rules_whose_night_ends_may_tell_the_same_receiver(engine: Engine) -> None:
    rules = rules_of("""
windows: {nights: {times: [22:00-07:00]}}
rules:
  - {name: first, when: "level:error", notify: [chat], mute: [nights]}
  - {name: second, when: "level:error", notify: [chat], mute: [nights]}
""")
    test = story(("alert: {level: error}", "{after: 1d}"), rules)

    assert simulated(test, rules) == Service(engine, rules).live(test)
