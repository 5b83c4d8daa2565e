"""How many pages a process makes at a time: its threads are there for Sentry first."""

from __future__ import annotations

from threading import BoundedSemaphore

AT_ONCE = 2
"""Python makes one page at a time; the second is for when the first waits for the database."""
MAY_WAIT = 3
"""Who waits for a place takes up a thread, too: of sixteen as many as these, and those that `web.live` lends, never take webhooks."""
PATIENCE_SECONDS = 2.0


class Places:
    """Those of a process."""

    def __init__(self, *, at_once: int = AT_ONCE, may_wait: int = MAY_WAIT, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._inside = BoundedSemaphore(at_once + may_wait)
        self._at_work = BoundedSemaphore(at_once)
        self._patience_seconds = patience_seconds

    def take(self) -> bool:
        """Whether there is one: at once or soon, unless enough wait for one already."""
        if not self._inside.acquire(blocking=False):
            return False
        if self._at_work.acquire(timeout=self._patience_seconds):
            return True
        self._inside.release()
        return False

    def leave(self) -> None:
        """Give back one that was taken."""
        self._at_work.release()
        self._inside.release()
