"""Finds what is wrong with rules that can be put in force: what never matches, never speaks, reaches nobody. Says only what is proved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from routing.lint_conditions import empty_requests, new_and_often, short_cooldowns, unmeetable
from routing.lint_findings import Defect, Finding, Subject
from routing.lint_order import dead_elses, idle_inhibitions, idle_throttles, shadowed_entries, shadowed_rules
from routing.lint_reach import shut_windows, silent_rules, sleepers, unused
from routing.rules import Receiver, RuleSet
from routing.rules_loading import read_source

__all__ = ["Defect", "Finding", "lint"]

_CHECKS = (
    *(unmeetable, empty_requests, short_cooldowns, new_and_often),
    *(shadowed_rules, dead_elses, shadowed_entries, idle_throttles, idle_inhibitions),
    *(unused, shut_windows, silent_rules, sleepers),
)


def lint(texts: Mapping[str, str], rules: RuleSet, *, wakes: Callable[[Receiver], bool], now: datetime) -> tuple[Finding, ...]:
    """All that makes no sense, in the order of the file.

    Args:
        texts: the file, under no name, and those that it includes, as `RulesFile.texts` has them.
        rules: what was loaded from them.
        wakes: whether a receiver gets people out of bed.
        now: from when on windows are looked at.
    """
    included = {name: text for name, text in texts.items() if name}
    subject = Subject(rules=rules, source=read_source(texts[""], included), wakes=wakes, now=now)
    found = [finding for check in _CHECKS for finding in check(subject)]
    return tuple(sorted(found, key=lambda one: (one.problem.file, one.problem.line, one.problem.column)))
