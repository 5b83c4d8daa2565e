"""Whom the rules reach and when: receivers and windows that nothing uses, rules that may never speak, pages that wake nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from routing.example_alerts import Example, example, meets_all
from routing.holding import SEVERITY_OF_LEVEL
from routing.lint_findings import Defect, Finding, Subject, claim_of
from routing.notification import Severity
from routing.query import parse
from routing.rules import Rule
from routing.satisfiability import Claim, implies, is_never
from routing.windows import Window, held_until


def unused(subject: Subject) -> Iterator[Finding]:
    """Receivers that nobody is told by, and windows that no rule names; a rule out of force counts."""
    named = {key: _named(subject, key) for key in ("notify", "active", "mute")}
    fallbacks = {one.fallback for one in subject.rules.receivers.values() if one.fallback}
    told = named["notify"] | fallbacks | {*subject.rules.dead_letters, *subject.rules.watch.notify, subject.rules.watch.canary_to}
    for name in subject.rules.receivers:
        if name not in told:
            message = "no rule tells this receiver; name it under `notify`, or take it out"
            yield subject.finding(Defect.UNUSED, ("receivers", name), message)
    for name in subject.rules.windows:
        if name not in named["active"] | named["mute"]:
            message = "no rule names this window; name it under `active` or `mute`, or take it out"
            yield subject.finding(Defect.UNUSED, ("windows", name), message)


def shut_windows(subject: Subject) -> Iterator[Finding]:
    """Windows, and single spans of them, that do not open within five years."""
    for name, window in subject.rules.windows.items():
        shut = [number for number, span in enumerate(window.spans) if _is_shut(Window(name=name, spans=(span,), zone=window.zone), subject)]
        if len(shut) == len(window.spans):
            message = "never opens: there are no such days or times; change it, or take it out"
            yield subject.finding(Defect.WINDOW_NEVER_OPENS, ("windows", name), message)
        for number in shut if len(shut) < len(window.spans) else ():
            message = "this span never opens: there are no such days or times; change it, or take it out"
            yield subject.finding(Defect.WINDOW_NEVER_OPENS, ("windows", name, "spans", number), message)


def silent_rules(subject: Subject) -> Iterator[Finding]:
    """Rules that their windows never let speak, however bad the alert."""
    for rule in subject.rules.rules:
        holds = [held_until(rule.active, rule.mute, severity, subject.now) for severity in _severities(rule)]
        shut = [hold.window for hold in holds if hold and hold.until is None]
        if holds and len(shut) == len(holds):
            key = "active" if any(window.name == shut[0] for window in rule.active) else "mute"
            message = f'window "{shut[0]}" never lets this rule speak; change the window, or take the rule out'
            found = example([claim_of(rule)], meets_all(rule.when))
            yield subject.finding(Defect.RULE_NEVER_SPEAKS, (*subject.path(rule), key), message, found)


def sleepers(subject: Subject) -> Iterator[Finding]:
    """Rules that say "critical" to nobody who wakes up."""
    for rule in subject.rules.rules:
        if not _is_critical(rule) or _wakes(subject, rule):
            continue
        others = [claim_of(other).denied() for other in subject.rules.rules if other is not rule and _wakes(subject, other)]
        found = example([claim_of(rule), *others], partial(_wakes_nobody, subject, rule))
        if found:
            kinds = ", ".join(dict.fromkeys(subject.rules.receivers[name].kind for name in _told(rule)))
            message = (
                f"critical, but told to {kinds} alone, which wakes nobody; add what does (pagerduty, sms, webhook, a Jira incident) "
                "to `notify` or `escalate`, or write severity: warning"
            )
            key = "severity" if rule.severity else "notify"
            yield subject.finding(Defect.NOBODY_WAKES, (*subject.path(rule), key), message, found)


def _named(subject: Subject, key: str) -> set[str]:
    """All names below a key, wherever it stands in the rules."""
    found: set[str] = set()
    waiting: list[object] = [subject.source.value(("rules",))]
    while waiting:
        content = waiting.pop()
        if isinstance(content, dict):
            names = content.get(key)
            found |= (
                {word for name in names or () for word in ([name] if isinstance(name, str) else name)} if isinstance(names, list) else set()
            )
            waiting += content.values()
        elif isinstance(content, list):
            waiting += content
    in_force = (rule for rule in subject.rules.rules)
    return found | {name for rule in in_force for name in (_told(rule) if key == "notify" else [one.name for one in getattr(rule, key)])}


def _is_shut(window: Window, subject: Subject) -> bool:
    return not window.holds(subject.now) and window.next_change(subject.now) is None


def _severities(rule: Rule) -> Sequence[Severity]:
    """How bad its messages may be."""
    if not rule.active and not rule.mute:
        return ()
    if rule.severity:
        return (rule.severity,)
    levels = {level: Claim(tree=parse(f"level:{level}").tree) for level in SEVERITY_OF_LEVEL}
    return tuple(dict.fromkeys(SEVERITY_OF_LEVEL[level] for level, claim in levels.items() if not is_never(claim_of(rule), claim)))


def _is_critical(rule: Rule) -> bool:
    if rule.severity:
        return rule.severity is Severity.CRITICAL
    return implies(claim_of(rule), Claim(tree=parse("level:fatal").tree)) and not is_never(claim_of(rule))


def _told(rule: Rule) -> tuple[str, ...]:
    return (*rule.notify, *(name for step in rule.escalate for name in step.notify))


def _wakes(subject: Subject, rule: Rule) -> bool:
    return any(subject.wakes(subject.rules.receivers[name]) for name in _told(rule))


def _wakes_nobody(subject: Subject, rule: Rule, one: Example) -> bool:
    """Whether the engine finds that the rule, and none that wakes, is met."""
    met = {name for name, verdict in subject.asked(one).items() if verdict.matched}
    return rule.name in met and not any(_wakes(subject, other) for other in subject.rules.rules if other.name in met)
