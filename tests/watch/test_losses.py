"""What may be lost although every process lives is found, and told no longer when it is mended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from routing.notification import Lane, Outcome
from routing.rules import RuleSet
from routing.watch import Watch
from storage import events, fallbacks, marks, outcomes
from storage.database import open_database
from storage.intake import StorageError
from storage.spool import Spool
from storage.tables import events as events_table
from tests.factories import NOW
from tests.storage.planned import claim, ended, issue, make_rules, plan_all, store
from tests.watch.test_alarm import locked
from watch import canary, losses
from watch.checks import NotKnownYetError

MINUTE = timedelta(minutes=1)


def die(engine: Engine, rules: RuleSet) -> None:
    """One message, given up."""
    store(engine, issue(1))
    plan_all(engine, rules)
    for one in claim(engine, Lane.NORMAL):
        outcomes.record(engine, [(one.id, ended(outcome=Outcome.REFUSED))])


def test_what_could_not_be_decided_is_told_until_it_is_tried_again(engine: Engine) -> None:
    check = losses.cannot_decide(engine, lambda: NOW)
    assert check.look() is None
    id_ = store(engine, issue(1))
    with engine.begin() as connection:
        connection.execute(events_table.update().where(events_table.c.id == id_).values(state="failed"))

    found = check.look()

    assert found
    assert found.said.startswith("1 of the last day's webhooks could not be decided")
    events.retry_failed(engine)
    assert check.look() is None


def test_what_was_given_up_is_told_where_nobody_was_told_instead(engine: Engine) -> None:
    at_once, later = losses.told_nobody(engine, lambda: NOW + MINUTE), losses.told_nobody(engine, lambda: NOW + 90 * MINUTE)
    nobody = make_rules("{version: 1, receivers: {chat: {kind: preview}}, rules: [{name: all, when: '', notify: [chat]}]}")
    die(engine, nobody)
    fallbacks.fall_back(engine, nobody, lambda: NOW)

    found = at_once.look()

    assert found
    assert found.said == "1 messages of the last hour were given up, and nobody was told instead"
    assert later.look() is None


def test_and_not_where_somebody_was(engine: Engine) -> None:
    rules = make_rules(
        "{version: 1, receivers: {chat: {kind: preview}, mail: {kind: preview}}, dead_letters: [mail],"
        " rules: [{name: all, when: '', notify: [chat]}]}"
    )
    die(engine, rules)
    fallbacks.fall_back(engine, rules, lambda: NOW)

    assert losses.told_nobody(engine, lambda: NOW + MINUTE).look() is None


def test_a_spool_that_stays_is_told_but_not_while_the_database_takes_nothing(sqlite_url: str, tmp_path: Path) -> None:
    def never(*_: object) -> None:
        raise StorageError("away")

    engine = open_database(sqlite_url, must_answer=True)
    check = losses.spool_stays(tmp_path / "spool", engine, lambda: datetime.now(UTC) + 5 * MINUTE)
    (tmp_path / "spool").mkdir()
    assert check.look() is None
    Spool(tmp_path / "spool", never).append("issue", b"{}", NOW)

    found = check.look()

    assert found
    assert "although the database takes what is written" in found.said
    assert losses.spool_stays(tmp_path / "spool", engine, lambda: datetime.now(UTC)).look() is None
    with locked(sqlite_url), pytest.raises(Exception, match="locked"):
        check.look()
    engine.dispose()


def test_a_canary_that_stays_away_is_told_once_one_has_flown(engine: Engine) -> None:
    now, rules = [NOW], replace(make_rules(), watch=Watch(canary=15 * MINUTE))
    check = losses.canary_stays_away(engine, lambda: rules, lambda: now[0])
    with pytest.raises(NotKnownYetError):
        check.look()
    marks.write(engine, canary.CHECK, "", NOW)

    said = []
    for minutes in (0, 32, 33):
        now[0] = NOW + minutes * MINUTE
        said.append(check.look())

    assert said[:2] == [None, None]
    assert said[2]
    assert said[2].said.startswith("No canary has come home since 2026-")
