"""Changes rules one thing at a time and asks their tests to notice: `python -m tests.mutate_rules [RULES TESTS]` prints what they overlook.

Changed are operators, thresholds, words, wildcards and terms of every condition; receivers, severities, cooldowns, windows and all
other times and numbers; and every part is taken out. A change that leaves the rules equal is none.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from cli.rules_in import rules_in
from routing import fingerprint_template
from routing.fingerprint import Fingerprint
from routing.notification import Severity
from routing.rule_tests import RuleTest
from routing.rule_tests_reading import load_tests, read
from routing.rule_tests_running import run
from routing.rules import Grouping, Inhibition, NewIn, Noise, Rule, RuleSet, Step, Throttle, Unless
from routing.windows import Span, Window
from settings import Settings
from tests.mutate_queries import mutant_queries

ROOT = Path(__file__).parents[1]
SHIPPED, TESTS = ROOT / "rules.yaml", ROOT / "rules.test.yaml"

PartT = TypeVar("PartT")
Changes: TypeAlias = "Iterator[tuple[str, PartT]]"
"""What was changed, and the part as it is then."""

_HALF_AN_HOUR = timedelta(minutes=30)
_ZONES = ("UTC", "Pacific/Kiritimati")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """Rules of which one thing is changed."""

    change: str
    rules: RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of all mutants."""

    tried: int
    survivors: tuple[str, ...]
    """What was changed in those that no test noticed."""

    @property
    def share_killed(self) -> float:
        """Of all that were tried."""
        return 1 - len(self.survivors) / self.tried


def read_rules(path: Path) -> RuleSet:
    """The rules of a file."""
    return rules_in(path, Settings.from_variables({"SENTRY_CLIENT_SECRETS": "test"}))


def read_tests(path: Path, rules: RuleSet) -> tuple[RuleTest, ...]:
    """The tests of a file."""
    return load_tests(read(path.read_text(encoding="utf-8")), rules, lambda name: (path.parent / name).read_bytes())


def attempt(rules: RuleSet, tests: Sequence[RuleTest]) -> Trial:
    """Run the tests against every mutant. The test that noticed the last one is asked first, for it often notices the next."""
    order = list(tests)
    survivors, tried = [], 0
    for mutant in mutants(rules):
        tried += 1
        killer = next((test for test in order if not run(test, mutant.rules).is_passed), None)
        if killer is None:
            survivors.append(mutant.change)
        else:
            order.remove(killer)
            order.insert(0, killer)
    return Trial(tried=tried, survivors=tuple(survivors))


def mutants(rules: RuleSet) -> Iterator[Mutant]:
    """All of them, in the order of the file."""
    receivers = tuple(rules.receivers)
    yield from _of_list("rules", rules, rules.rules, lambda rule: chain(_rule(rule, receivers), _rule_over_time(rule, receivers)))
    yield from _of_list("ignore", rules, rules.ignore, _noise)
    yield from _of_list("fingerprints", rules, rules.fingerprints, _fingerprint)
    yield from _of_list("inhibit", rules, rules.inhibit, _inhibition)
    yield from _of_list("throttles", rules, rules.throttles, _throttle)


def _of_list(section: str, rules: RuleSet, parts: Sequence[PartT], changes: Callable[[PartT], Changes[PartT]]) -> Iterator[Mutant]:
    for index, part in enumerate(parts):
        place = f"{section}.{getattr(part, 'name', index)}"
        yield _mutant(rules, section, (*parts[:index], *parts[index + 1 :]), f"{place}: taken out")
        for change, changed in changes(part):
            if changed != part:
                yield _mutant(rules, section, (*parts[:index], changed, *parts[index + 1 :]), f"{place}.{change}")


def _mutant(rules: RuleSet, section: str, parts: tuple[object, ...], change: str) -> Mutant:
    changed: Mapping[str, object] = {section: parts}
    return Mutant(change=change, rules=replace(rules, **changed))  # type: ignore[arg-type]  # a section by its name


def _rule(rule: Rule, receivers: Sequence[str]) -> Changes[Rule]:
    for change, when in mutant_queries(rule.when):
        yield f"when: {change}", replace(rule, when=when)
    for severity in Severity:
        yield f"severity: {severity}", replace(rule, severity=severity)
    for change, notify in _receivers(rule.notify, receivers):
        yield f"notify: {change}", replace(rule, notify=notify)
    for receiver in rule.severities:
        kept = {name: severity for name, severity in rule.severities.items() if name != receiver}
        yield f"notify: {receiver} without a severity of its own", replace(rule, severities=kept)
    if rule.stop:
        yield "stop: false", replace(rule, stop=False)
    if rule.otherwise:
        yield "else: not under another rule", replace(rule, otherwise=None)
    if rule.when.aggregates and rule.window:
        yield "over: everything", replace(rule, over="incident" if rule.over == "everything" else "everything")
    for place in (None, *NewIn) if rule.per else ():
        yield f"per: {place}", replace(rule, per=place)


def _rule_over_time(rule: Rule, receivers: Sequence[str]) -> Changes[Rule]:
    for change, cooldown in _durations(rule.cooldown):
        yield f"cooldown: {change}", replace(rule, cooldown=cooldown)
    for change, window in _durations(rule.window):
        yield f"window: {change}", replace(rule, window=window)
    for change, repeat in _durations(rule.repeat):
        yield f"repeat: {change}", replace(rule, repeat=repeat)
    for change, active in _windows(rule.active):
        yield f"active: {change}", replace(rule, active=active)
    for change, mute in _windows(rule.mute):
        yield f"mute: {change}", replace(rule, mute=mute)
    if rule.grouping:
        yield "group_by: nothing", replace(rule, grouping=None)
        for change, grouping in _grouping(rule.grouping):
            yield change, replace(rule, grouping=grouping)
    for index, step in enumerate(rule.escalate):
        before, behind = rule.escalate[:index], rule.escalate[index + 1 :]
        yield f"escalate.{index}: taken out", replace(rule, escalate=(*before, *behind))
        for change, changed in _step(step, receivers):
            yield f"escalate.{index}.{change}", replace(rule, escalate=(*before, changed, *behind))


def _receivers(notify: tuple[str, ...], known: Sequence[str]) -> Changes[tuple[str, ...]]:
    for index, receiver in enumerate(notify):
        others = (*notify[:index], *notify[index + 1 :])
        if others:
            yield f"without {receiver}", others
        for other in known:
            if other not in notify:
                yield f"{other} for {receiver}", (*notify[:index], other, *notify[index + 1 :])
    yield from ((f"{other}, too", (*notify, other)) for other in known if other not in notify)


def _durations(duration: timedelta | None) -> Changes[timedelta]:
    """A little less, a little more, half and double."""
    if duration:
        for changed in (duration - timedelta(seconds=30), duration + timedelta(seconds=30), duration / 2, duration * 2):
            yield str(changed), changed


def _grouping(grouping: Grouping) -> Changes[Grouping]:
    for index, key in enumerate(grouping.by):
        yield f"group_by: without {key}", replace(grouping, by=(*grouping.by[:index], *grouping.by[index + 1 :]))
    for change, wait in _durations(grouping.wait):
        yield f"group_wait: {change}", replace(grouping, wait=wait)
    for change, interval in _durations(grouping.interval):
        yield f"group_interval: {change}", replace(grouping, interval=interval)


def _step(step: Step, receivers: Sequence[str]) -> Changes[Step]:
    for change, after in _durations(step.after):
        yield f"after: {change}", replace(step, after=after)
    for unless in Unless:
        yield f"unless: {unless}", replace(step, unless=unless)
    for change, notify in _receivers(step.notify, receivers):
        yield f"notify: {change}", replace(step, notify=notify)


def _windows(windows: tuple[Window, ...]) -> Changes[tuple[Window, ...]]:
    for index, window in enumerate(windows):
        before, behind = windows[:index], windows[index + 1 :]
        yield f"without {window.name}", (*before, *behind)
        yield from ((f"{window.name}.{change}", (*before, changed, *behind)) for change, changed in _window(window))


def _window(window: Window) -> Changes[Window]:
    for allow in (None, *Severity):
        yield f"allow: {allow}", replace(window, allow=allow)
    for zone in _ZONES:
        yield f"zone: {zone}", replace(window, zone=ZoneInfo(zone))
    for index, span in enumerate(window.spans):
        before, behind = window.spans[:index], window.spans[index + 1 :]
        if before or behind:
            yield f"spans.{index}: taken out", replace(window, spans=(*before, *behind))
        for change, changed in _span(span):
            yield f"spans.{index}.{change}", replace(window, spans=(*before, changed, *behind))


def _span(span: Span) -> Changes[Span]:
    for day in range(7):
        yield f"weekdays: {day}", replace(span, weekdays=span.weekdays ^ {day})
    for index, (begin, end) in enumerate(span.times):
        for changed in ((begin + _HALF_AN_HOUR, end), (begin, end - _HALF_AN_HOUR)):
            yield (
                f"times.{index}: {changed[0]} to {changed[1]}",
                replace(span, times=(*span.times[:index], changed, *span.times[index + 1 :])),
            )
    if span.months != Span().months:
        yield "months: any", replace(span, months=Span().months)
    if span.days_of_month != Span().days_of_month:
        yield "days_of_month: any", replace(span, days_of_month=Span().days_of_month)


def _noise(noise: Noise) -> Changes[Noise]:
    for change, when in mutant_queries(noise.when):
        yield f"when: {change}", replace(noise, when=when)


def _fingerprint(fingerprint: Fingerprint) -> Changes[Fingerprint]:
    for change, when in mutant_queries(fingerprint.when):
        yield f"when: {change}", replace(fingerprint, when=when)
    yield "key: another", replace(fingerprint, key=fingerprint_template.parse(f"{fingerprint.key.text}x"))


def _inhibition(inhibition: Inhibition) -> Changes[Inhibition]:
    for change, source in mutant_queries(inhibition.source):
        yield f"source: {change}", replace(inhibition, source=source)
    for change, target in mutant_queries(inhibition.target):
        yield f"target: {change}", replace(inhibition, target=target)
    for index, key in enumerate(inhibition.equal):
        yield f"equal: without {key}", replace(inhibition, equal=(*inhibition.equal[:index], *inhibition.equal[index + 1 :]))


def _throttle(throttle: Throttle) -> Changes[Throttle]:
    for change, when in mutant_queries(throttle.when):
        yield f"when: {change}", replace(throttle, when=when)
    for index, key in enumerate(throttle.by):
        yield f"by: without {key}", replace(throttle, by=(*throttle.by[:index], *throttle.by[index + 1 :]))
    for limit in (throttle.limit - 1, throttle.limit + 1):
        yield f"limit: {limit}", replace(throttle, limit=limit)
    for change, per in _durations(throttle.per):
        yield f"per: {change}", replace(throttle, per=per)


def main(arguments: Sequence[str]) -> None:
    """Print what no test notices, and how many changes there were."""
    rules_file, tests_file = map(Path, arguments) if arguments else (SHIPPED, TESTS)
    rules = read_rules(rules_file)
    began = time.monotonic()
    trial = attempt(rules, read_tests(tests_file, rules))
    for change in trial.survivors:
        sys.stdout.write(f"{rules_file.name}: nobody notices {change}\n")
    killed = trial.tried - len(trial.survivors)
    seconds = time.monotonic() - began
    sys.stdout.write(f"{killed} of {trial.tried} changes are noticed, {trial.share_killed:.1%}; {seconds:.1f} s\n")


if __name__ == "__main__":
    main(sys.argv[1:])
