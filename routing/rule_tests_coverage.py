"""What of the rules their tests have met, and what never happened in any of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from routing.notification import Reason, State
from routing.rule_tests_running import Result
from routing.rules import RuleSet
from routing.simulation import Saying


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that can happen to the parts of one kind."""

    what: str
    """`rules matched`."""
    met: int
    missing: tuple[str, ...]
    """To which of them it never happened, in the order of the file."""

    def __str__(self) -> str:
        said = f"{self.what}: {self.met} of {self.met + len(self.missing)}"
        return f"{said}, never {', '.join(self.missing)}" if self.missing else said


def coverage(rules: RuleSet, results: Iterable[Result]) -> tuple[Line, ...]:
    """What the tests have met, a line for each kind of part that the rules have."""
    return tuple(line for line in _lines(rules, tuple(results)) if line.met or line.missing)


def _lines(rules: RuleSet, results: Sequence[Result]) -> Iterator[Line]:
    traces = [trace for result in results for hearing in result.hearings if hearing.plan for trace in hearing.plan.trace]
    sayings = [saying for result in results for saying in result.sayings]
    ignored = [hearing.plan.ignored_by for result in results for hearing in result.hearings if hearing.plan and hearing.plan.ignored_by]
    told = [saying for saying in sayings if saying.notification.state is State.PLANNED]
    yield _line("rules matched", rules.names, {trace.rule for trace in traces if trace.matched})
    yield _line("rules passed over", rules.names, {trace.rule for trace in traces if not trace.matched})
    yield _line("receivers told", rules.receivers, {saying.notification.receiver for saying in told})
    yield _line("entries of ignore met", (entry.name for entry in rules.ignore), {text.partition(":")[0] for text in ignored})
    yield _line("windows that held", _windows_of(rules), _holding(sayings, Reason.WINDOW, _windows_of(rules)))
    inhibitions = [one.name for one in rules.inhibit]
    yield _line("inhibitions that held", inhibitions, _holding(sayings, Reason.INHIBITED, inhibitions))
    throttles = [one.name for one in rules.throttles]
    yield _line("throttles that held", throttles, _holding(sayings, Reason.THROTTLED, throttles))
    yield _line("rules with cooldown that held", _with_cooldown(rules), _rules_of(sayings, Reason.COOLDOWN))
    yield _line("rules that reminded", (rule.name for rule in rules.rules if rule.repeat), _rules_of(sayings, Reason.REMINDER))
    steps = (f"{rule.name} step {number}" for rule in rules.rules for number, _ in enumerate(rule.escalate, start=1))
    yield _line("escalations", steps, _escalated(told))


def _line(what: str, names: Iterable[str], met: set[str]) -> Line:
    known = tuple(names)
    return Line(what=what, met=sum(name in met for name in known), missing=tuple(name for name in known if name not in met))


def _windows_of(rules: RuleSet) -> tuple[str, ...]:
    """Those that a rule names."""
    named = {window.name for rule in rules.rules for window in (*rule.active, *rule.mute)}
    return tuple(name for name in rules.windows if name in named)


def _with_cooldown(rules: RuleSet) -> tuple[str, ...]:
    return tuple(rule.name for rule in rules.rules if rule.cooldown)


def _holding(sayings: Iterable[Saying], reason: Reason, names: Iterable[str]) -> set[str]:
    """The parts that held something for this reason: its `why` names them."""
    whys = [saying.notification.why for saying in sayings if saying.notification.reason is reason]
    return {name for name in names if any(f' by "{name}"' in why or f' by window "{name}"' in why for why in whys)}


def _rules_of(sayings: Iterable[Saying], reason: Reason) -> set[str]:
    return {rule for saying in sayings if saying.notification.reason is reason for rule in saying.notification.rules}


def _escalated(told: Iterable[Saying]) -> set[str]:
    return {
        f"{saying.timer.rule} step {saying.timer.step + 1}"
        for saying in told
        if saying.timer and saying.notification.reason is Reason.ESCALATION
    }
