"""What is told together where there is more than may be told: counted, the first by their titles, each still in some message. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from routing.announcement import GROUP
from routing.gate import Limit
from routing.notification import Lane, Mention, Reason, Severity

SUMMED_UP = frozenset({Reason.FIRST, Reason.REPEAT, Reason.DELAYED, Reason.REMINDER, Reason.SUMMARY, Reason.FALLBACK})
"""Reasons of what may be told in a summary. An escalation is a message of its own, and so is what follows what was told."""
MOST = 1000
"""Of incidents that one summary tells of."""
MOST_CRITICAL = 8
"""Of critical ones: as many as every layout gives a line."""


class Queue(NamedTuple):
    """What waits to be sent by a receiver in a lane."""

    receiver: str
    gate: str
    lane: Lane
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How fast a receiver is told."""

    vendor: Limit | None
    """All that goes by its gate together."""
    max_per_minute: int | None
    """What people want to read; critical messages do not wait for it."""
    max_delay: timedelta
    """So long a message may wait for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that has not been tried."""

    id: int
    receiver: str
    place: str
    lane: Lane
    rule: str
    """The first of those that asked for it."""
    severity: Severity
    at: datetime
    """When its turn is."""
    changes: str | None
    """The options that hang on its alert, as they are stored."""
    mentions: tuple[Mention, ...]
    """What it tells of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Some messages, told as one."""

    head: Waiting
    """Heads the message."""
    all: tuple[Waiting, ...]
    others: tuple[Mention, ...]
    """What it tells of beside the head's own incident, each once."""

    @property
    def subject(self) -> str:
        """What it is about: a group of its own."""
        told = f"{self.head.place} {self.head.id}"
        return f"{GROUP}summary:{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def overflowing(queues: Iterable[Queue], rates: Mapping[str, Rate]) -> frozenset[tuple[str, Lane]]:
    """The receivers, and their lanes, in which the last message would wait for longer than it may."""
    queues = list(queues)
    return frozenset((queue.receiver, queue.lane) for queue in queues if queue.receiver in rates and _overflows(queue, queues, rates))


def _overflows(queue: Queue, queues: Sequence[Queue], rates: Mapping[str, Rate]) -> bool:
    rate = rates[queue.receiver]
    # Critical messages go first: they wait only for each other.
    ahead = [one for one in queues if one.lane is queue.lane or queue.lane is Lane.NORMAL]
    by_gate = sum(one.length for one in ahead if one.gate == queue.gate)
    by_receiver = sum(one.length for one in ahead if one.receiver == queue.receiver)
    lasts = by_gate / rate.vendor.per_second if rate.vendor else 0.0
    if rate.max_per_minute and queue.lane is Lane.NORMAL:
        lasts = max(lasts, by_receiver * 60 / rate.max_per_minute)
    return timedelta(seconds=lasts) > rate.max_delay


def summaries(waiting: Iterable[Waiting]) -> Iterator[Summary]:
    """These messages as one for each destination and rule; what has nothing beside it stays as it is.

    The worst heads its message, and of those the newest. A critical one is named in any case, so that fewer fit in one.
    """
    alike: dict[tuple[object, ...], list[Waiting]] = {}
    for one in waiting:
        key = (one.receiver, one.place, one.changes, one.rule, one.severity is Severity.CRITICAL)
        alike.setdefault(key, []).append(one)
    for (*_, is_critical), found in alike.items():
        ordered = sorted(found, key=lambda one: (one.severity.rank, -one.id))
        for together in _batches(ordered, MOST_CRITICAL if is_critical else MOST):
            if len(together) > 1:
                yield _summary(together)


def _batches(ordered: Sequence[Waiting], most: int) -> Iterator[tuple[Waiting, ...]]:
    batch: list[Waiting] = []
    mentioned = 0
    for one in ordered:
        if batch and mentioned + len(one.mentions) > most:
            yield tuple(batch)
            batch, mentioned = [], 0
        batch.append(one)
        mentioned += len(one.mentions)
    yield tuple(batch)


def _summary(together: tuple[Waiting, ...]) -> Summary:
    mentions = {mention.incident: mention for one in together for mention in one.mentions}
    head = together[0]
    first = head.mentions[0].incident
    return Summary(head=head, all=together, others=tuple(mention for key, mention in mentions.items() if key != first))
