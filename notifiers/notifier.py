"""What a kind of receiver must offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from routing.notification import Notification


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof of one delivery."""

    payload: str
    """What was sent, as text, without credentials."""
    status_code: int | None = None
    excerpt: str = ""
    reference: Mapping[str, str] = field(default_factory=dict)
    """The vendor's name for what was made, as later messages about the same incident need it."""


class Notifier(Protocol):
    """Tells one receiver. Not shared between threads."""

    def send(self, notification: Notification) -> Receipt:
        """Deliver by exactly one request.

        Raises:
            RetryableError: a later try may succeed.
            PermanentError: it never will.
        """


@runtime_checkable
class Reconciler(Protocol):
    """A notifier that can ask its vendor whether an ambiguous attempt went through."""

    def find(self, notification: Notification) -> Receipt | None:
        """The proof that this notification is already there, None if the vendor does not have it.

        Raises:
            DeliveryError: the vendor could not be asked.
        """
