"""What the service says of itself: logs as events with facts, and faults, which go to its own Sentry project.

What leaves it holds no secret (`scrubbing`), and nothing of what is no fault (`noise`). Without a DSN no part of it loads sentry_sdk.
"""

from __future__ import annotations

from telemetry.configuration import configure
from telemetry.faults import FaultReporter
from telemetry.lines import write_all, write_behind
from telemetry.reporting import (
    add_breadcrumb,
    attach_session,
    attach_user_context,
    capture_exception,
    capture_message,
    clear_user_context,
    dropped,
    init_sentry,
    is_sentry_enabled,
    measure,
    piece_of_work,
    report,
    set_error_tag,
    start_span,
)

__all__ = [
    "FaultReporter",
    "add_breadcrumb",
    "attach_session",
    "attach_user_context",
    "capture_exception",
    "capture_message",
    "clear_user_context",
    "configure",
    "dropped",
    "init_sentry",
    "is_sentry_enabled",
    "measure",
    "piece_of_work",
    "report",
    "set_error_tag",
    "start_span",
    "write_all",
    "write_behind",
]
