"""The texts of all rules that were ever in force, by their version: an event names the one that it met."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from storage.tables import rules_versions


def remember(engine: Engine, version: str, texts: Mapping[str, str], now: datetime) -> None:
    """Keep the texts of a version, by file, unless they are kept already."""
    if texts_of(engine, version) is not None:
        return
    row = {"version": version, "text": msgspec.json.encode(texts).decode(), "in_force_at": now}
    try:
        with engine.begin() as connection:
            connection.execute(insert(rules_versions), row)
    except IntegrityError:
        return  # another worker was quicker


def texts_of(engine: Engine, version: str) -> dict[str, str] | None:
    """By file the texts of a version, the first file under no name; None if it is not known here."""
    with engine.connect() as connection:
        text = connection.execute(select(rules_versions.c.text).where(rules_versions.c.version == version)).scalar()
    return msgspec.json.decode(text, type=dict[str, str]) if text else None


def latest(engine: Engine) -> str | None:
    """The version that was put in force last; None if none ever was."""
    query = select(rules_versions.c.version).order_by(rules_versions.c.in_force_at.desc()).limit(1)
    with engine.connect() as connection:
        return connection.execute(query).scalar()
