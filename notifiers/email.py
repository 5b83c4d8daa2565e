"""Email, as text and as HTML: what a mail says and how it threads.

SMTP has no idempotency: a mail keeps its Message-ID through all its attempts, and a mail store that looks at it shows one.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from email.charset import QP, Charset
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from email.utils import format_datetime, formataddr, parseaddr
from functools import cache
from html import escape
from typing import ClassVar, Protocol

from pydantic import Field, SecretStr, field_validator

from notifiers.email_probe import called
from notifiers.errors import PermanentError, RetryableError
from notifiers.http import MAX_EXCERPT, Network, Timeouts
from notifiers.message import Message, Other, compose, others_as_text
from notifiers.message_facts import Fact
from notifiers.notifier import Called, Clock, Receipt, ReceiverOptions, readable
from notifiers.smtp import Envelope, SmtpServer, ask_for, hand_in, knock
from notifiers.wording import cut, one_line
from routing.notification import Notification, Severity

MAX_SUBJECT = 200

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=.{{1,254}}$)(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP

# White on them is readable (WCAG AA) wherever the mail is read, in light and in dark.
_COLOURS: Mapping[Severity, str] = {Severity.CRITICAL: "#b3123f", Severity.WARNING: "#8a5a00", Severity.INFO: "#1f5f99"}
_COLOUR_OF_ENDS = "#1f6b3a"
_BUTTON = "display:inline-block;background:#584ac0;color:#ffffff;padding:8px 16px;border-radius:4px;text-decoration:none;font-weight:bold"
_FONT = "font:14px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_PANEL = "background:rgba(128,128,128,.15);padding:10px 12px;border-radius:4px;white-space:pre-wrap"
_MONOSPACE = "font:12px/1.5 ui-monospace,Menlo,Consolas,monospace"


class EmailSettings(Protocol):
    """What this kind reads of the environment."""

    @property
    def smtp_url(self) -> SecretStr | None:
        """`smtp://user:password@host:587`."""

    @property
    def mail_from(self) -> str | None:
        """`Alerts <alerts@example.com>`."""


class EmailOptions(ReceiverOptions[EmailSettings]):
    """`{kind: email, to: [team@example.com]}`."""

    address: ClassVar[tuple[str, ...]] = ("to", "cc")

    to: tuple[str, ...] = Field(min_length=1)
    cc: tuple[str, ...] = ()

    @field_validator("to", "cc")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if odd := [cut(one_line(address), 80) for address in value if not _ADDRESS.fullmatch(address)]:
            raise ValueError(f"{', '.join(map(repr, odd))}: write name@example.com, without a display name")
        return value

    def missing_credential(self, settings: EmailSettings) -> str | None:
        """The first variable that is not set."""
        if not settings.smtp_url or not settings.smtp_url.get_secret_value():
            return "SMTP_URL"
        return None if settings.mail_from else "MAIL_FROM"

    def render(self, notification: Notification) -> str:
        """Headers, text and HTML as JSON, without what depends on the sender."""
        return self.mail(notification).as_text()

    def mail(self, notification: Notification) -> Mail:
        """The mail before it has a sender."""
        message = compose(notification)
        mark = f"[{message.mark}] "
        subject = mark + message.headed(f"{message.project}: {message.heading}: {message.title}", MAX_SUBJECT - len(mark))
        if begun := notification.reference.get("subject"):
            # Gmail shows mails as one thread only if their subjects are the same, too.
            subject = f"Re: {begun}"
        headers = {
            "To": ", ".join(self.to),
            **({"Cc": ", ".join(self.cc)} if self.cc else {}),
            "Subject": _header(subject),
            "Date": format_datetime(notification.created_at),
            # So that no machine answers: RFC 3834, and Exchange's own way.
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
            "X-Alert-Dedup-Key": _header(message.incident),
        }
        return Mail(headers=headers, text=_text(message), html=_html(message))

    def open(self, settings: EmailSettings, *, network: Network, clock: Clock) -> EmailNotifier:
        """The notifier for these people."""
        if not settings.smtp_url or not settings.mail_from:
            raise PermanentError(f"{self.missing_credential(settings)} is not set")
        try:
            server, sender = SmtpServer.parse(settings.smtp_url), Sender.parse(settings.mail_from)
        except ValueError as error:
            raise PermanentError(str(error)) from None
        trusted = Trusted(timeouts=network.timeouts, tls=_trust_of_this_machine(), clock=clock)
        return EmailNotifier(self, server, sender, trusted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """From whom."""

    header: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Sender:
        """Read a MAIL_FROM.

        Raises:
            ValueError: with how to write it.
        """
        name, address = parseaddr(text)
        # parseaddr repairs what it reads; a sender is not guessed.
        if address not in text or not _ADDRESS.fullmatch(address):
            raise ValueError("MAIL_FROM: write alerts@example.com or Alerts <alerts@example.com>")
        return cls(header=formataddr((one_line(name), address)), address=address)

    @property
    def domain(self) -> str:
        """The right side of Message-IDs."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What is said, before it is put into MIME."""

    headers: Mapping[str, str]
    text: str
    html: str

    def as_text(self) -> str:
        """As people read it."""
        return readable({"headers": dict(self.headers), "text": self.text, "html": self.html})

    def sent_by(self, sender: Sender, notification: Notification) -> Mail:
        """The mail with the headers that depend on the sender.

        All mails about an incident to one receiver refer to the same root, which was never sent: so every one of them is news
        to a mail store, the first one included, and mail programs still show them as one thread.
        """
        thread = _thread(notification)
        root = f"<{thread}@{sender.domain}>"
        headers = {
            "From": sender.header,
            **self.headers,
            "Message-ID": f"<{thread}.{notification.id}.{notification.created_at:%Y%m%d%H%M%S}@{sender.domain}>",
            "In-Reply-To": root,
            "References": root,
            "List-Id": f"Sentry alerts <sentry-alerts.{sender.domain}>",
        }
        return replace(self, headers=headers)

    def as_bytes(self) -> bytes:
        """As it goes over the wire, in lines of seven bits, which every server takes.

        Not by EmailMessage: until Python 3.13 it loses blanks in a Cyrillic subject (gh-92081), and it decodes encoded words in what
        it is given, line breaks and all (CVE-2024-6923).
        """
        message = MIMEMultipart("alternative", policy=compat32.clone(linesep="\r\n"))
        for name, value in self.headers.items():
            message[name] = value if value.isascii() else Header(value, "utf-8", header_name=name).encode()
        for kind, content in (("plain", self.text), ("html", self.html)):
            part = MIMENonMultipart("text", kind)
            part.set_payload(content, _UTF8)
            message.attach(part)
        return message.as_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """How a server is met."""

    timeouts: Timeouts
    tls: ssl.SSLContext
    clock: Clock
    """For its certificate; a mail is dated as its alert."""


class EmailNotifier:
    """Hands in one mail for all its recipients."""

    def __init__(self, options: EmailOptions, server: SmtpServer, sender: Sender, trusted: Trusted) -> None:
        self._options, self._server, self._sender, self._clock = options, server, sender, trusted.clock
        self._timeouts, self._tls = trusted.timeouts, trusted.tls

    def send(self, notification: Notification) -> Receipt:
        """Hand in the mail, for all who do not have it yet; an end for all who were told of what it ends.

        Those whom the server refuses for good are named in the receipt: another try would tell the others twice.

        Raises:
            RetryableError: also if the server has it for some, and will perhaps take it for others later.
        """
        mail = self._options.mail(notification).sent_by(self._sender, notification)
        recipients = self._recipients(notification)
        envelope = Envelope(sender=self._sender.address, recipients=recipients, content=mail.as_bytes())
        accepted = hand_in(envelope, self._server, timeouts=self._timeouts, tls=self._tls)
        reference = {"message_id": mail.headers["Message-ID"], "subject": mail.headers["Subject"].removeprefix("Re: ")}
        remarks = [f"refused for {recipient}: {words}" for recipient, words in accepted.refused.items()]
        if accepted.deferred:
            later = [f"not yet for {recipient}: {words}" for recipient, words in accepted.deferred.items()]
            have_it = [one for one in recipients if one not in accepted.deferred]
            words = cut("; ".join((*later, *remarks, f"{len(have_it)} of {len(recipients)} have it")), MAX_EXCERPT)
            raise RetryableError(words, status_code=accepted.code, so_far={**reference, **_have_it(notification, have_it)})
        excerpt = cut("; ".join((*remarks, accepted.text)), MAX_EXCERPT)
        return Receipt(payload=mail.as_text(), status_code=accepted.code, excerpt=excerpt, reference=reference)

    def probe(self) -> Called:
        """Sign in, name sender and recipients, and take it back."""
        everybody = tuple(dict.fromkeys((*self._options.to, *self._options.cc)))
        welcome = ask_for(self._sender.address, everybody, self._server, timeouts=self._timeouts, tls=self._tls)
        return called(self._server, welcome, len(everybody), self._clock())

    def probe_account(self) -> Called:
        """Sign in."""
        welcome = knock(self._sender.domain, self._server, timeouts=self._timeouts, tls=self._tls)
        return called(self._server, welcome, 0, self._clock())

    def _recipients(self, notification: Notification) -> tuple[str, ...]:
        """Who is to get it now."""
        everybody = tuple(dict.fromkeys((*self._options.to, *self._options.cc)))
        has_it = _addresses(notification.so_far.get(_HAVE_IT))
        told = _addresses(notification.reference.get(_TOLD)) if notification.is_closing else ()
        return tuple(one for one in everybody if one not in has_it and (one in told or not told)) or everybody


_HAVE_IT, _TOLD = "have_it", "told"
"""In references: who has this mail, and who has any of its thread, where not all have."""


def _have_it(notification: Notification, recipients: Sequence[str]) -> Mapping[str, str]:
    """Who has a mail, and who has any of its thread, with these recipients."""
    now = [*_addresses(notification.so_far.get(_HAVE_IT)), *recipients]
    before = _addresses(notification.reference.get(_TOLD))
    has_all = bool(notification.reference) and not before
    return {_HAVE_IT: " ".join(now)} | ({} if has_all else {_TOLD: " ".join(dict.fromkeys((*before, *now)))})


def _addresses(text: str | None) -> tuple[str, ...]:
    return tuple((text or "").split())


def _thread(notification: Notification) -> str:
    """What the Message-IDs of a thread begin with: as its first mail does, whatever the receiver is called by now."""
    if begun := re.match(r"<(sar\.[0-9a-f]{16})\.", notification.reference.get("message_id", "")):
        return begun[1]
    names = json.dumps((notification.incident, notification.receiver))
    return f"sar.{hashlib.sha256(names.encode()).hexdigest()[:16]}"


def _header(text: str) -> str:
    """A header of one line. `=?` would begin an encoded word, which the reader's mail program would decode."""
    return cut(one_line(text).replace("=?", "= ?"), MAX_SUBJECT)


def _rows(message: Message) -> tuple[Fact, ...]:
    return Fact(label="Project", value=message.place), *message.rows


def _text(message: Message) -> str:
    rows = _rows(message)
    width = min(max(len(fact.label) for fact in rows), 24)
    sections = (
        _opening_line(message),
        *message.opening,
        "\n".join(f"{fact.label:<{width}}  {fact.value}" for fact in rows),
        message.stack,
        f"Open in Sentry: {message.link}" if message.link else "",
        others_as_text(message),
        f"-- \nWhy: {message.reasons}\n",
    )
    return "\n\n".join(filter(None, sections))


def _opening_line(message: Message) -> str:
    if message.ending:
        return f"{message.ending}: {message.heading}: {message.title}"
    return message.template_title or f"{message.heading}: {message.title}"


def _html(message: Message) -> str:
    """Without images and style sheets, which mail programs drop; text and background take the colours of the reader's own theme."""
    return "\n".join(_html_lines(message))


def _html_lines(message: Message) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"></head>'
    yield f'<body style="margin:0;padding:16px;{_FONT}"><div style="max-width:720px;overflow-wrap:anywhere">'
    yield f'<p style="margin:0 0 4px">{_badge(message)}&ensp;{escape(message.heading)}</p>'
    yield f'<h1 dir="auto" style="margin:0 0 12px;font-size:18px">{escape(message.template_title or message.title)}</h1>'
    for paragraph in message.opening:
        yield f'<p dir="auto" style="margin:0 0 12px;white-space:pre-line">{escape(paragraph)}</p>'
    yield '<table role="presentation" cellpadding="0" cellspacing="0" style="border-collapse:collapse">'
    yield from map(_html_row, _rows(message))
    yield "</table>"
    if message.stack:
        yield f'<pre style="{_PANEL};{_MONOSPACE}">{escape(message.stack)}</pre>'
    if message.link:
        yield f'<p style="margin:16px 0"><a href="{escape(message.link)}" style="{_BUTTON}">Open in Sentry</a></p>'
    if message.others:
        yield from _html_others(message)
    yield f'<p dir="auto" style="margin:16px 0 0;font-size:12px;opacity:.7">Why: {escape(message.reasons)}</p></div></body></html>\n'


def _html_others(message: Message) -> Iterator[str]:
    yield f'<p style="margin:16px 0 4px;font-weight:bold">And {message.others_count} more</p>'
    yield '<ul style="margin:0;padding-left:20px">'
    yield from map(_html_other, message.others)
    yield "</ul>"
    if rest := message.others_beside(len(message.others)):
        linked = f'<a href="{escape(message.full_list)}">{rest}</a>' if message.full_list else rest
        yield f'<p style="margin:4px 0 0">{linked}</p>'


def _html_other(other: Other) -> str:
    name = escape(other.name)
    linked = f'<a href="{escape(other.link)}">{name}</a>' if other.link else name
    return f'<li dir="auto">{linked}</li>'


def _badge(message: Message) -> str:
    colour = _COLOUR_OF_ENDS if message.ending else _COLOURS[message.severity]
    style = f"background:{colour};color:#ffffff;padding:2px 8px;border-radius:4px;font-weight:bold"
    return f'<span style="{style}">{message.mark}</span>'


def _html_row(fact: Fact) -> str:
    # The name of a tag may be long; it wraps, so that its value is not squeezed.
    label = "min-width:130px;padding:1px 12px 1px 0;vertical-align:top;opacity:.7"
    value = f'<td dir="auto" style="width:100%;padding:1px 0;vertical-align:top">{escape(fact.value)}</td>'
    return f'<tr><td style="{label}">{escape(fact.label)}</td>{value}</tr>'


@cache
def _trust_of_this_machine() -> ssl.SSLContext:
    """The certificate authorities that this machine trusts; read once, for that takes longer than a mail."""
    return ssl.create_default_context()
