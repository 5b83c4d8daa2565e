"""Debian's Alertmanager and this service as `peers.py` starts them: each tells a vendor of every alert by itself and at once, or nobody."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias

from redis import Redis
from sqlalchemy import Engine

from benchmarks import rig
from benchmarks.client import Request, Webhook
from benchmarks.send import RECEIVERS, rules_text
from storage.database import open_database, upgrade

PROGRAM = "prometheus-alertmanager"
MISSING = f"{PROGRAM} is not on PATH, so there is nothing to compare with; Debian has it: apt-get install --no-install-recommends {PROGRAM}"
CONFIGURATION: Mapping[str, object] = {
    # Nothing ends during a run: an incident of ours does not either.
    "global": {"resolve_timeout": "1h"},
    # Each alert is a group of its own, as it is an incident of its own here; all other times are the defaults.
    "route": {"receiver": "vendor", "group_by": ["..."], "group_wait": "0s"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two, at work."""

    port: int
    request: Request
    programs: Mapping[str, int]
    """By name the number of each process that was started; those may have others."""

    is_busy: Callable[[], bool]
    """Whether accepted alerts still wait to be decided or told, as far as it says so itself."""

    def peak_memory_mb(self) -> dict[str, float]:
        """By name the most that each has had resident, with all that it started."""
        return {name: rig.peak_memory_of_all_mb(pid) for name, pid in self.programs.items()}

    def kill(self) -> None:
        """End everything as a power cut does."""
        for pid in self.programs.values():
            for end in (os.killpg, os.kill):  # Redis leads no group of its own
                with suppress(ProcessLookupError):
                    end(pid, signal.SIGKILL)


Start: TypeAlias = Callable[[Path, str | None], AbstractContextManager[Side]]
"""Starts a side that keeps what it keeps in a folder, and tells the vendor at an address; without one it tells nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusAlert:
    """Alertmanager's: one unsigned alert of 0.8 kB, by its API."""

    accepted: ClassVar[int] = 200

    def write(self, serial: int) -> bytes:
        """One request."""
        body = json.dumps([_alert(serial)], separators=(",", ":")).encode()
        head = f"POST /api/v2/alerts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


def is_installed() -> bool:
    """Whether there is an Alertmanager to compare with."""
    return shutil.which(PROGRAM) is not None


def version() -> str:
    """Which one it is."""
    shown = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - nothing comes from outside
    return (shown.stdout or shown.stderr).split()[2].rstrip(",")


@contextmanager
def alertmanager(folder: Path, vendor: str | None) -> Iterator[Side]:
    """Alertmanager by itself, without a cluster."""
    told = {"webhook_configs": [{"url": f"{vendor}/hook", "send_resolved": False}]} if vendor else {}
    configuration, log, port = folder / "alertmanager.yml", folder / "alertmanager.log", rig.free_port()
    configuration.write_text(json.dumps({**CONFIGURATION, "receivers": [{"name": "vendor", **told}]}), encoding="utf-8")  # JSON is YAML
    listens = f"--web.listen-address=127.0.0.1:{port} --cluster.listen-address="
    command = f"exec {PROGRAM} --config.file='{configuration}' --storage.path='{folder}/data' {listens}"
    with rig.program(command, rig.environment(), log) as pid:
        rig.wait_for(port, log)
        yield Side(port=port, request=PrometheusAlert(), programs={"Alertmanager": pid}, is_busy=lambda: False)


@contextmanager
def service(folder: Path, vendor: str | None) -> Iterator[Side]:
    """This service, as the Procfile starts it: a web process, a worker, SQLite, and a Redis of its own."""
    url, rules, spool = f"sqlite:///{folder}/router.db", folder / "rules.yaml", folder / "spool"
    rules.write_text(rules_text(RECEIVERS["webhook"] if vendor else {"kind": "preview"}), encoding="utf-8")
    with _database(url) as engine, rig.redis(folder) as redis_url:
        variables = rig.environment(REDIS_URL=redis_url, DATABASE_URL=url, SPOOL_DIR=str(spool), RULES_FILE=str(rules), VENDOR=vendor or "")
        web: list[int] = []
        with (
            rig.web(variables, folder / "web.log", started=web) as port,
            rig.running("worker", variables, folder / "worker.log") as worker,
        ):
            programs = {"web": web[0], "worker": worker, "Redis": _redis_process(redis_url)}
            yield Side(port=port, request=Webhook(alerts_of_an_issue=1), programs=programs, is_busy=lambda: rig.is_busy(engine))


@contextmanager
def _database(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    upgrade(engine)
    yield engine
    engine.dispose()


def _redis_process(url: str) -> int:
    with Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def _alert(serial: int) -> Mapping[str, object]:
    """As Prometheus sends them, with the link by which the vendor knows our alerts."""
    link = f"https://acme.sentry.io/issues/{serial}/events/{serial:032x}/"
    return {
        "labels": {
            "alertname": "ErrorRate",
            "severity": "critical",
            "environment": "production",
            "project": f"shop-{serial % rig.TEAMS}",
            "instance": "shop-7f9c6d5b8-x2k4q:8000",
            "job": "shop",
            "issue": str(serial),
        },
        "annotations": {
            "summary": "KeyError: 'currency' in shop.cart",
            "description": "More than one request in a hundred fails. " * 8,
            "link": link,
            "runbook": "https://runbooks.acme.example/shop/error-rate",
        },
        "generatorURL": "http://prometheus.acme.example/graph?g0.expr=rate(errors_total[5m])&g0.tab=1",
    }
