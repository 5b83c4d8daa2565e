"""What a check of the rules' sense finds, and the file that it looks at. Knows no check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from routing.alert import Alert
from routing.asking import ask, noise
from routing.document import Document, Path, Problem
from routing.example_alerts import Example, shown
from routing.history import History
from routing.query import Facts, Verdict
from routing.rules import Receiver, Rule, RuleSet
from routing.satisfiability import Claim


class Defect(StrEnum):
    """What is wrong although the file can be put in force."""

    NEVER_MET = "never-met"
    DEAD_ALTERNATIVE = "dead-alternative"
    SHADOWED = "shadowed"
    ELSE_NEVER_ASKED = "else-never-asked"
    SHORT_COOLDOWN = "short-cooldown"
    WINDOW_NEVER_OPENS = "window-never-opens"
    RULE_NEVER_SPEAKS = "rule-never-speaks"
    UNUSED = "unused"
    NOBODY_WAKES = "nobody-wakes"
    PER_WITHOUT_NEW = "per-without-new"
    WINDOW_WITHOUT_FIGURE = "window-without-figure"
    THROTTLE_NEVER_BITES = "throttle-never-bites"
    INHIBITS_ITSELF = "inhibits-itself"
    NEW_AND_OFTEN = "new-and-often"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that makes no sense, with the way out."""

    defect: Defect
    problem: Problem
    example: Alert | None = None
    """An alert that shows it, as the engine confirmed."""

    def __str__(self) -> str:
        told = f"; for example: {shown(self.example)}" if self.example else ""
        return f"{self.problem}{told} [{self.defect}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Rules in force with the file that says them."""

    rules: RuleSet
    source: Document
    wakes: Callable[[Receiver], bool]
    """Whether a receiver gets people out of bed."""
    now: datetime

    def finding(self, defect: Defect, path: Path, message: str, example: Example | None = None) -> Finding:
        """Something found at a path of the file."""
        return Finding(defect=defect, problem=self.source.problem(path, message), example=example.alert if example else None)

    @property
    def paths(self) -> Mapping[str, Path]:
        """Where each rule stands."""
        return {name: path for path in self._paths(("rules",)) if isinstance(name := self.source.value((*path, "name")), str)}

    def path(self, rule: Rule) -> Path:
        """Where a rule stands; where it stands in another file, the rules as a whole."""
        return self.paths.get(rule.name, ("rules",))

    def asked(self, example: Example) -> Mapping[str, Verdict]:
        """What each rule says to an alert, as the engine does it; nothing if an entry of `ignore` keeps it from them."""
        facts = Facts(example.alert, example.context)
        if noise(facts, self.rules):
            return {}
        figures = {rule.name: example.context.aggregates for rule in self.rules.rules}
        history = History(was=example.context.was, figures=figures)
        return dict(zip(self.rules.names, ask(facts, self.rules, history), strict=True))

    def _paths(self, path: Path) -> Iterator[Path]:
        content = self.source.value(path)
        for index in range(len(content) if isinstance(content, list) else 0):
            yield (*path, index)
            yield from self._paths((*path, index, "else"))


def claim_of(rule: Rule) -> Claim:
    """That a rule's condition is met."""
    places = f"per {rule.per}" if rule.per else ""
    figures = f"in {rule.window} over {rule.over}" if rule.when.aggregates else ""
    return Claim(tree=rule.when.tree, scope=f"{places}{figures}")
