"""What followed from a step of a rule test beside what was expected of it: the differences, in words. Decides nothing of alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from routing.notification import State
from routing.plan import Disposition
from routing.rule_tests import Expected, Step
from routing.rules import Rule, RuleSet
from routing.simulation import Hearing, Saying

MAX_WHY = 300
"""Of a reason, in characters."""

_MATCHED = {"matched": True, "not matched": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What followed from a step."""

    sayings: tuple[Saying, ...]
    hearing: Hearing | None = None
    """What became of its alert."""
    remark: str = ""
    """Why it could not happen as it is written."""


def complaints(step: Step, outcome: Outcome, rules: RuleSet) -> tuple[str, ...]:
    """All that is not as expected, a line each, reasons indented below; nothing if the step came out as it should."""
    return tuple(_complaints(step, outcome, rules))


def spell(saying: Saying) -> str:
    """A notification in the words of a test."""
    one = saying.notification
    state = "held " if one.state is State.HELD else ""
    others = f" with {len(one.others)} others" if one.others else ""
    return f"{one.receiver}: {state}{one.reason} {one.severity} by {', '.join(one.rules)}{others}"


def _complaints(step: Step, outcome: Outcome, rules: RuleSet) -> Iterator[str]:
    if outcome.remark and (step.expects or outcome.hearing is None):
        yield outcome.remark
    yield from _of_outcome(step, outcome)
    if step.expected is not None:
        yield from _differences(step.expected, outcome, rules, is_exact=True)
    yield from _differences(step.among, outcome, rules, is_exact=False)
    for saying in outcome.sayings:
        if saying.notification.receiver in step.not_told and saying.notification.state is State.PLANNED:
            yield f"told although it is not to be  {spell(saying)}"
            yield from _reason(saying)


def _of_outcome(step: Step, outcome: Outcome) -> Iterator[str]:
    """What became of the alert, and what the rules said to it."""
    hearing = outcome.hearing
    if step.outcome and (hearing is None or (step.outcome, step.ignored_by) != _disposition(hearing, step)):
        wanted = f"{step.outcome} by {step.ignored_by}" if step.ignored_by else str(step.outcome)
        yield f"expected the alert to be {wanted}, it is {_became(hearing)}"
    if step.incident and (hearing is None or hearing.incident != step.incident):
        yield f"expected the alert to belong to {step.incident}, it belongs to {hearing.incident if hearing else 'none'}"
    verdicts = {trace.rule: trace for trace in hearing.plan.trace} if hearing and hearing.plan else {}
    for rule, wanted in step.rules.items():
        verdict = verdicts.get(rule)
        if verdict is None:
            yield f"expected rule {rule} {wanted}, no rule was asked: the alert is {_became(hearing)}"
        elif wanted in _MATCHED and verdict.matched is not _MATCHED[wanted]:
            yield f"expected rule {rule} {wanted}, it {'matched' if verdict.matched else 'did not match'}: {_short(verdict.why)}"
        elif wanted not in _MATCHED and wanted not in verdict.why:
            yield f'expected rule {rule} to say "{wanted}", it said: {_short(verdict.why)}'


def _disposition(hearing: Hearing, step: Step) -> tuple[Disposition, str]:
    if hearing.plan is None:
        return Disposition.UNKNOWN, ""
    entry = hearing.plan.ignored_by.partition(":")[0] if step.ignored_by else ""
    return hearing.plan.disposition, entry


def _became(hearing: Hearing | None) -> str:
    if hearing is None:
        return "unreadable"
    if hearing.plan is None:
        return f"unknown: Sentry's resource {hearing.alert.resource}"
    planned = hearing.plan
    if planned.disposition is Disposition.DUPLICATE:
        return f"a duplicate of alert {planned.inputs.duplicate_of} of this test"
    return f"{planned.disposition} ({_short(planned.ignored_by)})" if planned.ignored_by else str(planned.disposition)


def _differences(wanted: Sequence[Expected], outcome: Outcome, rules: RuleSet, *, is_exact: bool) -> Iterator[str]:
    missing, left = _paired(wanted, outcome.sayings)
    for one in missing:
        instead = next((saying for saying in left if saying.notification.receiver == one.receiver), None)
        if instead is None:
            yield f"missing     {one}"
            yield from _why_not(one.receiver, outcome, rules)
        else:
            if is_exact:
                left.remove(instead)
            yield f"expected    {one}"
            yield f"     but    {spell(instead)}"
            yield from _reason(instead)
    if is_exact:
        yield from _unexpected(left)


def _unexpected(sayings: Sequence[Saying]) -> Iterator[str]:
    """Those that follow from the same for the same reason one below the other."""
    for reason, alike in groupby(sayings, lambda saying: tuple(_reason(saying))):
        yield from (f"unexpected  {spell(saying)}" for saying in alike)
        yield from reason


def _paired(wanted: Sequence[Expected], sayings: Sequence[Saying]) -> tuple[list[Expected], list[Saying]]:
    """What is missing and what is left, when each that is expected has taken the first that fits it; the strictest first."""
    left = list(sayings)
    found: list[Expected] = []
    for one in sorted(wanted, key=lambda one: -one.strictness):
        fitting = next((saying for saying in left if one.fits(saying)), None)
        if fitting:
            left.remove(fitting)
            found.append(one)
    missing = list(wanted)
    for one in found:
        missing.remove(one)
    return missing, left


def _reason(saying: Saying) -> Iterator[str]:
    yield f"            at {saying.at:%Y-%m-%d %H:%M:%S} UTC of {saying.incident}: {_short(saying.notification.why)}"


def _why_not(receiver: str, outcome: Outcome, rules: RuleSet) -> Iterator[str]:
    """What the rules that could have told a receiver said to the alert."""
    asked = [rule for rule in rules.rules if receiver in _told_by(rule)]
    if not asked:
        yield f"            no rule in force tells {receiver}"
        return
    hearing = outcome.hearing
    trace = {one.rule: one for one in hearing.plan.trace} if hearing and hearing.plan else {}
    if not trace:
        yield f"            {'the alert is ' + _became(hearing) if hearing else 'no alert came in this step, and no rule came back to one'}"
    for rule in asked:
        if verdict := trace.get(rule.name):
            yield f"            {rule.name} {'matched' if verdict.matched else 'did not match'}: {_short(verdict.why)}"


def _told_by(rule: Rule) -> set[str]:
    return {*rule.notify, *(receiver for step in rule.escalate for receiver in step.notify)}


def _short(text: str) -> str:
    return text if len(text) <= MAX_WHY else f"{text[: MAX_WHY - 1]}…"
