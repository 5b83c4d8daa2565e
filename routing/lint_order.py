"""What an earlier part of the file takes from a later one: rules that are never asked, entries that are never met. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from routing.example_alerts import Example, example, meets_all
from routing.fingerprint import Fingerprint
from routing.lint_findings import Defect, Finding, Subject, claim_of
from routing.query import Query
from routing.rules import Rule, Throttle
from routing.satisfiability import Claim, implies, is_never


def shadowed_rules(subject: Subject) -> Iterator[Finding]:
    """Rules of which every alert is taken by others before: by `ignore`, by a rule that stops, by the one under whose `else` they are."""
    rules = subject.rules.rules
    noise = [Claim(tree=entry.when.tree) for entry in subject.rules.ignore]
    for number, rule in enumerate(rules):
        claim, path = claim_of(rule), (*subject.path(rule), "when")
        if is_never(claim):
            continue
        if noise and implies(claim, *noise):
            yield subject.finding(
                Defect.SHADOWED,
                path,
                "every alert that meets this meets an entry of `ignore`, so the rule is never asked; "
                "narrow that entry, or take the rule out",
                _met(subject, rule),
            )
        elif stops := _stops(rules[:number], rule, subject):
            names = " or ".join(f'"{stop.name}"' for stop in stops)
            message = f"every alert that meets this meets {names} before, which stops; put this rule above, or take `stop` out there"
            yield subject.finding(Defect.SHADOWED, path, message, _met(subject, rule))
        elif (parent := _parent(subject, rule)) and not _takes_all(parent) and implies(claim, claim_of(parent)):
            message = f'every alert that meets this meets "{parent.name}", whose `else` is asked of the others; move it out of there'
            yield subject.finding(Defect.ELSE_NEVER_ASKED, path, message, _met(subject, rule))


def dead_elses(subject: Subject) -> Iterator[Finding]:
    """Rules under the `else` of one that every alert meets."""
    for rule in subject.rules.rules:
        under = [other for other in subject.rules.rules if other.otherwise == rule.name]
        if under and _takes_all(rule):
            message = f'every alert meets "{rule.name}", so what is under its `else` is never asked; narrow its `when`, or move them out'
            yield subject.finding(Defect.ELSE_NEVER_ASKED, (*subject.path(rule), "else"), message, _met(subject, under[0]))


def shadowed_entries(subject: Subject) -> Iterator[Finding]:
    """Entries of `ignore` and `fingerprints` of which every alert is taken by earlier ones."""
    ignore = subject.rules.ignore
    for number, entry in enumerate(ignore):
        earlier = [Claim(tree=one.when.tree) for one in ignore[:number]]
        if earlier and not is_never(Claim(tree=entry.when.tree)) and implies(Claim(tree=entry.when.tree), *earlier):
            message = "every alert that meets this meets an earlier entry, which counts it; put this one above, or take it out"
            yield subject.finding(Defect.SHADOWED, ("ignore", number, "when"), message, _example_of(entry.when))
    fingerprints = subject.rules.fingerprints
    for number, fingerprint in enumerate(fingerprints):
        claim = Claim(tree=fingerprint.when.tree)
        earlier = [Claim(tree=one.when.tree) for one in fingerprints[:number] if _fills_whatever(one, fingerprint)]
        if earlier and not is_never(claim) and implies(claim, *earlier):
            message = "every alert that meets this is named by an earlier entry; put this one above, or take it out"
            yield subject.finding(Defect.SHADOWED, ("fingerprints", number, "when"), message, _example_of(fingerprint.when))


def idle_throttles(subject: Subject) -> Iterator[Finding]:
    """Throttles that hold nothing: of what no rule tells, or of what another one holds before."""
    claims = [claim_of(rule) for rule in subject.rules.rules]
    throttles = subject.rules.throttles
    for number, throttle in enumerate(throttles):
        claim, path = Claim(tree=throttle.when.tree), ("throttles", number)
        if is_never(claim):
            continue
        if claims and all(is_never(claim, one) for one in claims):
            message = "no alert that meets a rule meets this, so it never holds one; change `when`, or take it out"
            yield subject.finding(Defect.THROTTLE_NEVER_BITES, (*path, "when"), message, _example_of(throttle.when))
        elif tighter := next((one for index, one in enumerate(throttles) if _is_tighter(one, throttle, is_before=index < number)), None):
            message = (
                f'"{tighter.name}" has held every alert before this could; make the limit smaller than {tighter.limit}, or take it out'
            )
            yield subject.finding(Defect.THROTTLE_NEVER_BITES, (*path, "limit"), message, _example_of(throttle.when))


def idle_inhibitions(subject: Subject) -> Iterator[Finding]:
    """Inhibitions whose source and target are the same: what is both holds none of its like."""
    for number, one in enumerate(subject.rules.inhibit):
        source, target = Claim(tree=one.source.tree), Claim(tree=one.target.tree)
        if not is_never(source) and implies(source, target) and implies(target, source):
            message = "the same as the source, so it never holds anything: what is both holds none of its like; narrow one of them"
            found = example([source, target], meets_all(one.source, one.target))
            yield subject.finding(Defect.INHIBITS_ITSELF, ("inhibit", number, "target"), message, found)


def _stops(earlier: Sequence[Rule], rule: Rule, subject: Subject) -> Sequence[Rule]:
    """The earlier rules that stop whatever meets this one; nothing if it may be reached."""
    stopping = [one for one in earlier if one.stop and set(_ancestors(subject, one)) <= set(_ancestors(subject, rule))]
    claim = claim_of(rule)
    alone = next((one for one in stopping if implies(claim, claim_of(one))), None)
    if alone:
        return [alone]
    return stopping if len(stopping) > 1 and implies(claim, *map(claim_of, stopping)) else []


def _ancestors(subject: Subject, rule: Rule) -> Iterator[str]:
    while rule.otherwise is not None:
        yield rule.otherwise
        rule = subject.rules.by_name[rule.otherwise]


def _parent(subject: Subject, rule: Rule) -> Rule | None:
    return subject.rules.by_name[rule.otherwise] if rule.otherwise else None


def _takes_all(rule: Rule) -> bool:
    return is_never(claim_of(rule).denied())


def _met(subject: Subject, rule: Rule) -> Example | None:
    """An alert that meets the condition of a rule which the engine does not ask."""
    return example([claim_of(rule)], lambda one: one.meets(rule.when) and not _is_matched(subject, one, rule))


def _is_matched(subject: Subject, one: Example, rule: Rule) -> bool:
    verdict = subject.asked(one).get(rule.name)
    return verdict is not None and verdict.matched


def _example_of(query: Query) -> Example | None:
    return example([Claim(tree=query.tree)], meets_all(query))


def _fills_whatever(earlier: Fingerprint, later: Fingerprint) -> bool:
    """Whether what fills the places of the later key fills those of the earlier one."""
    places = {part for part in earlier.key.parts if not isinstance(part, str)}
    return places <= {part for part in later.key.parts if not isinstance(part, str)}


def _is_tighter(one: Throttle, other: Throttle, *, is_before: bool) -> bool:
    """Whether what the other throttle counts is counted by the one, together with at least as much, against no higher limit."""
    if one is other or one.limit > other.limit or one.per < other.per or not set(one.by) <= set(other.by):
        return False
    is_same = (one.limit, one.per, set(one.by)) == (other.limit, other.per, set(other.by))
    if is_same and not is_before and implies(Claim(tree=one.when.tree), Claim(tree=other.when.tree)):
        return False
    return implies(Claim(tree=other.when.tree), Claim(tree=one.when.tree))
