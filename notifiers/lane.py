"""One lane of sending: claims what is due, has it delivered by a pool of threads, records how it ended.

It knows neither database nor queue: claiming and recording come as functions.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from routing.notification import Attempt

MAX_CLAIM = 64
"""Claimed, or recorded, at once: enough to fill threads quickly, few enough that a second worker gets its share of a burst, and that
the threads do not all wait for the lane and then all for the vendor."""

PAUSE_AFTER_FAULT_SECONDS = 1.0

_RING = -1


class Claimable(Protocol):
    """Something that was claimed to be delivered."""

    @property
    def id(self) -> int:
        """Its number in storage."""


ClaimedT = TypeVar("ClaimedT", bound=Claimable)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePorts(Generic[ClaimedT]):
    """What a lane does with the world."""

    claim: Callable[[int, Sequence[ClaimedT]], tuple[Sequence[ClaimedT], bool]]
    """At most so many that are due, for nobody else to send; beside these, which are under way. And whether that is all."""
    deliver: Callable[[ClaimedT], Attempt]
    """Called in the pool; raises nothing."""
    record: Callable[[Sequence[tuple[ClaimedT, Attempt]]], None]
    """Called in the lane's own thread, as claiming is; what cannot be recorded now comes again."""
    give_back: Callable[[Sequence[int]], None]
    give_back_others: Callable[[Sequence[int]], None]
    """All that this lane has claimed but these: of what was claimed when claiming failed it has not heard."""
    report_fault: Callable[[Exception], None]
    """Claiming or recording failed; it is tried again after a pause."""


class DeliveryLane(Generic[ClaimedT]):
    """Runs in a thread of its own until stopped."""

    def __init__(self, name: str, ports: LanePorts[ClaimedT], *, threads: int) -> None:
        self._ports = ports
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"send-{name}")
        # How a delivery ended, or the id of one that has been given back, or a ring.
        self._inbox: queue.SimpleQueue[tuple[ClaimedT, Attempt] | int] = queue.SimpleQueue()
        self._in_flight: dict[int, ClaimedT] = {}
        self._unrecorded: list[tuple[ClaimedT, Attempt]] = []
        self._is_in_doubt = False
        """Claiming has failed: perhaps after it was done."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lane-{name}", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        """Say that something may be due."""
        self._inbox.put(_RING)

    def claim_no_more(self) -> None:
        """Let what is under way end, and begin nothing."""
        self._stopping.set()
        self.ring()

    def stop(self, timeout_seconds: float) -> None:
        """Claim no more, wait that long for what is under way, give the rest back."""
        self.claim_no_more()
        self._thread.join(max(0.0, timeout_seconds))
        if self._in_flight:
            self._ports.give_back(tuple(self._in_flight))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not (self._stopping.is_set() and not self._in_flight and not self._unrecorded):
            self._collect()
            try:
                self._record()
                self._fill()
            except Exception as error:  # noqa: BLE001 - the lane outlives a database that is away; what it holds stays held
                self._ports.report_fault(error)
                time.sleep(PAUSE_AFTER_FAULT_SECONDS)
                self.ring()

    def _collect(self) -> None:
        """Wait for news, then take what there is: what ended together is recorded in one commit."""
        news = self._inbox.get()
        while True:
            if isinstance(news, tuple):
                self._unrecorded.append(news)
            elif news != _RING:
                self._in_flight.pop(news, None)
            if len(self._unrecorded) >= MAX_CLAIM:
                return
            try:
                news = self._inbox.get_nowait()
            except queue.Empty:
                return

    def _record(self) -> None:
        if self._unrecorded:
            self._ports.record(self._unrecorded)
            for claimed, _ in self._unrecorded:
                self._in_flight.pop(claimed.id, None)
            self._unrecorded = []

    def _fill(self) -> None:
        while not self._stopping.is_set() and (free := self._threads - len(self._in_flight)) > 0:
            claimed, are_all = self._claim(min(free, MAX_CLAIM))
            for one in claimed:
                self._in_flight[one.id] = one
                self._pool.submit(self._deliver, one)
            if are_all or not claimed:
                return

    def _claim(self, limit: int) -> tuple[Sequence[ClaimedT], bool]:
        if self._is_in_doubt:
            self._ports.give_back_others(tuple(self._in_flight))
        self._is_in_doubt = True
        found = self._ports.claim(limit, tuple(self._in_flight.values()))
        self._is_in_doubt = False
        return found

    def _deliver(self, claimed: ClaimedT) -> None:
        try:
            self._inbox.put((claimed, self._ports.deliver(claimed)))
        except Exception as error:  # noqa: BLE001 - what nobody expected here must not keep its claim, and its thread, for ever
            self._ports.report_fault(error)
            self._ports.give_back((claimed.id,))
            self._inbox.put(claimed.id)
