"""Silences as they are stored."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from routing.silences import Silence


def in_force(connection: Connection, now: datetime) -> tuple[Silence, ...]:  # noqa: ARG001
    """Those that are active or pending."""
    return ()
