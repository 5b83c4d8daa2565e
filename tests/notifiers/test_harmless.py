"""A harmless call finds what would keep a message from arriving, and does nothing itself."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from notifiers import harmless
from notifiers.email import EmailNotifier, EmailOptions, Sender, Trusted
from notifiers.errors import PermanentError, RetryableError
from notifiers.harmless import Called
from notifiers.http import Network, Timeouts
from notifiers.notifier import Probe, ReceiverOptions
from notifiers.registry import KINDS
from notifiers.slack import SlackOptions
from notifiers.smtp import SmtpServer
from routing.rules import Receiver
from routing.rules_loading import load
from settings import Settings
from tests.factories import SECRET
from tests.stand_ins import endpoint, pagerduty, sentry_api, slack, smtp, tls, twilio
from tests.stand_ins.jira import CustomField
from tests.stand_ins.sentry_api import SentryApi
from tests.stand_ins.server import Server
from tests.stand_ins.slack import Slack
from tests.stand_ins.smtp import Encryption, MailServer
from tests.stand_ins.twilio import Twilio
from tests.vendors import Vendors, all_vendors

NAMES = ("slack", "pagerduty", "jira", "email", "sms", "hook", "sentry")
RECEIVERS = """\
version: 1
receivers:
  slack: {kind: slack, channel: "#errors"}
  slack-by-id: {kind: slack, channel: C0ERRORS}
  slack-elsewhere: {kind: slack, channel: "#nowhere"}
  pagerduty: {kind: pagerduty, routing_key: "${PAGERDUTY_CRITICAL_KEY}"}
  jira: {kind: jira, project: OPS, issue_type: Bug, priority: High, fields: {Team: core}}
  jira-elsewhere: {kind: jira, project: NOPE}
  jira-odd: {kind: jira, project: OPS, issue_type: Epic}
  jira-hurried: {kind: jira, project: OPS, priority: Blocker, fields: {Team: core}}
  email: {kind: email, to: [team@thebot.local, lead@thebot.local]}
  sms: {kind: sms, to: "+15551234567"}
  hook: {kind: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}", allow_private: true}
  hook-public: {kind: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}
  sentry: {kind: sentry}
  preview: {kind: preview}
  computed: {kind: slack, channel: "#team-{tags.team}", allow: ["#team-*"], fallback: slack}
  computed-mail: {kind: email, to: ["{tags.owner}@thebot.local"], allow: ["*@thebot.local"], fallback: slack}
rules:
  - {name: any, when: "level:fatal", notify: [preview, hook-public]}
"""


class World:
    """Stand-ins of every vendor there is, and the environment that leads to them."""

    def __init__(self, vendors: Vendors, sms: Server[Twilio], sentry: Server[SentryApi], hook_port: int) -> None:
        self.vendors, self.sms, self.sentry = vendors, sms, sentry
        vendors.jira.app.custom["customfield_10001"] = CustomField(name="Team")
        self.environment: dict[str, str] = vendors.environment() | {
            "TWILIO_ACCOUNT_SID": twilio.SID,
            "TWILIO_AUTH_TOKEN": twilio.TOKEN,
            "TWILIO_FROM": twilio.NUMBER,
            "TWILIO_API_URL": sms.url,
            "SENTRY_BASE_URL": sentry.url,
            "SENTRY_ORG": sentry_api.ORG,
            "SENTRY_API_TOKEN": sentry_api.TOKEN,
            "HOOK_URL": f"http://127.0.0.1:{hook_port}/secret-path",
            "HOOK_SECRET": endpoint.SECRET,
        }

    def call(self, name: str, *, within_seconds: float = harmless.WITHIN_SECONDS) -> Called:
        settings = Settings.from_variables({"SENTRY_CLIENT_SECRETS": SECRET, "DATABASE_URL": "sqlite://", **self.environment})
        return harmless.call(receiver(name, self.environment), settings, lambda: datetime.now(UTC), within_seconds=within_seconds)

    @property
    def done(self) -> Mapping[str, object]:
        """All that a vendor has of us."""
        return {
            "slack": self.vendors.slack.app.messages,
            "pagerduty": self.vendors.pagerduty.app.alerts,
            "jira": self.vendors.jira.app.issues,
            "mail": self.vendors.mail.received,
            "sms": self.sms.app.messages,
            "sentry": [issue.comments + issue.changes for issue in self.sentry.app.issues.values()],
        }


@contextmanager
def a_world() -> Iterator[World]:
    with ExitStack() as stack:
        vendors = stack.enter_context(all_vendors())
        sms, sentry = stack.enter_context(Server(Twilio(now=datetime.now(UTC)))), stack.enter_context(Server(SentryApi()))
        hook = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        yield World(vendors, sms, sentry, hook.getsockname()[1])


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as found:
        yield found


def receiver(name: str, environment: Mapping[str, str]) -> Receiver:
    return load(RECEIVERS, kinds=KINDS, environment=environment).receivers[name]


@pytest.mark.parametrize("name", [*NAMES, "slack-by-id", "preview"])
def test_what_is_right_is_fine_and_nothing_is_done(world: World, name: str) -> None:
    before = repr(world.done)

    called = world.call(name)

    assert called.is_fine, called
    assert (called.proves, called.warning) != ("", "") or name == "preview"
    assert repr(world.done) == before


@pytest.mark.parametrize(
    ("name", "proves"),
    [
        ("slack", "token, scopes, channel"),
        ("pagerduty", "routing key"),
        ("jira", "account, project, issue type, fields"),
        ("email", "connection, sender, recipients"),
        ("sms", "account, sender"),
        ("hook", "name, connection"),
        ("sentry", "token, organization, scopes"),
    ],
)
def test_what_it_proves_is_said(world: World, name: str, proves: str) -> None:
    assert world.call(name).proves == proves


def archived(world: World) -> None:
    world.vendors.slack.app.archived = {"C0ERRORS"}


def bot_removed(world: World) -> None:
    world.vendors.slack.app.without_bot = {"C0ERRORS"}


def removed_from_private(world: World) -> None:
    sees_private(world)
    world.vendors.slack.app.without_bot = world.vendors.slack.app.private = {"C0ERRORS"}


def sees_private(world: World) -> None:
    world.vendors.slack.app.scopes |= {"groups:read"}


def slack_revoked(world: World) -> None:
    world.vendors.slack.app.is_revoked = True


def without_write(world: World) -> None:
    world.vendors.slack.app.scopes = frozenset({"channels:read"})


def pagerduty_revoked(world: World) -> None:
    world.vendors.pagerduty.app.is_revoked = True


def newly_required(world: World) -> None:
    world.vendors.jira.app.custom["customfield_10042"] = CustomField(name="Root cause", is_required=True)


def jira_token(world: World) -> None:
    world.environment["JIRA_TOKEN"] = "another-token-8812"


def recipients_refused(world: World) -> None:
    world.vendors.mail.refusals = dict.fromkeys(("team@thebot.local", "lead@thebot.local"), "550 5.1.1 no such user")


def sender_refused(world: World) -> None:
    world.vendors.mail.refusals = {"alerts@thebot.local": "550 5.7.1 sender not allowed"}


def suspended(world: World) -> None:
    world.sms.app.status = "suspended"


def silent_number(world: World) -> None:
    world.sms.app.sends_sms = False


def another_service(world: World) -> None:
    world.environment["TWILIO_FROM"] = "MG" + "b" * 32


def twilio_token(world: World) -> None:
    world.environment["TWILIO_AUTH_TOKEN"] = "another-token-8812"


def no_such_host(world: World) -> None:
    world.environment["HOOK_URL"] = "https://alerts.invalid/secret-path"


def slack_without_a_name(world: World) -> None:
    world.environment["SLACK_API_URL"] = "https://slack.invalid/api"


def read_only(world: World) -> None:
    world.sentry.app.scopes = {"event:read", "project:read"}


def sentry_token(world: World) -> None:
    world.environment["SENTRY_API_TOKEN"] = "another-token-8812"


def as_it_is(_: World) -> None:
    """Nothing."""


@pytest.mark.parametrize(
    ("name", "fault", "said", "way_out"),
    [
        ("slack", archived, "router in acme, #errors: the channel is archived", "unarchive it in Slack"),
        ("slack-by-id", archived, "the channel is archived", "unarchive it in Slack"),
        ("slack", bot_removed, "the bot is not in the channel", "write /invite @router in the channel, or add the scope chat:write.public"),
        ("slack", removed_from_private, "there is no such channel, or the bot does not see it", "into a private channel invite the bot"),
        ("slack-by-id", removed_from_private, "there is no such channel", "invite the bot first"),
        ("slack-elsewhere", sees_private, "#nowhere: there is no such channel", "spelling"),
        ("slack", slack_revoked, "auth.test: token_revoked", "SLACK_BOT_TOKEN"),
        ("slack", without_write, "the token has no scope chat:write", "install the app again"),
        ("slack", slack_without_a_name, "could not be resolved", "DNS"),
        ("pagerduty", pagerduty_revoked, "PagerDuty does not take the key: Invalid routing key", "routing_key"),
        ("jira", newly_required, "the field Root cause (customfield_10042) is required", "fields: {customfield_10042: …}"),
        ("jira", jira_token, "HTTP 401", "JIRA_TOKEN"),
        ("jira-elsewhere", as_it_is, "Alert Router sees no project NOPE", "key"),
        ("jira-odd", as_it_is, 'OPS has no issue type "Epic"', "Bug, Incident"),
        ("jira-hurried", as_it_is, 'it has no priority "Blocker"', "Highest, High, Medium, Low"),
        ("email", recipients_refused, "takes no recipient: team@thebot.local: 550", "spelling of the address"),
        ("email", sender_refused, "the mail server said 550", "SMTP_URL"),
        ("sms", suspended, "the account is suspended", "pay what Twilio says"),
        ("sms", silent_number, "the account has no +15550006789 that sends SMS", "TWILIO_FROM"),
        ("sms", another_service, f"the account has no MG{'b' * 32}", "TWILIO_FROM"),
        ("sms", twilio_token, "HTTP 401", "TWILIO_AUTH_TOKEN"),
        ("hook", no_such_host, "the host name could not be resolved", "DNS"),
        ("hook-public", as_it_is, "the host has a private address", "compare the receiver's url"),
        ("sentry", read_only, "the token has no scope event:write", "Issue & Event: Read & Write"),
        ("sentry", sentry_token, "HTTP 401", "SENTRY_API_TOKEN"),
    ],
)
def test_each_fault_is_found_and_the_way_out_said(world: World, name: str, fault: Callable[[World], None], said: str, way_out: str) -> None:
    fault(world)

    called = world.call(name)

    assert not called.is_fine
    assert said in called.said
    assert way_out in called.way_out
    for secret in (slack.TOKEN, pagerduty.ROUTING_KEY, twilio.TOKEN, sentry_api.TOKEN, "another-token-8812", "secret-path"):
        assert secret not in f"{called}"


def test_too_much_is_a_fault_that_passes(world: World) -> None:
    world.vendors.slack.app.is_too_much = world.vendors.pagerduty.app.is_too_much = True
    world.vendors.jira.app.is_too_much = world.sms.app.is_too_much = True
    world.sentry.app.resets_at = int(time.time()) + 30

    for name in ("slack", "pagerduty", "jira", "sms", "sentry"):
        called = world.call(name)
        assert (called.is_fine, called.is_limited) == (False, True)
        assert "429" in called.said
        assert "ask less often" in called.way_out


def test_a_recipient_among_several_who_is_refused_is_warned_of(world: World) -> None:
    world.vendors.mail.refusals = {"lead@thebot.local": "550 5.1.1 no such user"}

    called = world.call("email")

    assert called.is_fine
    assert "lead@thebot.local: 550" in called.warning


def test_a_scope_that_only_looks_is_no_reason_not_to_send(world: World) -> None:
    world.vendors.slack.app.scopes = frozenset({"chat:write", "channels:history"})

    called = world.call("slack")

    assert called.is_fine
    assert "#errors is not seen with the token's scopes" in called.warning


def test_a_channel_that_may_be_private_is_not_said_to_be_absent_by_whoever_sees_no_private_ones(world: World) -> None:
    world.vendors.slack.app.private = {"C0ERRORS"}

    called = world.call("slack")

    assert called.is_fine
    assert "groups:read" in called.warning


def test_a_channel_that_is_public_needs_no_bot_in_it_with_the_scope_for_that(world: World) -> None:
    world.vendors.slack.app.scopes |= {"chat:write.public"}
    world.vendors.slack.app.without_bot = {"C0ERRORS"}

    assert world.call("slack").is_fine


def test_an_option_that_the_screen_does_not_have_is_warned_of(world: World) -> None:
    world.vendors.jira.app.screen -= {"priority"}

    called = world.call("jira")

    assert called.is_fine
    assert called.warning == "issues are created without priority, which the project's screen does not have"


def test_a_trial_account_is_warned_of(world: World) -> None:
    world.sms.app.is_trial = True

    assert "a trial account reaches only numbers" in world.call("sms").warning


@pytest.mark.parametrize("name", ["computed", "computed-mail"])
def test_of_a_destination_that_hangs_on_the_alert_the_account_is_asked_about(world: World, name: str) -> None:
    called = world.call(name)

    assert called.is_fine
    assert "channel" not in called.proves
    assert "recipients" not in called.proves


def test_without_its_credential_nobody_is_called(world: World) -> None:
    del world.environment["PAGERDUTY_CRITICAL_KEY"]

    called = world.call("pagerduty")

    assert called == Called(
        is_fine=False,
        is_set=False,
        said="PAGERDUTY_CRITICAL_KEY is not set, so it only previews",
        way_out="set PAGERDUTY_CRITICAL_KEY",
    )
    assert world.vendors.pagerduty.requests == []


@pytest.mark.parametrize("name", ["slack", "pagerduty", "jira", "email", "sms", "sentry"])
def test_what_hangs_is_not_waited_for(world: World, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        addresses = ("SLACK_API_URL", "PAGERDUTY_EVENTS_URL", "JIRA_URL", "TWILIO_API_URL", "SENTRY_BASE_URL")
        world.environment |= dict.fromkeys(addresses, f"http://127.0.0.1:{port}") | {"SMTP_URL": f"smtp://127.0.0.1:{port}?starttls=off"}
        began = time.monotonic()
        called = world.call(name, within_seconds=0.2)

    assert time.monotonic() - began < 1
    assert called.said == "no answer within 0.2 s"


@pytest.mark.parametrize(("days_left", "is_warned"), [(13, True), (30, False)])
def test_a_certificate_that_ends_soon_is_warned_of(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days_left: int, *, is_warned: bool
) -> None:
    pem = tls.certificate(tmp_path, days_left=days_left)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    heard: list[bytes] = []

    with tls.listener(pem, heard) as port:
        world.environment["HOOK_URL"] = f"https://127.0.0.1:{port}/secret-path"
        called = world.call("hook")

    assert called.is_fine, called
    assert f"good for {days_left} days" in called.said
    assert bool(called.warning) is is_warned
    assert called.proves == "name, connection, certificate"
    assert heard == []


def test_a_certificate_that_is_over_is_a_fault(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = tls.certificate(tmp_path, days_left=-1)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))

    with tls.listener(pem) as port:
        world.environment["HOOK_URL"] = f"https://127.0.0.1:{port}/secret-path"
        called = world.call("hook")

    assert not called.is_fine
    assert "certificate has expired" in called.said
    assert "renew the certificate" in called.way_out


def email_probe(pem: Path, password: str = smtp.PASSWORD) -> Called:
    """Of a mail server with STARTTLS and a sign-in."""
    with MailServer(encryption=Encryption.STARTTLS, signs_in=True, certificate=pem) as mail:
        server = SmtpServer.parse(SecretStr(f"smtp://{smtp.USER}:{password.replace('/', '%2F').replace(':', '%3A')}@127.0.0.1:{mail.port}"))
        context = ssl.create_default_context(cafile=pem)
        trusted = Trusted(timeouts=Timeouts(1, 2), tls=context, clock=lambda: datetime.now(UTC))
        called = EmailNotifier(EmailOptions(to=("team@example.com",)), server, Sender.parse("alerts@example.com"), trusted).probe()
        assert mail.received == []
        return called


def test_a_mail_server_is_asked_behind_encryption_and_sign_in(tmp_path: Path) -> None:
    called = email_probe(tls.certificate(tmp_path, days_left=5))

    assert called.is_fine
    assert called.proves == "connection, certificate, sign-in, sender, recipients"
    assert "its certificate ends in 5 days" in called.warning


def test_a_mail_servers_certificate_that_is_over_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="certificate has expired"):
        email_probe(tls.certificate(tmp_path, days_left=-1))


def test_a_mail_server_whose_certificate_nobody_trusts_is_told_so_and_not_of_its_password(world: World, tmp_path: Path) -> None:
    with MailServer(encryption=Encryption.STARTTLS, certificate=tls.certificate(tmp_path, days_left=50)) as mail:
        world.environment["SMTP_URL"] = f"smtp://127.0.0.1:{mail.port}"
        called = world.call("email")

    assert "certificate is not trusted" in called.said
    assert called.way_out.startswith("renew the certificate")


def test_a_wrong_password_is_said_without_it(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="does not let this user in") as error:
        email_probe(tls.certificate(tmp_path, days_left=50), "wrong-password-1")

    assert "wrong-password-1" not in str(error.value)


@pytest.mark.parametrize("is_there", [True, False])
def test_slacks_own_webhook_is_known_by_its_refusal_of_a_message_without_text(*, is_there: bool) -> None:
    with Server(Slack()) as at:
        url = f"http://hooks.slack.com:{at.url.rpartition(':')[2]}{slack.WEBHOOK_PATH if is_there else '/services/T0/B0/gone'}"
        network = Network(address_of=lambda _host, _port: "127.0.0.1")
        settings = Settings.from_variables({"ALLOW_UNSIGNED": "true"})
        notifier = SlackOptions(webhook_url=SecretStr(url)).open(settings, network=network, clock=lambda: datetime.now(UTC))
        assert isinstance(notifier, Probe)
        if is_there:
            assert notifier.probe().said == "Slack knows the webhook"
        else:
            with pytest.raises(PermanentError, match="404 Not Found: no_service"):
                notifier.probe()
        assert at.app.messages == {}


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"preview"}))
def test_each_kind_that_reaches_somebody_can_be_asked(world: World, kind: str) -> None:
    found = next(one for name in RECEIVERS.splitlines() if f"kind: {kind}" in name for one in [name.strip().partition(":")[0]])
    options = receiver(found, world.environment).options
    assert isinstance(options, ReceiverOptions)
    settings = Settings.from_variables({"ALLOW_UNSIGNED": "true", **world.environment})

    assert isinstance(options.open(settings, network=Network(), clock=lambda: datetime.now(UTC)), Probe)


def test_a_mail_server_that_is_not_there_is_worth_another_try() -> None:
    server = SmtpServer.parse(SecretStr("smtp://127.0.0.1:1?starttls=off"))
    trusted = Trusted(timeouts=Timeouts(1, 1), tls=ssl.create_default_context(), clock=lambda: datetime.now(UTC))

    with pytest.raises(RetryableError, match="no connection to the mail server"):
        EmailNotifier(EmailOptions(to=("team@example.com",)), server, Sender.parse("alerts@example.com"), trusted).probe_account()
