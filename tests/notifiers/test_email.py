"""Email: how a mail reads in any program, and that no alert text can make it another mail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from notifiers.email import MAX_SUBJECT, EmailNotifier, EmailOptions, Sender, Trusted
from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network, Timeouts
from notifiers.smtp import SmtpServer
from routing.alert import ExceptionValue, Frame, Json, Status
from routing.notification import Notification, Reason, Severity
from tests.factories import NOW, make_alert, make_notification
from tests.notifiers.contract import Contract
from tests.notifiers.golden import Goldens
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS
from tests.stand_ins.smtp import AfterData, MailServer, client_context

OPTIONS = EmailOptions(to=("team@example.com", "lead@example.com"), cc=("audit@example.org",))
SENDER = Sender.parse("Sentry alerts <alerts@example.com>")
IMPATIENT = Timeouts(connect_seconds=0.3, read_seconds=0.3)
HEADERS = sorted(
    (
        *("From", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "List-Id", "MIME-Version", "Content-Type"),
        *("Auto-Submitted", "X-Auto-Response-Suppress", "X-Alert-Dedup-Key"),
    )
)
VOID_TAGS = {"meta", "br"}
SHOWN_TAGS = {"html", "head", "meta", "body", "div", "p", "span", "h1", "table", "tr", "td", "pre", "a", "ul", "li"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An account's."""

    smtp_url: SecretStr | None = None
    mail_from: str | None = "alerts@example.com"


class Page(HTMLParser):
    """Reads HTML as a browser would, and keeps what it shows and what it is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.handlers: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID_TAGS:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def is_whole(self) -> bool:
        return not self._open


def open_at(url: str, network: Network) -> EmailNotifier:
    settings = Settings(smtp_url=SecretStr(url.replace("http://", "smtp://alerts:smtp-pass@") + "?starttls=off"))
    return OPTIONS.open(settings, network=network, clock=lambda: NOW)


def mail_of(rendered: str) -> tuple[dict[str, str], str, str]:
    mail: dict[str, Json] = json.loads(rendered)
    headers = mail["headers"]
    assert isinstance(headers, dict)
    return {name: str(value) for name, value in headers.items()}, str(mail["text"]), str(mail["html"])


def fault_of(rendered: str) -> str | None:
    headers, text, html = mail_of(rendered)
    if not 0 < len(headers["Subject"]) <= MAX_SUBJECT:
        return "subject"
    if any(len(value.splitlines()) != 1 or "=?" in value for value in headers.values()):
        return "header"
    page = Page(html)
    if not page.is_whole or not SHOWN_TAGS.issuperset(page.tags):
        return "html"
    if page.handlers or any(not re.match(r"https?://", link or "") for link in page.links):
        return "link"
    return None if text.endswith("\n") else "text"


CONTRACT = Contract(options=OPTIONS, open=open_at, secrets=("smtp-pass",), fault_of=fault_of, speaks_http=False)


def notifier_at(server: MailServer, options: EmailOptions = OPTIONS, sender: Sender = SENDER) -> EmailNotifier:
    smtp = SmtpServer.parse(SecretStr(f"smtp://127.0.0.1:{server.port}?starttls=off"))
    return EmailNotifier(options, smtp, sender, Trusted(timeouts=IMPATIENT, tls=client_context(), clock=lambda: NOW))


def received(notification: Notification, sender: Sender = SENDER) -> EmailMessage:
    """The mail as its recipients read it, without the way over the wire."""
    message = message_from_bytes(OPTIONS.mail(notification).sent_by(sender, notification).as_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def content(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.mark.parametrize("rule", NOTIFICATIONS)
def test_a_mail_looks_as_its_goldens(rule: str, goldens: Goldens) -> None:
    rendered = OPTIONS.render(NOTIFICATIONS[rule])
    _, text, html = mail_of(rendered)

    goldens.check(f"email/{rule}.json", rendered)
    goldens.check(f"email/{rule}.txt", text)
    goldens.check(f"email/{rule}.html", html)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "team",
        "@example.com",
        "team@",
        "Team <team@example.com>",
        "team@example.com, other@example.com",
        "team@example.com\nBcc: x@example.com",
        "te am@example.com",
        ".team@example.com",
        "team@-example.com",
        "команда@example.com",
        "x" * 65 + "@example.com",
        "team@" + "x." * 130 + "com",
    ],
)
def test_what_is_no_plain_address_is_refused_with_the_way_to_write_it(address: str) -> None:
    with pytest.raises(ValidationError, match=r"write name@example\.com, without a display name"):
        EmailOptions.model_validate({"to": [address]})


@pytest.mark.parametrize("options", [{}, {"to": []}, {"to": "team@example.com"}, {"to": ["team@example.com"], "bcc": []}])
def test_a_mail_has_a_list_of_recipients_and_no_unknown_option(options: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        EmailOptions.model_validate(options)


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (Settings(smtp_url=SecretStr("smtp://mail.example.com")), None),
        (Settings(), "SMTP_URL"),
        (Settings(smtp_url=SecretStr("")), "SMTP_URL"),
        (Settings(smtp_url=SecretStr("smtp://mail.example.com"), mail_from=None), "MAIL_FROM"),
    ],
    ids=["all set", "no server", "empty server", "no sender"],
)
def test_the_setting_that_is_missing_is_named(settings: Settings, missing: str | None) -> None:
    assert OPTIONS.missing_credential(settings) == missing


@pytest.mark.parametrize(
    ("url", "sender", "problem"),
    [
        ("http://mail.example.com", "alerts@example.com", "SMTP_URL: write smtp://"),
        ("smtp://mail.example.com", "Alerts", "MAIL_FROM: write alerts@example.com"),
        ("smtp://mail.example.com", "Alerts <alerts@exa mple.com>", "MAIL_FROM: write alerts@example.com"),
    ],
    ids=["no mail server", "no address", "blank in the address"],
)
def test_a_setting_that_cannot_be_used_is_told_with_the_way_to_write_it(url: str, sender: str, problem: str) -> None:
    settings = Settings(smtp_url=SecretStr(url), mail_from=sender)

    with pytest.raises(PermanentError, match=problem):
        OPTIONS.open(settings, network=Network(), clock=lambda: NOW)


def test_a_mail_comes_in_one_handing_over_to_all_its_recipients(server: MailServer) -> None:
    receipt = notifier_at(server).send(make_notification())

    mail = server.received[0]
    assert (server.connections, len(server.received)) == (1, 1)
    assert (mail.sender, mail.recipients) == ("alerts@example.com", ("team@example.com", "lead@example.com", "audit@example.org"))
    assert mail.greeting == "example.com"
    assert (receipt.status_code, receipt.excerpt) == (250, "2.0.0 Ok: queued as M1")
    assert receipt.reference == {"message_id": mail.mail["Message-ID"], "subject": mail.mail["Subject"]}
    assert json.loads(receipt.payload)["text"] == content(mail.mail, "plain")


def test_each_mail_has_a_connection_of_its_own(server: MailServer) -> None:
    notifier = notifier_at(server)

    notifier.send(make_notification())
    notifier.send(make_notification(id=2))

    assert server.connections == 2


def test_a_recipient_twice_named_gets_one_mail(server: MailServer) -> None:
    options = EmailOptions(to=("team@example.com",), cc=("team@example.com",))

    notifier_at(server, options).send(make_notification())

    assert server.received[0].recipients == ("team@example.com",)


def test_a_mail_says_what_mail_programs_and_machines_want_to_know() -> None:
    message = received(make_notification())

    assert sorted(message.keys()) == HEADERS
    assert message["From"] == "Sentry alerts <alerts@example.com>"
    assert message["Subject"] == "[CRITICAL] shop-api: Critical error: KeyError: 'currency'"
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["X-Alert-Dedup-Key"] == "issue:5300000123"
    assert message["List-Id"] == "Sentry alerts <sentry-alerts.example.com>"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_every_attempt_of_a_notification_has_the_same_message_id() -> None:
    first, again = received(make_notification()), received(make_notification())

    assert first["Message-ID"] == again["Message-ID"]


def test_what_follows_has_the_subject_that_the_thread_began_with() -> None:
    begun = {"subject": "[CRITICAL] shop-api: Critical error: KeyError: 'currency'"}

    closing = received(make_notification(reason=Reason.RESOLVED, alert=make_alert(status=Status.RESOLVED), reference=begun))

    assert closing["Subject"] == f"Re: {begun['subject']}"
    assert content(closing, "plain").startswith("Resolved: Critical error: KeyError: 'currency'")


@pytest.mark.parametrize("changes", [{"id": 2}, {"created_at": NOW + timedelta(hours=1)}], ids=["another id", "an id that was given anew"])
def test_mails_of_one_incident_are_different_mails_of_one_thread(changes: Mapping[str, object]) -> None:
    first, second = received(make_notification()), received(make_notification(**changes))

    assert first["Message-ID"] != second["Message-ID"]
    assert first["References"] == first["In-Reply-To"] == second["References"]


@pytest.mark.parametrize("changes", [{"incident": "issue:1"}, {"receiver": "another"}])
def test_another_incident_or_receiver_is_another_thread(changes: Mapping[str, object]) -> None:
    assert received(make_notification())["References"] != received(make_notification(**changes))["References"]


def test_a_thread_holds_even_if_the_senders_domain_is_long() -> None:
    sender = Sender.parse("alerts@alerts.eu-west-1.internal.example-company-with-a-long-name.com")

    raw = OPTIONS.mail(make_notification()).sent_by(sender, make_notification()).as_bytes()

    assert re.search(rb"\r\nReferences:\s+<sar\.[0-9a-f]{16}@alerts\.eu-west-1\.internal\.example-company-with-a-long-name\.com>\r\n", raw)


@pytest.mark.parametrize(
    "title",
    ["a\r\nBcc: victim@example.com", "=?utf-8?q?a=0D=0ABcc:_victim@example.com?=", "=?utf-8?b?DQpCY2M6IHZAZXhhbXBsZS5jb20=?= x"],
    ids=["line break", "encoded line break", "base64 line break"],
)
def test_a_title_cannot_add_a_header(title: str) -> None:
    alert = make_alert(title=title)

    message = received(make_notification(alert=alert, incident=title))

    assert sorted(message.keys()) == HEADERS
    assert "Bcc" not in message


def test_a_subject_in_any_script_arrives_letter_by_letter() -> None:
    title = "Ошибка оплаты ¡ ¡ при создании платежа: сумма не совпадает с заказом № 5, возврат 👩‍👩‍👧 не начат"

    message = received(make_notification(alert=make_alert(title=title)))

    assert message["Subject"] == f"[CRITICAL] shop-api: Critical error: {title}"


def test_a_senders_name_in_any_script_arrives_letter_by_letter() -> None:
    message = received(make_notification(), Sender.parse('"Тревоги, Sentry" <alerts@example.com>'))

    assert message["From"].addresses[0].display_name == "Тревоги, Sentry"
    assert message["From"].addresses[0].addr_spec == "alerts@example.com"


def test_markup_in_an_alert_is_shown_and_not_obeyed() -> None:
    hostile = "</td></pre><script>alert(1)</script><img src=x onerror=alert(1)>&lt;"
    alert = make_alert(title=hostile, culprit=hostile, tags=((hostile, hostile),), link='https://example.com/"onmouseover="alert(1)')

    page = Page(content(received(make_notification(alert=alert, why=hostile)), "html"))

    assert page.is_whole
    assert page.text.count("<script>alert(1)</script>") >= 4
    assert not {"script", "img"} & set(page.tags)
    assert not page.handlers


TEXTS = st.text() | st.sampled_from(["=?utf-8?q?=0D=0AX:_y?=", "\r\nX: y", "<b>", "</pre>", "x" * 5000, "\ud800", "\u2028"])


@given(title=TEXTS, project=TEXTS, tag=TEXTS, value=TEXTS, severity=st.sampled_from(Severity))
def test_whatever_the_alert_says_the_mail_stays_the_mail_that_it_is(
    title: str, project: str, tag: str, value: str, severity: Severity
) -> None:
    raised = ExceptionValue(type=title, value=value, frames=(Frame(filename=tag, function=value, source_line=title),))
    alert = make_alert(title=title, project=project, tags=((tag, value),), exceptions=(raised,))
    notification = make_notification(alert=alert, severity=severity, incident=f"issue:{title}")

    message = received(notification)
    headers, text, html = mail_of(OPTIONS.render(notification))

    assert fault_of(OPTIONS.render(notification)) is None
    assert sorted(message.keys()) == HEADERS
    assert not message.defects
    assert not [value for value in message.values() if value.defects]
    assert [len(line) for line in message.as_bytes(policy=policy.SMTP).split(b"\r\n") if len(line) > 998] == []
    assert " ".join(str(message["Subject"]).split()) == headers["Subject"]
    assert content(message, "plain") == text
    assert content(message, "html") == html


class TestOneByOne:
    """Who is refused for now gets the mail later, and who has it gets it once."""

    LATER: Mapping[str, str] = {"lead@example.com": "451 4.7.1 Greylisted"}

    def begin(self, server: MailServer, notification: Notification) -> Notification:
        """A first attempt, which reaches some; the same notification as the next attempt has it."""
        with pytest.raises(RetryableError) as caught:
            notifier_at(server).send(notification)
        server.refusals = {}
        assert not caught.value.ambiguous
        return replace(notification, so_far=caught.value.so_far)

    def test_the_next_attempt_goes_to_the_rest_alone_and_is_the_same_mail(self) -> None:
        with MailServer(refusals=self.LATER) as server:
            again = self.begin(server, make_notification())

            notifier_at(server).send(again)

        first, second = server.received
        assert (set(first.recipients), second.recipients) == ({"team@example.com", "audit@example.org"}, ("lead@example.com",))
        assert first.mail["Message-ID"] == second.mail["Message-ID"]

    def test_several_attempts_may_reach_some_each(self) -> None:
        refusals = {**self.LATER, "audit@example.org": "450 4.2.0 Busy"}
        with MailServer(refusals=refusals) as server:
            again = self.begin(server, make_notification())
            server.refusals = self.LATER
            third = self.begin(server, again)

            notifier_at(server).send(third)

        assert [one.recipients for one in server.received] == [("team@example.com",), ("audit@example.org",), ("lead@example.com",)]

    def test_where_the_end_comes_before_the_rest_was_told_it_is_told_to_those_who_know(self) -> None:
        with MailServer(refusals=self.LATER) as server:
            begun = self.begin(server, make_notification())
            closing = make_notification(id=2, reason=Reason.RESOLVED, reference=begun.so_far)

            notifier_at(server).send(closing)

        assert set(server.received[-1].recipients) == {"team@example.com", "audit@example.org"}

    def test_the_end_goes_to_all_if_all_had_an_earlier_mail(self) -> None:
        with MailServer() as server:
            first = notifier_at(server).send(make_notification())
            server.refusals = self.LATER
            repeat = self.begin(server, make_notification(id=2, reason=Reason.REPEAT, reference=first.reference))

            notifier_at(server).send(make_notification(id=3, reason=Reason.RESOLVED, reference=repeat.so_far))

        assert len(server.received[-1].recipients) == 3

    def test_who_is_refused_for_good_beside_is_named(self) -> None:
        refusals = {**self.LATER, "audit@example.org": "550 5.1.1 No such user"}
        with MailServer(refusals=refusals) as server, pytest.raises(RetryableError) as caught:
            notifier_at(server).send(make_notification())

        words = ["not yet for lead@example.com: 451 4.7.1 Greylisted", "refused for audit@example.org: 550 5.1.1 No such user"]
        assert str(caught.value) == "; ".join((*words, "2 of 3 have it"))


def test_a_renamed_receiver_goes_on_with_its_thread() -> None:
    with MailServer() as server:
        notifier = notifier_at(server)
        first = notifier.send(make_notification())
        notifier.send(make_notification(id=2, reason=Reason.REPEAT, receiver="renamed", reference=first.reference))

    begun, renamed = (one.mail for one in server.received)
    assert begun["References"] == renamed["References"]


def test_those_who_are_refused_are_named_and_the_others_get_their_mail() -> None:
    with MailServer(refusals={"lead@example.com": "550 5.1.1 No such user"}) as server:
        receipt = notifier_at(server).send(make_notification())

    assert server.received[0].recipients == ("team@example.com", "audit@example.org")
    assert receipt.excerpt == "refused for lead@example.com: 550 5.1.1 No such user; 2.0.0 Ok: queued as M1"


def test_a_line_that_breaks_after_the_mail_leaves_it_open_whether_it_was_taken() -> None:
    with MailServer(after_data=AfterData.TAKE_AND_DROP_THE_LINE) as server, pytest.raises(RetryableError) as caught:
        notifier_at(server).send(make_notification())

    assert caught.value.ambiguous
    assert len(server.received) == 1
