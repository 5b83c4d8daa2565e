"""The rules that hold for every kind of receiver, over all kinds of the registry."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from notifiers.errors import DeliveryError, PermanentError, RetryableError
from notifiers.http import DEFAULT_TIMEOUTS, MAX_BODY_BYTES, Network, Response, Timeouts
from notifiers.notifier import Receipt
from notifiers.registry import KINDS
from routing.alert import Alert, ExceptionValue, Frame, Level, Metric, User
from routing.notification import Notification
from tests.factories import make_alert, make_notification
from tests.notifiers.contract import Contract, contract_of
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS
from tests.stand_ins.faults import Fault, FaultServer, answer, end_of_file, hang, refusing, reset

NOTIFICATION = NOTIFICATIONS["critical-error"]
ROOT = Path(__file__).resolve().parents[2]
IMPATIENT = Timeouts(connect_seconds=3, read_seconds=0.5)


HTTP_KINDS = [kind for kind in KINDS if contract_of(kind).speaks_http]
THROUGH_OUR_DOOR = ("jira", "slack")
"""The kinds whose vendor's package is made to send through `Network` at a place that a new version of it may move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a request ends, and what every kind must make of it."""

    fault: Fault
    kind: type[DeliveryError]
    ambiguous: bool = False
    retry_after: timedelta | None = None
    timeouts: Timeouts = DEFAULT_TIMEOUTS


class Door(Network):
    """A network that keeps the addresses that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str], secrets: Sequence[SecretStr] = ()) -> Response:
        self.urls.append(url)
        return super().post(url, body=body, headers=headers, secrets=secrets)


def refused(status: int) -> Ending:
    return Ending(fault=answer(status, body="no", echo=True), kind=PermanentError)


ENDINGS: Mapping[str, Ending] = {
    "302": Ending(fault=answer(302, headers={"Location": "/elsewhere"}), kind=RetryableError),
    "400": refused(400),
    "401": refused(401),
    "403": refused(403),
    "404": refused(404),
    "410": refused(410),
    "429": Ending(fault=answer(429, headers={"Retry-After": "7"}, echo=True), kind=RetryableError, retry_after=timedelta(seconds=7)),
    "500": Ending(fault=answer(500, echo=True), kind=RetryableError, ambiguous=True),
    "503": Ending(fault=answer(503), kind=RetryableError, ambiguous=True),
    "503-retry-after": Ending(
        fault=answer(503, headers={"Retry-After": "3600"}), kind=RetryableError, ambiguous=True, retry_after=timedelta(minutes=15)
    ),
    "hang": Ending(fault=hang, kind=RetryableError, ambiguous=True, timeouts=IMPATIENT),
    "reset": Ending(fault=reset, kind=RetryableError, ambiguous=True),
    "end-of-file": Ending(fault=end_of_file, kind=RetryableError, ambiguous=True),
}
NOT_A_YES: Mapping[str, Fault] = {
    "html": answer(200, headers={"Content-Type": "text/html"}, body="<html><body>Please sign in</body></html>"),
    "empty": answer(200),
}

HUGE = "x" * 300_000
HOSTILE: Mapping[str, Callable[[], Alert]] = {
    "300-kB": lambda: make_alert(title=HUGE, text=HUGE, culprit=HUGE, project=HUGE, tags=((HUGE, HUGE),) * 50),
    "no-title": lambda: make_alert(title="", text=""),
    "emoji": lambda: make_alert(title="👩‍👩‍👧‍👦🏳️‍🌈" * 200, project="🚀", environment="🧪"),
    "right-to-left": lambda: make_alert(title="\u202eתקלה في الدفع\u202c \u2067abc\u2069", culprit="\u202egnp.exe"),
    "html": lambda: make_alert(title='<script>alert("x")</script>&amp;<img src=x onerror=alert(1)>', text="</pre></body>"),
    "slack-mark-up": lambda: make_alert(title="<!channel> *bold* ```code``` <https://evil.example|here>", tags=(("a", "`b` <!here>"),)),
    "jira-mark-up": lambda: make_alert(title="{noformat} {color:red}x{color} h1. [~admin] !x.png! {code}", tags=(("a|b", "|{noformat}|"),)),
    "line-breaks": lambda: make_alert(title="a\r\nBcc: victim@example.com\r\n\r\nb\u2028c", project="p\nq", environment="e\r\nf"),
    "control": lambda: make_alert(title="a\x00\x1b[31mc\x7f\x85\ud800", release="\x00", exceptions=(broken(),), tags=(("\x00", "\ud83d"),)),
    "nulls": lambda: make_alert(
        culprit=None, organization=None, project=None, environment=None, release=None, platform=None, link=None, event_id=None,
        event_type=None, issue_id=None, sentry_rule=None, exceptions=(), tags=(), user=None,
    ),
    "odd-links": lambda: make_alert(link="javascript:alert(1)//" + "x" * 5000, short_id="<|>"),
    "long-link": lambda: make_alert(link="https://acme.sentry.io/issues/1/?q=" + "%D0%9F" * 320),
    "odd-numbers": lambda: make_alert(
        metric=Metric(rule_name="", aggregate="", value=float("inf"), threshold=float("nan"), window_minutes=float("inf")),
        event_count=10**30,
        duration_ms=-1.0,
    ),
    "odd-duration": lambda: make_alert(duration_ms=float("nan"), event_count=-5, user_count=10**15, level=Level.DEBUG, user=User()),
}  # fmt: skip


def broken() -> ExceptionValue:
    """An exception whose every word is unprintable."""
    return ExceptionValue(type="\x00", value="\ud800", frames=(Frame(filename="\x00", function="\n", source_line="\x1b[2J"), Frame()))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_an_ending_means_the_same_to_every_kind(kind: str, ending: str) -> None:
    expected = ENDINGS[ending]
    contract = contract_of(kind)
    with FaultServer(expected.fault, to_questions=contract_of(kind).to_questions) as vendor:
        notifier = contract.open(vendor.url, Network(expected.timeouts))

        with pytest.raises(expected.kind) as raised:
            notifier.send(NOTIFICATION)

    assert getattr(raised.value, "ambiguous", False) is expected.ambiguous
    assert getattr(raised.value, "retry_after", None) == expected.retry_after
    assert len(vendor.requests) == 1
    assert_shows_no_secret(raised.value, contract)


@pytest.mark.parametrize("body", NOT_A_YES)
@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_a_yes_in_words_that_are_not_the_vendors_is_no_yes(kind: str, body: str) -> None:
    contract = contract_of(kind)
    with FaultServer(NOT_A_YES[body], to_questions=contract_of(kind).to_questions) as vendor:
        notifier = contract.open(vendor.url, Network())
        try:
            ended: Receipt | DeliveryError = notifier.send(NOTIFICATION)
        except DeliveryError as error:
            ended = error

    assert len(vendor.requests) == 1
    if contract.takes_any_2xx:
        assert isinstance(ended, Receipt)
        return
    assert isinstance(ended, RetryableError)
    assert ended.ambiguous
    assert_shows_no_secret(ended, contract)


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_where_nobody_listens_nothing_was_sent(kind: str) -> None:
    contract = contract_of(kind)
    with refusing() as url, pytest.raises(RetryableError, match="connect") as raised:
        contract.open(url, Network()).send(NOTIFICATION)

    assert not raised.value.ambiguous
    assert_shows_no_secret(raised.value, contract)


@pytest.mark.parametrize("ending", ["429", "503-retry-after", "reset"])
@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_no_kind_waits_by_itself(kind: str, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(seconds: float) -> None:
        raise AssertionError(f"slept {seconds} s")

    with FaultServer(ENDINGS[ending].fault, to_questions=contract_of(kind).to_questions) as vendor:
        notifier = contract_of(kind).open(vendor.url, Network())
        monkeypatch.setattr(time, "sleep", fail)

        with pytest.raises(RetryableError):
            notifier.send(NOTIFICATION)


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_no_kind_obeys_a_proxy_of_the_environment(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    with FaultServer(answer(400), to_questions=contract_of(kind).to_questions) as vendor, pytest.raises(PermanentError):
        contract_of(kind).open(vendor.url, Network()).send(NOTIFICATION)

    assert len(vendor.requests) == 1


@pytest.mark.parametrize("status", [200, 400, 429, 500])
@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_no_kind_logs_what_it_should_not_show(kind: str, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    contract = contract_of(kind)

    with (
        FaultServer(answer(status, body="<html>", echo=True), to_questions=contract_of(kind).to_questions) as vendor,
        suppress(DeliveryError),
    ):
        contract.open(vendor.url, Network()).send(NOTIFICATION)

    assert len(vendor.requests) == 1
    assert not [secret for secret in contract.secrets if secret in caplog.text]


@pytest.mark.parametrize("kind", THROUGH_OUR_DOOR)
def test_what_a_vendors_package_sends_goes_through_our_door(kind: str) -> None:
    door = Door()

    with FaultServer(answer(400), to_questions=contract_of(kind).to_questions) as vendor, pytest.raises(PermanentError):
        contract_of(kind).open(vendor.url, door).send(NOTIFICATION)

    assert len(door.urls) == len(vendor.requests) == 1


@pytest.mark.parametrize("kind", THROUGH_OUR_DOOR)
def test_a_vendors_package_gets_no_answer_that_was_not_understood(kind: str) -> None:
    with (
        FaultServer(answer(200, body="x" * (MAX_BODY_BYTES + 100_000)), to_questions=contract_of(kind).to_questions) as vendor,
        pytest.raises(RetryableError, match="HTTP 200, but not the vendor's answer: xxx") as raised,
    ):
        contract_of(kind).open(vendor.url, Network()).send(NOTIFICATION)

    assert raised.value.ambiguous


@pytest.mark.parametrize("alert", HOSTILE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_alert_becomes_a_message_that_the_vendor_takes(kind: str, alert: str) -> None:
    contract = contract_of(kind)
    notification = make_notification(alert=HOSTILE[alert](), why=HOSTILE[alert]().title[:9000] or "-")

    rendered = contract.options.render(notification)

    assert contract.fault_of(rendered) is None
    rendered.encode()  # no half of a surrogate pair
    assert "\x00" not in rendered
    assert not set(rendered) & set("\u202e\u2067")
    assert len(rendered) < 100_000


@pytest.mark.parametrize("rule", NOTIFICATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_rule_of_the_guide_becomes_a_message_that_the_vendor_takes(kind: str, rule: str) -> None:
    contract = contract_of(kind)

    first = contract.options.render(NOTIFICATIONS[rule])
    again = contract.options.render(NOTIFICATIONS[rule])

    assert contract.fault_of(first) is None
    assert first == again
    assert not [secret for secret in contract.secrets if secret in first]


@pytest.mark.parametrize("kind", KINDS)
def test_options_show_no_secret_and_refuse_what_they_do_not_know(kind: str) -> None:
    contract = contract_of(kind)

    assert isinstance(contract.options, KINDS[kind])
    assert not [secret for secret in contract.secrets if secret in f"{contract.options!r}{contract.options!s}"]
    assert KINDS[kind].model_config["extra"] == "forbid"
    assert KINDS[kind].model_config["frozen"]


def test_threads_may_share_the_network() -> None:
    contract = contract_of("webhook")
    ended: list[str] = []

    def send(network: Network, url: str, notification: Notification) -> None:
        ended.append(contract.open(url, network).send(notification).excerpt)

    with FaultServer(answer(200, body="ok")) as vendor:
        network = Network()
        threads = [threading.Thread(target=send, args=(network, vendor.url, make_notification(id=number))) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert ended == ["ok"] * 20
    assert len(vendor.requests) == 20


def test_the_registry_loads_no_vendors_client() -> None:
    """Each costs 0.15 s and 20 MB, in every process that only wants to read rules.yaml."""
    clients = ("jira", "pdpyras", "requests", "slack_sdk")

    code = f"import sys, notifiers.registry; print([name for name in {clients} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own code

    assert loaded.stdout.strip() == "[]"


def assert_shows_no_secret(error: DeliveryError, contract: Contract) -> None:
    shown = f"{error!s}{error!r}{error.args}{vars(error)}"
    assert not [secret for secret in contract.secrets if secret in shown]
