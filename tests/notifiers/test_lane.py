from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from notifiers.lane import DeliveryLane, LanePorts
from routing.notification import Attempt, Outcome
from tests.factories import NOW

PATIENCE_SECONDS = 10
DONE = Attempt(number=1, began_at=NOW, ended_at=NOW, outcome=Outcome.DELIVERED)


@dataclass(frozen=True, slots=True)
class Parcel:
    id: int


@dataclass
class World:
    """A store of parcels and a vendor that holds those it is told to hold."""

    waiting: list[Parcel]
    held: frozenset[int] = frozenset()
    faults: int = 0
    recorded: list[int] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    claims_unheard_of: int = 0
    unheard_of: list[Parcel] = field(default_factory=list)
    all_returned_but: list[Sequence[int]] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    under_way: set[int] = field(default_factory=set)
    most_under_way: int = 0
    seen_under_way: list[int] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def claim(self, limit: int, under_way: Sequence[Parcel]) -> tuple[Sequence[Parcel], bool]:
        self.seen_under_way.append(len(under_way))
        claimed, self.waiting = self.waiting[:limit], self.waiting[limit:]
        if self.claims_unheard_of:
            self.claims_unheard_of -= 1
            self.unheard_of = claimed
            raise OSError("the connection broke")
        return claimed, len(claimed) < limit

    def give_back_others(self, ids: Sequence[int]) -> None:
        self.all_returned_but.append(ids)
        self.waiting, self.unheard_of = [*self.unheard_of, *self.waiting], []

    def deliver(self, parcel: Parcel) -> Attempt:
        with self.changed:
            self.under_way.add(parcel.id)
            self.most_under_way = max(self.most_under_way, len(self.under_way))
            self.changed.notify_all()
        if parcel.id in self.held:
            self.release.wait(PATIENCE_SECONDS)
        with self.changed:
            self.under_way.remove(parcel.id)
        return DONE

    def record(self, finished: Sequence[tuple[Parcel, Attempt]]) -> None:
        with self.changed:
            if self.faults:
                self.faults -= 1
                raise OSError("the database is away")
            self.recorded += [parcel.id for parcel, _ in finished]
            self.changed.notify_all()

    def until(self, claim: str, *, recorded: int = 0, under_way: int = 0) -> None:
        with self.changed:
            arrived = self.changed.wait_for(
                lambda: len(self.recorded) >= recorded and len(self.under_way) >= under_way, timeout=PATIENCE_SECONDS
            )
        assert arrived, claim


@contextmanager
def lane(world: World, *, threads: int = 4) -> Iterator[DeliveryLane[Parcel]]:
    ports = LanePorts(
        claim=world.claim,
        deliver=world.deliver,
        record=world.record,
        give_back=world.returned.extend,
        give_back_others=world.give_back_others,
        report_fault=lambda error: world.reported.append(str(error)),
    )
    running = DeliveryLane("test", ports, threads=threads)
    yield running
    world.release.set()
    running.stop(timeout_seconds=1)


def test_one_ring_delivers_everything_that_waits() -> None:
    world = World([Parcel(number) for number in range(200)])

    with lane(world) as running:
        running.ring()

        world.until("all are recorded", recorded=200)

    assert sorted(world.recorded) == list(range(200))


def test_no_more_are_under_way_than_there_are_threads() -> None:
    world = World([Parcel(number) for number in range(20)], held=frozenset(range(20)))

    with lane(world, threads=3) as running:
        running.ring()
        world.until("the threads are busy", under_way=3)
        world.release.set()
        world.until("all are recorded", recorded=20)

    assert world.most_under_way <= 3


def test_what_is_under_way_is_known_to_who_claims_more() -> None:
    world = World([Parcel(1), Parcel(2)], held=frozenset({1}))

    with lane(world) as running:
        running.ring()
        world.until("one hangs", recorded=1, under_way=1)

    assert world.seen_under_way[-1] == 1


def test_a_vendor_that_hangs_holds_nobody_else() -> None:
    world = World([Parcel(1), Parcel(2), Parcel(3)], held=frozenset({1}))

    with lane(world) as running:
        running.ring()

        world.until("the others are recorded", recorded=2)

    assert world.recorded[:2] == sorted(world.recorded[:2]) == [2, 3]


def test_a_database_that_is_away_delays_the_record_and_loses_nothing() -> None:
    world = World([Parcel(1)], faults=1)

    with lane(world) as running:
        running.ring()
        world.until("it is recorded", recorded=1)

    assert world.reported == ["the database is away"]
    assert world.recorded == [1]


def test_what_was_claimed_by_a_claim_that_failed_is_claimed_again() -> None:
    world = World([Parcel(1), Parcel(2)], held=frozenset({1}))

    with lane(world, threads=2) as running:
        running.ring()
        world.until("one hangs", recorded=1, under_way=1)
        world.waiting, world.claims_unheard_of = [Parcel(3)], 1
        running.ring()
        world.until("the other is delivered", recorded=2)

    assert world.recorded[:2] == [2, 3]
    assert world.all_returned_but == [(1,)]


def test_what_does_not_end_in_time_is_given_back() -> None:
    world = World([Parcel(1), Parcel(2)], held=frozenset({1}))
    with lane(world) as running:
        running.ring()
        world.until("one hangs", recorded=1, under_way=1)

        running.stop(timeout_seconds=0.1)

    assert world.returned == [1]


def test_a_stopped_lane_claims_no_more() -> None:
    world = World([])
    with lane(world) as running:
        running.stop(timeout_seconds=1)
        world.waiting = [Parcel(1)]

        running.ring()

    assert world.waiting == [Parcel(1)]
