"""The texts of all rules that were ever in force, by their version: an event names the one that it met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from storage.tables import rules_versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One of them."""

    version: str
    in_force_at: datetime
    """Since when, the last time."""


def remember(engine: Engine, version: str, texts: Mapping[str, str], now: datetime) -> None:
    """Keep the texts of a version, by file, unless they are kept already; and that it is the one in force."""
    if latest(engine) == version:
        return
    if texts_of(engine, version) is not None:
        # An edit was taken back: what is in force is what was put in force last.
        with engine.begin() as connection:
            connection.execute(update(rules_versions).where(rules_versions.c.version == version).values(in_force_at=now))
        return
    row = {"version": version, "text": msgspec.json.encode(texts).decode(), "in_force_at": now}
    try:
        with engine.begin() as connection:
            connection.execute(insert(rules_versions), row)
    except IntegrityError:
        return  # another worker was quicker


def texts_of(engine: Engine, version: str) -> dict[str, str] | None:
    """By file the texts of a version, the first file under no name; None if it is not known here, or was damaged on the disk."""
    with engine.connect() as connection:
        text = connection.execute(select(rules_versions.c.text).where(rules_versions.c.version == version)).scalar()
    try:
        return msgspec.json.decode(text, type=dict[str, str]) if text else None
    except msgspec.DecodeError:
        return None


def latest(engine: Engine) -> str | None:
    """The version that was put in force last; None if none ever was."""
    found = listed(engine, limit=1)
    return found[0].version if found else None


def listed(engine: Engine, *, limit: int = 50) -> tuple[Version, ...]:
    """The versions that were in force last, the latest first."""
    query = select(rules_versions.c.version, rules_versions.c.in_force_at)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(rules_versions.c.in_force_at.desc()).limit(limit))
        return tuple(Version(version=row.version, in_force_at=row.in_force_at) for row in rows)
