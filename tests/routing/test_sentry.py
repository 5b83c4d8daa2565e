"""The door for Sentry's webhooks: whose they are, what is known, and what never comes through."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.alert import Alert, Category, Json, Status
from routing.fingerprint import content_key, incident_key
from routing.sentry import UnreadableAlert, parse, verify_signature
from tests.factories import FIXTURES, NOW, SECRET, activity_alert_webhook, comment_webhook, event_alert_webhook, sign, wire

RESOURCES = (
    "event_alert",
    "error",
    "issue",
    "activity_alert",
    "metric_alert",
    "comment",
    "installation",
    "seer",
    "preprod_artifact",
    "legacy",
    "glitchtip",
    "unheard_of",
)
FIXTURE_NAMES = sorted(path.stem for path in FIXTURES.glob("*.json"))

ANY_TEXT = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(["\x00", "\ud800", "nan", "9" * 400, "-1", "2026-03-04"])
ANY_JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.sampled_from([10**30, -(10**4000)]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


def test_the_documented_digest_of_the_empty_body_is_right() -> None:
    digest = "cff7ccd625537ce1a726fd29f7fc4beca8a15c96b6c9ee9b9461e149f57d4e88"

    assert verify_signature(b"", [digest], ["test-client-secret"])


@pytest.mark.parametrize(
    "signatures",
    [
        pytest.param([sign(b"body")], id="as sent"),
        pytest.param([f"  {sign(b'body').upper()}\t"], id="upper case with blanks"),
        pytest.param([None, sign(b"body")], id="in the second header"),
        pytest.param(["0" * 64, sign(b"body")], id="beside a wrong one"),
        pytest.param([f"{'0' * 64}, {sign(b'body')}"], id="in a repeated header, joined by a comma"),
        pytest.param([sign(b"body", "old-secret")], id="by the secret that is being rotated out"),
    ],
)
def test_a_right_digest_is_accepted(signatures: list[str | None]) -> None:
    assert verify_signature(b"body", signatures, [SECRET, "old-secret"])


@pytest.mark.parametrize(
    ("signatures", "secrets"),
    [
        pytest.param([], [SECRET], id="no header"),
        pytest.param([None, "", " ", ","], [SECRET], id="empty headers"),
        pytest.param([sign(b"other body")], [SECRET], id="of another body"),
        pytest.param([sign(b"body", "other secret")], [SECRET], id="by another secret"),
        pytest.param([sign(b"body")[:-1]], [SECRET], id="cut"),
        pytest.param([f"sha256={sign(b'body')}"], [SECRET], id="with a prefix"),
        pytest.param(["é" * 64, "\udcff", "zz", "\x00"], [SECRET], id="no hexadecimal digits"),
        pytest.param([sign(b"body")], [], id="no secret known"),
        pytest.param([sign(b"body", "")], [""], id="an empty secret is none"),
    ],
)
def test_a_wrong_digest_is_refused(signatures: list[str | None], secrets: list[str]) -> None:
    assert not verify_signature(b"body", signatures, secrets)


@given(st.binary(), st.lists(st.none() | st.text(st.characters())), st.lists(st.text(st.characters())))
def test_no_header_makes_verification_raise(body: bytes, signatures: list[str | None], secrets: list[str]) -> None:
    assert verify_signature(body, signatures, secrets) is False


@given(st.binary(), st.lists(st.text(min_size=1), min_size=1), st.integers(min_value=0))
def test_every_secret_of_a_rotation_verifies(body: bytes, secrets: list[str], choice: int) -> None:
    signature = sign(body, secrets[choice % len(secrets)])

    assert verify_signature(body, [signature], secrets)


@pytest.mark.parametrize(
    ("resource", "action", "status", "category"),
    [
        ("issue", "merged", Status.UNCHANGED, Category.OTHER),
        ("event_alert", "resolved", Status.UNCHANGED, Category.OTHER),
        ("error", "updated", Status.UNCHANGED, Category.OTHER),
        ("metric_alert", "snoozed", Status.UNCHANGED, Category.OTHER),
        ("metric_alert", "open", Status.FIRING, Category.METRIC),
        ("comment", "pinned", Status.UNCHANGED, Category.OTHER),
        ("size_analysis", "completed", Status.UNCHANGED, Category.OTHER),
        ("Weather Report", "sunny", Status.UNCHANGED, Category.OTHER),
        ("", "", Status.UNCHANGED, Category.OTHER),
    ],
)
def test_what_is_not_known_is_read_and_changes_nothing(resource: str, action: str, status: Status, category: Category) -> None:
    body = wire({"action": action, "data": {"issue": {"title": "Odd", "project": {"slug": "shop"}}}})

    alert = parse(resource, body, NOW)

    assert (alert.action, alert.status, alert.category, bool(alert.title)) == (action, status, category, True)


def test_an_alert_whose_action_is_missing_still_fires() -> None:
    content = json.loads(event_alert_webhook().body)
    del content["action"]

    alert = parse("event_alert", wire(content), NOW)

    assert (alert.action, alert.status) == ("triggered", Status.FIRING)


@pytest.mark.parametrize(
    ("base_url", "organization", "link"),
    [
        ("https://sentry.acme.example/", "acme", "https://sentry.acme.example/organizations/acme/issues/5300000123/"),
        ("https://sentry.acme.example", None, None),
        (None, "acme", None),
    ],
)
def test_a_missing_link_is_built_where_the_settings_tell_how(base_url: str | None, organization: str | None, link: str | None) -> None:
    body = comment_webhook().body

    alert = parse("comment", body, NOW, base_url=base_url, organization=organization)

    assert (alert.link, alert.organization) == (link, None)


def test_the_organization_of_the_body_wins_in_a_built_link() -> None:
    webhook = activity_alert_webhook(web_url=None, permalink=None)

    alert = parse(webhook.resource, webhook.body, NOW, base_url="https://sentry.io", organization="other")

    assert alert.link == "https://sentry.io/organizations/acme/issues/5300000123/"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the body is unreadable: not JSON"),
        (b"payload=%7B%7D", "the body is unreadable: not JSON"),
        (b'{"action": "trig', "the body is unreadable: not JSON"),
        (b"\xff\xfe{\x00}\x00", "the body is unreadable: not JSON"),
        (b"[" * 100_000, "the body is unreadable: nested too deeply"),
        (b'{"a":' * 100_000, "the body is unreadable: nested too deeply"),
        (b"[]", "the body is JSON, but not an object"),
        (b"null", "the body is JSON, but not an object"),
        (b'"secret"', "the body is JSON, but not an object"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_object_is_refused_in_a_few_words(body: bytes, why: str) -> None:
    with pytest.raises(UnreadableAlert) as caught:
        parse("event_alert", body, NOW)

    assert str(caught.value) == why


@given(st.sampled_from(RESOURCES) | st.text(st.characters(codec=None)), st.binary())
def test_no_bytes_make_parsing_raise_anything_but_its_own_error(resource: str, body: bytes) -> None:
    said = _parsed(resource, body)

    _assert_is_sound(said)


@given(st.sampled_from(FIXTURE_NAMES), st.integers(min_value=0), st.integers(min_value=0, max_value=9), st.binary(max_size=9))
def test_broken_bytes_amid_a_webhook_are_mended_or_refused(name: str, start: int, length: int, wreck: bytes) -> None:
    whole = (FIXTURES / f"{name}.json").read_bytes()
    start %= len(whole)

    said = _parsed(name.partition(".")[0], whole[:start] + wreck + whole[start + length :])

    _assert_is_sound(said)


@given(st.sampled_from(RESOURCES), st.dictionaries(st.sampled_from(["action", "data", "installation", "actor", "event"]), ANY_JSON))
def test_any_json_object_becomes_a_sound_alert(resource: str, content: dict[str, Json]) -> None:
    alert = parse(resource, wire(content), NOW)

    _assert_is_sound(alert)


@given(st.data())
def test_a_webhook_with_parts_torn_out_becomes_a_sound_alert(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FIXTURE_NAMES))
    content = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    for _ in range(data.draw(st.integers(min_value=1, max_value=5))):
        holder, key = data.draw(st.sampled_from(list(_places(content))))
        if data.draw(st.booleans()):
            holder[key] = data.draw(ANY_JSON)
        else:
            del holder[key]

    alert = parse(name.partition(".")[0], wire(content), NOW, base_url="https://sentry.example", organization="acme")

    _assert_is_sound(alert)


def _places(value: Json) -> Iterator[tuple[dict[str, Json], str]]:
    """Every place in which a value could be replaced; an empty object offers one too."""
    if isinstance(value, dict):
        for key, part in list(value.items()) or [("", None)]:
            value.setdefault(key, part)
            yield value, key
            yield from _places(part)
    elif isinstance(value, list):
        for part in value:
            yield from _places(part)


def _parsed(resource: str, body: bytes) -> Alert | UnreadableAlert:
    try:
        return parse(resource, body, NOW)
    except UnreadableAlert as refusal:
        return refusal


def _assert_is_sound(alert: Alert | UnreadableAlert) -> None:
    if isinstance(alert, UnreadableAlert):
        assert str(alert).isascii()
        assert len(str(alert)) < 80
        return
    assert alert.title.strip()
    assert len(alert.title.splitlines()) == 1
    assert alert.occurred_at.tzinfo is not None
    assert not [text for text in _texts(alert) if re.search("[\x00\ud800-\udfff]", text)]
    assert alert.duration_ms is None or alert.duration_ms >= 0
    assert re.fullmatch(r"[!-~]{3,200}", incident_key(alert))
    assert re.fullmatch(r"[a-z_]{1,31}:[0-9a-f]{32}", content_key(alert) or "none:" + "0" * 32)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _texts(key)
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name))
