"""The door to mail servers, against real ones on loopback: what each answer, silence and certificate means."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from notifiers.errors import DeliveryError, PermanentError, RetryableError
from notifiers.http import Timeouts
from notifiers.smtp import Acceptance, Envelope, Security, SmtpServer, hand_in
from tests.stand_ins.faults import FaultServer, hang, refusing
from tests.stand_ins.smtp import PASSWORD, USER, AfterData, Encryption, MailServer, client_context, greeting_with

ENVELOPE = Envelope(
    sender="alerts@example.com",
    recipients=("team@example.com", "lead@example.com"),
    content=b"Subject: Boom\r\n\r\n.a line that begins with a dot\r\n",
)
TIMEOUTS = Timeouts(connect_seconds=0.3, read_seconds=0.3)
SIGNED_IN = f"{USER}:{quote(PASSWORD, safe='')}@"


def hand_in_at(url: str, *, envelope: Envelope = ENVELOPE) -> Acceptance:
    return hand_in(envelope, SmtpServer.parse(SecretStr(url)), timeouts=TIMEOUTS, tls=client_context())


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.com", SmtpServer(host="mail.example.com", port=587, security=Security.STARTTLS)),
        ("smtp://mail.example.com:25", SmtpServer(host="mail.example.com", port=25, security=Security.STARTTLS)),
        ("smtp://mail.example.com/?starttls=required", SmtpServer(host="mail.example.com", port=587, security=Security.STARTTLS)),
        ("smtp://localhost:1025?starttls=off", SmtpServer(host="localhost", port=1025, security=Security.OFF)),
        ("smtps://mail.example.com", SmtpServer(host="mail.example.com", port=465, security=Security.TLS)),
        ("smtp://[::1]:25?starttls=off", SmtpServer(host="::1", port=25, security=Security.OFF)),
        (
            "smtps://alerts%40example.com:p%2Fa%23s%3As%25@mail.example.com:2465",
            SmtpServer(
                host="mail.example.com", port=2465, security=Security.TLS, user="alerts@example.com", password=SecretStr("p/a#s:s%")
            ),
        ),
    ],
)
def test_an_address_says_where_and_how_mails_are_handed_in(url: str, server: SmtpServer) -> None:
    assert SmtpServer.parse(SecretStr(url)) == server


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://:587",
        "smtp://mail.example.com:port",
        "smtp://mail.example.com:99999",
        "smtp://[mail",
        "smtp://alerts@mail.example.com",
        "smtp://:secret@mail.example.com",
        "smtp://alerts:sec/ret@mail.example.com",
        "smtp://alerts:sec#ret@mail.example.com",
        "smtp://alerts:sec?ret@mail.example.com",
        "smtp://alerts:пароль@mail.example.com",
        "smtp://mail.example.com?starttls=maybe",
        "smtp://mail.example.com?starttls=off&starttls=off",
        "smtp://mail.example.com?tls=on",
        "smtps://mail.example.com?starttls=off",
        "smtp://mail.example.com/inbox",
    ],
)
def test_an_address_that_says_nothing_clear_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="SMTP_URL: write smtp://user:password@host:587") as caught:
        SmtpServer.parse(SecretStr(url))

    assert not [part for part in ("secret", "sec", "ret@", "пароль", "mail.example.com") if part in str(caught.value)]
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("scheme", "query", "encryption"),
    [
        ("smtp", "?starttls=off", Encryption.NONE),
        ("smtp", "", Encryption.STARTTLS),
        ("smtps", "", Encryption.FROM_THE_START),
    ],
    ids=["plain", "starttls", "tls"],
)
@pytest.mark.parametrize("signs_in", [False, True], ids=["open", "signed in"])
def test_a_mail_is_handed_in_as_the_address_says(scheme: str, query: str, encryption: Encryption, signs_in: bool) -> None:  # noqa: FBT001 - a parameter of the table
    with MailServer(encryption=encryption, signs_in=signs_in) as server:
        accepted = hand_in_at(f"{scheme}://{SIGNED_IN if signs_in else ''}127.0.0.1:{server.port}{query}")

    mail = server.received[0]
    assert accepted == Acceptance(code=250, text="2.0.0 Ok: queued as M1", refused={})
    assert mail.encrypted == (encryption is not Encryption.NONE)
    assert (mail.sender, mail.recipients, mail.content) == (ENVELOPE.sender, ENVELOPE.recipients, ENVELOPE.content)
    assert server.connections == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a server says, and what it means."""

    refusals: Mapping[str, str]
    kind: type[DeliveryError]
    status_code: int
    words: str


REFUSALS: Mapping[str, Refusal] = {
    "sender-for-good": Refusal(
        refusals={"alerts@example.com": "553 5.7.1 Not yours"},
        kind=PermanentError,
        status_code=553,
        words="553 5.7.1 Not yours",
    ),
    "sender-for-now": Refusal(
        refusals={"alerts@example.com": "452 4.3.1 Disk full"}, kind=RetryableError, status_code=452, words="452 4.3.1 Disk full"
    ),
    "all-recipients-for-good": Refusal(
        refusals={"team@example.com": "550 No such user", "lead@example.com": "554 No"},
        kind=PermanentError,
        status_code=550,
        words="team@example.com: 550 No such user; lead@example.com: 554 No",
    ),
    "all-recipients-one-for-now": Refusal(
        refusals={"team@example.com": "550 No such user", "lead@example.com": "451 Greylisted"},
        kind=RetryableError,
        status_code=451,
        words="lead@example.com: 451 Greylisted",
    ),
    "closing-at-a-recipient": Refusal(
        refusals={"lead@example.com": "421 Closing"}, kind=RetryableError, status_code=421, words="421 Closing"
    ),
    "closing-at-the-mail": Refusal(refusals={"DATA": "421 4.3.2 Closing"}, kind=RetryableError, status_code=421, words="421 4.3.2 Closing"),
    "mail-for-now": Refusal(refusals={"DATA": "451 4.7.0 Later"}, kind=RetryableError, status_code=451, words="451 4.7.0 Later"),
    "mail-for-good": Refusal(refusals={"DATA": "554 5.7.1 Spam"}, kind=PermanentError, status_code=554, words="554 5.7.1 Spam"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_as_final_as_its_code_says_and_told_in_the_servers_words(refusal: str) -> None:
    expected = REFUSALS[refusal]
    with MailServer(refusals=expected.refusals) as server, pytest.raises(expected.kind) as caught:
        hand_in_at(f"smtp://127.0.0.1:{server.port}?starttls=off")

    assert caught.value.status_code == expected.status_code
    assert expected.words in str(caught.value)
    assert getattr(caught.value, "ambiguous", False) is False
    assert server.connections == 1
    assert server.received == []


def test_the_refused_are_named_if_others_are_not() -> None:
    with MailServer(refusals={"lead@example.com": "451 4.7.1 Greylisted"}) as server:
        accepted = hand_in_at(f"smtp://127.0.0.1:{server.port}?starttls=off")

    assert (accepted.refused, accepted.deferred) == ({}, {"lead@example.com": "451 4.7.1 Greylisted"})
    assert server.received[0].recipients == ("team@example.com",)


@pytest.mark.parametrize("after_data", [AfterData.TAKE_AND_DROP_THE_LINE, AfterData.TAKE_AND_FALL_SILENT])
def test_without_an_answer_to_the_mail_it_may_have_been_taken(after_data: AfterData) -> None:
    with MailServer(after_data=after_data) as server, pytest.raises(RetryableError, match="closed the connection or fell silent") as caught:
        hand_in_at(f"smtp://127.0.0.1:{server.port}?starttls=off")

    assert caught.value.ambiguous


def test_a_wrong_password_is_refused_for_good_and_not_shown() -> None:
    with MailServer(signs_in=True) as server, pytest.raises(PermanentError, match="does not let this user in") as caught:
        hand_in_at(f"smtp://alerts:wrong-password@127.0.0.1:{server.port}?starttls=off")

    assert caught.value.status_code == 535
    assert "wrong-password" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["smtp://127.0.0.1:{}", f"smtp://{SIGNED_IN}127.0.0.1:{{}}?starttls=off"], ids=["encryption", "sign-in"]
)
def test_what_the_server_does_not_offer_is_not_gone_without(address: str) -> None:
    with MailServer() as server, pytest.raises(PermanentError, match=r"does not offer|offers no way"):
        hand_in_at(address.format(server.port))

    assert server.received == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_that_is_not_trusted_ends_it_before_the_password(scheme: str) -> None:
    encryption = Encryption.STARTTLS if scheme == "smtp" else Encryption.FROM_THE_START
    with MailServer(encryption=encryption, signs_in=True) as server:
        smtp = SmtpServer.parse(SecretStr(f"{scheme}://{SIGNED_IN}127.0.0.1:{server.port}"))

        with pytest.raises(PermanentError, match="certificate is not trusted"):
            hand_in(ENVELOPE, smtp, timeouts=TIMEOUTS, tls=ssl.create_default_context())


def test_a_certificate_for_another_host_is_not_trusted() -> None:
    with MailServer(encryption=Encryption.FROM_THE_START) as server:
        smtp = SmtpServer(host="127.0.0.2", port=server.port, security=Security.TLS)

        with pytest.raises(DeliveryError):
            hand_in(ENVELOPE, smtp, timeouts=TIMEOUTS, tls=client_context())

    assert server.received == []


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        (b"554 5.3.2 No service\r\n", PermanentError),
        (b"421 4.3.2 Too busy\r\n", RetryableError),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", RetryableError),
        (b"", RetryableError),
    ],
    ids=["closed for good", "busy", "no mail server", "nothing"],
)
def test_a_greeting_that_is_none_is_no_delivery(greeting: bytes, kind: type[DeliveryError]) -> None:
    with greeting_with(greeting) as port, pytest.raises(kind) as caught:
        hand_in_at(f"smtp://127.0.0.1:{port}?starttls=off")

    assert getattr(caught.value, "ambiguous", False) is False


def test_a_server_that_never_greets_is_not_waited_for() -> None:
    with FaultServer(hang) as server, pytest.raises(RetryableError) as caught:
        hand_in_at(server.url.replace("http", "smtp") + "?starttls=off")

    assert not caught.value.ambiguous


def test_where_nobody_listens_nothing_was_sent() -> None:
    with refusing() as url, pytest.raises(RetryableError, match="no connection to the mail server: Connection refused") as caught:
        hand_in_at(url.replace("http", "smtp") + "?starttls=off")

    assert not caught.value.ambiguous


def test_tls_where_none_is_spoken_is_no_delivery() -> None:
    with MailServer() as server, pytest.raises(RetryableError, match="encryption with the mail server failed"):
        hand_in_at(f"smtps://127.0.0.1:{server.port}")
