"""How a lane's threads are shared: whatever vendors hang, what goes to another one finds a thread. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

SHARE = 0.75
"""Of the threads that the others leave, so much may a kind of receiver have, and so much a destination."""


class Shares:
    """What is under way in a lane, by kind and destination, and what may be begun beside it."""

    def __init__(self, threads: int, under_way: Iterable[tuple[str, str]]) -> None:
        """`under_way` has the kind and the destination of each message."""
        pairs = list(under_way)
        self._threads, self._total = threads, len(pairs)
        self._counts = Counter(name for pair in pairs for name in pair)

    @property
    def full(self) -> Sequence[str]:
        """The kinds and destinations of which nothing may be begun."""
        return [name for name in self._counts if self._is_full(name)]

    def take(self, kind: str, place: str) -> bool:
        """Whether one more may be begun there; if so, it counts from now on."""
        if self._is_full(kind) or self._is_full(place):
            return False
        self._total += 1
        self._counts.update((kind, place))
        return True

    def _is_full(self, name: str) -> bool:
        count = self._counts[name]
        left_by_others = self._threads - (self._total - count)
        # The first one always may: a lane of one thread works, too.
        return count > 0 and count >= int(SHARE * left_by_others)
