"""The spool: what came while the database was away is on the disk, and read in once, in its order, when it is back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from storage.intake import Intake, StorageError
from storage.spool import Spool
from storage.tables import events
from tests.storage.test_refusals import eventually

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


class Database:
    """Keeps what it is given, unless it is away."""

    def __init__(self) -> None:
        self.is_away = True
        self.kept: list[bytes] = []
        self.fails_after: int | None = None

    def store(self, resource: str, body: bytes, received_at: datetime) -> None:
        assert (resource, received_at) == ("issue", NOON)
        if self.is_away or len(self.kept) == self.fails_after:
            raise StorageError("away")
        self.kept.append(body)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def spool(tmp_path: Path, database: Database) -> Iterator[Spool]:
    yield Spool(tmp_path, database.store)
    database.is_away, database.fails_after = False, None


def append(spool: Spool, *bodies: bytes) -> None:
    for body in bodies:
        spool.append("issue", body, NOON)


def test_what_came_while_it_was_away_is_read_in_in_its_order_and_then_the_spool_is_empty(
    tmp_path: Path, spool: Spool, database: Database
) -> None:
    append(spool, b"1", b"2", b"3")
    was_empty = spool.is_empty
    database.is_away = False

    eventually(lambda: spool.is_empty)

    assert not was_empty
    assert database.kept == [b"1", b"2", b"3"]
    assert list(tmp_path.iterdir()) == []


def test_that_order_outlives_a_clock_that_is_put_back(tmp_path: Path, database: Database) -> None:
    times = iter((NOON, NOON - timedelta(minutes=10), NOON - timedelta(minutes=9)))
    spool = Spool(tmp_path, database.store, clock=lambda: next(times))
    for body in (b"1", b"2", b"3"):
        append(spool, body)
        spool.read_in()  # in vain: but what comes next begins another file
    database.is_away = False

    eventually(lambda: database.kept == [b"1", b"2", b"3"])


def test_what_comes_while_it_is_read_in_comes_after_that(spool: Spool, database: Database) -> None:
    append(spool, b"1")
    database.is_away = False
    append(spool, b"2")

    eventually(lambda: spool.is_empty)

    assert database.kept == [b"1", b"2"]


def test_it_comes_to_an_end_although_more_comes_all_the_time(tmp_path: Path, database: Database) -> None:
    def store(resource: str, body: bytes, received_at: datetime) -> None:
        time.sleep(0.003)
        database.store(resource, body, received_at)

    spool = Spool(tmp_path, store)

    def come() -> None:
        while not spool.is_empty:
            append(spool, b"1")
            time.sleep(0.02)

    append(spool, b"1")
    coming = [threading.Thread(target=come, daemon=True) for _ in range(2)]
    for thread in coming:
        thread.start()
    database.is_away = False

    eventually(lambda: spool.is_empty)


def test_nothing_is_lost_if_it_goes_away_again_meanwhile(spool: Spool, database: Database) -> None:
    append(spool, b"1", b"2", b"3")
    database.is_away, database.fails_after = False, 2
    eventually(lambda: len(database.kept) == 2)
    database.fails_after = None

    eventually(lambda: spool.is_empty)

    assert list(dict.fromkeys(database.kept)) == [b"1", b"2", b"3"]


def test_whatever_goes_wrong_it_is_tried_again(tmp_path: Path) -> None:
    kept: list[bytes] = []

    def store(_resource: str, body: bytes, _received_at: datetime) -> None:
        if not wrong:
            wrong.append(body)
            raise OSError(22, "Invalid argument")
        kept.append(body)

    wrong: list[bytes] = []
    spool = Spool(tmp_path, store)
    append(spool, b"1", b"2")

    eventually(lambda: spool.is_empty)

    assert (wrong, kept) == ([b"1"], [b"1", b"2"])


def test_bodies_of_any_bytes_and_sizes_come_back_as_they_were(spool: Spool, database: Database) -> None:
    bodies = [b"", b"\x00\xff" * 10, os.urandom(1_000_000), b"\n"]
    append(spool, *bodies)
    database.is_away = False

    eventually(lambda: spool.is_empty)

    assert database.kept == bodies


def test_of_a_file_that_was_cut_off_all_that_is_whole_is_read_in_and_the_rest_is_kept(
    tmp_path: Path, spool: Spool, database: Database
) -> None:
    append(spool, b"1", b"2")
    spool.read_in()
    [path] = tmp_path.glob("*.spool")
    path.write_bytes(path.read_bytes()[:-1])
    database.is_away = False

    eventually(lambda: spool.is_empty)

    assert database.kept == [b"1"]
    assert [kept.suffix for kept in tmp_path.iterdir()] == [".broken"]


def test_what_cannot_be_written_is_said_to_be_unstored(tmp_path: Path, database: Database) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")

    with pytest.raises(StorageError, match="could not be spooled"):
        Spool(in_the_way, database.store).append("issue", b"1", NOON)


def test_what_a_disk_takes_only_a_part_of_is_said_to_be_unstored(tmp_path: Path) -> None:
    code = f"""
import resource, signal, sys; sys.path.insert(0, {str(ROOT)!r})
import storage.spool; storage.spool.TRY_EVERY_SECONDS = 1000
from datetime import UTC, datetime; from pathlib import Path
from storage.intake import StorageError; from storage.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
spool = Spool(Path({str(tmp_path)!r}), None)
try:
    spool.append("issue", b"1" * 400, datetime.now(UTC)); spool.append("issue", b"2" * 800, datetime.now(UTC))
except StorageError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own code

    assert "the event could not be spooled: File too large" in said


def test_threads_share_a_spool(spool: Spool, database: Database) -> None:
    threads = [threading.Thread(target=append, args=(spool, b"%d" % number)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.is_away = False

    eventually(lambda: spool.is_empty)

    assert sorted(map(int, database.kept)) == list(range(20))


def test_what_a_process_left_that_was_killed_another_reads_in_and_for_one_that_lives_it_waits(tmp_path: Path, database: Database) -> None:
    code = f"""
import sys, time; sys.path.insert(0, {str(ROOT)!r})
import structlog; structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
import storage.spool; storage.spool.TRY_EVERY_SECONDS = 1000
from datetime import datetime; from pathlib import Path
from storage.intake import StorageError; from storage.spool import Spool
def away(*_): raise StorageError("away")
Spool(Path({str(tmp_path)!r}), away).append("issue", b"1", datetime.fromisoformat({NOON.isoformat()!r}))
print("spooled", flush=True); time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:  # noqa: S603 - our own code
        assert other.stdout
        assert other.stdout.readline().strip() == b"spooled"
        database.is_away = False
        while_it_lives = Spool(tmp_path, database.store).read_in(), list(database.kept)
        other.send_signal(signal.SIGKILL)

    Spool(tmp_path, database.store)

    eventually(lambda: database.kept == [b"1"])
    assert while_it_lives == (False, [])


def test_what_came_to_several_processes_is_read_in_in_one_order(tmp_path: Path, database: Database) -> None:
    one, other = Spool(tmp_path, database.store), Spool(tmp_path, database.store)
    append(one, b"1")
    append(other, b"2")
    database.is_away = False

    held = other.read_in()  # what came to the other one earlier is still being written
    eventually(lambda: one.is_empty and other.is_empty)

    assert not held
    assert database.kept == [b"1", b"2"]


def test_what_came_to_another_process_is_not_passed_by(tmp_path: Path, database: Database) -> None:
    one, other = Spool(tmp_path, database.store), Spool(tmp_path, database.store)
    append(one, b"1")

    assert not other.is_empty

    database.is_away = False
    eventually(lambda: other.is_empty)


def test_what_others_have_put_into_the_folder_is_left_alone(tmp_path: Path, database: Database) -> None:
    (tmp_path / "notes.spool").write_text("not ours")
    (tmp_path / "zz.spool").mkdir()
    spool = Spool(tmp_path, database.store)
    append(spool, b"1")
    database.is_away = False

    eventually(lambda: spool.is_empty)

    assert database.kept == [b"1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.spool", "zz.spool"]


def test_what_is_read_in_twice_is_one_event_even_if_its_issue_has_changed_since(engine: Engine) -> None:
    intake = Intake(engine)
    for at in (NOON, NOON + timedelta(seconds=1), NOON):
        body = b'{"action": "resolved"}' if at == NOON else b'{"action": "unresolved"}'
        intake.store(resource="issue", body=body, received_at=at)

    with engine.connect() as connection:
        assert len(connection.execute(select(events.c.id)).all()) == 2
