"""Searches that people have given a name."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from storage import saved_views
from storage.saved_views import SavedViewError
from tests.factories import NOW


def add(engine: Engine, name: str) -> saved_views.SavedView:
    return saved_views.add(engine, name=name, query="level=fatal", made_by="ann", now=NOW)


def test_they_are_listed_by_name_until_they_are_removed(engine: Engine) -> None:
    second, first = add(engine, "payments"), add(engine, "  fatal   ones ")

    assert saved_views.listed(engine) == (first, second)
    assert first.name == "fatal ones"
    assert saved_views.remove(engine, second.id) == "payments"
    assert saved_views.remove(engine, second.id) is None
    assert saved_views.listed(engine) == (first,)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\u202eb", "taken"])
def test_a_name_that_will_not_do_is_refused(engine: Engine, name: str) -> None:
    add(engine, "taken")

    with pytest.raises(SavedViewError):
        add(engine, name)


def test_there_are_not_without_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "MOST", 1)
    add(engine, "one")

    with pytest.raises(SavedViewError, match="delete one"):
        add(engine, "another")
