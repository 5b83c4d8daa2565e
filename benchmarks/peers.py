"""Debian's Alertmanager and this service, side by side: how soon they answer and tell, what they need, and what a kill -9 leaves.

Alertmanager takes an unsigned alert of 0.8 kB and keeps it in memory; this service a signed webhook of 20 kB, which is on the disk
before it answers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import rig
from benchmarks.receive import CLIENTS, Load, post
from benchmarks.vendor import Arrival, Vendor, standing_in

PROGRAM = "prometheus-alertmanager"
PACES = (200, 500, 1000)
PACE = 50
KEPT = 1000
KEPT_WITHIN_SECONDS = 120.0
OURS, THEIRS = "this service", "Alertmanager"
SECRET = "whsec_YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcms="
RULES: Mapping[str, object] = {
    "version": 1,
    "receivers": {"vendor": {"kind": "webhook", "url": "${VENDOR}/hook", "secret": SECRET, "allow_private": True}},
    "rules": [{"name": "every-error", "when": "level:error", "notify": ["vendor"]}],
}
CONFIGURATION = """
route: {{receiver: vendor, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 4h}}
receivers: [{{name: vendor, webhook_configs: [{{url: '{vendor}/hook', send_resolved: false}}]}}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One of the two, at work."""

    port: int
    sessions: tuple[int, ...]
    """The numbers of what was started, each the leader of a session."""
    request: Callable[[int, int], bytes] | None = None

    @property
    def memory_mb(self) -> float:
        """Of all its processes, each at its peak."""
        return sum(map(rig.peak_memory_of_all_mb, self.sessions))

    def kill(self) -> None:
        """All of it, at once."""
        for session in self.sessions:
            os.killpg(session, signal.SIGKILL)


Starting: TypeAlias = AbstractContextManager[Peer]


def alert_of_prometheus(serial: int, _: int) -> bytes:
    """A request with an alert like no other, of 0.8 kB."""
    labels = {"alertname": "HighErrorRate", "level": "error", "instance": f"shop-{serial}", "job": "shop-api", "severity": "warning"}
    notes = {"summary": "KeyError: 'currency' in shop.cart", "description": "It fails for customers. " * 20}
    alert = {"labels": labels, "annotations": notes, "generatorURL": f"https://acme.example/events/{serial:032x}/"}
    body = json.dumps([alert], separators=(",", ":")).encode()
    head = f"POST /api/v2/alerts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def main() -> None:
    """Measure and print."""
    options = _options()
    if shutil.which(PROGRAM) is None:
        sys.exit(f"{PROGRAM} is not here: apt-get install {PROGRAM}")
    with ExitStack() as stack:
        folder = stack.enter_context(
            rig.report("peers: Debian's Alertmanager and this service, SQLite, one web process and a worker", options.folder)
        )
        clients = stack.enter_context(multiprocessing.get_context("spawn").Pool(CLIENTS))
        vendor = stack.enter_context(standing_in(0.0))
        redis_url = stack.enter_context(rig.redis(folder))
        made = stack.enter_context(rig.databases("sqlite", folder))

        def start(name: str, url: str = vendor.url, state: str | None = None) -> Starting:
            if name == THEIRS:
                return alertmanager(folder, url, Path(state or folder / str(rig.new_serials())))
            return service(folder, url, redis_url, state or made.create())

        _print_answers(start, clients, options)
        _print_told(start, clients, vendor, options)
        _print_memory(start, clients, options)
        states = {THEIRS: str(folder / "kept"), OURS: made.create()}
        _print_kept(lambda name, url: start(name, url, states[name]), clients)


@contextmanager
def service(folder: Path, vendor: str, redis_url: str, database: str) -> Iterator[Peer]:
    """This service, as the Procfile starts it."""
    (folder / "rules.yaml").write_text(json.dumps(RULES), encoding="utf-8")
    variables = rig.environment(REDIS_URL=redis_url, VENDOR=vendor, DATABASE_URL=database, RULES_FILE=str(folder / "rules.yaml"))
    started: list[int] = []
    with (
        rig.web(variables, folder / "web.log", started=started) as port,
        rig.running("worker", variables, folder / "worker.log") as worker,
    ):
        time.sleep(1.5)
        yield Peer(port=port, sessions=(*started, worker))


@contextmanager
def alertmanager(folder: Path, vendor: str, state: Path) -> Iterator[Peer]:
    """Alertmanager by itself, that tells each alert at once."""
    state.mkdir(exist_ok=True)
    (state / "alertmanager.yml").write_text(CONFIGURATION.format(vendor=vendor), encoding="utf-8")
    port, log = rig.free_port(), folder / "alertmanager.log"
    command = (
        f"exec {PROGRAM} --config.file={state}/alertmanager.yml --storage.path={state} --web.listen-address=127.0.0.1:{port}"
        " --cluster.listen-address="
    )
    with rig.program(command, rig.environment(), log) as pid:
        rig.wait_for(port, log)
        yield Peer(port=port, sessions=(pid,), request=alert_of_prometheus)


def _print_answers(start: Callable[[str], Starting], clients: Pool, options: argparse.Namespace) -> None:
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(options.rounds):
        for name in (THEIRS, OURS):
            with start(name) as peer:
                post(clients, Load(port=peer.port, seconds=1, rate=PACE, request=peer.request))
                for pace in PACES:
                    answers = post(clients, Load(port=peer.port, seconds=options.seconds, rate=pace, request=peer.request))
                    found.setdefault((name, pace), []).append((answers.percentile_ms(0.5), answers.percentile_ms(0.99)))
    rows = [_answers_row(name, pace, found[name, pace], found[THEIRS, pace]) for pace in PACES for name in (THEIRS, OURS)]
    rig.print_table(("answers, alerts a second", "by", "p50 ms", "p99 ms", "p99 of Alertmanager's", "wanted"), rows)


def _answers_row(name: str, pace: int, found: Sequence[tuple[float, float]], theirs: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    p99 = [each[1] for each in found]
    of_theirs = sorted(mine / other for mine, (_, other) in zip(p99, theirs, strict=True))[len(found) // 2]
    wanted = rig.verdict(of_theirs, below=1.0) if name == OURS else ""
    return f"{pace:,}", name, rig.median([each[0] for each in found]), rig.median(p99), f"{of_theirs:.2f}", wanted


def _print_told(start: Callable[[str], Starting], clients: Pool, vendor: Vendor, options: argparse.Namespace) -> None:
    rows = []
    for name in (THEIRS, OURS):
        with start(name) as peer:
            post(clients, Load(port=peer.port, seconds=2, rate=PACE, request=peer.request, alerts_of_an_issue=1))
            time.sleep(1)
            vendor.arrivals()
            due = post(clients, Load(port=peer.port, seconds=options.seconds, rate=PACE, request=peer.request, alerts_of_an_issue=1)).due
            time.sleep(2)
            arrived = _first_arrivals(vendor.arrivals())
        waits = sorted(arrived.get(serial, float("inf")) - moment for serial, moment in due.items())
        rows.append(
            (name, *(rig.figure(rig.percentile(waits, share) * 1000) for share in (0.5, 0.99)), str(len(due.keys() - arrived.keys())))
        )
    rig.print_table((f"from the alert to the vendor, {PACE} a second", "p50 ms", "p99 ms", "never came"), rows)


def _print_memory(start: Callable[[str], Starting], clients: Pool, options: argparse.Namespace) -> None:
    rows = []
    for alerts in options.alerts:
        memory = {}
        for name in (THEIRS, OURS):
            with start(name) as peer:
                post(clients, Load(port=peer.port, seconds=1200, most=alerts, request=peer.request, alerts_of_an_issue=1))
                time.sleep(5)
                memory[name] = peer.memory_mb
        of_theirs = memory[OURS] / memory[THEIRS]
        rows.append(
            (f"{alerts:,}", *(rig.figure(memory[name]) for name in (THEIRS, OURS)), f"{of_theirs:.2f}", rig.verdict(of_theirs, below=1.0))
        )
    rig.print_table(("alerts", f"{THEIRS}, peak MB", f"{OURS}, peak MB", "of Alertmanager's", "wanted"), rows)


def _print_kept(start: Callable[[str, str], Starting], clients: Pool) -> None:
    """Alerts come while the vendor is away; all is killed, and started again when the vendor is back."""
    rows = []
    for name in (THEIRS, OURS):
        with start(name, f"http://127.0.0.1:{rig.free_port()}") as peer:
            accepted = post(clients, Load(port=peer.port, seconds=60, most=KEPT, request=peer.request, alerts_of_an_issue=1)).accepted
            peer.kill()
        with standing_in(0.0) as back, start(name, back.url):
            deadline, arrived = time.monotonic() + KEPT_WITHIN_SECONDS, set[int | None]()
            while len(arrived) < accepted and time.monotonic() < deadline:
                time.sleep(0.5)
                arrived |= {one.serial for one in back.arrivals()}
        rows.append(
            (name, f"{accepted:,}", f"{len(arrived):,}", rig.verdict(len(arrived) / accepted, at_least=1.0) if name == OURS else "")
        )
    rig.print_table(("killed with -9 before it could tell", "accepted", "told after its start", "wanted"), rows)


def _first_arrivals(arrivals: Sequence[Arrival]) -> dict[int, float]:
    return {one.serial: one.moment for one in reversed(arrivals) if one.serial is not None}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each pace is kept")
    parser.add_argument("--alerts", type=int, nargs="*", default=[10_000], help="after how many the memory is looked at")
    parser.add_argument("--folder", type=Path, default=rig.ROOT / "var", help="where databases are made, on the disk that is meant")
    return parser.parse_args()


if __name__ == "__main__":
    main()
