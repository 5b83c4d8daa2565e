"""The door to the network: what it sends, what it refuses to do, and what each end of a request means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from notifiers.addresses import is_public, public_address
from notifiers.errors import DeliveryError, PermanentError, RetryableError
from notifiers.http import (
    DEFAULT_TIMEOUTS,
    MAX_BODY_BYTES,
    MAX_EXCERPT,
    Network,
    Timeouts,
    error_of,
    redact,
    retry_after,
    sealed,
    translate_requests_errors,
)
from tests.stand_ins.faults import FaultServer, answer, drip, drip_head, end_of_file, hang, refusing, reset
from tests.stand_ins.server import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

IMPATIENT = Timeouts(connect_seconds=3, read_seconds=0.5)
PATH = "/hook/a-secret-of-twenty-characters"
TOKEN = SecretStr("xoxb-a-token")


def say_yes(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "4")])
    return [b"\xffyes"]


class Send(Protocol):
    """One way to post something."""

    def __call__(self, url: str, timeouts: Timeouts = ...) -> None: ...


def by_urllib3(url: str, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
    headers = {"Authorization": TOKEN.get_secret_value()}
    Network(timeouts).post(url + PATH, body=b"{}", headers=headers, secrets=(TOKEN, SecretStr(url + PATH)))


def by_requests(url: str, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
    session = requests.Session()
    sealed(session)
    headers = {"Authorization": TOKEN.get_secret_value()}
    with session, translate_requests_errors(secrets=(TOKEN, SecretStr(url + PATH))):
        session.post(url + PATH, data=b"{}", headers=headers, timeout=timeouts).raise_for_status()


def test_a_request_goes_out_as_it_was_given_and_its_answer_comes_back() -> None:
    with Server(say_yes) as server:
        response = Network().post(f"{server.url}/a/b?c=d", body=b"\x00{}", headers={"X-Test": "1"})

    [request] = server.requests
    assert (request.method, request.path, request.query, request.body) == ("POST", "/a/b", "c=d", b"\x00{}")
    assert request.headers["x-test"] == "1"
    assert (response.status, response.body) == (200, "\N{REPLACEMENT CHARACTER}yes")


def test_a_question_goes_out_as_a_get() -> None:
    with Server(say_yes) as server:
        Network().get(f"{server.url}/a?b=c", headers={})

    assert [(request.method, request.query) for request in server.requests] == [("GET", "b=c")]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    with Server(say_yes) as server:
        by_urllib3(server.url)
        by_requests(server.url)

    assert len(server.requests) == 2


@pytest.mark.parametrize("send", [by_urllib3, by_requests], ids=["urllib3", "requests"])
@pytest.mark.parametrize(
    ("status", "kind", "ambiguous"),
    [
        (302, RetryableError, False),
        (307, RetryableError, False),
        (400, PermanentError, False),
        (401, PermanentError, False),
        (403, PermanentError, False),
        (404, PermanentError, False),
        (408, RetryableError, False),
        (410, PermanentError, False),
        (413, PermanentError, False),
        (425, RetryableError, False),
        (429, RetryableError, False),
        (500, RetryableError, True),
        (503, RetryableError, True),
        (599, RetryableError, True),
    ],
)
def test_a_status_means_the_same_by_either_client(send: Send, status: int, kind: type[DeliveryError], *, ambiguous: bool) -> None:
    headers = {"Location": "/elsewhere", "Retry-After": "7"}
    with FaultServer(answer(status, headers=headers, echo=True)) as vendor, pytest.raises(kind, match=f"HTTP {status}") as raised:
        send(vendor.url)

    assert raised.value.status_code == status
    assert getattr(raised.value, "ambiguous", False) is ambiguous
    assert len(vendor.requests) == 1
    assert "secret" not in str(raised.value)
    assert TOKEN.get_secret_value() not in str(raised.value)


@pytest.mark.parametrize("send", [by_urllib3, by_requests], ids=["urllib3", "requests"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [(hang, "no answer within the time limit"), (reset, "the connection broke"), (end_of_file, "the connection broke")],
    ids=["hang", "reset", "end-of-file"],
)
def test_where_no_answer_came_the_message_may_have_gone_out(send: Send, fault: Callable[..., None], said: str) -> None:
    with FaultServer(fault) as vendor, pytest.raises(RetryableError, match=said) as raised:
        send(vendor.url, IMPATIENT if fault is hang else DEFAULT_TIMEOUTS)

    assert raised.value.ambiguous
    assert len(vendor.requests) == 1
    assert "secret" not in f"{raised.value!r}{raised.value.args}"


@pytest.mark.parametrize("send", [by_urllib3, by_requests], ids=["urllib3", "requests"])
def test_where_no_connection_came_about_nothing_was_sent(send: Send) -> None:
    with refusing() as url, pytest.raises(RetryableError, match="no connection: Connection refused") as raised:
        send(url)

    assert not raised.value.ambiguous


@pytest.mark.parametrize("send", [by_urllib3, by_requests], ids=["urllib3", "requests"])
def test_a_name_that_nobody_knows_is_tried_again(send: Send) -> None:
    with pytest.raises(RetryableError, match="no connection: the host name could not be resolved") as raised:
        send("http://nobody.invalid")

    assert not raised.value.ambiguous


@pytest.mark.parametrize("send", [by_urllib3, by_requests], ids=["urllib3", "requests"])
@pytest.mark.parametrize("url", ["ftp://host", "http://[::1", "http://"])
def test_an_address_that_cannot_be_used_is_refused(send: Send, url: str) -> None:
    with pytest.raises(PermanentError, match="address"):
        send(url)


def test_a_header_that_http_does_not_allow_is_refused_without_being_shown() -> None:
    with Server(say_yes) as server, pytest.raises(PermanentError, match="holds a character that HTTP does not allow") as raised:
        Network().post(server.url, body=b"", headers={"Authorization": "Bearer secret\nwith a line break"})

    assert "secret" not in str(raised.value)


def test_json_that_is_none_may_come_from_something_in_front_of_the_vendor() -> None:
    with (
        FaultServer(answer(200, body="<html>")) as proxy,
        pytest.raises(RetryableError, match="not JSON") as raised,
        translate_requests_errors(),
    ):
        requests.post(proxy.url, timeout=5).json()

    assert raised.value.ambiguous


def test_an_answer_that_never_ends_is_left_when_its_time_is_up() -> None:
    with FaultServer(drip) as vendor:
        response = Network(IMPATIENT).post(vendor.url, body=b"", headers={})

    assert set(response.body) == {"x"}


def test_an_answer_that_never_begins_to_end_is_left_when_its_time_is_up() -> None:
    with FaultServer(drip_head) as vendor, pytest.raises(RetryableError, match="no answer within the time limit") as raised:
        Network(IMPATIENT).post(vendor.url, body=b"", headers={})

    assert raised.value.ambiguous


def test_of_a_huge_answer_only_the_beginning_is_read() -> None:
    with FaultServer(answer(400, body="x" * (MAX_BODY_BYTES + 100_000))) as vendor, pytest.raises(PermanentError) as raised:
        Network().post(vendor.url, body=b"", headers={})

    assert len(str(raised.value)) <= MAX_EXCERPT + len("HTTP 400 Bad Request: ")
    assert len(raised.value.answer) == MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "86400"}, 900),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 09:28:00 GMT"}, 0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "NaN"}, None),
        ({"Retry-After": "٣"}, None),
        ({}, None),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_vendors_wish_is_read_as_seconds_or_as_a_date_by_its_own_clock(headers: dict[str, str], wait: float | None) -> None:
    assert retry_after(headers) == (None if wait is None else timedelta(seconds=wait))


@given(st.text(), st.text())
def test_whatever_the_vendor_wishes_the_wait_is_bounded(wish: str, date: str) -> None:
    wait = retry_after({"Retry-After": wish, "Date": date})

    assert wait is None or timedelta() <= wait <= timedelta(minutes=15)


@given(st.integers(100, 999), st.text(max_size=2000))
def test_every_status_but_2xx_is_an_error_of_one_line(status: int, body: str) -> None:
    error = error_of(status, {}, body)

    assert (error is None) == (200 <= status < 300)
    assert len(str(error).splitlines()) == 1


@given(st.text(max_size=50), st.text(min_size=1, max_size=20), st.text(max_size=50))
def test_a_redacted_text_does_not_hold_the_secret(before: str, secret: str, after: str) -> None:
    shown = redact(before + secret + after, (SecretStr(secret),))

    assert secret not in shown.replace("***", "")


def test_of_a_secret_address_the_long_parts_are_redacted_wherever_they_stand() -> None:
    url = SecretStr("https://hooks.example/services/T0/aVeryLongSecretOfTheHook?token=anotherVeryLongSecret")

    shown = redact("no route for /services/T0/aVeryLongSecretOfTheHook with anotherVeryLongSecret", (url,))

    assert shown == "no route for /services/T0/*** with ***"


def test_the_address_that_was_checked_is_the_one_that_is_called_under_the_hosts_name() -> None:
    with Server(say_yes) as server:
        port = server.url.rpartition(":")[2]
        network = Network(address_of=lambda host, _port: {"hooks.example": "127.0.0.1"}[host])

        network.post_to_public(f"http://hooks.example:{port}/x", body=b"", headers={})

    [request] = server.requests
    assert request.headers["host"] == f"hooks.example:{port}"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address to be refused, nothing is bound
        ("224.0.0.1", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
    ],
)
def test_an_address_is_public_only_if_no_private_one_hides_in_it(address: str, *, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], []], ids=["private", "one-of-two", "none"])
def test_a_host_with_any_private_address_is_refused(found: list[str]) -> None:
    with pytest.raises(PermanentError, match="private address"):
        public_address("hooks.example", 443, resolve=lambda _host, _port: found)


def test_a_name_that_is_no_name_is_refused() -> None:
    with pytest.raises(PermanentError, match="host name cannot be used"):
        public_address("a" * 64 + ".example", 443)
