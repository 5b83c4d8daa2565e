"""The rules that were ever in force, by their version."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, update

from storage.rules_versions import remember, texts_of
from storage.tables import rules_versions
from tests.factories import NOW
from tests.storage.planned import in_threads

TEXTS = {"": "version: 1", "rules.d/a.yaml": "rules: []"}


def test_a_version_is_found_with_all_its_texts(engine: Engine) -> None:
    remember(engine, "abc", TEXTS, NOW)
    remember(engine, "abc", {"": "another"}, NOW + timedelta(days=1))

    assert texts_of(engine, "abc") == TEXTS
    assert texts_of(engine, "def") is None


def test_two_workers_may_keep_it_at_once(engine: Engine) -> None:
    in_threads(3, lambda: remember(engine, "abc", TEXTS, NOW))

    assert texts_of(engine, "abc") == TEXTS


def test_one_that_was_damaged_on_the_disk_is_not_known(engine: Engine) -> None:
    remember(engine, "abc", TEXTS, NOW)
    with engine.begin() as connection:
        connection.execute(update(rules_versions).values(text="no JSON"))

    assert texts_of(engine, "abc") is None
