"""The receiver: what it takes, what it refuses, what it keeps."""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from app import create_app, serve
from settings import Settings, SettingsError
from storage.database import open_database, upgrade
from storage.refusals import counted
from tests.factories import SECRET, Webhook, event_alert_webhook, sign, signed
from tests.service import Service, environment
from tests.storage.test_refusals import eventually

NEW_SECRET = "the-secret-after-rotation"
TOKEN = "0123456789abcdef"
NO_REDIS = "redis://127.0.0.1:1/0"


def make_settings(database_url: str, **changes: str) -> Settings:
    variables = {
        "SENTRY_CLIENT_SECRETS": f"{SECRET},{NEW_SECRET}",
        "LEGACY_WEBHOOK_TOKEN": TOKEN,
        "DATABASE_URL": database_url,
        "REDIS_URL": NO_REDIS,
        **changes,
    }
    return Settings.from_variables(variables)


@pytest.fixture
def client(sqlite_url: str) -> FlaskClient:
    return create_app(make_settings(sqlite_url)).test_client()


@pytest.fixture
def stored(sqlite_url: str) -> Iterator[Engine]:
    engine = open_database(sqlite_url)
    yield engine
    engine.dispose()


def post(client: FlaskClient, webhook: Webhook, **headers: str) -> TestResponse:
    return client.post("/webhooks/sentry", data=webhook.body, headers={**webhook.headers, **headers})


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        counted: int = connection.execute(text("SELECT count(*) FROM events")).scalar_one()
        return counted


def test_a_signed_webhook_is_kept_and_answered_with_its_number(client: FlaskClient, stored: Engine) -> None:
    answer = post(client, event_alert_webhook())

    assert (answer.status_code, answer.json) == (202, {"event": 1})
    assert count(stored) == 1


def test_the_same_bytes_twice_are_one_event(client: FlaskClient, stored: Engine) -> None:
    webhook = event_alert_webhook()

    first, second = post(client, webhook), post(client, webhook)

    assert (second.status_code, second.json) == (202, first.json)
    assert count(stored) == 1


@pytest.mark.parametrize("secret", [SECRET, NEW_SECRET])
def test_either_secret_is_taken_while_one_replaces_the_other(client: FlaskClient, secret: str) -> None:
    answer = post(client, signed("issue", b"{}", secret))

    assert answer.status_code == 202


def test_the_digest_may_come_in_the_header_of_ui_components(client: FlaskClient) -> None:
    answer = client.post("/webhooks/sentry", data=b"{}", headers={"Sentry-App-Signature": sign(b"{}")})

    assert answer.status_code == 202


BAD_SIGNATURES: Mapping[str, Mapping[str, str]] = {
    "none": {},
    "empty": {"Sentry-Hook-Signature": ""},
    "blank": {"Sentry-Hook-Signature": "   "},
    "of other bytes": {"Sentry-Hook-Signature": sign(b"[]")},
    "of another secret": {"Sentry-Hook-Signature": sign(b"{}", "wrong")},
    "not hex": {"Sentry-Hook-Signature": "z" * 64},
    "too short": {"Sentry-Hook-Signature": sign(b"{}")[:63]},
    "not ASCII": {"Sentry-Hook-Signature": "é" * 64},
    "with a prefix": {"Sentry-Hook-Signature": "sha256=" + sign(b"{}")},
    "very long": {"Sentry-Hook-Signature": "a" * 20_000},
}


@pytest.mark.parametrize("headers", BAD_SIGNATURES.values(), ids=BAD_SIGNATURES)
def test_a_wrong_signature_is_refused_and_nothing_is_kept(client: FlaskClient, stored: Engine, headers: Mapping[str, str]) -> None:
    answer = client.post("/webhooks/sentry", data=b"{}", headers=headers)

    assert answer.status_code == 401
    assert "SENTRY_CLIENT_SECRETS" in answer.text
    assert count(stored) == 0


def test_a_signed_body_is_never_refused_for_its_content(client: FlaskClient, stored: Engine) -> None:
    bodies = (b"", b"no json", b"\xff\xfe\x00", b"[" * 100_000, b'{"action": null}')

    answers = [post(client, signed("never-heard-of", body)) for body in bodies]

    assert [answer.status_code for answer in answers] == [202] * len(bodies)
    assert count(stored) == len(bodies)


@pytest.mark.parametrize(("size", "status"), [(1000, 202), (1001, 413)])
def test_a_body_over_the_limit_is_refused(sqlite_url: str, stored: Engine, size: int, status: int) -> None:
    client = create_app(make_settings(sqlite_url, MAX_BODY_BYTES="1000")).test_client()

    answer = post(client, signed("issue", b"x" * size))

    assert answer.status_code == status
    assert count(stored) == (1 if status == 202 else 0)


def test_a_wrong_method_is_refused(client: FlaskClient) -> None:
    assert client.get("/webhooks/sentry").status_code == 405


@pytest.mark.parametrize(("size", "status"), [(999, 202), (1001, 413), (100_000, 413)])
def test_a_body_that_does_not_say_how_long_it_is_is_held_to_the_limit_too(sqlite_url: str, stored: Engine, size: int, status: int) -> None:
    client = create_app(make_settings(sqlite_url, MAX_BODY_BYTES="1000")).test_client()
    webhook = signed("issue", b"x" * size)

    answer = client.post(
        "/webhooks/sentry",
        input_stream=io.BytesIO(webhook.body),
        headers={**webhook.headers, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.status_code == status
    assert count(stored) == (1 if status == 202 else 0)


def test_a_body_that_is_cut_off_is_not_kept_even_if_the_signature_fits_what_came(client: FlaskClient, stored: Engine) -> None:
    webhook = signed("issue", b"{}")

    answer = client.post("/webhooks/sentry", data=webhook.body, headers=webhook.headers, environ_overrides={"CONTENT_LENGTH": "1000"})

    assert answer.status_code == 400
    assert count(stored) == 0


@pytest.mark.parametrize(
    ("method", "path", "counted_as"),
    [
        ("POST", "/webhooks/sentry", ("sentry", 401)),
        ("GET", "/webhooks/sentry", ("sentry", 405)),
        ("POST", "/webhooks/sentry/", ("sentry", 404)),
        ("POST", "/webhooks/sentry/legacy/wrong", ("legacy", 404)),
        ("POST", "/webhooks/glitchtip/wrong", ("glitchtip", 404)),
        ("GET", "/wp-login.php", ("other", 404)),
        ("POST", "/webhooks/sentryish", ("other", 404)),
    ],
)
def test_of_what_is_refused_only_the_count_is_kept(
    client: FlaskClient, stored: Engine, method: str, path: str, counted_as: tuple[str, int]
) -> None:
    client.open(path, method=method, data=b"{}")

    eventually(lambda: [(path, status, count) for (_, path, status), count in counted(stored, limit=10)] == [(*counted_as, 1)])
    assert count(stored) == 0


def test_a_refusal_needs_no_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/no-tables.db"
    client = create_app(make_settings(url)).test_client()

    answers = [client.post("/webhooks/sentry", data=b"{}") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [401] * 3
    # Or the counter would go on to complain, each second, to the tests that come after this one.
    upgrade(open_database(url))
    eventually(lambda: [count for _, count in counted(open_database(url), limit=10)] == [3])


@pytest.fixture
def web(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    """The real web server, with a limit of a thousand bytes."""
    with Service(environment=environment(sqlite_url, NO_REDIS, MAX_BODY_BYTES="1000"), folder=tmp_path) as service:
        service.start_web()
        yield service


def test_the_web_server_holds_a_chunked_body_to_the_limit(web: Service) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web.port)
    webhooks = [signed("issue", b"x" * size) for size in (999, 1001, 10_000)]

    statuses = []
    for webhook in webhooks:
        connection.request("POST", "/webhooks/sentry", body=iter([webhook.body]), headers=webhook.headers, encode_chunked=True)
        with connection.getresponse() as answer:
            statuses.append(answer.status)
            answer.read()
        connection.close()

    assert statuses == [202, 413, 413]
    assert web.event_count() == 1


def test_the_web_server_keeps_nothing_of_a_body_that_is_cut_off(web: Service) -> None:
    webhook = signed("issue", b"{}")
    head = "".join(f"{name}: {value}\r\n" for name, value in webhook.headers.items())

    with socket.create_connection(("127.0.0.1", web.port)) as connection:
        connection.sendall(f"POST /webhooks/sentry HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n{head}\r\n".encode() + webhook.body)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(20)
        answer = connection.recv(1000)

    assert not answer.startswith((b"HTTP/1.1 202", b"HTTP/1.1 5"))
    assert web.post(webhook)[0] == 202
    assert web.event_count() == 1
    assert "Traceback" not in web.log("web")


@pytest.mark.parametrize("path", ["/webhooks/sentry/legacy/", "/webhooks/glitchtip/"])
class TestUnsignedWebhooks:
    def test_the_token_in_the_path_lets_in(self, client: FlaskClient, path: str) -> None:
        assert client.post(path + TOKEN, data=b"{}").status_code == 202

    @pytest.mark.parametrize("token", ["wrong", TOKEN[:-1], TOKEN + "0", "%C3%A9", "%ED%A0%80"])
    def test_another_token_finds_nothing(self, client: FlaskClient, stored: Engine, path: str, token: str) -> None:
        assert client.post(path + token, data=b"{}").status_code == 404
        assert count(stored) == 0

    def test_without_a_token_set_the_path_does_not_exist(self, sqlite_url: str, path: str) -> None:
        client = create_app(make_settings(sqlite_url, LEGACY_WEBHOOK_TOKEN="")).test_client()

        assert client.post(path + TOKEN, data=b"{}").status_code == 404


def test_what_cannot_be_stored_is_answered_503_so_that_nobody_believes_it_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty") / "no-tables.db"
    client = create_app(make_settings(f"sqlite:///{empty}")).test_client()

    answer = post(client, event_alert_webhook())

    assert answer.status_code == 503
    assert "send it again" in answer.text


def test_with_a_spool_what_cannot_be_stored_now_is_kept_and_stored_later(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'later.db'}"
    client = create_app(make_settings(url, SPOOL_DIR=str(tmp_path / "spool"))).test_client()

    answers = [post(client, event_alert_webhook(event_id=f"{number:032x}")) for number in range(3)]
    engine = open_database(url)
    upgrade(engine)

    assert [(answer.status_code, answer.json) for answer in answers] == [(202, {"event": None})] * 3
    eventually(lambda: count(engine) == 3)
    eventually(lambda: post(client, event_alert_webhook(event_id=f"{9:032x}")).json == {"event": 4})


def test_a_spool_in_which_no_file_can_be_made_stops_the_start(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_way = tmp_path / "spool"
    in_the_way.write_text("")
    for name, value in {"ALLOW_UNSIGNED": "true", "DATABASE_URL": sqlite_url, "SPOOL_DIR": str(in_the_way)}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit, match="SPOOL_DIR: no file can be made in"):
        serve()


@pytest.mark.parametrize("resource", ["router:silence", "Router:Silence", ":router:silence"])
def test_no_webhook_can_pose_as_an_event_of_our_own(client: FlaskClient, stored: Engine, resource: str) -> None:
    """The signature covers the body, not the header that names the resource."""
    webhook = signed(resource, b'{"silence": 1}')

    assert post(client, webhook).status_code == 202

    with stored.connect() as connection:
        assert ":" not in connection.execute(text("SELECT resource FROM events")).scalar_one()


def test_unsigned_webhooks_are_taken_only_where_that_is_allowed(sqlite_url: str) -> None:
    client = create_app(make_settings(sqlite_url, SENTRY_CLIENT_SECRETS="", ALLOW_UNSIGNED="true")).test_client()

    assert client.post("/webhooks/sentry", data=b"{}").status_code == 202


def test_without_a_secret_the_start_fails() -> None:
    with pytest.raises(SettingsError, match="SENTRY_CLIENT_SECRETS: missing; copy the Client Secret"):
        make_settings("", SENTRY_CLIENT_SECRETS="")


def test_production_refuses_unsigned_webhooks() -> None:
    with pytest.raises(SettingsError, match="ALLOW_UNSIGNED: refused in production"):
        make_settings("", ALLOW_UNSIGNED="true", SENTRY_ENVIRONMENT="production")
