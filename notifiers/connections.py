"""Connections that stay open: each is borrowed for one exchange, and kept for the next one if it can carry it.

urllib3 opens them (names, TLS, time limits, errors that say why); speaking is http.client's part, for urllib3's layers around
each request and answer cost as much again as all the rest of a delivery.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection as StandardConnection
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

KEPT_PER_PEER = 256
"""As many as a worker has threads; with fewer kept, a burst would pay a TLS handshake per message."""
PEERS_KEPT = 64

Connection: TypeAlias = HTTPConnection | HTTPSConnection


class Peer(NamedTuple):
    """Whom a connection leads to."""

    host: str
    """A name, or a number without brackets."""
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    """By which TLS knows it, where that is not `host`."""


class Connections:
    """Open ones by peer. Threads may share it; a fork must not."""

    def __init__(self, *, connect_seconds: float, read_seconds: float) -> None:
        """Open none yet. `read_seconds` bounds the wait for each piece of an answer."""
        self._connect_seconds, self._read_seconds = connect_seconds, read_seconds
        self._lock = threading.Lock()
        self._idle: OrderedDict[Peer, list[Connection]] = OrderedDict()
        weakref.finalize(self, _close_all, self._idle)

    @contextmanager
    def borrowed(self, peer: Peer) -> Iterator[Connection]:
        """A connection for one exchange; it is closed if that fails. Whoever leaves an answer unread closes it.

        Raises:
            urllib3's HTTPError: none came about, and nothing was sent.
        """
        connection = self._kept(peer) or self._opened(peer)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:
            self._keep(peer, connection)

    def _kept(self, peer: Peer) -> Connection | None:
        """The one that was used last, as it is least likely to have been closed by the other side."""
        while True:
            with self._lock:
                idle = self._idle.get(peer)
                connection = idle.pop() if idle else None
            if connection is None or connection.is_connected:
                return connection
            connection.close()

    def _keep(self, peer: Peer, connection: Connection) -> None:
        forgotten: list[Connection] = []
        with self._lock:
            idle = self._idle.setdefault(peer, [])
            self._idle.move_to_end(peer)
            (idle if len(idle) < KEPT_PER_PEER else forgotten).append(connection)
            if len(self._idle) > PEERS_KEPT:
                forgotten += self._idle.popitem(last=False)[1]
        for each in forgotten:
            each.close()

    def _opened(self, peer: Peer) -> Connection:
        seconds = self._connect_seconds
        connection: Connection
        if peer.tls is None:
            connection = HTTPConnection(peer.host, peer.port, timeout=seconds)
        else:
            connection = HTTPSConnection(peer.host, peer.port, timeout=seconds, ssl_context=peer.tls, server_hostname=peer.server_name)
        try:
            connection.connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, "TLS took too long") from error
        except ssl.SSLError as error:
            raise SSLError(error) from error
        except OSError as error:
            raise NewConnectionError(connection, "TLS failed") from error
        connection.sock.settimeout(self._read_seconds)
        return connection


def ask(connection: Connection, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> HTTPResponse:
    """Send one request; the answer's head, whose body is still to be read.

    Raises:
        ValueError, InvalidURL: what is to be sent holds a character that HTTP does not allow; nothing was sent.
        HTTPException, OSError: the connection broke.
    """
    given = {name.lower() for name in headers}
    connection.putrequest(method, path, skip_host="host" in given)
    for name, value in headers.items():
        connection.putheader(name, value)
    if body is not None and "content-length" not in given:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    # Not urllib3's own: this one reads the head, and does nothing else.
    connection.response_class = _Answer
    return StandardConnection.getresponse(connection)


class _Answer(HTTPResponse):
    """Its head has to come within the time for one piece of the rest: else one that drips would hold its thread for days."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> None:
        super().__init__(sock, debuglevel, method)
        self._timed = _Timed(sock, self.fp.detach())
        self.fp = BufferedReader(self._timed)

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        self._timed.go_on()


class _Timed(RawIOBase):
    """What comes over a socket, for as long as the socket may take over one piece."""

    def __init__(self, sock: socket.socket, pieces: RawIOBase) -> None:
        self._sock, self._pieces, self._seconds = sock, pieces, sock.gettimeout() or 0.0
        self._until: float | None = time.monotonic() + self._seconds

    def go_on(self) -> None:
        """From now on each piece has that long."""
        self._until = None
        self._sock.settimeout(self._seconds)

    def readable(self) -> bool:
        """As a BufferedReader wants it."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """The next piece; raises TimeoutError when the time is up."""
        if self._until is not None:
            self._sock.settimeout(max(0.001, self._until - time.monotonic()))
        return self._pieces.readinto(buffer)

    def close(self) -> None:
        """With what is below."""
        self._pieces.close()
        super().close()


def _close_all(idle: Mapping[Peer, list[Connection]]) -> None:
    for connections in idle.values():
        for connection in connections:
            connection.close()
