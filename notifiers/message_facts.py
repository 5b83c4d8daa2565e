"""The labelled values of a message: what is known of its incident, who is on it, where else it stands, what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifiers.wording import cut, one_line, web_address
from routing.alert import Alert, Category, Metric
from routing.notification import Notification
from routing.trend import shown

MAX_NAME = 80
MAX_FACT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One labelled value."""

    label: str
    value: str
    link: str | None = None
    """The address that a person would open."""


def facts_of(notification: Notification) -> tuple[Fact, ...]:
    """All of them, those first that say who is to act; what is not known is left out."""
    alert, numbers, details = notification.alert, notification.numbers, notification.details
    candidates = (
        ("Next", notification.then),
        ("Owner", notification.owner),
        ("Assigned to", numbers.assignee if numbers else None),
        ("Acknowledged", f"by {notification.acknowledged_by}" if notification.acknowledged_by else None),
        ("Code owner", ", ".join(details.owners) if details else None),
        ("Suspect commit", details.suspect_commit if details else None),
    )
    known = tuple(Fact(label=label, value=cut(one_line(value), MAX_FACT)) for label, value in candidates if value)
    known += tuple(_linked(notification))
    trend = shown(numbers.trend, notification.created_at) if numbers else ""
    return known + (_metric_facts(alert.metric) if alert.metric else _facts_of_event(alert, notification.created_at, trend))


def _linked(notification: Notification) -> Iterator[Fact]:
    """What a person would open."""
    if runbook := notification.runbook:
        yield Fact(label="Runbook", value=cut(one_line(runbook), MAX_FACT), link=web_address(runbook))
    for link in notification.links:
        if url := web_address(link.url):
            yield Fact(label=cut(one_line(link.vendor), MAX_NAME), value=cut(one_line(link.text), MAX_FACT), link=url)


def _facts_of_event(alert: Alert, now: datetime, trend: str) -> tuple[Fact, ...]:
    candidates = (
        ("Duration", duration(alert.duration_ms) if alert.duration_ms is not None else None),
        ("Events", _count(alert.event_count)),
        ("Users", _count(alert.user_count)),
        ("Alerts in 24 h", trend),
        ("Provider", alert.tag("payment.provider")),
        ("HTTP status", alert.tag("http.status_code")),
        ("First seen", ago(alert.first_seen, now) if alert.first_seen else None),
        ("Status", (alert.substatus or "").capitalize()),
        ("Level", alert.level.capitalize() if alert.category is Category.ERROR else None),
    )
    return tuple(Fact(label=label, value=cut(one_line(value), MAX_FACT)) for label, value in candidates if value)


def _metric_facts(metric: Metric) -> tuple[Fact, ...]:
    limit = f" (limit {measured(metric, metric.threshold)})" if metric.threshold is not None else ""
    label = "Error rate" if metric.aggregate.startswith("failure_rate") else metric.aggregate or "Value"
    facts = [Fact(label="Sentry alert", value=cut(one_line(metric.rule_name), MAX_FACT))]
    if metric.value is not None:
        facts.insert(0, Fact(label=cut(one_line(label), MAX_NAME), value=measured(metric, metric.value) + limit))
    if metric.window_minutes:
        facts.append(Fact(label="Window", value=f"{metric.window_minutes:g} min"))
    return tuple(fact for fact in facts if fact.value)


def measured(metric: Metric, value: float) -> str:
    """A value in the unit of what a metric alert measures: `7.3%`, `8.4 s`, `1 532`."""
    function, _, arguments = metric.aggregate.partition("(")
    if function.endswith("_rate") or function == "percentage":
        return f"{value * 100:.3g}%"
    if "duration" in arguments and not function.startswith("count"):
        return duration(value)
    return f"{value:,.6g}".replace(",", " ")


def _count(number: int | None) -> str | None:
    return None if number is None else f"{number:,}".replace(",", " ")


def duration(milliseconds: float) -> str:
    """A duration as people say it: `8.4 s`, `320 ms`, `2 min`."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 120_000:
        return f"{milliseconds / 1000:.3g} s"
    return f"{milliseconds / 60_000:.0f} min"


def ago(then: datetime, now: datetime) -> str:
    """How long before `now`: `just now`, `2 min ago`, `3 h ago`, `5 days ago`."""
    passed = now - then
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} min ago"
    if passed < timedelta(days=2):
        return f"{passed // timedelta(hours=1)} h ago"
    return f"{passed.days} days ago"
