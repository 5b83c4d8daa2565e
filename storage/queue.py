"""The bell: RQ jobs that say "there is work" and carry nothing else. redis and rq stop here, and may be away at any time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog
from redis.exceptions import RedisError
from rq import Queue
from rq.defaults import RQ_KEY_PREFIX
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty
from rq.worker import SimpleWorker

from routing.notification import Lane
from storage.redis_connection import connect

PLAN = "plan"
"""The bell of the planner; the lanes' bells bear the lanes' names."""

QUEUE = "alert-router"
"""One queue for all bells: a worker that listens on two and dies between pop and start loses a job for ever (RQ 3.0.0)."""

JOBS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    PLAN: ("worker.plan_events", ()),
    **{lane.value: ("worker.send_notifications", (lane.value,)) for lane in Lane},
}

FLAG_SECONDS = 10
"""How long a flag keeps others from ringing if its ringer died before it enqueued; until then the sweep finds the work."""


REST_SECONDS = 0.005
"""Pause after a ring, so that one stands for all that came meanwhile: in a storm rings cost a tenth of the web process's time."""


def answers(redis_url: str, *, within_seconds: float = 0.5) -> str:
    """What is wrong with Redis; empty if it answers."""
    try:
        with connect(redis_url, socket_connect_timeout=within_seconds, socket_timeout=within_seconds) as redis:
            redis.ping()
    except (RedisError, OSError) as error:
        return f"Redis does not answer ({type(error).__name__})"
    return ""


class Bell:
    """Rings for work. One that has rung and was not yet heard is not rung again. Never fails: what nobody heard, the sweep finds."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._queue: Queue | None = None
        self._redis_is_there = True
        self._log = structlog.get_logger()

    def ring(self, name: str) -> None:
        """Say that there is work, unless that has been said and not been heard."""
        self._try_to(lambda queue: _ring(queue, name))

    def heard(self, name: str) -> None:
        """Take the flag down, as the first step of the work, so that what comes in from now on rings again."""
        self._try_to(lambda queue: queue.connection.delete(flag(name)))

    def _try_to(self, use_redis: Callable[[Queue], object]) -> None:
        """Use Redis if it is there; say so once when it goes and once when it is back."""
        try:
            queue = self._queue = self._queue or self._opened()
            use_redis(queue)
        except (RedisError, OSError) as error:
            self._queue = None  # another server may have its place
            if self._redis_is_there:
                self._log.warning("redis_away", error=type(error).__name__, effect="workers poll the database until it is back")
            self._redis_is_there = False
            return
        if not self._redis_is_there:
            self._log.info("redis_back")
        self._redis_is_there = True

    def _opened(self) -> Queue:
        connection = connect(self._redis_url, socket_connect_timeout=1, socket_timeout=5, health_check_interval=30)
        return Queue(QUEUE, connection=connection, serializer=JSONSerializer)


class BackgroundBell:
    """Rings from a thread of its own, so that nobody who stores an event waits for Redis, and many rings become one."""

    def __init__(self, bell: Bell, name: str) -> None:
        self._bell = bell
        self._name = name
        self._wanted = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        """Say that there is work, soon; never fails and never waits."""
        self._wanted.set()
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        """Not before the first ring: a web server may fork after it has built the application, and threads do not survive that."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"bell-{self._name}", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._bell.ring(self._name)
                time.sleep(REST_SECONDS)
            except Exception:  # noqa: BLE001 - without this thread each event would wait for the sweep
                structlog.get_logger().exception("not_rung", effect="workers find it within a second")


class Listener(SimpleWorker):
    """RQ's worker without a fork for each job, in a thread. It tries Redis every second while that is away."""

    death_penalty_class = TimerDeathPenalty  # RQ's own takes SIGALRM, which only a main thread gets
    exponential_backoff_factor = 1
    max_connection_wait_time = 1

    def _install_signal_handlers(self) -> None:
        """Signals are the main thread's."""


def listen(redis_url: str) -> None:
    """Run the jobs of the bells until a fault of Redis ends RQ's loop; call it again then."""
    with suppress(RedisError):
        redis = connect(redis_url, socket_connect_timeout=1)
        queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        Listener([queue], connection=redis, serializer=JSONSerializer).work(logging_level="WARNING")


def _ring(queue: Queue, name: str) -> None:
    if queue.connection.set(flag(name), b"1", nx=True, ex=FLAG_SECONDS):
        function, arguments = JOBS[name]
        # No limit on time: TERM ends the work between two batches, and what dies with a worker the sweep takes up.
        queue.enqueue(function, args=arguments, result_ttl=0, failure_ttl=3600, job_timeout=-1)


def flag(name: str) -> str:
    """With RQ's prefix: beside its keys in a Cluster, and apart from another router's on the same server."""
    return f"{RQ_KEY_PREFIX}:{QUEUE}:rung:{name}"
