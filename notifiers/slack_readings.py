"""What Slack lists, read once for all who look for something in it at the same moment: after a crash these are hundreds.

Slack lets an app read some fifty pages a minute: https://docs.slack.dev/reference/methods/conversations.history.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from notifiers.http import Network
from notifiers.notifier import Clock

FRESH = timedelta(seconds=10)

ItemT = TypeVar("ItemT")
Pages: TypeAlias = Iterator[Sequence[ItemT]]


class Reading(Generic[ItemT]):
    """One reading of a list, which goes on as far as somebody has to look."""

    def __init__(self, pages: Pages[ItemT], began_at: datetime) -> None:
        self.began_at = began_at
        self._pages, self._lock = pages, threading.Lock()
        self._items: list[ItemT] = []
        self._fault: Exception | None = None

    def find(self, is_wanted: Callable[[ItemT], bool]) -> ItemT | None:
        """The first one that is wanted.

        Raises:
            RetryableError, PermanentError: as Slack answered whoever read on, or there is more than is read.
        """
        with self._lock:
            seen = 0
            while True:
                if found := next(filter(is_wanted, self._items[seen:]), None):
                    return found
                seen = len(self._items)
                if not self._reads_on():
                    return None

    def _reads_on(self) -> bool:
        if self._fault:
            raise self._fault
        try:
            page = next(self._pages, None)
        except Exception as fault:
            self._fault = fault
            raise
        self._items += page or ()
        return page is not None


class Readings:
    """Those of one process; threads may share them."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._kept: dict[tuple[str, ...], Reading[Any]] = {}

    def of(self, key: tuple[str, ...], read: Callable[[], Pages[ItemT]], *, after: datetime | None) -> Reading[ItemT]:
        """One that began at most ten seconds ago, and after something was over, by this machine's clock; without that a new one."""
        with self._lock:
            now = self._clock()
            self._kept = {name: one for name, one in self._kept.items() if timedelta() <= now - one.began_at < FRESH}
            known = self._kept.get(key)
            if known is None or after is None or known.began_at < after:
                known = self._kept[key] = Reading(read(), now)
            return known


_ALL: WeakKeyDictionary[Network, Readings] = WeakKeyDictionary()
_ALL_LOCK = threading.Lock()


def readings_of(network: Network, clock: Clock) -> Readings:
    """Those of all threads that send over the same network."""
    with _ALL_LOCK:
        return _ALL.setdefault(network, Readings(clock))
