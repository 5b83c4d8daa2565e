"""Reads what a metric alert measured, out of the sentence in which Sentry tells it, and the limit it is held against."""

from __future__ import annotations

import re
from collections.abc import Mapping

from routing.alert import Json, Metric, Status
from routing.payload import Object, first_text, mapping, number, sequence, text

_BELOW = 1
"""Sentry's threshold_type of a rule that fires when the value falls."""

# `1532 events in the last 10 minutes`, `97.5% sessions crash free rate in the last hour`, `1e-05 failure_rate() in the last …`
_MEASURED = re.compile(
    r"(?<![\w.,])(-?\d{1,3}(?:,\d{3}){1,6}(?:\.\d{1,20})?|-?\d{1,20}(?:\.\d{1,20})?(?:e[+-]?\d{1,3})?)(?![\w.]*\w)\s*(%)?", re.IGNORECASE
)
_WINDOW = " in the last "
_MAX_SENTENCE = 300


def read_metric(data: Object, action: str, status: Status) -> Metric:
    """What the `data` of a metric_alert says.

    The value is the first number of `description_text`, the only place where Sentry tells it. The threshold is that of the
    trigger named like the action, else of `critical`, else of the first. A rule that compares with the past has neither: its
    numbers are changes in percent and not in the aggregate's unit.

    Rates (failure_rate(), crash-free sessions) become fractions, although Sentry writes them both ways: `0.073 failure_rate()`,
    `97.5% sessions crash free rate`, thresholds of 0.05 or 5. A number with a percent sign or above 1 is in percent. One up to 1
    is a fraction, unless the action would then be false (a critical alert whose value has not crossed its threshold); then it
    is in percent too.
    """
    incident = mapping(data.get("metric_alert"))
    rule = mapping(incident.get("alert_rule"))
    aggregate = text(rule.get("aggregate")) or ""
    value, threshold = None, None
    if not number(rule.get("comparison_delta")):
        value, threshold = _measured(data, rule, aggregate, action, status)
    return Metric(
        rule_name=first_text(rule.get("name"), incident.get("title")) or "",
        aggregate=aggregate,
        value=value,
        threshold=threshold,
        window_minutes=number(rule.get("time_window")),
    )


def _measured(data: Object, rule: Object, aggregate: str, action: str, status: Status) -> tuple[float | None, float | None]:
    value, in_percent = _first_number(text(data.get("description_text")) or "")
    trigger = _trigger(rule, action)
    threshold = number(trigger.get("alert_threshold"))
    if not (in_percent or _is_rate(aggregate)):
        return value, threshold
    falls = first_text(trigger.get("threshold_type"), rule.get("threshold_type")) == str(_BELOW)
    readings = [(a, b) for a in _fractions(value, in_percent=in_percent) for b in _fractions(threshold, in_percent=False)]
    return next((pair for pair in readings if _agrees(*pair, status, falls=falls)), readings[0])


def _first_number(description: str) -> tuple[float | None, bool]:
    found = _MEASURED.search(description[:_MAX_SENTENCE].partition("\n")[0].partition(_WINDOW)[0])
    if found is None:
        return None, False
    return number(found[1].replace(",", "")), found[2] is not None


def _trigger(rule: Object, action: str) -> Object:
    triggers = [trigger for trigger in sequence(rule.get("triggers")) if isinstance(trigger, dict)]
    labelled: Mapping[Json, Object] = {text(trigger.get("label")): trigger for trigger in triggers}
    return labelled.get(action) or labelled.get("critical") or next(iter(triggers), {})


def _is_rate(aggregate: str) -> bool:
    function = aggregate.partition("(")[0]
    return function == "percentage" or function.endswith("_rate")


def _fractions(found: float | None, *, in_percent: bool) -> tuple[float | None, ...]:
    if found is None:
        return (None,)
    fraction = round(found / 100, 12)
    return (fraction,) if in_percent or found > 1 else (found, fraction)


def _agrees(value: float | None, threshold: float | None, status: Status, *, falls: bool) -> bool:
    if value is None or threshold is None:
        return True
    has_crossed = value <= threshold if falls else value >= threshold
    return has_crossed == (status is not Status.RESOLVED)
