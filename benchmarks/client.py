"""The client by which the benchmarks post: raw sockets in two processes, at a pace or flat out, so that no server waits for it."""

from __future__ import annotations

import hashlib
import hmac
import re
import resource
import selectors
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from multiprocessing.pool import Pool
from typing import ClassVar, Protocol

from benchmarks import rig

CLIENTS = 2
CONNECTIONS = 8
STEADY_CONNECTIONS = 32


class Request(Protocol):
    """What is posted, an alert in each."""

    @property
    def accepted(self) -> int:
        """The status of an answer that takes it."""

    def write(self, serial: int) -> bytes:
        """The whole of one with the alert of this number, like no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Sentry's: a signed event_alert of 20 kB."""

    accepted: ClassVar[int] = 202
    alerts_of_an_issue: int = rig.ALERTS_OF_AN_ISSUE

    def write(self, serial: int) -> bytes:
        """One request."""
        tail = rig.alert_tail(serial, self.alerts_of_an_issue)
        # Nearly the whole body is the same for all: its part of the signature is reckoned once.
        digest = _SIGNED_HEAD.copy()
        digest.update(tail)
        head = (
            "POST /webhooks/sentry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(rig.ALERT_HEAD) + len(tail)}\r\nRequest-ID: {serial:032x}\r\nSentry-Hook-Resource: event_alert\r\n"
            f"Sentry-Hook-Timestamp: {int(time.time())}\r\nSentry-Hook-Signature: {digest.hexdigest()}\r\n\r\n"
        )
        return head.encode() + rig.ALERT_HEAD + tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What clients do: as many requests as they can, each over its own connections, or `rate` a second."""

    port: int
    seconds: float
    rate: float | None = None
    request: Request = Webhook()
    first_serial: int = 0
    most: int | None = None
    """Not more than so many."""

    @property
    def connections(self) -> int:
        """Of one client. At a pace there are more than are needed, so that a slow answer holds up nobody."""
        return STEADY_CONNECTIONS if self.rate else CONNECTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What came back."""

    accepted: int
    refused: int
    seconds: float
    """From the first request to the last answer."""
    latencies: Sequence[float]
    """Sorted. At a rate they count from the moment when the request was due, so that no wait is hidden."""
    client_cpu_seconds: float
    due: Mapping[int, float] = field(default_factory=dict)
    """At a rate, by serial: when each request was due, by the monotonic clock."""

    @property
    def per_second(self) -> float:
        """Accepted requests."""
        return self.accepted / self.seconds

    def percentile_ms(self, share: float) -> float:
        """The latency that this share of the requests did not exceed."""
        return rig.percentile(self.latencies, share) * 1000


def post(clients: Pool, load: Load) -> Answers:
    """Post new alerts from all client processes at once, each its share of the load."""
    share = replace(load, rate=load.rate / CLIENTS if load.rate else None, most=load.most // CLIENTS if load.most else None)
    answers = clients.map(drive, [replace(share, first_serial=rig.new_serials()) for _ in range(CLIENTS)], chunksize=1)
    return Answers(
        accepted=sum(each.accepted for each in answers),
        refused=sum(each.refused for each in answers),
        seconds=max(each.seconds for each in answers),
        latencies=sorted(latency for each in answers for latency in each.latencies),
        client_cpu_seconds=sum(each.client_cpu_seconds for each in answers),
        due={serial: moment for each in answers for serial, moment in each.due.items()},
    )


def drive(load: Load) -> Answers:
    """One client process's share."""
    address = ("127.0.0.1", load.port)
    with ExitStack() as sockets:
        connections = [
            sockets.enter_context(socket.create_connection(address, timeout=rig.PATIENCE_SECONDS)) for _ in range(load.connections)
        ]
        return _Client(load, connections).run()


class _Client:
    """Raw sockets, kept alive, in one thread: it costs a fraction of what the server does."""

    def __init__(self, load: Load, connections: Sequence[socket.socket]) -> None:
        self._load = load
        self._accepted = f"HTTP/1.1 {load.request.accepted} ".encode()
        self._idle = deque(connections)
        self._sent: dict[socket.socket, float] = {}
        self._partial: dict[socket.socket, bytes] = {}
        self._latencies: list[float] = []
        self._due: dict[int, float] = {}
        self._refused = 0
        self._selector = selectors.DefaultSelector()
        for connection in connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(connection, selectors.EVENT_READ)

    def run(self) -> Answers:
        cpu_before, began = _cpu_seconds(), time.monotonic()
        ends, serial = began + self._load.seconds, self._load.first_serial
        last = serial + self._load.most if self._load.most else None
        while ((now := time.monotonic()) < ends and serial != last) or self._sent:
            due = began + (serial - self._load.first_serial) / self._load.rate if self._load.rate else now
            may_send = bool(self._idle) and now < ends and serial != last
            if may_send and due <= now:
                self._send(serial, due)
                serial += 1
            else:
                self._receive(due - now if may_send else rig.PATIENCE_SECONDS)
        return Answers(
            accepted=len(self._latencies) - self._refused,
            refused=self._refused,
            seconds=time.monotonic() - began,
            latencies=sorted(self._latencies),
            client_cpu_seconds=_cpu_seconds() - cpu_before,
            due=self._due,
        )

    def _send(self, serial: int, due: float) -> None:
        connection = self._idle.popleft()
        self._sent[connection] = due
        if self._load.rate:
            self._due[serial] = due
        connection.sendall(self._load.request.write(serial))

    def _receive(self, timeout: float) -> None:
        ready = self._selector.select(timeout)
        if not ready and timeout == rig.PATIENCE_SECONDS:
            raise TimeoutError(f"no answer within {timeout:.0f} s")
        for key, _ in ready:
            connection = key.fileobj
            assert isinstance(connection, socket.socket)  # noqa: S101 - nothing else is registered; mypy cannot know
            received = connection.recv(65536)
            if not received:
                raise ConnectionError("the server hung up")
            self._partial[connection] = self._partial.get(connection, b"") + received
            if _is_whole(self._partial[connection]):
                self._take(connection, self._partial.pop(connection))

    def _take(self, connection: socket.socket, answer: bytes) -> None:
        self._latencies.append(time.monotonic() - self._sent.pop(connection))
        self._refused += not answer.startswith(self._accepted)
        self._idle.append(connection)


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = _CONTENT_LENGTH.search(head)
    return length is not None and len(body) >= int(length[1])


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


_CONTENT_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_SIGNED_HEAD = hmac.new(rig.SECRET.encode(), rig.ALERT_HEAD, hashlib.sha256)
