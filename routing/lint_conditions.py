"""Conditions that make no sense by themselves: what no alert can meet, and what asks for nothing. Knows one rule at a time."""

from __future__ import annotations

from collections.abc import Iterator

from routing.document import Path
from routing.durations import spell_duration
from routing.example_alerts import example, meets_all
from routing.lint_findings import Defect, Finding, Subject, claim_of
from routing.literals import Literal, subject_of, wanted
from routing.query_syntax import ORDERING
from routing.query_tree import And, Node, Operator, Or, Quantity, Term
from routing.rules import Rule
from routing.satisfiability import Claim, TooManyError, alternatives, conflict, is_never, parts_of

OFTEN = 10
"""How often Sentry has hardly ever seen an issue that is new: what fires then is its creation."""


def unmeetable(subject: Subject) -> Iterator[Finding]:
    """Conditions that no alert can meet, wherever they stand, and alternatives of which that is true."""
    for path, claim in _claims(subject):
        if is_never(claim):
            yield subject.finding(Defect.NEVER_MET, path, f"no alert can meet this: {_why(claim)}; {_advice(claim)}")
        else:
            yield from _dead_alternatives(subject, path, claim)


def empty_requests(subject: Subject) -> Iterator[Finding]:
    """Keys beside a condition that it gives nothing to do."""
    for rule in subject.rules.rules:
        path = subject.path(rule)
        if rule.per and not _asks_for_new(rule):
            message = "means nothing where `when` does not ask for is:new; add it, or take `per` out"
            yield subject.finding(Defect.PER_WITHOUT_NEW, (*path, "per"), message)
        for key in ("window", "over") if not rule.when.aggregates else ():
            if subject.source.value((*path, key)) is not None:
                message = f"means nothing where `when` has no figure like count():>100; add one, or take `{key}` out"
                yield subject.finding(Defect.WINDOW_WITHOUT_FIGURE, (*path, key), message)


def short_cooldowns(subject: Subject) -> Iterator[Finding]:
    """Rules that speak again of what they have counted before."""
    for rule in subject.rules.rules:
        if rule.when.aggregates and rule.window and rule.cooldown < rule.window:
            window, cooldown = spell_duration(rule.window), spell_duration(rule.cooldown)
            message = (
                f"the cooldown of {cooldown} is over while its window of {window} still counts what was told; write cooldown: {window}"
            )
            claim = claim_of(rule)
            found = example([claim], meets_all(rule.when))
            key = "cooldown" if subject.source.value((*subject.path(rule), "cooldown")) else "window"
            yield subject.finding(Defect.SHORT_COOLDOWN, (*subject.path(rule), key), message, found)


def new_and_often(subject: Subject) -> Iterator[Finding]:
    """Rules for issues that are new and were seen many times."""
    for rule in subject.rules.rules:
        try:
            found = alternatives(claim_of(rule))
        except TooManyError:
            continue
        if found and not rule.per and all(any(map(_is_new, one)) and any(map(_is_often, one)) for one in found):
            message = "an issue that is new was seen once or a few times; write firstSeen:-1d in place of is:new"
            yield subject.finding(Defect.NEW_AND_OFTEN, (*subject.path(rule), "when"), message)


def _claims(subject: Subject) -> Iterator[tuple[Path, Claim]]:
    rules = subject.rules
    yield from (((*subject.path(rule), "when"), claim_of(rule)) for rule in rules.rules)
    yield from ((("fingerprints", number, "when"), Claim(tree=one.when.tree)) for number, one in enumerate(rules.fingerprints))
    yield from ((("ignore", number, "when"), Claim(tree=one.when.tree)) for number, one in enumerate(rules.ignore))
    yield from ((("throttles", number, "when"), Claim(tree=one.when.tree)) for number, one in enumerate(rules.throttles))
    for number, one in enumerate(rules.inhibit):
        yield ("inhibit", number, "source"), Claim(tree=one.source.tree)
        yield ("inhibit", number, "target"), Claim(tree=one.target.tree)


def _dead_alternatives(subject: Subject, path: Path, claim: Claim) -> Iterator[Finding]:
    for node in _alternatives_in(claim.tree):
        one = Claim(tree=node, scope=claim.scope)
        if is_never(one):
            message = f"no alert can meet the alternative {node}: {_why(one)}; {_advice(one)}"
            yield subject.finding(Defect.DEAD_ALTERNATIVE, path, message)


def _alternatives_in(node: Node) -> Iterator[Node]:
    if isinstance(node, Or):
        yield from node.parts
    if isinstance(node, And | Or):
        for part in node.parts:
            yield from _alternatives_in(part)


def _why(claim: Claim) -> str:
    """Which of its conditions exclude each other."""
    found = conflict(parts_of(claim)[0])
    said = " and ".join(str(one.condition) for one in found)
    return f"{said} exclude each other" if len(found) > 1 else f"{said} is never true of what fires"


def _advice(claim: Claim) -> str:
    found = conflict(parts_of(claim)[0])
    subjects = {subject_of(one) for one in found}
    if "level" in subjects and len(found) == 1:
        return "levels are fatal, error, warning, info and debug"
    if "resource" in subjects and len(found) == 1:
        return "what fires are event_alert, error, issue, metric_alert, legacy, glitchtip and, of our own, silence"
    if any(_is_rate(one) for one in found) and len(found) == 1:
        return "a rate is at most 100%; write >5% or >0.05"
    if len(found) > 1 and len(subjects) == 1 and not any(name.startswith("is") for name in subjects):
        return "write OR, or key:[a, b], between values of which any will do"
    return "take one of them out" if len(found) > 1 else "take it out"


def _is_rate(literal: Literal) -> bool:
    return subject_of(literal).partition("(")[0].endswith(("rate", "apdex"))


def _asks_for_new(rule: Rule) -> bool:
    return "is" in rule.when.keys and "is:new" in str(rule.when).lower()


def _is_new(literal: Literal) -> bool:
    return isinstance(literal.condition, Term) and wanted(literal) and str(literal.condition).lower() == "is:new"


def _is_often(literal: Literal) -> bool:
    term = literal.condition
    return (
        subject_of(literal) == "timesSeen"
        and isinstance(term, Term)
        and wanted(literal)
        and isinstance(term.value, Quantity)
        and (term.operator in ORDERING - {Operator.LESS, Operator.AT_MOST} or term.operator is Operator.EQUAL)
        and term.value.amount >= OFTEN
    )
