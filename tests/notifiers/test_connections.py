"""Connections: kept, given back only when they can carry one more exchange, and opened by urllib3."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest
from urllib3.exceptions import NewConnectionError

from notifiers.connections import Connections, Peer, ask
from notifiers.errors import RetryableError
from notifiers.http import Network
from tests.stand_ins.faults import refusing

YES = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"


@dataclass(slots=True)
class Vendor:
    """Answers with the same bytes on every connection, and counts them."""

    answer: bytes
    closes: bool = False
    """After each answer, without saying so."""
    accepted: int = 0
    heads: list[bytes] = field(default_factory=list)
    closed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @contextmanager
    def serving(self) -> Iterator[Vendor]:
        threading.Thread(target=self._accept, daemon=True).start()
        with self._listener:
            yield self
            self._listener.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            while head := connection.recv(65536):
                self.heads.append(head)
                connection.sendall(self.answer)
                if self.closes:
                    break
        self.closed.release()


def ask_twice(vendor: Vendor) -> list[str]:
    network = Network()
    return [network.get(f"{vendor.url}/{number}", headers={}).body for number in range(2)]


def test_one_connection_carries_exchange_after_exchange() -> None:
    with Vendor(YES).serving() as vendor:
        assert ask_twice(vendor) == ["yes", "yes"]

    assert vendor.accepted == 1


def test_one_that_the_vendor_has_closed_is_not_used_again() -> None:
    with Vendor(YES, closes=True).serving() as vendor:
        network = Network()
        network.get(vendor.url, headers={})
        vendor.closed.acquire()

        again = network.get(vendor.url, headers={})

    assert again.body == "yes"
    assert vendor.accepted == 2


@pytest.mark.parametrize(
    "answer",
    [YES.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes"],
    ids=["said", "HTTP/1.0"],
)
def test_one_that_the_vendor_will_close_is_not_kept(answer: bytes) -> None:
    with Vendor(answer, closes=True).serving() as vendor:
        assert ask_twice(vendor) == ["yes", "yes"]

    assert vendor.accepted == 2


def test_an_answer_in_chunks_leaves_the_connection_for_the_next_one() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nye\r\n1\r\ns\r\n0\r\n\r\n"
    with Vendor(chunked).serving() as vendor:
        assert ask_twice(vendor) == ["yes", "yes"]

    assert vendor.accepted == 1


@pytest.mark.parametrize(
    "answer",
    [YES[:-1], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nyes", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"],
    ids=["cut off", "cut off within a chunk", "no HTTP"],
)
def test_an_answer_that_is_not_whole_may_mean_yes(answer: bytes) -> None:
    with Vendor(answer, closes=True).serving() as vendor, pytest.raises(RetryableError, match="broke before the answer") as raised:
        Network().get(vendor.url, headers={})

    assert raised.value.ambiguous


def test_a_length_and_a_host_are_told_once_whoever_tells_them() -> None:
    with Vendor(YES).serving() as vendor:
        Network().post(vendor.url, body=b"abc", headers={"Content-length": "3", "host": "hooks.example"})

    head = vendor.heads[0].lower()
    assert (head.count(b"content-length: 3\r\n"), head.count(b"host: ")) == (1, 1)


def test_one_that_was_used_in_vain_is_closed() -> None:
    with Vendor(YES).serving() as vendor:
        connections = Connections(connect_seconds=3, read_seconds=3)
        peer = Peer("127.0.0.1", int(vendor.url.rpartition(":")[2]))
        with suppress(LookupError), connections.borrowed(peer) as connection:
            ask(connection, "GET", "/", {}, None)
            raise LookupError

        closed_by_us = vendor.closed.acquire(timeout=10)

    assert closed_by_us


def test_none_comes_about_where_nobody_listens() -> None:
    connections = Connections(connect_seconds=3, read_seconds=3)
    with refusing() as url, pytest.raises(NewConnectionError), connections.borrowed(Peer("127.0.0.1", int(url.rpartition(":")[2]))):
        pass
