"""A mail server on a loopback port: takes mails, encrypts, asks for a sign-in, and refuses or falls silent where it is told to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

KEY_AND_CERTIFICATE = Path(__file__).resolve().parents[1] / "fixtures" / "tls" / "test-only-loopback.pem"
USER = "alerts"
PASSWORD = "smtp-pass/word:7"


class Encryption(Enum):
    """What the server offers."""

    NONE = auto()
    STARTTLS = auto()
    FROM_THE_START = auto()


class AfterData(Enum):
    """What the server does once it has the whole mail."""

    TAKE_AND_SAY_SO = auto()
    TAKE_AND_DROP_THE_LINE = auto()
    TAKE_AND_FALL_SILENT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A mail as it came."""

    greeting: str
    """The name with which the client introduced itself."""
    encrypted: bool
    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def mail(self) -> EmailMessage:
        """The mail, read."""
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


@dataclass(slots=True, kw_only=True)
class MailServer:
    """A mail server at work, from `with` to its end."""

    encryption: Encryption = Encryption.NONE
    signs_in: bool = False
    """Offers AUTH and lets only USER with PASSWORD in."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Answers by address, of a sender or a recipient, and for DATA."""
    after_data: AfterData = AfterData.TAKE_AND_SAY_SO
    certificate: Path = KEY_AND_CERTIFICATE
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _listener: asyncio.Server | None = None
    _protocols: list[SMTP] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread:
            self._thread.join()
        self._loop.close()

    async def handle_MAIL(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        """Answer MAIL FROM."""
        if refusal := self.refusals.get(address):
            return refusal
        envelope.mail_from = address
        return "250 2.1.0 Ok"

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        """Answer RCPT TO."""
        if refusal := self.refusals.get(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Answer the mail."""
        if refusal := self.refusals.get("DATA"):
            return refusal
        transport, content = server.transport, envelope.content
        assert isinstance(transport, asyncio.WriteTransport)
        assert isinstance(content, bytes)
        self.received.append(
            Received(
                greeting=str(session.host_name),
                encrypted=transport.get_extra_info("ssl_object") is not None,
                sender=str(envelope.mail_from),
                recipients=tuple(envelope.rcpt_tos),
                content=content,
            )
        )
        if self.after_data is AfterData.TAKE_AND_FALL_SILENT:
            await asyncio.Event().wait()
        if self.after_data is AfterData.TAKE_AND_DROP_THE_LINE:
            transport.abort()
        return f"250 2.0.0 Ok: queued as M{len(self.received)}"

    async def _listen(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        implicit = context if self.encryption is Encryption.FROM_THE_START else None
        explicit = context if self.encryption is Encryption.STARTTLS else None
        self._listener = await self._loop.create_server(lambda: self._protocol(explicit), "127.0.0.1", 0, ssl=implicit)
        self.port = self._listener.sockets[0].getsockname()[1]

    def _protocol(self, context: ssl.SSLContext | None) -> SMTP:
        self.connections += 1
        protocol = SMTP(
            self,
            hostname="mail.test",
            tls_context=context,
            require_starttls=context is not None,
            authenticator=self._authenticate,
            auth_require_tls=False,
            auth_exclude_mechanism=() if self.signs_in else ("LOGIN", "PLAIN"),
            loop=self._loop,
        )
        self._protocols.append(protocol)
        return protocol

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: LoginPassword) -> AuthResult:
        welcome = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=welcome, handled=False)

    async def _end(self) -> None:
        if self._listener:
            self._listener.close()
        for protocol in self._protocols:
            if isinstance(protocol.transport, asyncio.WriteTransport):
                protocol.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def client_context() -> ssl.SSLContext:
    """What a client needs to trust this server."""
    return ssl.create_default_context(cafile=KEY_AND_CERTIFICATE)


@contextmanager
def greeting_with(line: bytes) -> Iterator[int]:
    """The port of a server that says one line to each caller and hangs up."""

    def greet() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(line)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
