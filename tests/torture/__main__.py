"""Posts webhooks while everything fails that can, at random moments, and says what was lost or doubled; exit status 1: something."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.torture.stage import Stage
from tests.torture.traffic import Traffic, stories
from tests.torture.verdict import Verdict, judge, time_passes, unsettled

SETTLE_SECONDS = 60.0
CALM_SECONDS = 3.0
"""Between the end of a misfortune and the next one, at most."""
MISFORTUNE_SECONDS = 1.5
"""So long each takes, about."""
PER_SECOND = 150
"""Webhooks, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run came to."""

    seed: int
    database: str
    befell: Mapping[str, int]
    not_run: Mapping[str, str]
    mishaps: Mapping[str, int]
    accepted: int
    refused: int
    longest_stall: float
    seconds: float
    verdict: Verdict

    @property
    def table(self) -> str:
        """For people."""
        told = ", ".join(f"{count} {state}" for state, count in sorted(self.verdict.notifications.items()))
        lines = [
            f"seed {self.seed}, {self.database}, {self.seconds:.0f} s",
            *(f"  {count:6}  {name}" for name, count in self.befell.items()),
            *(f"  {'-':>6}  {name}: not run here ({way_out})" for name, way_out in self.not_run.items()),
            *(f"  {count:6}  at the vendors: {name}" for name, count in self.mishaps.items()),
            f"accepted {self.accepted} webhooks, {self.refused} times only at a further try; the longest took {self.longest_stall:.1f} s",
            f"{self.verdict.events} events; notifications: {told}; {self.verdict.attempts} attempts",
            f"lost, doubled or out of order: {len(self.verdict.faults)}",
            *(f"  {fault}" for fault in self.verdict.faults[:50]),
        ]
        return "\n".join(lines)


def run(
    folder: Path,
    *,
    seed: int,
    webhooks: int,
    database: str,
    share: float = 0.1,
    calm_seconds: float = CALM_SECONDS,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """One run; what befalls the service, and when, follows from the seed. `share` of the requests to vendors meet with a mishap."""
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be guessed
    began = time.monotonic()
    with Stage(folder, database, share=share, seed=seed) as stage:
        seconds = max(webhooks / PER_SECOND, (calm_seconds / 2 + MISFORTUNE_SECONDS) * len(stage.misfortunes))
        traffic = Traffic(stories(webhooks, chance), stage.service.port, seconds)
        posting = threading.Thread(target=traffic.post_all)
        posting.start()
        befell: Counter[str] = Counter()
        while posting.is_alive() or not befell.keys() >= stage.misfortunes.keys():
            left = sorted(stage.misfortunes.keys() - befell.keys()) or sorted(stage.misfortunes)
            name = chance.choice(left)
            time.sleep(chance.uniform(0.1, calm_seconds))
            say(f"{time.monotonic() - began:6.1f} s  {traffic.posted:4.0%}  {name}")
            befell[name] += 1
            stage.misfortunes[name]()
        posting.join()
        for proxy in stage.proxies:
            proxy.share = 0.0
        _settle(stage, say)
        verdict = judge(stage.database, traffic.stories, stage.slack.app, stage.pagerduty.app)
        mishaps: Counter[str] = Counter()
        for proxy in stage.proxies:
            mishaps.update(proxy.counts)
        return Report(
            seed=seed,
            database=database,
            befell=dict(sorted(befell.items())),
            not_run=stage.not_run,
            mishaps=dict(sorted(mishaps.items())),
            accepted=traffic.accepted,
            refused=traffic.refused,
            longest_stall=traffic.longest_stall,
            seconds=time.monotonic() - began,
            verdict=Verdict(
                events=verdict.events,
                notifications=verdict.notifications,
                attempts=verdict.attempts,
                faults=(*traffic.unwanted, *verdict.faults),
            ),
        )


def _settle(stage: Stage, say: Callable[[str], None]) -> None:
    """Wait until nothing waits, as long as it gets less; a worker that is killed is given up for dead after some seconds."""
    calm, left, deadline = 0, [""], 0.0
    while calm < 3 and (calm or not deadline or time.monotonic() < deadline):
        time_passes(stage.database)
        time.sleep(1)
        before, left = left, unsettled(stage.database, stage.folder / "spool")
        calm = 0 if left else calm + 1
        if left != before:
            deadline = time.monotonic() + SETTLE_SECONDS
    say(f"not settled: {', '.join(left)}" if left else "settled")


def main() -> None:
    """For `make torture`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="repeats a run: the same faults in the same order")
    parser.add_argument("--webhooks", type=int, default=10_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--share", type=float, default=0.1, help="of the requests to vendors to which something happens")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs also if all went well")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    failed = False
    for database in ["sqlite", "postgresql"] if options.database == "both" else [options.database]:
        folder = Path(tempfile.mkdtemp(prefix="torture-"))
        report = run(folder, seed=seed, webhooks=options.webhooks, database=database, share=options.share, say=print)
        print(report.table)
        if report.verdict.faults or options.keep:
            print(f"logs: {folder}")
        else:
            shutil.rmtree(folder)
        failed |= bool(report.verdict.faults)
    sys.exit(failed)


if __name__ == "__main__":
    main()
