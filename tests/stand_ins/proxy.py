"""A proxy before a vendor at which mishaps happen: to the way there, to the vendor, to the way back."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from enum import StrEnum
from types import TracebackType
from typing import Self

DELAY_SECONDS = 1.5
RETRY_AFTER_SECONDS = 1


class Mishap(StrEnum):
    """What happens to one request."""

    DROPPED = "dropped on its way"
    RESET = "reset on its way"
    TOO_MANY = "429 with Retry-After"
    TOO_MANY_UNSAID = "429 without"
    UNAVAILABLE = "503"
    DELAYED = "answered late"
    HALVED = "done, half the answer"
    CUT = "done, no answer"
    BROKEN_AFTER = "done, then 502"


_BEFORE = {Mishap.DROPPED, Mishap.RESET, Mishap.TOO_MANY, Mishap.TOO_MANY_UNSAID, Mishap.UNAVAILABLE}
_INSTEAD = {
    Mishap.TOO_MANY: f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {RETRY_AFTER_SECONDS}\r\nContent-Length: 0\r\n\r\n",
    Mishap.TOO_MANY_UNSAID: "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
    Mishap.UNAVAILABLE: "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    Mishap.BROKEN_AFTER: "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
}


class Proxy:
    """Passes each request on to a server of this machine, from `with` to its end; to a share of them something happens.

    `share` may be changed at any time. What happened is counted.
    """

    def __init__(self, url: str, *, share: float, seed: int) -> None:
        self.share = share
        self.counts: Counter[Mishap] = Counter()
        self.url = ""
        self._host, _, port = url.removeprefix("http://").partition(":")
        self._port = int(port)
        self._chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be guessed
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._serving: set[asyncio.Task[None] | None] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.current_task())  # asyncio itself keeps them only as long as it wants to
        try:
            while request := await _message(reader):
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # they have gone, or all ends
        finally:
            self._serving.discard(asyncio.current_task())
            writer.close()

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        mishap = self._chance.choice(tuple(Mishap)) if self._chance.random() < self.share else None
        if mishap:
            self.counts[mishap] += 1
        if mishap not in _BEFORE:
            answer = await self._asked(request)
        if mishap is Mishap.DELAYED:
            await asyncio.sleep(DELAY_SECONDS)
        if mishap in {Mishap.RESET, Mishap.CUT}:
            _reset(writer)
        if mishap in {Mishap.RESET, Mishap.CUT, Mishap.DROPPED}:
            return False
        if mishap is Mishap.HALVED:
            answer = answer[: len(answer) // 2]
        writer.write(_INSTEAD[mishap].encode() if mishap in _INSTEAD else answer)
        await writer.drain()
        return mishap is not Mishap.HALVED

    async def _asked(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(request)
            return await _message(reader)
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One request or answer, whole; empty at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = next((int(line[15:]) for line in head.splitlines() if line.lower().startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


def _reset(writer: asyncio.StreamWriter) -> None:
    """The peer gets a RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
