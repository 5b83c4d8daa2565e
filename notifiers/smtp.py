"""The one door to mail servers: one mail over one connection, with time-outs, encryption and errors that carry no secret.

Knows SMTP; what a mail says is the business of `notifiers.email`.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

from notifiers.errors import DeliveryError, PermanentError, RetryableError
from notifiers.http import Timeouts, excerpt, good_until

PATIENCE_AFTER_DATA = 6
"""By how much longer the last answer may take: servers look into a mail before they take it (RFC 5321, 4.5.3.2.6)."""
_FAREWELL_SECONDS = 1.0
_DONE, _CLOSING = 250, 421
_HOW_TO_WRITE = (
    "SMTP_URL: write smtp://user:password@host:587 (STARTTLS), smtps://user:password@host:465 (TLS) or, without encryption, "
    "smtp://host:25?starttls=off; in user and password write / ? # @ : and % as %2F %3F %23 %40 %3A %25"
)

# The first that fits; in smtplib, too, every error is an OSError.
_FAULTS: tuple[tuple[type[OSError], type[DeliveryError], str], ...] = (
    (smtplib.SMTPServerDisconnected, RetryableError, "the mail server closed the connection or fell silent"),
    (smtplib.SMTPNotSupportedError, PermanentError, "the mail server does not offer what SMTP_URL wants: STARTTLS, or a sign-in"),
    (smtplib.SMTPException, PermanentError, "the mail server offers no way to sign in that we know"),
    (ssl.SSLCertVerificationError, PermanentError, "no connection: the mail server's certificate is not trusted"),
    (ssl.SSLError, RetryableError, "no connection: encryption with the mail server failed"),
    (socket.gaierror, RetryableError, "no connection: the mail server's name could not be resolved"),
    (TimeoutError, RetryableError, "no connection to the mail server within the time limit"),
    (OSError, RetryableError, "no connection to the mail server"),
)

Reply: TypeAlias = tuple[int, bytes]


class Security(StrEnum):
    """How a connection is encrypted."""

    STARTTLS = "starttls"
    TLS = "tls"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where mails are handed in."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: SecretStr | None = None

    @classmethod
    def parse(cls, url: SecretStr) -> SmtpServer:
        """Read an SMTP_URL.

        Raises:
            ValueError: with how to write it, and nothing of what was written.
        """
        try:
            parts = urlsplit(url.get_secret_value().strip())
            port, query = parts.port, parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            raise ValueError(_HOW_TO_WRITE) from None
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        security = _SECURITIES.get((parts.scheme, *query.pop("starttls", ())))
        odd = query or parts.fragment or parts.path.strip("/") or bool(user) != bool(password)
        # smtplib signs in with ASCII only.
        if security is None or not parts.hostname or odd or not (parts.hostname + user + password).isascii():
            raise ValueError(_HOW_TO_WRITE)
        return cls(
            host=parts.hostname,
            port=port or (465 if security is Security.TLS else 587),
            security=security,
            user=user,
            password=SecretStr(password) if password else None,
        )


_SECURITIES: Mapping[tuple[str, ...], Security] = {
    ("smtp",): Security.STARTTLS,
    ("smtp", "required"): Security.STARTTLS,
    ("smtp", "off"): Security.OFF,
    ("smtps",): Security.TLS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A mail as a server gets it."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def domain(self) -> str:
        """The sender's, with which we greet: a container's own name means nothing to a mail server."""
        return self.sender.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The server has the mail."""

    code: int
    text: str
    """Its last words, with the name under which it has queued the mail."""
    refused: Mapping[str, str]
    """The recipients for whom it will never take the mail, with its words."""
    deferred: Mapping[str, str] = field(default_factory=dict)
    """Those for whom it may take it later."""


def hand_in(envelope: Envelope, server: SmtpServer, *, timeouts: Timeouts, tls: ssl.SSLContext) -> Acceptance:
    """Hand one mail to the server, for all recipients that it takes.

    A connection a mail: a kept one saves some 7 ms (STARTTLS on loopback), but servers close idle ones, and one that only looks alive
    can fail with the mail in hand.

    Raises:
        RetryableError: the server is out of reach or says 4xx; ambiguous if it fell silent after it was given the mail.
        PermanentError: it says 5xx, refuses to encrypt or to let us in, or its certificate is not trusted.
    """
    with _connection(envelope.domain, server, timeouts, tls) as smtp:
        refused = _address(smtp, envelope)
        code, answer = _transmit(smtp, envelope.content, patience_seconds=timeouts.read_seconds * PATIENCE_AFTER_DATA)
    words = {recipient: _words(reply) for recipient, reply in refused.items()}
    for_good = {recipient for recipient, (code_of_refusal, _) in refused.items() if code_of_refusal >= 500}
    return Acceptance(
        code=code,
        text=_text(answer),
        refused={recipient: words[recipient] for recipient in refused if recipient in for_good},
        deferred={recipient: words[recipient] for recipient in refused if recipient not in for_good},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What a server says to somebody who hands nothing in."""

    refused: Mapping[str, str]
    """The recipients for whom it would take no mail, with its words."""
    good_until: datetime | None
    """Of its certificate; None without encryption."""


def knock(domain: str, server: SmtpServer, *, timeouts: Timeouts, tls: ssl.SSLContext) -> Welcome:
    """Sign in and say NOOP; as `ask_for`."""
    with _connection(domain, server, timeouts, tls) as smtp, _errors_translated():
        if (reply := smtp.noop())[0] != _DONE:
            raise _error_of(reply)
        return Welcome(refused={}, good_until=good_until(smtp.sock))


def ask_for(sender: str, recipients: Sequence[str], server: SmtpServer, *, timeouts: Timeouts, tls: ssl.SSLContext) -> Welcome:
    """Sign in, say NOOP, name sender and recipients, and take it all back (RSET): no mail is handed in.

    Raises:
        RetryableError, PermanentError: as `hand_in`; also if the sender is refused.
    """
    with _connection(sender.rpartition("@")[2], server, timeouts, tls) as smtp, _errors_translated():
        for reply in (smtp.noop(), smtp.mail(sender)):
            if reply[0] != _DONE:
                raise _error_of(reply)
        replies = {recipient: smtp.rcpt(recipient) for recipient in recipients}
        smtp.rset()
        refused = {recipient: _words(reply) for recipient, reply in replies.items() if reply[0] not in {250, 251}}
        return Welcome(refused=refused, good_until=good_until(smtp.sock))


@contextmanager
def _connection(domain: str, server: SmtpServer, timeouts: Timeouts, tls: ssl.SSLContext) -> Iterator[smtplib.SMTP]:
    # Not connect_seconds: a server that tests its callers' patience greets after six seconds (postscreen).
    patience = timeouts.read_seconds
    with _errors_translated():
        if server.security is Security.TLS:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, local_hostname=domain, timeout=patience, context=tls)
        else:
            smtp = smtplib.SMTP(server.host, server.port, local_hostname=domain, timeout=patience)
    try:
        with _errors_translated():
            if server.security is Security.STARTTLS:
                smtp.starttls(context=tls)
            if server.password:
                smtp.login(server.user, server.password.get_secret_value())
            smtp.ehlo_or_helo_if_needed()
        yield smtp
    finally:
        # Whatever comes of the farewell, the mail has been taken or not.
        with suppress(OSError):
            _wait_at_most(smtp, min(patience, _FAREWELL_SECONDS))
            smtp.quit()
        smtp.close()


def _address(smtp: smtplib.SMTP, envelope: Envelope) -> Mapping[str, Reply]:
    """Name sender and recipients; return the refused ones, if not all are."""
    with _errors_translated():
        if (reply := smtp.mail(envelope.sender))[0] != 250:
            raise _error_of(reply)
        replies = {recipient: smtp.rcpt(recipient) for recipient in envelope.recipients}
    refused = {recipient: reply for recipient, reply in replies.items() if reply[0] not in {250, 251}}
    if len(refused) == len(replies) or _CLOSING in {code for code, _ in refused.values()}:
        raise _error_of_all(refused)
    return refused


def _transmit(smtp: smtplib.SMTP, content: bytes, *, patience_seconds: float) -> Reply:
    try:
        with _errors_translated():
            _wait_at_most(smtp, patience_seconds)
            reply = smtp.data(content)
        if reply[0] != 250:
            raise _error_of(reply)
    except RetryableError as error:
        # An answer is certain. Without one, the mail may have been taken.
        raise RetryableError(str(error), status_code=error.status_code, ambiguous=error.status_code is None) from None
    return reply


def _wait_at_most(smtp: smtplib.SMTP, seconds: float) -> None:
    if smtp.sock:
        smtp.sock.settimeout(seconds)


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:  # all of smtplib's are
        raise _translated(error) from None


def _translated(error: OSError) -> DeliveryError:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        # Not in the server's words: they may repeat what it was told.
        return _by_code(error.smtp_code, f"{error.smtp_code}: the mail server does not let this user in with this password")
    if isinstance(error, smtplib.SMTPResponseException):
        return _error_of((error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()))
    kind, text = next((kind, text) for type_, kind, text in _FAULTS if isinstance(error, type_))
    detail = getattr(error, "verify_message", "") or getattr(error, "reason", "") or error.strerror
    return kind(f"{text}: {detail}" if detail else text)


def _error_of(reply: Reply) -> DeliveryError:
    return _by_code(reply[0], f"the mail server said {_words(reply)}")


def _error_of_all(refused: Mapping[str, Reply]) -> DeliveryError:
    """One that may be taken later is reason enough to try again: 4xx goes before 5xx."""
    code = min(code for code, _ in refused.values())
    return _by_code(
        code, "the mail server took no recipient: " + "; ".join(f"{recipient}: {_words(reply)}" for recipient, reply in refused.items())
    )


def _by_code(code: int, text: str) -> DeliveryError:
    """5xx is final (RFC 5321, 4.2.1); 421, the rest of 4xx and what is no SMTP at all may pass."""
    if 500 <= code < 600:
        return PermanentError(text, status_code=code)
    return RetryableError(text, status_code=code if code > 0 else None)


def _words(reply: Reply) -> str:
    return f"{reply[0]} {_text(reply[1])}".strip()


def _text(answer: bytes) -> str:
    return excerpt(answer.decode("utf-8", "replace"))
