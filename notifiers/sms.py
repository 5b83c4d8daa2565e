"""SMS through Twilio's Messages API: one number a receiver, one segment of GSM-7 a message.

Twilio has no idempotency key for messages, so an ambiguous attempt is looked up in its list before it is repeated.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, ClassVar, Protocol
from urllib.parse import urlencode

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, SecretStr, ValidationError, field_validator

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network, Response, read_answer
from notifiers.message import Message, compose
from notifiers.notifier import Called, Clock, Receipt, ReceiverOptions, readable
from notifiers.sms_probe import probe_account, probe_sender
from routing.notification import Notification, Severity

MAX_SEPTETS = 160
"""One segment: https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_WORDS: Mapping[Severity, str] = {Severity.CRITICAL: "CRIT", Severity.WARNING: "WARN", Severity.INFO: "INFO"}
_MAX_NAME = 30
_MIN_TEXT = 8
"""Of less than that nobody makes sense."""
_MAX_LINK = 80
"""What leaves the title some room beside a project and a heading of full length."""

_ONE_SEPTET = frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TWO_SEPTETS = frozenset("^{}\\[~]|€")
_GSM7 = _ONE_SEPTET | _TWO_SEPTETS
_UNKNOWN = "\0"

# Full queues and limits, which Twilio may answer with a plain 400: https://www.twilio.com/docs/api/errors
_WORTH_A_RETRY = frozenset({14107, 20429, 21611})
_OPTED_OUT = 21610
"""https://www.twilio.com/docs/api/errors/21610."""
_CLOCKS_DIFFER = timedelta(minutes=2)
_PAGE_SIZE = 100
_PAGES = 10

_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґў"
_LATIN = "a b v g d e e zh z i y k l m n o p r s t u f kh ts ch sh shch  y  e yu ya i yi ye g u"
_SPELLED = {
    **dict(zip(_CYRILLIC, _LATIN.split(" "), strict=True)),
    **{upper: latin.capitalize() for upper, latin in zip(_CYRILLIC.upper(), _LATIN.split(" "), strict=True)},
    **dict.fromkeys("«»“”„″", '"'),
    **dict.fromkeys("\u2018\u2019\u201a\u2032\u00b4`", "'"),
    **dict.fromkeys("•·●", "*"),
    "\u2212": "-",
    "\u2044": "/",
    "\u00d7": "x",
    "→": "->",
    "←": "<-",
}


class SmsSettings(Protocol):
    """What Twilio wants to know of the sender."""

    @property
    def twilio_account_sid(self) -> str | None:
        """`AC` and 32 digits."""

    @property
    def twilio_auth_token(self) -> SecretStr | None:
        """The account's token."""

    @property
    def twilio_from(self) -> str | None:
        """A number of the account, a sender's name, or the `MG…` of a Messaging Service."""

    @property
    def twilio_api_url(self) -> str:
        """Twilio's API without a path."""


class SmsOptions(ReceiverOptions[SmsSettings]):
    """A receiver of rules.yaml: `{kind: sms, to: "+15551234567"}`.

    One number, because a request to Twilio reaches one: after half of several had succeeded, a retry would tell them twice.
    """

    address: ClassVar[tuple[str, ...]] = ("to",)
    resolved: bool = False
    """Each message costs, so ends are told only to those who ask for it."""
    repeats: bool = False
    """Whether repeats, reminders and escalations are told, too, although the incident has not got worse."""

    to: str

    @field_validator("to", mode="before")
    @classmethod
    def _one_number(cls, value: object) -> object:
        if isinstance(value, str) and _E164.fullmatch(value):
            return value
        raise ValueError('write one number, "+15551234567"; several people are several receivers, or a Messaging Service')

    @property
    def is_told_again(self) -> bool:
        """Once of each incident, and again when it gets worse."""
        return self.repeats

    def missing_credential(self, settings: SmsSettings) -> str | None:
        """The first variable that is not set."""
        needed = {
            "TWILIO_ACCOUNT_SID": settings.twilio_account_sid,
            "TWILIO_AUTH_TOKEN": settings.twilio_auth_token,
            "TWILIO_FROM": settings.twilio_from,
        }
        return next((name for name, value in needed.items() if not value), None)

    def render(self, notification: Notification) -> str:
        """The form as JSON, without the sender."""
        return readable(form(notification, self))

    def open(self, settings: SmsSettings, *, network: Network, clock: Clock) -> SmsNotifier:  # noqa: ARG002 - Twilio tells the time
        """The notifier for this number."""
        if not settings.twilio_account_sid or not settings.twilio_auth_token or not settings.twilio_from:
            raise PermanentError(f"{self.missing_credential(settings)} is not set")
        account = Account(
            api_url=settings.twilio_api_url,
            sid=settings.twilio_account_sid,
            token=settings.twilio_auth_token,
            sender=settings.twilio_from,
        )
        return SmsNotifier(self, account, network)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who sends."""

    api_url: str
    sid: str
    token: SecretStr
    sender: str

    @property
    def path(self) -> str:
        """Where the account's messages are, below `api_url`."""
        return f"/2010-04-01/Accounts/{self.sid}/Messages.json"

    @property
    def headers(self) -> Mapping[str, str]:
        """What every request carries; secret."""
        return {"Authorization": f"Basic {self._basic}", "Accept": "application/json"}

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """The forms in which the token goes over the wire."""
        return self.token, SecretStr(self._basic)

    @property
    def _basic(self) -> str:
        return base64.b64encode(f"{self.sid}:{self.token.get_secret_value()}".encode()).decode()


class SmsNotifier:
    """Sends from one account to one number."""

    def __init__(self, options: SmsOptions, account: Account, network: Network) -> None:
        self._options = options
        self._account = account
        self._network = network

    def send(self, notification: Notification) -> Receipt:
        """Ask Twilio to send: https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource.

        Raises:
            RetryableError, PermanentError: as `notifiers.http.error_of` says, but full queues are worth a retry.
        """
        content = form(notification, self._options)
        sender = "MessagingServiceSid" if _SERVICE.fullmatch(self._account.sender) else "From"
        response = self._post({**content, sender: self._account.sender})
        created = read_answer(response, _Created, secrets=self._account.secrets)
        segments = f", {created.num_segments} segments" if created.num_segments not in {None, "1"} else ""
        excerpt = f"status {created.status}{segments}"
        return Receipt(payload=readable(content), status_code=response.status, excerpt=excerpt, reference={"sid": created.sid})

    def find(self, notification: Notification) -> Receipt | None:
        """Look for the message among the newest ones to this number.

        Not by DateSent: what still waits in Twilio's queue has none yet.

        Raises:
            PermanentError: also if there are more than are looked at.
        """
        content = form(notification, self._options)
        for message in self._newest_messages():
            if message.date_created < notification.created_at - _CLOCKS_DIFFER:
                return None
            # A trial account's messages begin with a sentence of Twilio's. What says the same may be of another notification.
            if message.body.endswith(content["Body"]) and message.sid not in notification.of_others:
                return Receipt(payload=readable(content), excerpt="found in Twilio's list", reference={"sid": message.sid})
        return None

    def probe(self) -> Called:
        """Ask about the account and the sender."""
        return probe_sender(self._account, self._network)

    def probe_account(self) -> Called:
        """Ask about the account."""
        return probe_account(self._account, self._network)

    def _post(self, fields: Mapping[str, str]) -> Response:
        try:
            return self._network.post(
                self._account.api_url + self._account.path,
                body=urlencode(fields).encode(),
                headers={**self._account.headers, "Content-Type": "application/x-www-form-urlencoded"},
                secrets=self._account.secrets,
            )
        except PermanentError as error:
            if _code(error) in _WORTH_A_RETRY:
                raise RetryableError(str(error), status_code=error.status_code) from None
            if _code(error) == _OPTED_OUT:
                words = f"{error}; whoever has the number has texted STOP, and may text START to the sending number"
                raise PermanentError(words, status_code=error.status_code, opted_out=True) from None
            raise

    def _newest_messages(self) -> Iterator[_Listed]:
        path = f"{self._account.path}?{urlencode({'To': self._options.to, 'PageSize': _PAGE_SIZE})}"
        for _ in range(_PAGES):
            response = self._network.get(self._account.api_url + path, headers=self._account.headers, secrets=self._account.secrets)
            page = read_answer(response, _Page, secrets=self._account.secrets)
            yield from page.messages
            path = page.next_page_uri or ""
            if not path:
                return
            if not path.startswith(self._account.path):
                break
        raise PermanentError("it is not on the pages of Twilio's list that were read, and there are more")


class _Created(BaseModel):
    sid: str = Field(min_length=1)
    status: str | None = None
    num_segments: str | None = None


class _Listed(BaseModel):
    sid: str
    body: str
    date_created: Annotated[AwareDatetime, BeforeValidator(lambda text: parsedate_to_datetime(str(text)))]


class _Page(BaseModel):
    messages: tuple[_Listed, ...]
    next_page_uri: str | None = None


class _Refusal(BaseModel):
    code: int


def form(notification: Notification, options: SmsOptions) -> Mapping[str, str]:
    """The fields of the request, all but the sender."""
    return {"To": options.to, "Body": _body(compose(notification))}


def gsm7(text: str) -> str:
    """The text in the letters that an SMS of 160 characters may have: Cyrillic spelled in Latin, `?` for what has no likeness."""
    letters = "".join(map(_in_gsm7, unicodedata.normalize("NFC", text)))
    return re.sub(f"{_UNKNOWN}+", "?", letters)


def septets(text: str) -> int:
    """How much of a segment a GSM-7 text takes: https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding."""
    return sum(2 if letter in _TWO_SEPTETS else 1 for letter in text)


def _body(message: Message) -> str:
    tail = f" {link}" if (link := _short_link(message.link)) else ""
    room = MAX_SEPTETS - septets(tail)
    head = (
        _fit(f"{message.mark if message.ending else _WORDS[message.severity]} {_headline(message)}", room - len(message.further))
        + message.further
    )
    text = message.text if message.template_title else message.text or message.title
    left = room - septets(head) - len(". ")
    return head + (f". {_fit(' '.join(text.split()), left)}" if text and left >= _MIN_TEXT else "") + tail


def _headline(message: Message) -> str:
    if message.template_title:
        return message.template_title
    return f"{_fit(message.project, _MAX_NAME)}: {_fit(message.heading, _MAX_NAME - len(message.further))}"


def _fit(text: str, limit: int) -> str:
    text = gsm7(text)
    if septets(text) <= limit:
        return text
    text = text[:limit]
    while septets(text) > limit - len("..."):
        text = text[:-1]
    return text.rstrip() + "..."


def _short_link(link: str | None) -> str:
    """The page of the issue, without the query and without the event; nothing if it is still too long or not of GSM-7."""
    whole = re.split(r"[?#]", link or "", maxsplit=1)[0]
    issue = re.match(r".*?/issues/[0-9]+/", whole)
    short = issue[0] if issue else whole
    return short if _GSM7.issuperset(short) and septets(short) <= _MAX_LINK else ""


def _in_gsm7(letter: str) -> str:
    if letter in _GSM7:
        return letter
    if letter in _SPELLED:
        return _SPELLED[letter]
    category = unicodedata.category(letter)
    if category == "Pd":
        return "-"
    if category in {"Mn", "Me", "Cf"}:
        return ""
    parts = unicodedata.normalize("NFKD", letter)
    return "".join(part if part in _GSM7 else _SPELLED.get(part, "") for part in parts) or _UNKNOWN


def _code(error: PermanentError) -> int | None:
    try:
        return _Refusal.model_validate_json(error.answer).code
    except ValidationError:
        return None
