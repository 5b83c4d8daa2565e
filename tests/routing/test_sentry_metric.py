"""What a metric alert measured, whichever way Sentry writes its numbers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.alert import Json, Metric, Status
from routing.sentry_metric import read_metric
from tests.factories import metric_alert_webhook

FAILURE_RATE = "failure_rate()"
CRASH_FREE = "percentage(sessions_crashed, sessions) AS _crash_rate_alert_aggregate"


def measured(
    description: Json,
    aggregate: str = "count()",
    threshold: Json = None,
    action: str = "critical",
    **rule: Json,
) -> Metric:
    """What an alert of this text and threshold says."""
    triggers: Json = [{"label": action, "alert_threshold": threshold}]
    alert_rule: Json = {"name": "Rule", "aggregate": aggregate, "triggers": triggers, **rule}
    status = Status.RESOLVED if action == "resolved" else Status.FIRING
    return read_metric({"metric_alert": {"alert_rule": alert_rule}, "description_text": description}, action, status)


@pytest.mark.parametrize(
    ("description", "value"),
    [
        ("1532 events in the last 10 minutes", 1532.0),
        ("1,532 events in the last 10 minutes", 1532.0),
        ("1,234,567.5 events in the last 10 minutes", 1234567.5),
        ("0 events in the last hour", 0.0),
        ("1243.7 p95(transaction.duration) in the last 5 minutes\nFilter: transaction:/v2", 1243.7),
        ("-3.5 avg(measurements.delta) in the last 5 minutes", -3.5),
        ("2.5e+04 sum(bytes) in the last 5 minutes", 25000.0),
        ("17 users affected in the last 10 minutes", 17.0),
        ("p95(transaction.duration) was high in the last 5 minutes", None),
        ("Nothing was measured in the last 10 minutes", None),
        ("5xx answers in the last 10 minutes", None),
        ("\n1532 events in the last 10 minutes", None),
        ("", None),
        (None, None),
        (12, 12.0),
        ({"value": 3}, None),
        ("9" * 5000, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_value_is_the_first_number_of_the_sentence(description: Json, value: float | None) -> None:
    assert measured(description).value == value


@pytest.mark.parametrize(
    ("description", "threshold", "wanted"),
    [
        pytest.param("0.0731 failure_rate() in the last 5 minutes", 0.05, (0.0731, 0.05), id="both fractions, as Sentry computes them"),
        pytest.param("0.0731 failure_rate() in the last 5 minutes", 5.0, (0.0731, 0.05), id="a threshold in percent"),
        pytest.param("7.31% failure rate in the last 5 minutes", 5.0, (0.0731, 0.05), id="both in percent"),
        pytest.param("7.31% failure rate in the last 5 minutes", 0.05, (0.0731, 0.05), id="a value in percent"),
        pytest.param("7.31 failure_rate() in the last 5 minutes", 5, (0.0731, 0.05), id="percent without a sign"),
        pytest.param("7.31 failure_rate() in the last 5 minutes", 1, (0.0731, 0.01), id="one percent, not all"),
        pytest.param("0.8% failure rate in the last 5 minutes", 0.5, (0.008, 0.005), id="half a percent, not a half"),
        pytest.param("0.8 failure_rate() in the last 5 minutes", 0.5, (0.8, 0.5), id="four of five requests"),
        pytest.param("1.0 failure_rate() in the last 5 minutes", 0.05, (1.0, 0.05), id="all requests"),
        pytest.param("0.0731 failure_rate() in the last 5 minutes", None, (0.0731, None), id="no threshold"),
        pytest.param("Too many in the last 5 minutes", 5.0, (None, 0.05), id="no value"),
        pytest.param("1e-05 failure_rate() in the last 5 minutes", 0.000001, (0.00001, 0.000001), id="a tiny fraction"),
    ],
)
def test_a_failure_rate_is_a_fraction_however_it_is_written(description: str, threshold: Json, wanted: tuple[float, float]) -> None:
    metric = measured(description, FAILURE_RATE, threshold)

    assert (metric.value, metric.threshold) == wanted


def test_a_resolved_rate_below_its_threshold_is_read_so_that_it_is_below() -> None:
    metric = measured("0.8 failure_rate() in the last 5 minutes", FAILURE_RATE, 5.0, "resolved")

    assert (metric.value, metric.threshold) == (0.008, 0.05)


def test_a_percent_sign_tells_a_rate_whose_aggregate_is_not_known() -> None:
    metric = measured("7.31% failure rate in the last 5 minutes", "", 5.0)

    assert (metric.value, metric.threshold) == (0.0731, 0.05)


def test_a_crash_free_rate_falls_below_its_threshold() -> None:
    metric = measured("97.51% sessions crash free rate in the last hour", CRASH_FREE, 98.0, threshold_type=1)

    assert (metric.value, metric.threshold) == (0.9751, 0.98)


def test_a_duration_keeps_its_milliseconds() -> None:
    metric = measured("1243.7 p95(transaction.duration) in the last 5 minutes", "p95(transaction.duration)", 1000.0)

    assert (metric.value, metric.threshold) == (1243.7, 1000.0)


def test_a_comparison_with_the_past_has_no_value_in_the_unit_of_its_aggregate() -> None:
    metric = measured(
        "Events 20% higher in the last 10 minutes compared to the same time one day ago", "count()", 20.0, comparison_delta=1440.0
    )

    assert (metric.value, metric.threshold) == (None, None)


@pytest.mark.parametrize(
    ("action", "labels", "threshold"),
    [
        ("warning", ["critical", "warning"], 2.0),
        ("resolved", ["warning", "critical"], 2.0),
        ("open", ["warning", "critical"], 2.0),
        ("critical", ["warning"], 1.0),
        ("critical", [None, {}], 1.0),
        ("critical", [], None),
    ],
    ids=str,
)
def test_the_threshold_is_that_of_the_trigger_named_like_the_action(action: str, labels: list[Json], threshold: float | None) -> None:
    triggers: list[Json] = [{"label": label, "alert_threshold": number} for number, label in enumerate(labels, start=1)]

    metric = measured("9 events in the last hour", action=action, triggers=[*triggers, None])

    assert metric.threshold == threshold


@given(st.floats(min_value=0.001, max_value=1), st.sampled_from(["{percent:.6f}% failure rate", "{fraction:.8f} failure_rate()"]))
def test_a_rate_written_as_a_fraction_or_in_percent_reads_the_same(rate: float, form: str) -> None:
    written = form.format(percent=rate * 100, fraction=rate)

    metric = measured(f"{written} in the last 5 minutes", FAILURE_RATE, 0.0001)

    assert metric.value == pytest.approx(rate, abs=1e-8)


def test_the_rule_is_named_and_its_window_told() -> None:
    data = json.loads(metric_alert_webhook("warning").body)["data"]

    metric = read_metric(data, "warning", Status.FIRING)

    assert (metric.rule_name, metric.aggregate, metric.window_minutes) == ("Checkout p95", "p95(transaction.duration)", 60.0)
