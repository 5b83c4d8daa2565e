"""SMS: what people get on their phone, and how Twilio is asked to send it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network
from notifiers.sms import MAX_SEPTETS, SmsNotifier, SmsOptions, form, gsm7, septets
from routing.notification import Severity
from tests.factories import NOW, make_alert, make_notification
from tests.notifiers import specs
from tests.notifiers.contract import Contract
from tests.notifiers.golden import Goldens
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS
from tests.stand_ins.faults import FaultServer, answer
from tests.stand_ins.server import Server
from tests.stand_ins.twilio import NUMBER, SERVICE, SID, TOKEN, Twilio

GSM7 = frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
    "^{}\\[~]|€"
)
OPTIONS = SmsOptions(to="+15550001111")
TOKEN_OF_THE_ACCOUNT = SecretStr(TOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An account's."""

    twilio_api_url: str = "https://api.twilio.com"
    twilio_account_sid: str | None = SID
    twilio_auth_token: SecretStr | None = TOKEN_OF_THE_ACCOUNT
    twilio_from: str | None = NUMBER


def open_at(url: str, network: Network) -> SmsNotifier:
    return OPTIONS.open(Settings(twilio_api_url=url), network=network, clock=lambda: NOW)


def form_of(rendered: str) -> dict[str, str]:
    fields: dict[str, str] = json.loads(rendered)
    return fields


def fault_of(rendered: str) -> str | None:
    body = form_of(rendered)["Body"]
    if septets(body) > MAX_SEPTETS:
        return f"{septets(body)} septets"
    if not GSM7.issuperset(body):
        return f"not GSM-7: {set(body) - GSM7}"
    sent = {**form_of(rendered), "From": NUMBER}
    return specs.schema_fault(sent, "twilio/message-form.strict.schema.json") if specs.present() else None


CONTRACT = Contract(options=OPTIONS, open=open_at, secrets=(TOKEN,), fault_of=fault_of)


@pytest.fixture
def twilio() -> Iterator[Server[Twilio]]:
    with Server(Twilio(now=NOW)) as server:
        yield server


@pytest.fixture
def notifier(twilio: Server[Twilio]) -> SmsNotifier:
    return open_at(twilio.url, Network())


@pytest.mark.parametrize("rule", NOTIFICATIONS)
def test_an_sms_looks_as_its_golden(rule: str, goldens: Goldens) -> None:
    rendered = OPTIONS.render(NOTIFICATIONS[rule])

    goldens.check(f"sms/{rule}.json", rendered)


@pytest.mark.parametrize(
    "number", ["", "5550001111", "+05550001111", "+1 555 000 1111", "+1555000111122334", "+15550001111\n", 15550001111, None]
)
def test_a_number_that_is_not_e164_is_refused_with_the_way_to_write_it(number: object) -> None:
    with pytest.raises(ValidationError, match=r'write one number, "\+15551234567"'):
        SmsOptions.model_validate({"to": number})


def test_several_numbers_are_refused_with_the_way_to_reach_several_people() -> None:
    with pytest.raises(ValidationError, match="several receivers, or a Messaging Service"):
        SmsOptions.model_validate({"to": ["+15550001111", "+15550002222"]})


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (Settings(), None),
        (Settings(twilio_account_sid=None), "TWILIO_ACCOUNT_SID"),
        (Settings(twilio_auth_token=None), "TWILIO_AUTH_TOKEN"),
        (Settings(twilio_auth_token=SecretStr("")), "TWILIO_AUTH_TOKEN"),
        (Settings(twilio_from=None), "TWILIO_FROM"),
    ],
    ids=["all set", "no account", "no token", "empty token", "no sender"],
)
def test_the_credential_that_is_not_set_is_named(settings: Settings, missing: str | None) -> None:
    assert OPTIONS.missing_credential(settings) == missing


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("Ошибка создания платежа", "Oshibka sozdaniya platezha"),
        ("ЩЁТ №5, ½", "ShchET No5, 1/2"),
        ("«Ромашка» — “x” ‘y’ …", '"Romashka" - "x" \'y\' ...'),
        ("naïve čau é", "naive cau é"),
        ("e\u0301", "é"),
        ("数据库 down 😀😀!", "? down ?!"),
        ("a\u200d\ufe0fb", "ab"),
        ("→ × ` −", "-> x ' -"),
    ],
    ids=["russian", "numbers", "quotes", "accents", "combining accent", "no likeness", "invisible", "signs"],
)
def test_letters_outside_gsm7_are_spelled_or_marked(text: str, spelled: str) -> None:
    assert gsm7(text) == spelled


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://acme.sentry.io/issues/53/events/3f1b/?project=1#top", " https://acme.sentry.io/issues/53/"),
        ("https://sentry.example.com/organizations/acme/issues/53/?query=x", " https://sentry.example.com/organizations/acme/issues/53/"),
        ("https://acme.sentry.io/alerts/rules/details/57/?alert=1", " https://acme.sentry.io/alerts/rules/details/57/"),
        (f"https://{'long.' * 20}example.com/issues/53/", ""),
        ("https://пример.рф/issues/53/", ""),
        ("http://[", " http://["),
        (None, ""),
    ],
    ids=["event", "self-hosted", "metric alert", "too long", "not of gsm-7", "odd", "none"],
)
def test_a_link_is_the_shortest_that_still_leads_there(link: str | None, shown: str) -> None:
    notification = make_notification(alert=make_alert(link=link, title="Boom"))

    body = form(notification, OPTIONS)["Body"]

    assert body == f"CRIT shop-api: Critical error. Boom{shown}"


def test_a_long_title_gives_way_to_the_link() -> None:
    notification = make_notification(alert=make_alert(title="x" * 1000))

    body = form(notification, OPTIONS)["Body"]

    assert septets(body) == MAX_SEPTETS
    assert body.endswith("xx... https://acme.sentry.io/issues/5300000123/")


@given(
    title=st.text(min_size=1),
    project=st.text(),
    rule=st.text(min_size=1),
    link=st.none() | st.text().map("https://example.com/{}".format),
    severity=st.sampled_from(Severity),
)
def test_whatever_the_alert_says_the_sms_is_one_segment_of_gsm7(
    title: str, project: str, rule: str, link: str | None, severity: Severity
) -> None:
    notification = make_notification(rules=(rule,), severity=severity, alert=make_alert(title=title, project=project, link=link))

    rendered = OPTIONS.render(notification)

    assert fault_of(rendered) is None


def test_a_message_is_sent_once_with_its_sender(twilio: Server[Twilio], notifier: SmsNotifier) -> None:
    notification = make_notification()

    receipt = notifier.send(notification)

    assert [message["body"] for message in twilio.app.messages] == [form(notification, OPTIONS)["Body"]]
    assert len(twilio.requests) == 1
    assert twilio.requests[0].form == {**form(notification, OPTIONS), "From": NUMBER}
    assert (receipt.status_code, receipt.excerpt) == (201, "status queued")
    assert receipt.reference == {"sid": twilio.app.messages[0]["sid"]}


def test_a_messaging_service_sends_in_place_of_a_number(twilio: Server[Twilio]) -> None:
    settings = Settings(twilio_api_url=twilio.url, twilio_from=SERVICE)

    OPTIONS.open(settings, network=Network(), clock=lambda: NOW).send(make_notification())

    assert twilio.requests[0].form["MessagingServiceSid"] == SERVICE
    assert "From" not in twilio.requests[0].form


def test_what_is_recorded_of_a_sent_message_is_what_was_previewed(notifier: SmsNotifier) -> None:
    receipt = notifier.send(make_notification())

    assert receipt.payload == OPTIONS.render(make_notification())


def test_a_number_that_opted_out_is_refused_for_good_in_twilios_words(twilio: Server[Twilio], notifier: SmsNotifier) -> None:
    twilio.app.opted_out.add(OPTIONS.to)

    with pytest.raises(PermanentError, match=r"21610.*unsubscribed recipient") as caught:
        notifier.send(make_notification())

    assert caught.value.status_code == 400


def test_a_full_queue_is_worth_a_retry_though_twilio_says_400(twilio: Server[Twilio], notifier: SmsNotifier) -> None:
    twilio.app.queue_is_full = True

    with pytest.raises(RetryableError, match="21611") as caught:
        notifier.send(make_notification())

    assert not caught.value.ambiguous


def test_an_answer_without_a_sid_proves_nothing(twilio: Server[Twilio], notifier: SmsNotifier) -> None:
    twilio.app.forgets_sids = True

    with pytest.raises(RetryableError, match="not the vendor's answer") as caught:
        notifier.send(make_notification())

    assert caught.value.ambiguous


def test_a_message_whose_answer_was_lost_is_found(twilio: Server[Twilio], notifier: SmsNotifier) -> None:
    twilio.app.loses_answers = True
    with pytest.raises(RetryableError) as caught:
        notifier.send(make_notification())

    found = notifier.find(make_notification())

    assert caught.value.ambiguous
    assert found is not None
    assert found.reference == {"sid": twilio.app.messages[0]["sid"]}


def test_a_message_of_a_trial_account_is_found_behind_twilios_own_words(twilio: Server[Twilio], notifier: SmsNotifier) -> None:
    twilio.app.is_trial = True
    notifier.send(make_notification())

    assert notifier.find(make_notification()) is not None


def test_a_message_behind_the_first_page_is_found(twilio: Server[Twilio], notifier: SmsNotifier) -> None:
    notifier.send(make_notification())
    for number in range(6):
        notifier.send(make_notification(alert=make_alert(title=f"Another {number}")))
    twilio.app.page_size = 2

    found = notifier.find(make_notification())

    assert found is not None
    assert found.reference == {"sid": twilio.app.messages[0]["sid"]}


def test_what_may_be_on_a_page_that_nobody_looked_at_is_not_said_to_be_absent(twilio: Server[Twilio], notifier: SmsNotifier) -> None:
    for number in range(11):
        notifier.send(make_notification(alert=make_alert(title=f"Another {number}")))
    twilio.app.page_size = 1
    twilio.requests.clear()

    with pytest.raises(PermanentError, match="and there are more"):
        notifier.find(make_notification())

    assert len(twilio.requests) == 10


def test_a_list_that_goes_on_in_another_account_is_not_followed_and_proves_nothing() -> None:
    body = '{"messages": [], "next_page_uri": "/2010-04-01/Accounts/ACother/Messages.json?Page=1"}'

    with FaultServer(answer(200, body=body)) as server, pytest.raises(PermanentError, match="and there are more"):
        open_at(server.url, Network()).find(make_notification())

    assert len(server.requests) == 1


def test_a_message_that_never_arrived_is_not_found(notifier: SmsNotifier) -> None:
    notifier.send(make_notification(alert=make_alert(title="Another")))

    assert notifier.find(make_notification()) is None


def test_the_same_words_of_an_earlier_notification_are_no_proof(notifier: SmsNotifier) -> None:
    notifier.send(make_notification())
    repeat = make_notification(id=2, created_at=NOW + timedelta(minutes=30))

    assert notifier.find(repeat) is None


def test_the_same_words_of_another_notification_are_no_proof_either(notifier: SmsNotifier) -> None:
    sent = notifier.send(make_notification())

    assert notifier.find(make_notification(of_others=frozenset({sent.reference["sid"]}))) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"messages": 7}', '{"messages": [{"date_created": "soon"}]}', "[" * 100_000])
def test_a_list_that_cannot_be_read_is_no_proof_of_absence(content: str) -> None:
    with FaultServer(answer(200, body=content)) as server, pytest.raises(RetryableError):
        open_at(server.url, Network()).find(make_notification())
