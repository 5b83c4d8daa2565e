"""What the service looks after beside alerts: itself, Sentry, and the way out; as rules.yaml says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Watch:
    """`watch` of rules.yaml."""

    canary: timedelta = timedelta(minutes=15)
    """How often it is tried whether each receiver could be told; zero: never."""
    canary_to: str | None = None
    """A receiver that is told a test message with each canary: one that nobody has to read."""
    quiet: bool = True
    """Whether it is told that a project's webhooks stay away for longer than is usual."""
    notify: tuple[str, ...] = ()
    """Receivers: what is wrong with the service itself is told to the first of them that is not concerned and takes it."""
