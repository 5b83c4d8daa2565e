"""Tells browsers that something new has come, without keeping for long the threads that are there for Sentry first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Lock

from flask import Response, abort

AT_ONCE = 3
"""So many streams has a process at the same time."""
LASTS_SECONDS = 20.0
"""And so long lasts one: the browser then comes again, and others have had their turn."""
LOOKS_EVERY_SECONDS = 1.0
SPARE_SECONDS = 5.0
"""After which a place is free again even if the web server never said that its stream is over."""


class Streams:
    """Those of a process. A place is free again when its stream ends, or by the clock if nobody says so."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._lock = Lock()
        self._ends: dict[object, float] = {}

    def open(self, newest: Callable[[], int], told: int) -> Response:
        """A stream of server-sent events: the newest number, each time that it is another than was told.

        Aborts with 503 where there are enough.
        """
        place = self._take()
        if place is None:
            abort(503, "as many browsers listen here as may: ask from time to time instead")
        response = Response(_events(newest, told), mimetype="text/event-stream")
        response.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        response.call_on_close(lambda: self._leave(place))
        return response

    def _take(self) -> object | None:
        now = time.monotonic()
        with self._lock:
            self._ends = {place: end for place, end in self._ends.items() if end > now}
            if len(self._ends) >= self._at_once:
                return None
            place = object()
            self._ends[place] = now + LASTS_SECONDS + SPARE_SECONDS
            return place

    def _leave(self, place: object) -> None:
        with self._lock:
            self._ends.pop(place, None)


def _events(newest: Callable[[], int], told: int) -> Iterator[bytes]:
    """It runs after its request is over: what a page takes, a place among those that are made at once, it does not."""
    ends = time.monotonic() + LASTS_SECONDS
    yield b"retry: 1000\n\n"
    while time.monotonic() < ends:
        found = newest()
        # Something is said each time: that is how it is noticed who has left.
        yield f"id: {found}\ndata: {found}\n\n".encode() if found > told else b":\n\n"
        told = max(told, found)
        time.sleep(LOOKS_EVERY_SECONDS)
