"""Debian's Alertmanager and this service, side by side: how soon they answer and tell, what they need, and what a kill -9 leaves.

Alertmanager takes an unsigned alert of 0.8 kB and keeps it in memory; this service a signed webhook of 20 kB, which is on the disk
before it answers. Both tell the same vendor on loopback of every alert, by itself and at once; it answers at once.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import rig, sides
from benchmarks.client import CLIENTS, Answers, Load, post
from benchmarks.send import WANTED_LATENCY_MS
from benchmarks.sides import Side, Start
from benchmarks.vendor import Vendor, standing_in

RATES = (200, 500, 1000)
TELLING_RATE = 50
FILLING_RATE = 500
WARMING_SECONDS = 3.0
STARTING_SECONDS = 2.0
ANSWER_SECONDS = 0.0
QUIET_SECONDS = 60.0
"""Who tells nothing for so long counts as having nothing left to tell: a receiver that failed is left alone for half a minute at first."""
LONGEST_SECONDS = 3600.0
"""A load ends when all of it was sent, however late."""
THEIRS, OURS = "Alertmanager", "this service"
SIDES: Mapping[str, Start] = {THEIRS: sides.alertmanager, OURS: sides.service}
WANTED_OF_THEIRS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all parts need."""

    folder: Path
    clients: Pool

    def new_folder(self) -> Path:
        """One that nobody has."""
        folder = self.folder / str(rig.new_serials())
        folder.mkdir()
        return folder

    def post(self, side: Side, *, rate: float, number: int) -> Answers:
        """So many alerts at a pace, and what was answered."""
        load = Load(port=side.port, request=side.request, rate=rate, most=number, seconds=LONGEST_SECONDS)
        return post(self.clients, load)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of alerts that were posted."""

    answers: Answers
    moments: Mapping[int, float]
    """When the vendor was first told of each."""
    twice: int
    """Requests at the vendor that told what was told."""

    @property
    def never(self) -> int:
        """Accepted alerts of which the vendor was not told."""
        return self.answers.accepted - len(self.moments)

    def wait_ms(self, share: float) -> float:
        """From when an alert was due until the vendor was told, which this share did not exceed; what never came counts as endless."""
        waits = sorted(self.moments.get(serial, float("inf")) - due for serial, due in self.answers.due.items())
        return rig.percentile(waits, share) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """One side after so many alerts."""

    memory_mb: Mapping[str, float]
    told: Told

    @property
    def whole_mb(self) -> float:
        """Of all its processes."""
        return sum(self.memory_mb.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What outlived a kill -9."""

    told: Told
    last_after_seconds: float
    """From the new start until the vendor was told of the last; not a number if of none."""


def main() -> None:
    """Measure and print."""
    options = _options()
    if not sides.is_installed():
        raise SystemExit(sides.MISSING)
    title = f"peers: Alertmanager {sides.version()} beside this service (SQLite, one web process, one worker, Redis)"
    with rig.report(title, options.folder) as folder, multiprocessing.get_context("spawn").Pool(CLIENTS) as clients:
        bench = Bench(folder=folder, clients=clients)
        if options.seconds:
            _print_answers("nobody is told", [_keep_paces(bench, RATES, options.seconds) for _ in range(options.rounds)])
            told = [_keep_paces_and_tell(bench, (TELLING_RATE, *RATES), options.seconds) for _ in range(options.rounds)]
            _print_answers("the vendor is told of all", told)
            _print_waits(told)
        if options.alerts:
            _print_memory([{name: _fill(bench, start, options.alerts) for name, start in SIDES.items()} for _ in range(options.rounds)])
        if options.kept:
            _print_kept([{name: _kill(bench, start, options.kept) for name, start in SIDES.items()} for _ in range(options.rounds)])


def _keep_paces(bench: Bench, rates: Sequence[int], seconds: float, vendor: Vendor | None = None) -> dict[tuple[str, int], Told]:
    """Both wait side by side and take turns at each pace; who has a backlog may first finish it."""
    found = {}
    with ExitStack() as stack:
        url = vendor.url if vendor else None
        started = {name: stack.enter_context(start(bench.new_folder(), url)) for name, start in SIDES.items()}
        for side in started.values():
            _tell(bench, vendor, side, rate=TELLING_RATE, number=int(TELLING_RATE * WARMING_SECONDS))
        for rate in rates:
            for name, side in started.items():
                found[name, rate] = _tell(bench, vendor, side, rate=rate, number=int(rate * seconds))
    return found


def _keep_paces_and_tell(bench: Bench, rates: Sequence[int], seconds: float) -> dict[tuple[str, int], Told]:
    with standing_in(ANSWER_SECONDS) as vendor:
        return _keep_paces(bench, rates, seconds, vendor)


def _fill(bench: Bench, start: Start, sizes: Sequence[int]) -> dict[int, Filled]:
    """The memory in passing each number of alerts, from a new start; of both at the same pace."""
    found, before = {}, 0
    with standing_in(ANSWER_SECONDS) as vendor, start(bench.new_folder(), vendor.url) as side:
        for size in sorted(sizes):
            told = _tell(bench, vendor, side, rate=FILLING_RATE, number=size - before)
            found[size], before = Filled(memory_mb=side.peak_memory_mb(), told=told), size
    return found


def _kill(bench: Bench, start: Start, number: int) -> Kept:
    """Alerts are accepted while the vendor is away; all processes are killed at once; the vendor is back, and they are started again."""
    folder = bench.new_folder()
    with _closed_port() as port, start(folder, f"http://127.0.0.1:{port}") as side:
        time.sleep(STARTING_SECONDS)
        answers = bench.post(side, rate=FILLING_RATE, number=number)
        side.kill()
    began = time.monotonic()
    with standing_in(ANSWER_SECONDS, port=port) as vendor, start(folder, vendor.url):
        told = _wait_until_told(vendor, answers)
    return Kept(told=told, last_after_seconds=max(told.moments.values(), default=float("nan")) - began)


@contextmanager
def _closed_port() -> Iterator[int]:
    """A port at which nobody answers, and which the system gives to nobody else until the end of the `with`."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        yield port


def _tell(bench: Bench, vendor: Vendor | None, side: Side, *, rate: float, number: int) -> Told:
    answers = bench.post(side, rate=rate, number=number)
    if vendor:
        return _wait_until_told(vendor, answers)
    while side.is_busy():
        time.sleep(0.2)
    return Told(answers=answers, moments={}, twice=0)


def _wait_until_told(vendor: Vendor, answers: Answers) -> Told:
    moments: dict[int, float] = {}
    requests, last = 0, time.monotonic()
    while len(moments) < answers.accepted and time.monotonic() - last < QUIET_SECONDS:
        time.sleep(0.2)
        for arrival in vendor.arrivals():
            requests, last = requests + 1, time.monotonic()
            if arrival.serial is not None:
                moments.setdefault(arrival.serial, arrival.moment)
    time.sleep(0.5)  # what comes twice may come late
    return Told(answers=answers, moments=moments, twice=requests + len(vendor.arrivals()) - len(moments))


def _print_answers(meanwhile: str, rounds: Sequence[Mapping[tuple[str, int], Told]]) -> None:
    print(f"From when a request was due until it was answered, one alert in each, while {meanwhile}:\n")
    header = ("a second", "answered by", "p50 ms", "p99 ms", "p50 of theirs", "p99 of theirs", "wanted", "refused")
    rig.print_table(header, [_answers_row(rounds, name, rate) for rate in RATES for name in SIDES])


def _answers_row(rounds: Sequence[Mapping[tuple[str, int], Told]], name: str, rate: int) -> tuple[str, ...]:
    ours, theirs = ([each[which, rate].answers for each in rounds] for which in (name, THEIRS))
    p50, p99 = ([one.percentile_ms(share) for one in ours] for share in (0.5, 0.99))
    p50_of_theirs = _ratio(p50, [one.percentile_ms(0.5) for one in theirs])
    p99_of_theirs = _ratio(p99, [one.percentile_ms(0.99) for one in theirs])
    return (
        f"{rate:,}",
        name,
        rig.median(p50),
        rig.median(p99),
        rig.figure(p50_of_theirs),
        rig.figure(p99_of_theirs),
        rig.verdict(p99_of_theirs, below=WANTED_OF_THEIRS) if name == OURS else "",
        f"{sum(one.refused for one in ours)} of {sum(len(one.latencies) for one in ours):,}",
    )


def _print_waits(rounds: Sequence[Mapping[tuple[str, int], Told]]) -> None:
    print(f"From when a request was due until its notification was at the vendor, {TELLING_RATE} a second:\n")
    header = ("told by", "p50 ms", "wanted", "p99 ms", "wanted", "p50 of theirs", "p99 of theirs", "never came, came twice")
    rig.print_table(header, [_waits_row(rounds, name) for name in SIDES])


def _waits_row(rounds: Sequence[Mapping[tuple[str, int], Told]], name: str) -> tuple[str, ...]:
    ours, theirs = ([each[which, TELLING_RATE] for each in rounds] for which in (name, THEIRS))
    cells, ratios = [], []
    for share, wanted in WANTED_LATENCY_MS.items():
        found = [one.wait_ms(share) for one in ours]
        cells += [rig.median(found), rig.verdict(statistics.median(found), below=wanted) if name == OURS else ""]
        ratios.append(rig.figure(_ratio(found, [one.wait_ms(share) for one in theirs])))
    return name, *cells, *ratios, _lost_and_doubled(ours)


def _print_memory(rounds: Sequence[Mapping[str, Mapping[int, Filled]]]) -> None:
    print(f"The most that all processes of each had resident, {FILLING_RATE} alerts a second, and all told:\n")
    header = ("alerts", "by", "peak MB", "each", "of theirs", "wanted", "never came, came twice")
    rig.print_table(header, [_memory_row(rounds, name, size) for size in sorted(rounds[0][THEIRS]) for name in SIDES])


def _memory_row(rounds: Sequence[Mapping[str, Mapping[int, Filled]]], name: str, size: int) -> tuple[str, ...]:
    ours, theirs = ([each[which][size] for each in rounds] for which in (name, THEIRS))
    of_theirs = _ratio([one.whole_mb for one in ours], [one.whole_mb for one in theirs])
    each = {program: statistics.median(one.memory_mb[program] for one in ours) for program in ours[0].memory_mb}
    return (
        f"{size:,}",
        name,
        rig.median([one.whole_mb for one in ours]),
        ", ".join(f"{program} {rig.figure(found)}" for program, found in each.items()) if len(each) > 1 else "",
        f"{of_theirs:.2f}",
        rig.verdict(of_theirs, below=WANTED_OF_THEIRS) if name == OURS else "",
        _lost_and_doubled([one.told for one in ours]),
    )


def _print_kept(rounds: Sequence[Mapping[str, Kept]]) -> None:
    print("Accepted while the vendor was away, then kill -9 of all processes, and a new start with the vendor back:\n")
    header = ("by", "accepted", "told after it", "of those accepted", "wanted", "came twice", "the last after s")
    rig.print_table(header, [_kept_row(name, [each[name] for each in rounds]) for name in SIDES])


def _kept_row(name: str, found: Sequence[Kept]) -> tuple[str, ...]:
    accepted, told = sum(one.told.answers.accepted for one in found), sum(len(one.told.moments) for one in found)
    return (
        name,
        f"{accepted:,}",
        f"{told:,}",
        f"{told / accepted:.3f}",
        rig.verdict(told / accepted, at_least=1.0) if name == OURS else "",
        str(sum(one.told.twice for one in found)),
        rig.median([one.last_after_seconds for one in found]) if told else "",
    )


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Round by round, for what slows one down slows the other."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def _lost_and_doubled(found: Sequence[Told]) -> str:
    return f"{sum(one.never for one in found)}, {sum(one.twice for one in found)}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each part is measured")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each pace is kept; 0 leaves answers and notifications out")
    parser.add_argument("--alerts", type=int, nargs="*", default=[10_000], help="after how many the memory is read; none leaves it out")
    parser.add_argument("--kept", type=int, default=1000, help="how many are accepted before the kill -9; 0 leaves it out")
    parser.add_argument("--folder", type=Path, default=rig.ROOT / "var", help="where databases are made, on the disk that is meant")
    return parser.parse_args()


if __name__ == "__main__":
    main()
