"""Alerts that do not come, by the lines of the guide's troubleshooting: rule condition, tags, integration, history."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from routing.notification import State as MessageState
from routing.rules import RuleSet
from routing.sentry import UnreadableAlert
from storage import explanation, last_events, refusals
from storage.explanation import Explanation
from storage.inspection import NoSuchEventError
from storage.last_events import LastEvents
from watch.doctor.finding import Finding, Says
from watch.doctor.patient import Patient

SAYS = Says(group="alerts")
LATEST = 200
"""So many of the newest events are looked at,"""
READ = 50
"""and of so many the tags."""
MOST = 6
_TAG = re.compile(r"tags(?:\.|\[)([^],]+)(?:,\w+)?\]?")
"""`tags.critical` or `tags[critical]`; by a name alone a field may be meant."""
_EXPLAIN = "`flask doctor --event {}` or `flask alerts explain {}` says of each rule why"


def look(patient: Patient) -> Iterator[Finding]:
    """Of the event that is asked about, else of the newest."""
    if patient.engine is None:
        yield SAYS.unchecked("history", "there is no database to ask", "mend the database first")
        return
    try:
        if patient.event is None:
            yield from _of_all(patient, patient.engine)
        else:
            yield from _of_one(patient.engine, patient.event, patient.rule_set)
    except SQLAlchemyError as error:
        yield SAYS.unchecked("history", f"the database does not answer ({type(error).__name__})", "mend the database first")


def _of_all(patient: Patient, engine: Engine) -> Iterator[Finding]:
    found = last_events.last_events(engine, LATEST)
    yield _integration(patient, engine, found)
    yield _condition(found)
    if patient.rule_set is not None:
        yield from _tags(engine, found, patient.rule_set)
    yield _history(patient, engine)


def _integration(patient: Patient, engine: Engine, found: LastEvents) -> Finding:
    refused = refusals.of_today(engine, "sentry", 401, patient.clock())
    came = f"the last webhook came at {explanation.clock(found.came_at)}" if found.came_at else "no webhook came yet"
    if refused:
        way_out = "put the integration's Client Secret into SENTRY_CLIENT_SECRETS, beside the old one, and restart `web`"
        return SAYS.fault("integration", f"{refused} webhooks of today were refused for their signature; {came}", way_out)
    if found.came_at is None:
        way_out = "see `sentry` above: webhook URL, Alert Rule Action, an alert rule with the integration as its action"
        return SAYS.warning("integration", came, way_out)
    return SAYS.ok("integration", f"{came}, and none was refused today")


def _condition(found: LastEvents) -> Finding:
    if not found.ids:
        return SAYS.ok("rule condition", "nothing came that a rule could meet")
    counts = ", ".join(f"{count} {disposition}" for disposition, count in sorted(found.dispositions.items(), key=lambda one: -one[1]))
    seen = f"of the last {len(found.ids)} events: {counts or 'none is decided'}"
    fires = found.dispositions.get("matched", 0) + found.dispositions.get("unrouted", 0)
    if found.unrouted is None or not fires:
        return SAYS.ok("rule condition", seen)
    if found.dispositions.get("matched"):
        return SAYS.ok("rule condition", f"{seen}; {_EXPLAIN.format(found.unrouted, found.unrouted)} event {found.unrouted} met none")
    return SAYS.warning("rule condition", f"{seen}: no rule was met by any", _EXPLAIN.format(found.unrouted, found.unrouted))


def _tags(engine: Engine, found: LastEvents, rules: RuleSet) -> Iterator[Finding]:
    """Those for which rules ask and which no alert of late had."""
    alerts = explanation.alerts_of_events(engine, found.ids[:READ]).values()
    asked = asked_tags(rules)
    if not asked or not alerts:
        yield SAYS.ok("tags", "no rule asks for any" if not asked else "no alert came that could have any")
        return
    had = {key for alert in alerts for key, _ in alert.tags}
    absent = {tag: names for tag, names in asked.items() if tag not in had}
    for tag, names in list(absent.items())[:MOST]:
        seen = f"no one of the last {len(alerts)} alerts has the tag {tag}, for which {_named(names)}"
        way_out = "set it in the application (`sentry_sdk.set_tag`); issues' own webhooks have tags only where SENTRY_API_TOKEN lets us ask"
        yield SAYS.warning("tags", seen, way_out)
    if not absent:
        yield SAYS.ok("tags", f"alerts of late have each that rules ask for: {', '.join(sorted(asked))}")


def asked_tags(rules: RuleSet) -> dict[str, list[str]]:
    """By tag the rules that ask for it."""
    asked: dict[str, list[str]] = {}
    for rule in rules.rules:
        for key in sorted(rule.when.keys):
            if named := _TAG.fullmatch(key):
                asked.setdefault(named[1], []).append(rule.name)
    return asked


def _history(patient: Patient, engine: Engine) -> Finding:
    told = last_events.told_since(engine, patient.clock() - timedelta(days=1))
    seen = ", ".join(f"{count} {state}" for state, count in told.items()) or "nobody was told anything"
    seen = f"of the last day: {seen}"
    if told.get(MessageState.DEAD):
        return SAYS.warning("history", seen, "`flask notifications list --state dead` says why each was given up")
    if told.get(MessageState.HELD, 0) > sum(told.values()) / 2:
        return SAYS.warning("history", seen, "`flask notifications list --state held` says by what: a silence, a cooldown, a window")
    return SAYS.ok("history", seen)


def _of_one(engine: Engine, event: int, rules: RuleSet | None) -> Iterator[Finding]:
    try:
        found = explanation.of_event(engine, event)
    except NoSuchEventError as error:
        yield SAYS.fault("integration", str(error), "see the number in the console, or by `flask alerts explain`")
        return
    yield SAYS.ok("integration", f"{found.what}: its signature was right, or it would not be here")
    yield from _conditions_of(found, event)
    yield from _tags_of(engine, event, rules)
    yield from _history_of(found, event)


def _conditions_of(found: Explanation, event: int) -> Iterator[Finding]:
    if not found.rules:
        way_out = "the worker has to decide it first: see `workers`" if found.outcome == "waiting" else _EXPLAIN.format(event, event)
        yield SAYS.warning("rule condition", f"no rule was asked: {found.outcome}", way_out)
    for rule, matched, why in found.rules:
        yield SAYS.ok("rule condition", f"{rule}: {'matched' if matched else 'not met'}: {why}")
    if found.rules and not any(matched for _, matched, _ in found.rules):
        way_out = "change `when` of the rule that should have been met; the rules are tried on this very event in the console"
        yield SAYS.warning("rule condition", f"no rule was met: {found.outcome}", way_out)


def _tags_of(engine: Engine, event: int, rules: RuleSet | None) -> Iterator[Finding]:
    try:
        has = dict(explanation.alert_of_event(engine, event).tags)
    except UnreadableAlert as error:
        yield SAYS.fault("tags", f"nothing can be read from it: {error}", "report this as a fault of the router, with the webhook's body")
        return
    missing = {tag: names for tag, names in asked_tags(rules).items() if tag not in has} if rules else {}
    if not missing:
        yield SAYS.ok("tags", f"it has {len(has)}: {', '.join(sorted(has)[:20]) or 'none'}")
    for tag, names in list(missing.items())[:MOST]:
        yield SAYS.warning("tags", f"it has no tag {tag}, for which {_named(names)}", "set it in the application (`sentry_sdk.set_tag`)")


def _history_of(found: Explanation, event: int) -> Iterator[Finding]:
    for one in found.told:
        seen = f"{one.receiver}: {one.state}, {one.reason}{f': {one.why}' if one.why else ''}"
        if one.state == MessageState.DEAD:
            yield SAYS.fault("history", seen, f"`flask notifications show {one.id}` has each attempt, `requeue {one.id}` sends it again")
        else:
            yield SAYS.ok("history", seen)
    if not found.told:
        way_out = f"see `rule condition`; `flask alerts explain {event}` has it all"
        yield SAYS.warning("history", "nobody was told of it, and nothing was held", way_out)


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST])
    return f"rule {shown} asks" if len(names) == 1 else f"rules {shown} ask"
