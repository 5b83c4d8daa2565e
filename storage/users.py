"""Who may use the console and the API, and what for."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import ColumnElement, Engine, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from storage.tables import users

LOCAL = "here"
"""The origin of those who sign in by a password of this service."""
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1000
LONGEST_NAME = 100

_hasher = PasswordHasher()


class Role(StrEnum):
    """What somebody may do; each may do all that those before it may."""

    VIEWER = "viewer"
    """Look."""
    OPERATOR = "operator"
    """Acknowledge, resolve, silence, send again."""
    ADMIN = "admin"
    """Say who may do what."""

    @property
    def rank(self) -> int:
        """The higher, the more."""
        return [*Role].index(self)


class UserError(Exception):
    """It cannot be done; the text says why and what to do, and may be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may sign in."""

    id: int
    name: str
    origin: str
    """Who vouches for the name: `LOCAL`, the issuer of OpenID Connect, or the proxy."""
    role: Role
    is_active: bool
    sessions_since: datetime
    """Sessions that began earlier are over."""
    created_at: datetime
    last_seen_at: datetime | None
    subject: str | None = None
    """By what the issuer knows them, whatever their name."""


def add(
    engine: Engine,
    name: str,
    role: Role,
    now: datetime,
    *,
    origin: str = LOCAL,
    password: str | None = None,
    subject: str | None = None,
) -> User:
    """Somebody new.

    Raises:
        UserError: the name is taken or none, or the password is too short.
    """
    name = normal_name(name)
    if origin == LOCAL:
        check_password(password or "")
    row = {
        "name": name,
        "origin": origin,
        "role": role,
        "password_hash": _hasher.hash(password) if password else None,
        "is_active": True,
        "sessions_since": now,
        "created_at": now,
        "subject": subject,
    }
    try:
        with engine.begin() as connection:
            id_ = connection.execute(insert(users).values(row).returning(users.c.id)).scalar_one()
    except IntegrityError:
        raise UserError(f"there is somebody called {name} already") from None
    found = find(engine, id_)
    assert found, "it was just made"  # noqa: S101 - mypy cannot know
    return found


def find(engine: Engine, id_: int) -> User | None:
    """The one of this number."""
    return _one(engine, users.c.id == id_)


def named(engine: Engine, name: str, origin: str = LOCAL) -> User | None:
    """The one of this name."""
    return _one(engine, users.c.name == normal_name(name), users.c.origin == origin)


def of_subject(engine: Engine, origin: str, subject: str) -> User | None:
    """The one whom an issuer knows by this."""
    return _one(engine, users.c.origin == origin, users.c.subject == subject)


def vouched_for(engine: Engine, origin: str, subject: str, *, name: str, role: Role, now: datetime) -> User:
    """Whom an issuer has sent, with the role that it says they have by now; somebody new if they never came before.

    Whoever was switched off comes back as such, whatever their name is by now.

    Raises:
        UserError: the name is none.
    """
    found = of_subject(engine, origin, subject)
    if found is None:
        for free in (name, f"{name[: LONGEST_NAME // 2]} ({subject[: LONGEST_NAME // 2 - 3]})"):
            if named(engine, free, origin) is None:
                return add(engine, free, role, now, origin=origin, subject=subject)
        raise UserError(f"somebody else is called {name} already")
    if found.role is role:
        return found
    with engine.begin() as connection:
        # Also if it was the last admin: who that is, is for the issuer to say.
        connection.execute(update(users).where(users.c.id == found.id).values(role=role, sessions_since=now))
    return replace(found, role=role, sessions_since=now)


def listed(engine: Engine) -> tuple[User, ...]:
    """All of them, by name."""
    with engine.connect() as connection:
        rows = connection.execute(select(*_COLUMNS).order_by(users.c.name, users.c.id)).all()
    return tuple(User(**{**row._asdict(), "role": Role(row.role)}) for row in rows)


def has_admin(engine: Engine) -> bool:
    """Whether anybody can say who may do what."""
    with engine.connect() as connection:
        is_admin = (users.c.role == Role.ADMIN, users.c.is_active)
        return connection.execute(select(users.c.id).where(*is_admin).limit(1)).first() is not None


def with_password(engine: Engine, name: str, password: str) -> User | None:
    """Whose name and password these are; None for a wrong one. It takes the same time whether there is such a name."""
    with engine.connect() as connection:
        is_theirs = (users.c.name == normal_name(name), users.c.origin == LOCAL, users.c.is_active)
        row = connection.execute(select(users.c.id, users.c.password_hash).where(*is_theirs)).first()
    try:
        _hasher.verify(row.password_hash if row and row.password_hash else _nobodys_hash(), password[:LONGEST_PASSWORD])
    except (VerificationError, InvalidHashError):
        return None
    return find(engine, row.id) if row and row.password_hash else None


def change(
    engine: Engine, id_: int, now: datetime, *, role: Role | None = None, is_active: bool | None = None, password: str | None = None
) -> None:
    """Change somebody; whatever it is, the sessions of before are over.

    Raises:
        UserError: nobody could say any more who may do what, or the password is too short, or not asked for here.
    """
    if password is not None:
        check_password(password)
    values: dict[str, object] = {"sessions_since": now}
    values |= {} if role is None else {"role": role}
    values |= {} if is_active is None else {"is_active": is_active}
    values |= {} if password is None else {"password_hash": _hasher.hash(password)}
    is_admin = (users.c.role == Role.ADMIN, users.c.is_active)
    is_it = (users.c.id == id_, *([users.c.origin == LOCAL] if password is not None else []))
    with engine.begin() as connection:
        # Two admins who switch each other off at the same time take turns.
        had_admin = connection.execute(select(users.c.id).where(*is_admin).order_by(users.c.id).with_for_update()).first()
        if not connection.execute(update(users).where(*is_it).values(values)).rowcount:
            raise UserError("this person is not known here, or signs in without a password of this service")
        if had_admin and not connection.execute(select(func.count()).select_from(users).where(*is_admin)).scalar_one():
            raise UserError("this is the last admin: make somebody else one first")


def seen(engine: Engine, id_: int, now: datetime) -> None:
    """Note that somebody was here. A database that takes nothing now is no reason to show nothing."""
    with suppress(DBAPIError), engine.begin() as connection:
        connection.execute(update(users).where(users.c.id == id_).values(last_seen_at=now))


def check_password(password: str) -> None:
    """Do nothing if it will do.

    Raises:
        UserError: it will not.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise UserError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")


def normal_name(name: str) -> str:
    """As names are compared.

    Raises:
        UserError: it is none.
    """
    found = unicodedata.normalize("NFKC", name).strip().casefold()
    if not found or len(found) > LONGEST_NAME or not found.isprintable():
        raise UserError(f"a name has 1 to {LONGEST_NAME} characters that can be seen")
    return found


@cache
def _nobodys_hash() -> str:
    """Made when first needed: it takes a fifth of a second and 64 MB, which nobody who only imports this is to pay."""
    return _hasher.hash("a password that nobody has")


def _one(engine: Engine, *which: ColumnElement[bool]) -> User | None:
    with engine.connect() as connection:
        row = connection.execute(select(*_COLUMNS).where(*which)).first()
    return User(**{**row._asdict(), "role": Role(row.role)}) if row else None


_COLUMNS = tuple(users.c[field.name] for field in fields(User))
