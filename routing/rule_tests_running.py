"""Runs a rule test: its steps through a simulation, and what followed beside what was expected. Reads and prints nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from routing import sentry
from routing.rule_tests import Acknowledgement, Expiry, RuleTest, Silencing, Step, Webhook
from routing.rule_tests_comparison import Outcome, complaints
from routing.rules import RuleSet
from routing.silences import Silence
from routing.simulation import Hearing, Saying, Simulation, TooManyComebacksError


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A step that did not come out as expected."""

    number: int
    """Of the step, from 1."""
    line: int
    at: datetime
    lines: tuple[str, ...]
    """What is different, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a test ended."""

    test: RuleTest
    failures: tuple[Failure, ...]
    sayings: tuple[Saying, ...]
    """All that was told and held."""
    hearings: tuple[Hearing, ...]

    @property
    def is_passed(self) -> bool:
        """Whether all came as expected."""
        return not self.failures


def run(test: RuleTest, rules: RuleSet) -> Result:
    """Let the steps of a test happen, one after the other."""
    stage = _Stage(rules)
    failures = []
    for number, step in enumerate(test.steps, start=1):
        try:
            lines = complaints(step, stage.let_happen(step), rules)
        except TooManyComebacksError as error:
            lines = (f"{error}; is a `repeat` too short, or a step too long?",)
        if lines:
            failures.append(Failure(number=number, line=step.line, at=step.at, lines=lines))
    simulation = stage.simulation
    return Result(test=test, failures=tuple(failures), sayings=tuple(simulation.sayings), hearings=tuple(simulation.hearings))


class _Stage:
    """Where the steps of one test happen."""

    def __init__(self, rules: RuleSet) -> None:
        self.simulation = Simulation(rules)
        self._silences: list[Silence] = []

    def let_happen(self, step: Step) -> Outcome:
        """What followed from a step, time's own doings up to it included."""
        known = len(self.simulation.sayings)
        hearing, remark = None, ""
        match step.action:
            case Webhook():
                hearing, remark = self._hear(step.action, step.at)
            case Acknowledgement():
                if not self.simulation.acknowledge(step.action.incident, step.at):
                    remark = f"{step.action.incident} does not fire, so nobody can acknowledge it"
            case Silencing():
                self._silences.append(step.action.silence)
                self.simulation.set_silences(self._silences, step.at)
            case Expiry():
                self._silences = [replace(one, ends_at=step.at) if one.id == step.action.silence else one for one in self._silences]
                self.simulation.set_silences(self._silences, step.at)
            case None:
                self.simulation.advance(step.at)
        return Outcome(sayings=tuple(self.simulation.sayings[known:]), hearing=hearing, remark=remark)

    def _hear(self, webhook: Webhook, at: datetime) -> tuple[Hearing | None, str]:
        try:
            return self.simulation.hear(sentry.parse(webhook.resource, webhook.body, at), at), ""
        except sentry.UnreadableAlert as error:
            self.simulation.advance(at)
            return None, f"no alert could be read from the webhook: {error}"
