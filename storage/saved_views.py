"""Searches that people have given a name, for all who look at the list of alerts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Engine, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from storage.tables import saved_views

MOST = 50
LONGEST_NAME = 100


class SavedViewError(ValueError):
    """It cannot be kept; the text says why and may be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """One of them."""

    id: int
    name: str
    query: str
    """The search and the filters, as they stand in the list's address after the question mark."""
    made_by: str
    created_at: datetime


def add(engine: Engine, *, name: str, query: str, made_by: str, now: datetime) -> SavedView:
    """Keep one.

    Raises:
        SavedViewError: the name is taken or none, or there are as many as there may be.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise SavedViewError(f"a view has a name of 1 to {LONGEST_NAME} characters that can be seen")
    row = {"name": name, "query": query, "made_by": made_by, "created_at": now}
    try:
        with engine.begin() as connection:
            if connection.execute(select(func.count()).select_from(saved_views)).scalar_one() >= MOST:
                raise SavedViewError(f"there are {MOST} views, as many as there may be: delete one that nobody needs")
            id_ = connection.execute(insert(saved_views).values(row).returning(saved_views.c.id)).scalar_one()
    except IntegrityError:
        raise SavedViewError(f"there is a view called {name} already: choose another name") from None
    return SavedView(id=id_, name=name, query=query, made_by=made_by, created_at=now)


def listed(engine: Engine) -> tuple[SavedView, ...]:
    """All of them, by name."""
    with engine.connect() as connection:
        rows = connection.execute(select(*_COLUMNS).order_by(saved_views.c.name))
        return tuple(SavedView(**row._asdict()) for row in rows)


def remove(engine: Engine, id_: int) -> str | None:
    """Forget one; its name, None if there is none of this number."""
    with engine.begin() as connection:
        return connection.execute(delete(saved_views).where(saved_views.c.id == id_).returning(saved_views.c.name)).scalar()


_COLUMNS = tuple(saved_views.c[one.name] for one in fields(SavedView))
