"""What the service looks after beside alerts: itself, Sentry, and the way out; as rules.yaml says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Watch:
    """`watch` of rules.yaml."""

    canary: timedelta = timedelta(minutes=15)
    """How often it is tried whether each receiver could be told; zero: never."""
    notify: tuple[str, ...] = ()
    """Receivers: what is wrong with the service itself is told to the first of them that is not concerned and takes it."""
