"""The generic webhook: what its body says, that it is signed, and where it may not go."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network
from notifiers.webhook import WebhookNotifier, WebhookOptions, signature_headers
from routing.alert import Json, Metric
from tests.factories import NOW, make_alert, make_notification
from tests.notifiers.contract import Contract
from tests.notifiers.golden import Goldens
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS
from tests.stand_ins.endpoint import PATH, SECRET, Endpoint
from tests.stand_ins.server import Server

NOTIFICATION = NOTIFICATIONS["critical-error"]


def options_for(url: str) -> WebhookOptions:
    return WebhookOptions(url=SecretStr(url + PATH), secret=SecretStr(SECRET), allow_private=True)


OPTIONS = options_for("http://127.0.0.1:1")


def open_at(url: str, network: Network) -> WebhookNotifier:
    return options_for(url).open(None, network=network, clock=lambda: NOW)


def fault_of(rendered: str) -> str | None:
    def refuse(constant: str) -> Json:
        raise ValueError(constant)

    wire = rendered.encode()
    assert isinstance(json.loads(wire, parse_constant=refuse), dict)
    return f"{len(wire)} bytes" if len(wire) > 500_000 else None


CONTRACT = Contract(options=OPTIONS, open=open_at, secrets=(SECRET, PATH.rpartition("/")[2]), fault_of=fault_of, takes_any_2xx=True)


@pytest.fixture
def endpoint() -> Iterator[Server[Endpoint]]:
    with Server(Endpoint(now=NOW.timestamp())) as server:
        yield server


@pytest.mark.parametrize("rule", NOTIFICATIONS)
def test_a_body_looks_as_its_golden(rule: str, goldens: Goldens) -> None:
    goldens.check(f"webhook/{rule}.json", OPTIONS.render(NOTIFICATIONS[rule]))


def test_a_signed_message_is_taken(endpoint: Server[Endpoint]) -> None:
    receipt = open_at(endpoint.url, Network()).send(NOTIFICATION)

    [(identity, message)] = endpoint.app.messages.items()
    assert message == json.loads(receipt.payload)
    assert receipt.reference == {"id": identity}
    assert (receipt.status_code, receipt.excerpt) == (204, "")


def test_a_message_that_is_sent_again_has_the_same_id_and_another_one_has_not(endpoint: Server[Endpoint]) -> None:
    notifier = open_at(endpoint.url, Network())

    notifier.send(NOTIFICATION)
    notifier.send(NOTIFICATION)
    notifier.send(replace(NOTIFICATION, id=2))
    notifier.send(replace(NOTIFICATION, created_at=NOTIFICATION.created_at + timedelta(days=1)))

    assert len(endpoint.app.messages) == 3
    assert len(endpoint.requests) == 4


def test_a_message_that_was_signed_with_another_secret_is_refused(endpoint: Server[Endpoint]) -> None:
    options = WebhookOptions(url=SecretStr(endpoint.url + PATH), secret=SecretStr("whsec_" + "A" * 32), allow_private=True)

    with pytest.raises(PermanentError, match="HTTP 401 Unauthorized: wrong signature"):
        options.open(None, network=Network(), clock=lambda: NOW).send(NOTIFICATION)


def test_the_signature_is_the_one_of_the_specifications_example() -> None:
    headers = signature_headers(
        b'{"test": 2432232314}',
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    )

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.8", "169.254.169.254", "0x7f000001", "2130706433"])
def test_a_private_address_is_not_called_unless_that_is_allowed(host: str, endpoint: Server[Endpoint]) -> None:
    port = endpoint.url.rpartition(":")[2]
    options = WebhookOptions(url=SecretStr(f"http://{host}:{port}{PATH}"), secret=SecretStr(SECRET))

    with pytest.raises(PermanentError, match="set `allow_private: true`"):
        options.open(None, network=Network(), clock=lambda: NOW).send(NOTIFICATION)

    assert endpoint.requests == []


def test_a_host_that_is_not_known_is_tried_again() -> None:
    options = WebhookOptions(url=SecretStr("https://nobody.invalid/"), secret=SecretStr(SECRET))

    with pytest.raises(RetryableError, match="could not be resolved"):
        options.open(None, network=Network(), clock=lambda: NOW).send(NOTIFICATION)


def test_numbers_that_json_does_not_have_are_null() -> None:
    metric = Metric(rule_name="rate", aggregate="failure_rate()", value=math.nan, threshold=math.inf)

    rendered = OPTIONS.render(make_notification(alert=make_alert(metric=metric, duration_ms=math.inf)))

    assert fault_of(rendered) is None


@given(st.text(max_size=3000), st.lists(st.tuples(st.text(), st.text()), max_size=200))
def test_whatever_an_alert_says_the_body_is_json_of_reasonable_size(text: str, tags: list[tuple[str, str]]) -> None:
    alert = make_alert(title=text, text=text * 100, culprit=text, project=text, tags=tuple(tags), link=text)

    rendered = OPTIONS.render(make_notification(alert=alert, why=text, incident=text))

    assert fault_of(rendered) is None


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"url": "https://hooks.example/x"}, "secret\n  Field required"),
        ({"secret": SECRET}, "url\n  Field required"),
        ({"url": "hooks.example/x", "secret": SECRET}, "write https://host/path"),
        ({"url": "ftp://hooks.example/x", "secret": SECRET}, "write https://host/path"),
        ({"url": "https://user:pass@hooks.example/x", "secret": SECRET}, "without user and password"),
        ({"url": "https://[::1/x", "secret": SECRET}, "write https://host/path"),
        ({"url": "https://hooks.example/x", "secret": "whsec_c2hvcnQ="}, "24 to 64 random bytes"),
        ({"url": "https://hooks.example/x", "secret": "correct horse battery staple"}, "is no signing secret"),
    ],
)
def test_wrong_options_are_refused_with_the_way_out_and_without_the_secret(options: dict[str, str], wrong: str) -> None:
    with pytest.raises(ValidationError) as raised:
        WebhookOptions.model_validate(options)

    assert wrong in str(raised.value)
    assert not [value for value in options.values() if value in str(raised.value)]


@pytest.mark.parametrize(("url", "secret", "missing"), [("", SECRET, "url"), ("https://h.example", "", "secret"), ("", "", "url")])
def test_a_variable_that_is_not_set_is_a_missing_credential(url: str, secret: str, missing: str) -> None:
    assert WebhookOptions.model_validate({"url": url, "secret": secret}).missing_credential(None) == missing
