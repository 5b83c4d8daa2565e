"""A message about the service itself, sent at once and past everything else."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import datetime

from notifiers import trial
from notifiers.configuration import open_receiver
from notifiers.http import Network
from notifiers.notifier import Clock
from notifiers.registry import VendorSettings
from routing.alert import Alert, Category, Level, Status
from routing.notification import Attempt, Notification, Reason, Severity
from routing.rules import Receiver
from routing.trouble import Trouble

PROJECT = "alert-router"


def tell(message: Notification, receiver: Receiver, settings: VendorSettings, clock: Clock) -> Attempt:
    """Send it, within seconds; says how that ended. Raises nothing."""
    network = Network(trial.TIMEOUTS)
    return trial.within(lambda: trial.once(message, lambda: open_receiver(receiver, settings, network=network, clock=clock), clock), clock)


def message(
    trouble: Trouble, receiver: Receiver, *, began_at: datetime, now: datetime, reference: Mapping[str, str], is_over: bool
) -> Notification:
    """What is said of it, or of its end."""
    return Notification(
        # No notification of ours has so large a number, and vendors tell messages apart by it.
        id=int(now.timestamp() * 1_000_000),
        incident=f"trouble:{trouble.key}:{began_at:%Y%m%d%H%M%S}",
        receiver=receiver.name,
        rules=("watch",),
        severity=Severity.CRITICAL,
        reason=Reason.RESOLVED if is_over else Reason.REMINDER if reference else Reason.FIRST,
        why=f"the service's own check of {trouble.key}",
        created_at=now,
        alert=_alert(trouble, began_at=began_at, now=now, is_over=is_over),
        reference=reference,
        fires=not is_over,
    )


def _alert(trouble: Trouble, *, began_at: datetime, now: datetime, is_over: bool) -> Alert:
    return Alert(
        resource="trouble",
        action="over" if is_over else "seen",
        status=Status.RESOLVED if is_over else Status.FIRING,
        category=Category.OTHER,
        level=Level.FATAL,
        title=trouble.said,
        text=trouble.way_out,
        project=PROJECT,
        received_at=now,
        occurred_at=began_at,
        issue_id=None,
        short_id=f"{zlib.crc32(trouble.key.encode()):08x}",
    )
