"""Keeps what Sentry tells of this service's own failures from the receiver that fails: it would fail again, and be told of that.

The service reports to a Sentry project of its own, and names in a tag the receiver that a report concerns. If that project alerts this
service, as it should, the alert comes back with the tag. Nobody else's tag counts: it would hold back whatever its author wants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from routing.addressing import address
from routing.alert import Alert, Json
from routing.notification import PlannedNotification, Reason, State
from routing.query import Facts
from routing.rules import RuleSet

RECEIVER_TAG = "alert_router.receiver"
"""As telemetry/reporting.py sets it."""


def failing_receiver(alert: Alert, rules: RuleSet) -> str | None:
    """The receiver of which an alert of the service's own project says that it fails."""
    name = alert.tag(RECEIVER_TAG)
    is_ours = bool(rules.own_project) and _project(alert.payload.get("project")) == rules.own_project
    return rules.twins.get(name) if name and is_ours else None


def kept_from_the_failing(planned: Sequence[PlannedNotification], rules: RuleSet, facts: Facts) -> Iterator[PlannedNotification]:
    """The same, but held where it would tell a receiver of its own failure; if nobody else is told, `watch.notify` is."""
    failing = failing_receiver(facts.alert, rules) if rules.own_project else None
    held = [one for one in planned if one.receiver == failing and one.state is State.PLANNED] if failing else []
    if not held:
        yield from planned
        return
    others = [one for one in planned if one not in held]
    instead = None if any(one.state is State.PLANNED for one in others) else _instead(held[0], rules, facts)
    yield from others
    for one in held:
        yield replace(one, state=State.HELD, reason=Reason.OWN_FAILURE, why=_why(one, others, instead), others=(), then="")
    if instead:
        yield instead


def _instead(held: PlannedNotification, rules: RuleSet, facts: Facts) -> PlannedNotification | None:
    """For the first receiver of `watch.notify` that is another one."""
    for name in rules.watch.notify:
        where = address(name, rules, facts)
        if not where.is_lost and where.receiver.name != held.receiver:
            return replace(
                held,
                receiver=where.receiver.name,
                kind=where.receiver.kind,
                changes=where.changes,
                reason=Reason.FALLBACK,
                why="; ".join(filter(None, (f"{held.receiver} is not told of its own failure", held.why, where.remark))),
                place=where.receiver.place(where.changes),
                follows=where.receiver.options.follows,
            )
    return None


def _why(held: PlannedNotification, others: Sequence[PlannedNotification], instead: PlannedNotification | None) -> str:
    told = [one.receiver for one in (*others, *([instead] if instead else [])) if one.state is State.PLANNED]
    elsewhere = f"told by {', '.join(told)}" if told else "nobody else is told: name another receiver in `watch: {notify: …}`"
    return f"{held.why}; it tells that {held.receiver} itself fails; {elsewhere}"


def _project(value: Json) -> str:
    """Its number, as an event or an issue names it."""
    if isinstance(value, dict):
        value = value.get("id")
    return str(value) if value else ""
