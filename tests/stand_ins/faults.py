"""A server that reads each request and then fails in one chosen way; on bare sockets, because frameworks fail politely."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Self, TypeAlias

Fault: TypeAlias = Callable[[socket.socket, threading.Event, bytes], None]
"""What to do with a connection after a whole request was read from it; the event is set when the server ends."""


def answer(status: int, *, headers: Mapping[str, str] | None = None, body: str = "", echo: bool = False) -> Fault:
    """A complete answer. `echo` puts the whole request into the body, as careless vendors do with what they refuse."""

    def act(connection: socket.socket, _ended: threading.Event, request: bytes) -> None:
        content = body.encode() + (request if echo else b"")
        head = {"Content-Length": str(len(content)), "Connection": "close", **(headers or {})}
        lines = [f"HTTP/1.1 {status} {_phrase(status)}", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        connection.sendall("\r\n".join(lines).encode() + content)

    return act


def hang(_connection: socket.socket, ended: threading.Event, _request: bytes) -> None:
    """Never answer."""
    ended.wait()


def reset(connection: socket.socket, _ended: threading.Event, _request: bytes) -> None:
    """Break the connection off: the peer gets a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def end_of_file(_connection: socket.socket, _ended: threading.Event, _request: bytes) -> None:
    """Close without a word."""


def drip(connection: socket.socket, ended: threading.Event, _request: bytes) -> None:
    """Answer for ever, a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    while not ended.wait(0.02):
        connection.sendall(b"x")


def drip_head(connection: socket.socket, ended: threading.Event, _request: bytes) -> None:
    """Begin to answer for ever, a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nServer: ")
    while not ended.wait(0.02):
        connection.sendall(b"x")


class FaultServer:
    """Applies one fault to every request, from `with` to its end. `requests` are the raw bytes of each.

    With `to_questions` a GET is answered by that, and not counted.
    """

    def __init__(self, fault: Fault, *, to_questions: str = "") -> None:
        self.requests: list[bytes] = []
        self._fault = fault
        self._to_questions = answer(200, body=to_questions) if to_questions else None
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                request = _read_request(connection)
                if self._to_questions and request.startswith(b"GET "):
                    self._to_questions(connection, self._ended, request)
                elif request:
                    self.requests.append(request)
                    self._fault(connection, self._ended, request)
            except OSError:
                return


@contextmanager
def refusing() -> Iterator[str]:
    """The URL of a port on which nobody listens, and nobody will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def _read_request(connection: socket.socket) -> bytes:
    stream = connection.makefile("rb")
    with stream:
        head = b""
        while (line := stream.readline()) not in {b"\r\n", b""}:
            head += line
        lengths = [line.partition(b":")[2] for line in head.splitlines() if line.lower().startswith(b"content-length:")]
        return head + b"\r\n" + stream.read(int(lengths[0])) if head and lengths else head


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Odd"
