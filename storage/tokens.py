"""Tokens by which programs use the API: what is stored cannot be used, and whoever made one sees it once."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Engine, Row, delete, insert, or_, select, update
from sqlalchemy.exc import DBAPIError

from storage.tables import tokens
from storage.users import Role

PREFIX = "sar_"
"""By which scanners of repositories, and people, know one of ours."""
LONGEST_NAME = 100
SEEN_EVERY = timedelta(minutes=1)


class Scope(StrEnum):
    """What a token is for; each may do all that those before it may."""

    READ = "read"
    """Look."""
    OPERATE = "operate"
    """Acknowledge, resolve, silence, send again."""
    ADMIN = "admin"
    """And read who changed what."""

    @property
    def role(self) -> Role:
        """What somebody in front of the console must be to do as much."""
        return {Scope.READ: Role.VIEWER, Scope.OPERATE: Role.OPERATOR, Scope.ADMIN: Role.ADMIN}[self]

    def covers(self, needed: Scope) -> bool:
        """Whether it is this scope or a higher one."""
        return self.role.rank >= needed.role.rank


class TokenError(Exception):
    """It cannot be made; the text says why, and may be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """All that is known of a token, which is not the token itself."""

    id: int
    name: str
    scope: Scope
    made_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    def is_over(self, now: datetime) -> bool:
        """Whether it has expired."""
        return self.expires_at is not None and self.expires_at <= now


def add(engine: Engine, name: str, scope: Scope, now: datetime, *, made_by: str, expires_at: datetime | None) -> tuple[Token, str]:
    """A new one, and its text, which nobody can ask for later.

    Raises:
        TokenError: the name is none, or it would be over at once.
    """
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise TokenError(f"a name has 1 to {LONGEST_NAME} characters that can be seen")
    if expires_at is not None and expires_at <= now:
        raise TokenError("it would have expired already: choose a later day")
    plain = PREFIX + secrets.token_urlsafe(32)
    row = {
        "name": name,
        "token_hash": _hash(plain),
        "scopes": scope,
        "made_by": made_by[:200],
        "created_at": now,
        "expires_at": expires_at,
    }
    with engine.begin() as connection:
        made = connection.execute(insert(tokens).values(row).returning(*_COLUMNS)).one()
    return _token(made), plain


def holder(engine: Engine, plain: str, now: datetime) -> Token | None:
    """The token of this text; None if there is none, or it is over. That it was used is noted once a minute."""
    if not plain.startswith(PREFIX):
        return None
    with engine.connect() as connection:
        # What is compared is a hash: how long that takes tells nothing of any token.
        row = connection.execute(select(*_COLUMNS).where(tokens.c.token_hash == _hash(plain))).first()
    found = _token(row) if row else None
    if found is None or found.is_over(now):
        return None
    if found.last_used_at is None or now - found.last_used_at >= SEEN_EVERY:
        _note_use(engine, found.id, now)
    return found


def listed(engine: Engine) -> tuple[Token, ...]:
    """All of them, the newest first."""
    with engine.connect() as connection:
        return tuple(_token(row) for row in connection.execute(select(*_COLUMNS).order_by(tokens.c.id.desc())))


def revoke(engine: Engine, id_: int) -> Token | None:
    """End one at once, and forget it; None if there is none."""
    with engine.begin() as connection:
        row = connection.execute(delete(tokens).where(tokens.c.id == id_).returning(*_COLUMNS)).first()
    return _token(row) if row else None


def _note_use(engine: Engine, id_: int, now: datetime) -> None:
    is_due = or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at <= now - SEEN_EVERY)
    # A database that takes nothing now is no reason to answer nothing.
    with suppress(DBAPIError), engine.begin() as connection:
        connection.execute(update(tokens).where(tokens.c.id == id_, is_due).values(last_used_at=now))


def _hash(plain: str) -> bytes:
    """32 random bytes need no slow hash: nobody can try them all."""
    return hashlib.sha256(plain.encode(errors="replace")).digest()


def _token(row: Row[tuple[object, ...]]) -> Token:
    return Token(
        **{**{field.name: getattr(row, field.name) for field in fields(Token) if field.name != "scope"}, "scope": Scope(row.scopes)}
    )


_COLUMNS = tuple(tokens.c["scopes" if field.name == "scope" else field.name] for field in fields(Token))
