"""Holds an alert against the rules, in their order: what each of them says to it. Decides nothing of who is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from routing.alert import Alert
from routing.history import History
from routing.incident import places
from routing.query import Context, Facts, Verdict
from routing.rules import Noise, Rule, RuleSet


def facts_of(alert: Alert, history: History, now: datetime) -> Facts:
    """What is known of an alert, for those who ask neither for figures nor for places."""
    return Facts(alert, Context(is_new=not history.incident_is_known, was=history.was, now=now))


def noise(facts: Facts, rules: RuleSet) -> tuple[Noise, str] | None:
    """The first entry of `ignore` that an alert meets, and by what; None if it is worth asking the rules."""
    for entry in rules.ignore:
        is_met, why = entry.when.check(facts)
        if is_met:
            return entry, why
    return None


def ask(facts: Facts, rules: RuleSet, history: History) -> tuple[Verdict, ...]:
    """What each rule says, in the order of the file; a rule that is not asked gets a verdict that names the rule which made it needless."""
    if not rules.has_flow:
        return tuple([_ask(rule, facts, history) for rule in rules.rules])
    verdicts: dict[str, Verdict] = {}
    passed_over: set[str] = set()
    stopped_by = ""
    for rule in rules.rules:
        because = _because(rule, stopped_by, passed_over, verdicts)
        if because:
            passed_over.add(rule.name)
        verdicts[rule.name] = Verdict(matched=False, why=because) if because else _ask(rule, facts, history)
        if rule.stop and verdicts[rule.name].matched:
            stopped_by = rule.name
    return tuple(verdicts.values())


def _because(rule: Rule, stopped_by: str, passed_over: set[str], verdicts: dict[str, Verdict]) -> str:
    """Why a rule is not asked; empty if it is."""
    if stopped_by:
        return f'not asked: "{stopped_by}" matched, and stops'
    if rule.otherwise is None:
        return ""
    if rule.otherwise in passed_over:
        return f'not asked: nor was "{rule.otherwise}"'
    return f'not asked: "{rule.otherwise}" matched' if verdicts[rule.otherwise].matched else ""


def _ask(rule: Rule, facts: Facts, history: History) -> Verdict:
    if not (rule.per or rule.when.aggregates):
        return rule.when.check(facts)
    here = _is_new_here(rule, facts.alert, history)
    context = replace(facts.context, is_new_here=here, aggregates=history.figures_of(rule.name))
    return rule.when.check(Facts(facts.alert, context))


def _is_new_here(rule: Rule, alert: Alert, history: History) -> bool | None:
    """Whether the incident was never seen in this alert's release or environment; None if the rule does not ask, or there is none."""
    here: Sequence[str] = [place for place in places(alert) if rule.per and place.startswith(f"{rule.per}:")]
    return None if not here else here[0] not in history.seen_in
