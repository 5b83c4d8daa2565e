"""How many deliveries a second workers make to a vendor that takes 200 ms, and how long an alert takes from its post to the vendor."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import rig
from benchmarks.client import CLIENTS, Load, Webhook, post
from benchmarks.vendor import Arrival, Vendor, standing_in
from notifiers.registry import KINDS
from routing.alert import Json
from routing.notification import State
from routing.rules_loading import load
from storage.database import open_database
from storage.inspection import count_by_state
from storage.intake import Intake
from storage.planning import plan_batch

ANSWER_SECONDS = 0.2
PACE = 50
WANTED_PER_SECOND = {"webhook": 1000.0, "slack": 600.0, "sms": 600.0, "pagerduty": 600.0}
WANTED_OF_ONE = 1.8
WANTED_MEMORY_MB = 150.0
WANTED_LATENCY_MS = {0.5: 15.0, 0.99: 60.0}
PATIENCE_SECONDS = 120.0
EVERYTHING = "1000000"
"""This vendor has no limit: what is measured is how fast it can be told."""

RECEIVERS: Mapping[str, Mapping[str, Json]] = {
    "webhook": {
        "kind": "webhook",
        "url": "${VENDOR}/hook",
        "secret": "whsec_YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcms=",
        "allow_private": True,
    },
    "slack": {"kind": "slack", "channel": "C0BENCHMARK"},
    "sms": {"kind": "sms", "to": "+15551234567"},
    "pagerduty": {"kind": "pagerduty", "routing_key": "0123456789abcdef0123456789abcdef"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How some workers sent all that waited."""

    per_second: float
    memory_mb: float
    """The most that any worker had."""
    cpu_seconds: float
    """Of all workers, for one delivery, their start included."""
    first_after_seconds: float
    """From the start of the workers to the first request."""
    lost: int
    doubled: int


def main() -> None:
    """Measure and print."""
    options = _options()
    with ExitStack() as stack:
        title = f"send: a vendor that takes {ANSWER_SECONDS * 1000:.0f} ms, worker.py as the Procfile starts it, {options.database}"
        folder = stack.enter_context(rig.report(title, options.folder))
        redis_url, vendor = stack.enter_context(rig.redis(folder)), stack.enter_context(standing_in(ANSWER_SECONDS))
        made = stack.enter_context(rig.databases(options.database, folder))
        variables = _environment(redis_url, vendor)
        if options.rounds:
            _print_sent(_rounds(made, vendor, variables, folder, options))
        if options.latency_seconds:
            _print_latency(_latencies(made, vendor, variables, folder, options.latency_seconds))


def rules_text(receiver: Mapping[str, Json]) -> str:
    """Rules by which every error goes there."""
    rule = {"name": "every-error", "when": "level:error", "notify": ["vendor"]}
    return json.dumps({"version": 1, "receivers": {"vendor": receiver}, "rules": [rule]})


def _environment(redis_url: str, vendor: Vendor) -> dict[str, str]:
    return rig.environment(
        REDIS_URL=redis_url,
        VENDOR=vendor.url,
        SLACK_API_URL=f"{vendor.url}/api",
        SLACK_BOT_TOKEN="xoxb-benchmark",
        SLACK_PER_MINUTE=EVERYTHING,
        PAGERDUTY_PER_MINUTE=EVERYTHING,
        TWILIO_API_URL=vendor.url,
        TWILIO_ACCOUNT_SID="AC0123456789abcdef0123456789abcdef",
        TWILIO_AUTH_TOKEN="benchmark",
        TWILIO_FROM="+15557654321",
        PAGERDUTY_EVENTS_URL=vendor.url,
    )


def _rounds(
    made: rig.Databases, vendor: Vendor, variables: Mapping[str, str], folder: Path, options: argparse.Namespace
) -> dict[tuple[str, int], list[Sent]]:
    """Each kind by one worker, the cheapest also by two, again and again: what disturbs the machine disturbs all."""
    waiting = _staged(made, options.deliveries)
    cases = [(kind, 1) for kind in RECEIVERS] + [("webhook", 2)]
    found: dict[tuple[str, int], list[Sent]] = {case: [] for case in cases}
    for _ in range(options.rounds):
        for kind, number in cases:
            (folder / "rules.yaml").write_text(rules_text(RECEIVERS[kind]), encoding="utf-8")
            of_case = {**variables, "DATABASE_URL": made.copy(waiting), "RULES_FILE": str(folder / "rules.yaml")}
            found[kind, number].append(_send_all(vendor, of_case, folder, workers=number, expected=options.deliveries))
    return found


def _staged(made: rig.Databases, deliveries: int) -> str:
    """A database in which so many notifications wait, each of an issue of its own."""
    url = made.create()
    engine = open_database(url)
    intake, first = Intake(engine), rig.new_serials()
    for serial in range(first, first + deliveries):
        body = rig.alert_body(serial, alerts_of_an_issue=1)
        intake.store(resource="event_alert", body=body, received_at=datetime.now(UTC))
    rules = load(rules_text(RECEIVERS["webhook"]), kinds=KINDS, environment={"VENDOR": "http://127.0.0.1"})
    while plan_batch(engine, rules, lambda: datetime.now(UTC)).events:
        pass
    engine.dispose()
    return url


def _send_all(vendor: Vendor, variables: Mapping[str, str], folder: Path, *, workers: int, expected: int) -> Sent:
    """Start workers on what waits, end them when nothing does."""
    vendor.arrivals()
    began, cpu_before = time.monotonic(), rig.cpu_seconds_of_children()
    with ExitStack() as processes:
        pids = [processes.enter_context(rig.running("worker", variables, folder / f"worker-{number}.log")) for number in range(workers)]
        arrivals: list[Arrival] = []
        while len(arrivals) < expected and time.monotonic() - began < PATIENCE_SECONDS:
            time.sleep(0.1)
            arrivals += vendor.arrivals()
        sent = _count_when_finished(variables["DATABASE_URL"])
        memory = max(map(rig.peak_memory_mb, pids))
    arrivals += vendor.arrivals()
    moments = [arrival.moment for arrival in arrivals]
    tenth = len(moments) // 10
    return Sent(
        # Without the start and the end, when not all threads have work.
        per_second=(len(moments) - 2 * tenth) / (moments[-1 - tenth] - moments[tenth]),
        memory_mb=memory,
        cpu_seconds=(rig.cpu_seconds_of_children() - cpu_before) / expected,
        first_after_seconds=moments[0] - began,
        lost=expected - sent,
        doubled=len(moments) - sent,
    )


def _count_when_finished(url: str) -> int:
    """How many are on record as sent, once none is unfinished."""
    engine = open_database(url)
    deadline = time.monotonic() + rig.PATIENCE_SECONDS
    while (states := count_by_state(engine)) and {State.PLANNED, State.SENDING} & states.keys() and time.monotonic() < deadline:
        time.sleep(0.1)
    engine.dispose()
    return states.get(State.SENT, 0)


def _print_sent(found: Mapping[tuple[str, int], Sequence[Sent]]) -> None:
    header = (
        "kind",
        "workers",
        "a second",
        "wanted",
        "of one worker",
        "wanted",
        "peak MB",
        "CPU ms each",
        "first after s",
        "lost and doubled",
    )
    rig.print_table(header, [_sent_row(kind, workers, runs, found[kind, 1]) for (kind, workers), runs in found.items()])


def _sent_row(kind: str, workers: int, runs: Sequence[Sent], by_one: Sequence[Sent]) -> tuple[str, ...]:
    rates, memory = [each.per_second for each in runs], max(each.memory_mb for each in runs)
    of_one = statistics.median(each.per_second / one.per_second for each, one in zip(runs, by_one, strict=True))
    return (
        kind,
        str(workers),
        rig.median(rates),
        rig.verdict(statistics.median(rates), at_least=WANTED_PER_SECOND[kind]) if workers == 1 else "",
        f"{of_one:.2f}",
        rig.verdict(of_one, at_least=WANTED_OF_ONE) if workers > 1 else "",
        f"{memory:.0f} ({rig.verdict(memory, below=WANTED_MEMORY_MB)})",
        rig.figure(statistics.median(each.cpu_seconds for each in runs) * 1000),
        rig.median([each.first_after_seconds for each in runs]),
        f"{sum(each.lost for each in runs)} and {sum(each.doubled for each in runs)}",
    )


def _latencies(made: rig.Databases, vendor: Vendor, variables: Mapping[str, str], folder: Path, seconds: float) -> list[float]:
    """From the moment a webhook was due to its request at the vendor, sorted; an alert that never came counts as endless."""
    (folder / "rules.yaml").write_text(rules_text(RECEIVERS["webhook"]), encoding="utf-8")
    of_all = {**variables, "DATABASE_URL": made.create(), "RULES_FILE": str(folder / "rules.yaml")}
    with (
        rig.web(of_all, folder / "web.log") as port,
        rig.running("worker", of_all, folder / "worker.log"),
        multiprocessing.get_context("spawn").Pool(CLIENTS) as clients,
    ):
        post(clients, Load(port=port, seconds=3, rate=PACE, request=Webhook(alerts_of_an_issue=1)))
        time.sleep(1)
        vendor.arrivals()
        due = post(clients, Load(port=port, seconds=seconds, rate=PACE, request=Webhook(alerts_of_an_issue=1))).due
        time.sleep(1)
        arrived = {arrival.serial: arrival.moment for arrival in vendor.arrivals()}
    return sorted(arrived.get(serial, float("inf")) - moment for serial, moment in due.items())


def _print_latency(seconds: Sequence[float]) -> None:
    found = {share: rig.percentile(seconds, share) * 1000 for share in (0.5, 0.99, 1)}
    print(f"From the webhook to the request at the vendor, {PACE} alerts a second:\n")
    rows = [
        (f"p{share * 100:.0f}", rig.figure(found[share]), rig.verdict(found[share], below=wanted))
        for share, wanted in WANTED_LATENCY_MS.items()
    ]
    rig.print_table(("of " + str(len(seconds)), "ms", "wanted"), [*rows, ("slowest", rig.figure(found[1]), "")])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--deliveries", type=int, default=3000, help="how many wait when the workers start")
    parser.add_argument("--rounds", type=int, default=3, help="how often each kind is measured; 0 leaves the deliveries out")
    parser.add_argument("--latency-seconds", type=float, default=15.0, help=f"how long alerts come at {PACE} a second; 0 leaves them out")
    parser.add_argument("--folder", type=Path, default=rig.ROOT / "var", help="where databases are made, on the disk that is meant")
    return parser.parse_args()


if __name__ == "__main__":
    main()
