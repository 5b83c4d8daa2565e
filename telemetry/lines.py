"""Lines of the log on their way to standard error: written at once, or behind, and those of libraries among them."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
from collections import deque

import structlog

from telemetry.faults import Seldom

BEHIND_SECONDS = 0.02
"""Where lines are written behind, they wait so long for others."""
SERVER = ("_granian", "granian.access")
"""The web server's loggers, which write by themselves unless they are told not to."""


def write_behind() -> None:
    """From now on lines that tell of no fault are written by a thread of their own, several at once.

    A write hands on the interpreter, and who has more to do gets it back late: one for each webhook took an eighth of its time. What
    waits is written before a line that tells of a fault, and when the process ends; one that leaves by `os._exit` calls `write_all`.
    """
    _lines.write_behind()


def write_all() -> None:
    """Write what waits."""
    _lines.write()


def hear_libraries(level: int) -> None:
    """From now on what libraries log is a line of ours, from this level on, or from warnings on; the same once in a while only.

    Below a warning libraries tell what they do, with addresses and contents; but the web server, when its processes come and go.
    """
    heard = [one for one in logging.root.handlers if not isinstance(one, _FromLibraries)]
    logging.root.handlers[:] = [*heard, _FromLibraries(max(level, logging.WARNING))]
    for name in SERVER:
        logger = logging.getLogger(name)
        logger.handlers[:] = [_FromLibraries(level)]
        logger.propagate = False


class _FromLibraries(logging.Handler):
    """What libraries log by the standard library."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._log = structlog.get_logger()
        self._seldom = Seldom(time.monotonic)

    def emit(self, record: logging.LogRecord) -> None:
        """Write it as a line of ours."""
        try:
            # What a library says while Redis is away it says every second.
            if self._seldom.is_due(f"{record.name} {record.levelno} {record.msg}"):
                self._say(record)
        except Exception:  # noqa: BLE001 - a line that cannot be written is not worth what was being done
            self.handleError(record)

    def _say(self, record: logging.LogRecord) -> None:
        # A library may have levels of its own between those that everybody has.
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        self._log.log(level, "library_said", library=record.name, said=record.getMessage(), exc_info=record.exc_info)


class _Lines:
    """Lines on their way to what is standard error when they are written, which a test may have put in place of the process's own."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._lock = threading.Lock()
        self._comes = threading.Event()
        self._is_behind = False

    def write_behind(self) -> None:
        if not self._is_behind:
            self._is_behind = True
            threading.Thread(target=self._write_in_time, name="log", daemon=True).start()
            atexit.register(self.write)

    def say(self, line: str) -> None:
        self._waiting.append(line)
        if not self._is_behind:
            self.write()
        elif not self._comes.is_set():
            self._comes.set()

    def write(self, *last: str) -> None:
        """All that waits, and then this."""
        with self._lock:
            self._waiting.extend(last)
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            try:
                sys.stderr.write("".join(f"{line}\n" for line in lines))
            except OSError:
                return  # a full disk must not make a delivery look as if it had failed

    def _write_in_time(self) -> None:
        while True:
            self._comes.wait()
            time.sleep(BEHIND_SECONDS)
            self._comes.clear()
            self.write()


_lines = _Lines()


class StandardError:
    """What structlog writes to."""

    def __init__(self, *_: object) -> None:
        """Take what structlog says of whose logger it is, and forget it."""

    def info(self, line: str) -> None:
        """Write a line that tells of no fault, perhaps behind."""
        _lines.say(line)

    debug = info

    def error(self, line: str) -> None:
        """Write a line that tells of one, now, after all that waits."""
        _lines.write(line)

    warning = critical = error
