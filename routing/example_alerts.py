"""Builds alerts that meet given conditions, and lets the query language itself confirm that they do. Knows no rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from routing.alert import Alert, Category, ExceptionValue, Json, Level, Metric, Status, User
from routing.firing_states import World
from routing.literals import STATE
from routing.possible_values import Never, Possible
from routing.query import Context, Query
from routing.satisfiability import Claim, Conjunction, TooManyError, alternatives, values

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_PLAIN = Alert(
    resource="event_alert",
    action="triggered",
    status=Status.FIRING,
    category=Category.ERROR,
    level=Level.ERROR,
    title="Error",
    received_at=_NOW,
    occurred_at=_NOW,
)

_ACTIONS: Mapping[str, str] = {
    "event_alert": "triggered",
    "error": "created",
    "issue": "unresolved",
    "metric_alert": "critical",
    "legacy": "triggered",
    "silence": "reminder",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An alert, and what is known beside it."""

    alert: Alert = _PLAIN
    context: Context = field(default_factory=Context)

    def meets(self, query: Query) -> bool:
        """Whether the query says so."""
        return query.evaluate(self.alert, self.context).matched


def example(claims: Sequence[Claim], confirmed: Callable[[Example], bool]) -> Example | None:
    """An alert that makes all the claims true, and is confirmed to; None if none was found, which proves nothing."""
    try:
        found = alternatives(*claims)
    except TooManyError:
        return None
    built = (one for conjunction in found for one in _built(conjunction))
    return next((one for one in built if confirmed(one)), None)


def meets_all(*queries: Query) -> Callable[[Example], bool]:
    """What confirms an example of all these queries."""
    return lambda one: all(one.meets(query) for query in queries)


def shown(alert: Alert) -> str:
    """What an alert says that its kind does not always say, in one line, for people."""
    metric, exception = alert.metric, alert.exception
    said: Mapping[str, object] = {
        "level": alert.level.value,
        "title": alert.title if alert.title != _PLAIN.title else "",
        "text": alert.text,
        "project": alert.project,
        "environment": alert.environment,
        "release": alert.release,
        "transaction": alert.transaction,
        "transaction.duration": f"{alert.duration_ms:.0f} ms" if alert.duration_ms is not None else "",
        "error.type": exception.type if exception else "",
        metric.aggregate if metric else "": metric.value if metric else "",
        **{f"tags.{name}": value for name, value in alert.tags},
    }
    return ", ".join(f'{name} "{str(value)[:40]}"' for name, value in said.items() if value)


def _built(conjunction: Conjunction) -> list[Example]:
    try:
        found = values(conjunction)
    except Never:
        return []
    one = Example()
    for subject, choices in found.items():
        one = _with(one, subject, choices)
    return [one]


def _with(one: Example, subject: str, choices: Sequence[Possible]) -> Example:
    """The example with a value that is possible under a key; of what this cannot build, as it was."""
    present = [choice for choice in choices if choice is not None]
    value = present[0] if present and None not in choices else None
    if isinstance(value, World):
        context = replace(one.context, is_new=value.is_new, was=value.was)
        world = value.alert
        payload = {**one.alert.payload, **world.payload}
        alert = replace(one.alert, resource=world.resource, action=world.action, substatus=world.substatus, payload=payload)
        return Example(alert=alert, context=context)
    if subject.startswith("is:new"):
        return replace(one, context=replace(one.context, is_new_here=bool(value)))
    if "(" in subject:
        return _with_figure(one, subject.partition(" ")[0], value)
    if subject == STATE:
        return one
    return replace(one, alert=_put(one.alert, subject, value))


def _with_figure(one: Example, name: str, value: Possible) -> Example:
    if not isinstance(value, int | float):
        return one
    metric = Metric(rule_name="Example", aggregate=name, value=float(value))
    known = {**one.context.aggregates, name: float(value)}
    return Example(alert=replace(one.alert, metric=metric), context=replace(one.context, aggregates=known))


def _put(alert: Alert, subject: str, value: Possible) -> Alert:
    """The alert with a value under a key; what it does not say, it says nothing of from the start."""
    if value is None:
        return alert
    if isinstance(value, str) and subject in _OF_TEXT:
        return _OF_TEXT[subject](alert, value)
    if isinstance(value, int | float) and subject in _OF_NUMBERS:
        return _OF_NUMBERS[subject](alert, value)
    if isinstance(value, timedelta) and subject in _OF_DATES:
        return _OF_DATES[subject](alert, _NOW + value)
    return _tagged(alert, subject[5:-1] if subject.startswith("tags[") else subject, value)


def _tagged(alert: Alert, name: str, value: Possible) -> Alert:
    spelled = str(value).lower() if isinstance(value, bool) else f"{value:.15g}" if isinstance(value, float) else str(value)
    return replace(alert, tags=(*(tag for tag in alert.tags if tag[0] != name), (name, spelled)))


def _exception(alert: Alert) -> ExceptionValue:
    return alert.exceptions[0] if alert.exceptions else ExceptionValue()


def _raised(alert: Alert, exception: ExceptionValue) -> Alert:
    return replace(alert, exceptions=(exception,))


def _user(alert: Alert) -> User:
    return alert.user or User()


def _metric(alert: Alert) -> Metric:
    return alert.metric or Metric(rule_name="Example", aggregate="count()")


def _within(alert: Alert, key: str, changes: Mapping[str, Json]) -> Alert:
    return replace(alert, payload={**alert.payload, key: changes})


_OF_TEXT: Mapping[str, Callable[[Alert, str], Alert]] = {
    "text": lambda alert, value: replace(alert, text=value),
    "title": lambda alert, value: replace(alert, title=value),
    "level": lambda alert, value: replace(alert, level=Level(value.lower())),
    "environment": lambda alert, value: replace(alert, environment=value),
    "release": lambda alert, value: replace(alert, release=value),
    "release.version": lambda alert, value: replace(alert, release=f"shop@{value}"),
    "release.package": lambda alert, value: replace(alert, release=f"{value}@1.2.3"),
    "platform": lambda alert, value: replace(alert, platform=value),
    "project": lambda alert, value: replace(alert, project=value),
    "organization": lambda alert, value: replace(alert, organization=value),
    "transaction": lambda alert, value: replace(alert, transaction=value),
    "culprit": lambda alert, value: replace(alert, culprit=value),
    "user.id": lambda alert, value: replace(alert, user=replace(_user(alert), id=value)),
    "user.email": lambda alert, value: replace(alert, user=replace(_user(alert), email=value)),
    "user.username": lambda alert, value: replace(alert, user=replace(_user(alert), username=value)),
    "user.ip_address": lambda alert, value: replace(alert, user=replace(_user(alert), ip_address=value)),
    "error.type": lambda alert, value: _raised(alert, replace(_exception(alert), type=value)),
    "error.value": lambda alert, value: _raised(alert, replace(_exception(alert), value=value)),
    "error.mechanism": lambda alert, value: _raised(alert, replace(_exception(alert), mechanism=value)),
    "http.method": lambda alert, value: _within(alert, "request", {"method": value}),
    "issue": lambda alert, value: replace(alert, short_id=value),
    "issue.priority": lambda alert, value: replace(alert, priority=value),
    "issue.category": lambda alert, value: replace(alert, category=Category(value.lower())) if value.lower() in set(Category) else alert,
    "event.type": lambda alert, value: replace(alert, event_type=value),
    "id": lambda alert, value: replace(alert, event_id=value),
    "resource": lambda alert, value: replace(alert, resource=value, action=_ACTIONS.get(value, "triggered")),
    "action": lambda alert, value: replace(alert, action=value),
    "metric.aggregate": lambda alert, value: replace(alert, metric=replace(_metric(alert), aggregate=value)),
    "alert_rule.name": lambda alert, value: replace(alert, sentry_rule=value),
}
_OF_NUMBERS: Mapping[str, Callable[[Alert, float], Alert]] = {
    "transaction.duration": lambda alert, value: replace(alert, duration_ms=value),
    "error.handled": lambda alert, value: _raised(alert, replace(_exception(alert), handled=bool(value))),
    "timesSeen": lambda alert, value: replace(alert, event_count=math.ceil(value)),
    "user_count": lambda alert, value: replace(alert, user_count=math.ceil(value)),
    "issue.id": lambda alert, value: replace(alert, issue_id=f"{value:.0f}"),
    "metric.value": lambda alert, value: replace(alert, metric=replace(_metric(alert), value=value)),
    "metric.threshold": lambda alert, value: replace(alert, metric=replace(_metric(alert), threshold=value)),
}
_OF_DATES: Mapping[str, Callable[[Alert, datetime], Alert]] = {
    "timestamp": lambda alert, value: replace(alert, occurred_at=value),
    "firstSeen": lambda alert, value: replace(alert, first_seen=value),
    "lastSeen": lambda alert, value: replace(alert, last_seen=value),
}
