"""The rules that were ever in force, by their version."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from storage.rules_versions import remember, texts_of
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
