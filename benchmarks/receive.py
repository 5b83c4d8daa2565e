"""How many signed alerts of 20 kB one web process accepts, beside a bare Flask view and the usual four RQ jobs, and how it keeps a pace.

Also holds the two applications to compare with, which the web server loads from here.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from multiprocessing.pool import Pool
from pathlib import Path

from flask import Flask, Response, abort, jsonify, request

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import rig
from benchmarks.client import CLIENTS, Answers, Load, post
from routing.sentry import verify_signature
from settings import Settings
from storage.database import open_database
from storage.events import is_waiting

JOBS_AN_ALERT = 4
RULES = 20
WANTED_OF_BARE = {"sqlite": 0.30, "postgresql": 0.20}
WANTED_OF_JOBS = 4.0
WANTED_P99_MS = {200: 25.0, 500: 50.0}
WANTED_SLOWEST_MS = 1000.0
LONGEST_SECONDS = 3600.0
"""A pace is over when all that was due was sent, however late."""


def main() -> None:
    """Measure and print."""
    options = _options()
    with (
        rig.report("receive: signed event_alerts of 20 kB, one web process of the Procfile", options.folder) as folder,
        multiprocessing.get_context("spawn").Pool(CLIENTS) as clients,
        rig.redis(folder) as redis_url,
        ExitStack() as servers,
    ):
        made = {kind: servers.enter_context(rig.databases(kind, folder)) for kind in WANTED_OF_BARE}
        if options.rounds:
            _print_throughput(_throughput(made, redis_url, folder, clients, options))
        if options.steady_seconds:
            print(f"At a steady pace, with a worker that plans by {RULES} rules and sends:\n")
            header = ("answered by", "p50 ms", "p99 ms", "slowest ms", "accepted and refused", "planned after s")
            rig.print_table(header, list(_steady(made, redis_url, folder, clients, options)))


def bare_flask() -> Flask:
    """The least that Flask can do with a webhook: nothing."""
    app = Flask("bare", static_folder=None)

    @app.post("/webhooks/sentry")
    def take() -> tuple[str, int]:
        return "", 202

    return app


def four_jobs() -> Flask:
    """What one would write first: check, parse, and enqueue a job for each notification."""
    from redis import Redis  # noqa: PLC0415 - the bare view pays for neither
    from rq import Queue  # noqa: PLC0415 - the same

    settings = Settings.load()
    queue = Queue(connection=Redis.from_url(settings.redis_url))
    app = Flask("four-jobs", static_folder=None)

    @app.post("/webhooks/sentry")
    def take() -> tuple[Response, int]:
        if not verify_signature(request.get_data(), request.headers.getlist("Sentry-Hook-Signature"), settings.client_secrets):
            abort(401)
        event = request.get_json()["data"]["event"]
        alert = {name: event[name] for name in ("event_id", "title", "level", "web_url", "tags")}
        for number in range(JOBS_AN_ALERT):
            queue.enqueue("notifications.send", f"receiver-{number}", alert)
        return jsonify(event=event["event_id"]), 202

    return app


def _throughput(
    made: Mapping[str, rig.Databases], redis_url: str, folder: Path, clients: Pool, options: argparse.Namespace
) -> dict[str, list[Answers]]:
    """All servers wait side by side and take turns, so that what disturbs the machine disturbs each of them."""
    with ExitStack() as servers:
        ports = {
            name: servers.enter_context(
                rig.web(rig.environment(REDIS_URL=redis_url), folder / f"{name}.log", instead_of_app=f"benchmarks.receive:{name}")
            )
            for name in ("bare_flask", "four_jobs")
        }
        for kind, of_kind in made.items():
            variables = rig.environment(REDIS_URL=redis_url, DATABASE_URL=of_kind.create())
            ports[kind] = servers.enter_context(rig.web(variables, folder / f"{kind}.log"))
        for port in ports.values():
            post(clients, Load(port=port, seconds=0.5))
        rounds = [
            {name: post(clients, Load(port=port, seconds=options.seconds)) for name, port in ports.items()} for _ in range(options.rounds)
        ]
    return {name: [each[name] for each in rounds] for name in ports}


def _print_throughput(found: Mapping[str, Sequence[Answers]]) -> None:
    header = ("answered by", "a second", "p50 ms", "p99 ms", "of bare", "wanted", "of jobs", "wanted", "refused", "client µs")
    rig.print_table(header, [_throughput_row(name, found) for name in found])


def _throughput_row(name: str, found: Mapping[str, Sequence[Answers]]) -> tuple[str, ...]:
    answers = found[name]
    of_bare, of_jobs = _median_ratio(answers, found["bare_flask"]), _median_ratio(answers, found["four_jobs"])
    is_ours = name in WANTED_OF_BARE
    return (
        _NAMES[name],
        rig.median([each.per_second for each in answers]),
        rig.median([each.percentile_ms(0.5) for each in answers]),
        rig.median([each.percentile_ms(0.99) for each in answers]),
        f"{of_bare:.2f}",
        rig.verdict(of_bare, at_least=WANTED_OF_BARE[name]) if is_ours else "",
        f"{of_jobs:.1f}",
        rig.verdict(of_jobs, at_least=WANTED_OF_JOBS) if is_ours else "",
        str(sum(each.refused for each in answers)),
        rig.figure(statistics.median(each.client_cpu_seconds / each.accepted * 1e6 for each in answers)),
    )


def _median_ratio(answers: Sequence[Answers], others: Sequence[Answers]) -> float:
    """Round by round, for what slows one down slows the other."""
    return statistics.median(one.per_second / other.per_second for one, other in zip(answers, others, strict=True))


def _steady(
    made: Mapping[str, rig.Databases], redis_url: str, folder: Path, clients: Pool, options: argparse.Namespace
) -> Iterator[tuple[str, ...]]:
    """Row by row: webhooks at a pace, while a worker plans them and sends."""
    rules = folder / "rules.yaml"
    rules.write_text(rig.rules_text(RULES), encoding="utf-8")
    for kind, of_kind in made.items():
        url = of_kind.create()
        variables = rig.environment(REDIS_URL=redis_url, DATABASE_URL=url, RULES_FILE=str(rules))
        with rig.web(variables, folder / f"{kind}.log") as port, rig.running("worker", variables, folder / f"{kind}-worker.log"):
            post(clients, Load(port=port, seconds=2, rate=20))
            for rate in WANTED_P99_MS:
                due = int(rate * options.steady_seconds)
                answers = post(clients, Load(port=port, seconds=LONGEST_SECONDS, rate=rate, most=due))
                yield _steady_row(kind, rate, answers, _seconds_until_planned(url))


def _steady_row(kind: str, rate: int, answers: Answers, planned_after: float) -> tuple[str, ...]:
    p50, p99, slowest = (answers.percentile_ms(share) for share in (0.5, 0.99, 1))
    return (
        f"{_NAMES[kind]}, {rate} a second",
        rig.figure(p50),
        f"{rig.figure(p99)} ({rig.verdict(p99, below=WANTED_P99_MS[rate])})",
        f"{rig.figure(slowest)} ({rig.verdict(slowest, below=WANTED_SLOWEST_MS)})",
        f"{answers.accepted:,} and {answers.refused}",
        f"{planned_after:.1f}",
    )


def _seconds_until_planned(url: str) -> float:
    """How long after the last answer the planner was done."""
    engine = open_database(url)
    began = time.monotonic()
    while is_waiting(engine) and time.monotonic() - began < rig.PATIENCE_SECONDS:
        time.sleep(0.05)
    engine.dispose()
    return time.monotonic() - began


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each server is measured in each round")
    parser.add_argument("--rounds", type=int, default=3, help="how often; 0 leaves the throughput out")
    parser.add_argument("--steady-seconds", type=float, default=12.0, help="how long each pace is kept; 0 leaves them out")
    parser.add_argument("--folder", type=Path, default=rig.ROOT / "var", help="where databases are made, on the disk that is meant")
    return parser.parse_args()


_NAMES = {
    "bare_flask": "a bare Flask view",
    "four_jobs": "four RQ jobs an alert",
    "sqlite": "this service, SQLite",
    "postgresql": "this service, PostgreSQL",
}

if __name__ == "__main__":
    main()
