"""The names by which Sentry searches for what its events number: types of issues, and priorities. Knows no queries.

The numbers are those of `occurrence` in the payload of an event; the names those of Sentry's issue types.
"""

from __future__ import annotations

from collections.abc import Mapping

from routing.alert import Alert, Category, Json

ISSUE_TYPES: Mapping[int, str] = {
    1001: "performance_slow_db_query",
    1004: "performance_render_blocking_asset_span",
    1006: "performance_n_plus_one_db_queries",
    1007: "performance_consecutive_db_queries",
    1008: "performance_file_io_main_thread",
    1009: "performance_consecutive_http",
    1010: "performance_n_plus_one_api_calls",
    1012: "performance_uncompressed_assets",
    1013: "performance_db_main_thread",
    1015: "performance_large_http_payload",
    1016: "performance_http_overhead",
    4001: "monitor_check_in_failure",
    5002: "replay_click_rage",
    5003: "replay_hydration_error",
    6001: "feedback",
    7001: "uptime_domain_failure",
    8001: "metric_issue",
}
PRIORITIES: Mapping[int, str] = {25: "low", 50: "medium", 75: "high"}


def issue_types(alert: Alert) -> tuple[str, ...]:
    """The type of the issue by name, and by number where there is one."""
    said = alert.payload.get("issueType")
    if isinstance(said, str) and said:
        return (said,)
    number = _occurrence(alert, "type")
    if number is not None:
        return tuple(filter(None, (ISSUE_TYPES.get(number), str(number))))
    return ("error",) if alert.category is Category.ERROR else ()


def priorities(alert: Alert) -> tuple[str, ...]:
    """The issue's priority, or that with which an occurrence of it begins."""
    priority = alert.priority or PRIORITIES.get(_occurrence(alert, "initialIssuePriority") or 0)
    return (priority,) if priority else ()


def _occurrence(alert: Alert, name: str) -> int | None:
    occurrence: Json = alert.payload.get("occurrence")
    number = occurrence.get(name) if isinstance(occurrence, Mapping) else None
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 10**6 else None
