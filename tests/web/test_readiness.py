"""Health: what fails is named, what it means decides the status, and nothing that hangs holds the answer up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import NoReturn

import pytest
from flask import Flask
from sqlalchemy import Engine

from storage import rules_edits, rules_versions, workers
from storage.workers import steady
from tests.web.console import make_app
from web.readiness import Checks

REFUSED = "redis://127.0.0.1:1/0"


@pytest.fixture
def working(stored: Engine) -> None:
    """A worker lives, and has put rules in force."""
    workers.say_alive(stored, "one", steady())
    rules_versions.remember(stored, "abc", {"": "version: 1"}, datetime.now(UTC))


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


class Hanging:
    """A database that takes no connection before it is told to."""

    def __init__(self, until: threading.Event) -> None:
        self._until = until

    def connect(self) -> NoReturn:
        self._until.wait(20)
        raise ConnectionError


def asked(app: Flask, address: str = "127.0.0.1") -> tuple[int, dict[str, object]]:
    answer = app.test_client().get("/readyz", environ_base={"REMOTE_ADDR": address})
    return answer.status_code, answer.get_json()


def test_the_process_says_that_it_lives(sqlite_url: str) -> None:
    assert make_app(sqlite_url).test_client().get("/healthz").get_json() == {"status": "ok"}


@pytest.mark.usefixtures("working")
def test_all_is_well(sqlite_url: str, redis_url: str) -> None:
    checks = dict.fromkeys(("database", "redis", "workers", "rules"), "ok")

    assert asked(make_app(sqlite_url, REDIS_URL=redis_url)) == (200, {"status": "ok", "checks": checks})


@pytest.mark.usefixtures("working")
def test_without_redis_alerts_are_still_taken(sqlite_url: str) -> None:
    status, said = asked(make_app(sqlite_url, REDIS_URL=REFUSED))

    assert (status, said["status"]) == (200, "degraded")
    assert "workers find them a second later; see to REDIS_URL" in str(said["checks"])


def test_a_service_without_a_worker_tells_nobody(sqlite_url: str, redis_url: str) -> None:
    status, said = asked(make_app(sqlite_url, REDIS_URL=redis_url))

    assert (status, said["status"]) == (200, "degraded")
    assert "start `python worker.py`" in str(said["checks"])


@pytest.mark.usefixtures("working")
def test_a_refused_edit_is_said(sqlite_url: str, stored: Engine, redis_url: str) -> None:
    rules_edits.refuse(stored, file="rules.yaml", problems="3: no", by="one", now=datetime.now(UTC))

    status, said = asked(make_app(sqlite_url, REDIS_URL=redis_url))

    assert (status, said["status"]) == (200, "degraded")
    assert "flask rules check" in str(said["checks"])


def test_a_database_that_is_away_makes_it_unready_unless_there_is_a_spool(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> None:
    nowhere, spool = f"sqlite:///{tmp_path_factory.mktemp('empty')}/no.db", str(tmp_path_factory.mktemp("spool"))

    status, said = asked(make_app(nowhere, REDIS_URL=redis_url))
    with_spool, _ = asked(make_app(nowhere, REDIS_URL=redis_url, SPOOL_DIR=spool))

    assert (status, said["status"], with_spool) == (503, "unready", 200)
    assert "flask db upgrade" in str(said["checks"])


@pytest.mark.usefixtures("working")
def test_what_hangs_holds_nothing_up(sqlite_url: str, silent: str) -> None:
    for changes in ({"REDIS_URL": f"redis://{silent}/0"}, {"REDIS_URL": REFUSED, "DATABASE_URL": f"postgresql://nobody@{silent}/none"}):
        database = changes.pop("DATABASE_URL", sqlite_url)
        app = make_app(database, **changes)
        began = time.monotonic()

        status, _ = asked(app)

        assert time.monotonic() - began < 2
        assert status == (200 if database == sqlite_url else 503)


def test_others_hear_of_the_status_alone(sqlite_url: str) -> None:
    _, said = asked(make_app(sqlite_url), "192.0.2.1")

    assert said == {"status": "degraded"}


@pytest.mark.usefixtures("working")
def test_what_hangs_is_named_again_and_again_and_begun_once(sqlite_url: str, silent: str) -> None:
    app = make_app(sqlite_url, REDIS_URL=f"redis://{silent}/0")
    hanging = threading.Event()
    checks, before = Checks(), threading.active_count()
    at = replace(app.extensions["desk"], engine=Hanging(hanging))

    found = [checks.readiness(at) for _ in range(3)]
    begun = threading.active_count() - before
    hanging.set()

    assert [one.status for one in found] == ["unready"] * 3
    assert "Sentry sends each once; see to DATABASE_URL, and set SPOOL_DIR" in found[-1].checks["database"]
    assert "workers find them a second later" in found[-1].checks["redis"]
    assert begun <= 4


def test_what_was_found_is_kept_for_a_moment(sqlite_url: str, stored: Engine) -> None:
    app = make_app(sqlite_url)

    first = asked(app)
    workers.say_alive(stored, "one", steady())

    assert asked(app) == first
