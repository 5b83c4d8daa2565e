"""What must not leave is found by its value or by its shape, and nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings import Settings
from telemetry.scrubbing import Scrubber

OWN = "wX7-own-secret-42"
SCRUBBER = Scrubber([OWN])

SHAPES = {
    "a password of an address": ("postgresql://router:hunter2@db:5432/x", "hunter2"),
    "a parameter": ("GET https://hooks.example.com/in?token=abc123&x=1", "abc123"),
    "a path that is a token": ("POST /webhooks/sentry/legacy/5dQ9zP/ failed", "5dQ9zP"),
    "Jira's path": ("/webhooks/jira/5dQ9zP", "5dQ9zP"),
    "the first admin's link": ("https://alerts.example.com/first-admin/0f1e2d3c", "0f1e2d3c"),
    "a Slack webhook": ("https://hooks.slack.com/services/T0/B0/XyZ", "XyZ"),
    "a Slack token": ("invalid: xoxb-" + "123456-abcdef", "123456-abcdef"),
    "a Sentry token": ("sntrys_" + "eyJpYXQiOjE3MDAwMDAwMDB9_abc", "eyJpYXQi"),
    "a JSON web token": ("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "c2ln"),
    "a bearer": ("Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
    "basic": ("said Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    "a named secret": ("routing_key=R0UT1NG", "R0UT1NG"),
    "a named one in JSON": ('{"password": "hunter2"}', "hunter2"),
    "a PagerDuty key": ("refused 0123456789abcdef0123456789abcdef", "0123456789abcdef"),
    "a private key": ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "MIIE"),
    "parameters of a statement": (
        "(x) y\n[SQL: INSERT INTO t\nVALUES (?)]\n[parameters: ('Ann',)]\n(Background on this error at: z)",
        "Ann",
    ),
    "the row that PostgreSQL refused": ("duplicate key\nDETAIL:  Key (name)=(Ann) already exists.", "Ann"),
}

PEOPLE = {
    "an e-mail address": ("no such user: ann.lee+x@mail.example.co.uk!", "ann.lee"),
    "a phone number": ("Twilio refused +49 170 1234567.", "1234567"),
    "one in American form": ("call (415) 555-2671", "555-2671"),
    "a card": ("paid by 4242 4242 4242 4242", "4242"),
    "a card in one piece": ("paid by 5555555555554444", "5555555555554444"),
}


@pytest.mark.parametrize(("text", "hidden"), (SHAPES | PEOPLE).values(), ids=(SHAPES | PEOPLE).keys())
def test_it_is_found_by_its_shape(text: str, hidden: str) -> None:
    assert hidden not in SCRUBBER.text(text)


@pytest.mark.parametrize(("text", "hidden"), PEOPLE.values(), ids=PEOPLE.keys())
def test_people_may_be_named_where_that_is_allowed(text: str, hidden: str) -> None:
    assert hidden in Scrubber(names_people=True).text(text)


@pytest.mark.parametrize(("text", "hidden"), SHAPES.values(), ids=SHAPES.keys())
def test_secrets_may_be_named_nowhere(text: str, hidden: str) -> None:
    assert hidden not in Scrubber(names_people=True).text(text)


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'currency'",
        "OperationalError: no such table: events",
        "HTTP 503 of slack.com after 5.02 s",
        "2026-11-27T10:00:00+00:00",
        "issue 4505001234567891 of project 4505001234567893",
        "duplicate of 10.0.0.7:5432",
        "notifiers.slack:118",
        "Fehler: Zeitüberschreitung",
        "told 10:00, cooldown ends 10:30",
        "web-7c9f4d-x2x9-12345-0a1b2c3d",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert SCRUBBER.text(text) == text


@given(st.text(), st.text())
def test_a_secret_of_the_settings_is_found_wherever_it_stands(before: str, after: str) -> None:
    assert OWN not in SCRUBBER.text(before + OWN + after)


@given(
    st.recursive(st.text() | st.none() | st.integers() | st.just(OWN), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_and_however_deep(value: object) -> None:
    assert OWN not in str(SCRUBBER.tree({"a": value}).values())  # type: ignore[attr-defined]


def test_what_stands_under_the_name_of_a_secret_is_one() -> None:
    told = SCRUBBER.tree({"Authorization": "x", "set-cookie": "y", "smtp_password": "z", "user": "7", "trace_id": "0" * 31 + "a"})

    assert told == {
        "Authorization": "[secret]",
        "set-cookie": "[secret]",
        "smtp_password": "[secret]",
        "user": "7",
        "trace_id": "0" * 31 + "a",
    }


def test_the_settings_know_their_secrets_and_those_in_their_addresses() -> None:
    settings = Settings.from_variables(
        {
            "SENTRY_CLIENT_SECRETS": "first-secret,second-secret",
            "DATABASE_URL": "postgresql://router:db%40pass@db/x",
            "REDIS_URL": "redis://:redis-pass@redis:6379/0",
            "SMTP_URL": "smtp://router:mail-pass@mail:587",
            "SENTRY_DSN": "https://0a1b2c3d@sentry.example.com/7",
            "PAGERDUTY_CRITICAL_KEY": "routing-key",
            "PATH": "/usr/bin:/bin",
            "LEGACY_WEBHOOK_TOKEN": "short",
        }
    )

    assert {"first-secret", "second-secret", "db%40pass", "db@pass", "redis-pass", "mail-pass", "routing-key"} <= settings.secrets
    assert not {"/usr/bin:/bin", "short"} & settings.secrets
    assert settings.own_project == "7"


@pytest.mark.parametrize(("address", "network"), [("203.0.113.77", "203.0.113.0"), ("2001:db8:1:2::7", "2001:db8:1::"), ("nonsense", "")])
def test_of_a_client_only_the_network_is_told(address: str, network: str) -> None:
    assert SCRUBBER.address(address) == network
    assert Scrubber(names_people=True).address(address) == address
