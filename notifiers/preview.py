"""Says nothing to anybody: records what would have been sent, for receivers without a credential and for trying out rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from notifiers.http import Network
from notifiers.message import as_text, compose
from notifiers.notifier import Clock, Receipt, ReceiverOptions
from routing.notification import Notification, Reason


class PreviewOptions(ReceiverOptions[object]):
    """A receiver of its own: `{kind: preview}`."""

    shows: ClassVar[frozenset[Reason]] = frozenset({Reason.ACKNOWLEDGED, Reason.UNACKNOWLEDGED, Reason.MUTED})

    def missing_credential(self, settings: object) -> None:
        """None."""

    def render(self, notification: Notification) -> str:
        """The message as plain text."""
        return as_text(compose(notification))

    def open(self, settings: object, *, network: Network, clock: Clock) -> PreviewNotifier:  # noqa: ARG002 - it needs none of them
        """The notifier that records."""
        return PreviewNotifier(self.render, because="this receiver is of kind preview")


class PreviewNotifier:
    """Records the payload that another notifier would have sent."""

    def __init__(self, render: Callable[[Notification], str], *, because: str) -> None:
        self._render = render
        self._because = because

    def send(self, notification: Notification) -> Receipt:
        """Send nothing, and say so."""
        return Receipt(payload=self._render(notification), excerpt=f"preview: {self._because}; nothing was sent", sent=False)
