"""Secrets that all processes of one service share and nobody has to think of."""

from __future__ import annotations

import secrets

from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from storage.database import OutOfReachError
from storage.tables import kept_secrets


def kept_secret(engine: Engine, name: str) -> str:
    """The secret of this name, the same for all who ask; made by the first one.

    Raises:
        OutOfReachError: the database does not answer.
    """
    try:
        with engine.begin() as connection:
            connection.execute(_MAKE[engine.dialect.name], {"name": name, "value": secrets.token_urlsafe(32)})
            return str(connection.execute(select(kept_secrets.c.value).where(kept_secrets.c.name == name)).scalar_one())
    except DBAPIError as error:
        raise OutOfReachError(f"the database does not answer: {error.orig}") from error


_MAKE = {
    "sqlite": sqlite.insert(kept_secrets).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(kept_secrets).on_conflict_do_nothing(),
}
