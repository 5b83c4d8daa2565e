"""What the service looks after beside alerts: itself, Sentry, and the way out; as rules.yaml says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Watch:
    """`watch` of rules.yaml."""

    notify: tuple[str, ...] = ()
    """Receivers: what is wrong with the service itself is told to the first of them that is not concerned and takes it."""
