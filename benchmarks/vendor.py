"""A vendor that takes its time, and lets itself be told only so often, in a process of its own: what is measured is not it."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from benchmarks import rig
from routing.alert import Json

ANSWERS: Mapping[bytes, tuple[str, Mapping[str, Json]]] = {
    b"/hook": ("200 OK", {}),
    b"/api/": ("200 OK", {"ok": True, "channel": "C0BENCHMARK", "ts": "1772619330.000100"}),
    b"/2010": ("201 Created", {"sid": "SM0123456789abcdef0123456789abcdef", "status": "queued"}),
    b"/v2/e": ("202 Accepted", {"status": "success", "message": "Event processed", "dedup_key": "benchmark"}),
}
"""By the beginning of the path, what the vendor says."""
TOO_MANY = "429 Too Many Requests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request at the vendor."""

    moment: float
    """By the monotonic clock."""
    serial: int | None
    """Of the alert that it tells of, where its link is whole."""
    is_taken: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """The stand-in, in a process of its own."""

    url: str
    pipe: Connection

    def arrivals(self) -> list[Arrival]:
        """What has come since this was last asked."""
        self.pipe.send(None)
        arrived: list[Arrival] = self.pipe.recv()
        return arrived


@dataclass(slots=True, kw_only=True)
class _Conduct:
    """How the vendor behaves."""

    answer_seconds: float
    seconds_between: Mapping[bytes, float]
    """By the beginning of the path, how far messages have to be from each other; a second's worth may come at once."""
    arrivals: list[Arrival] = field(default_factory=list)
    _paid_until: dict[bytes, float] = field(default_factory=dict)

    def takes(self, path: bytes, now: float) -> bool:
        between = self.seconds_between.get(path[:5])
        if between is None:
            return True
        paid = max(self._paid_until.get(path[:5], now), now)
        if paid - now > max(1.0, between):
            return False
        self._paid_until[path[:5]] = paid + between
        return True


class _Connection(asyncio.Protocol):
    """One kept-alive connection to the vendor; an answer waits in the loop, so that hundreds cost nothing."""

    def __init__(self, conduct: _Conduct) -> None:
        self._conduct = conduct
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers go to."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server has no other; mypy cannot know
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once a request is whole; clients of ours never send a second one before."""
        self._received += data
        head, _, body = self._received.partition(b"\r\n\r\n")
        length = _CONTENT_LENGTH.search(head)
        if length is None or len(body) < int(length[1]):
            return
        self._received = b""
        event_id, path, now = _EVENT_ID.search(body), head.split(b" ", 2)[1], time.monotonic()
        is_taken = self._conduct.takes(path, now)
        self._conduct.arrivals.append(Arrival(moment=now, serial=int(event_id[1], 16) if event_id else None, is_taken=is_taken))
        asyncio.get_running_loop().call_later(self._conduct.answer_seconds, self._answer, path, is_taken)

    def _answer(self, path: bytes, is_taken: bool) -> None:  # noqa: FBT001 - call_later gives arguments by their place
        status, content = ANSWERS[path[:5]] if is_taken else (TOO_MANY, {"ok": False, "error": "ratelimited"})
        body = json.dumps(content)
        again = "" if is_taken else "Retry-After: 1\r\n"
        if self._transport:
            self._transport.write(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{again}Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )


@contextmanager
def standing_in(
    answer_seconds: float, seconds_between: Mapping[bytes, float] | None = None, *, port: int | None = None
) -> Iterator[Vendor]:
    """All vendors at one address, until the end of the `with`; without a port at any."""
    here, there = multiprocessing.Pipe()
    port = port or rig.free_port()
    given = (port, there, answer_seconds, dict(seconds_between or {}))
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=given, daemon=True)
    process.start()
    try:
        here.recv()
        yield Vendor(url=f"http://127.0.0.1:{port}", pipe=here)
    finally:
        process.terminate()
        process.join()


def _serve(port: int, pipe: Connection, answer_seconds: float, seconds_between: Mapping[bytes, float]) -> None:
    asyncio.run(_answer_until_killed(port, pipe, _Conduct(answer_seconds=answer_seconds, seconds_between=seconds_between)))


async def _answer_until_killed(port: int, pipe: Connection, conduct: _Conduct) -> None:
    def report() -> None:
        pipe.recv()
        pipe.send(conduct.arrivals)
        conduct.arrivals.clear()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(conduct), "127.0.0.1", port, backlog=1024)
    loop.add_reader(pipe.fileno(), report)
    pipe.send("ready")
    await server.serve_forever()


_CONTENT_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_EVENT_ID = re.compile(rb"/events/([0-9a-f]{32})")
