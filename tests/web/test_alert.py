"""The page of one alert, and what can be done from it."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, select, update

from routing.alert import Json
from routing.notification import Reason, State
from routing.sentry_details import SourceFrame
from storage import audit, inspection, rules_versions
from storage.tables import events, notifications
from storage.users import Role
from tests.factories import Webhook, event_alert_webhook, issue_webhook, metric_alert_webhook, signed, transaction_webhook
from tests.storage.planned import RULES, make_rules, plan_all, prune_bodies, store
from tests.web.console import Browser, make_app, signed_in
from web.pages.alert import runs

SLACK = RULES.replace("kind: preview", 'kind: slack, channel: "#a"')


@pytest.fixture
def operator(sqlite_url: str) -> Browser:
    """Somebody who may do all that is done here, and need not sign in."""
    return Browser(make_app(sqlite_url, CONSOLE_OPEN_ON_LOOPBACK="true"))


def decided(engine: Engine, webhook: Webhook | None = None) -> int:
    now = datetime.now(UTC)
    number = store(engine, webhook, at=now)
    plan_all(engine, at=now)
    return number


def text_of(browser: Browser, path: str) -> str:
    return browser.get(path).get_data(as_text=True)


def test_it_shows_what_the_alert_says(stored: Engine, operator: Browser) -> None:
    text = text_of(operator, f"/alerts/{decided(stored)}")

    shown = ("shop-api@4.2.0", "PaymentError", "caused by", "TimeoutError", "raise PaymentError(order) from error", "buyer@example.com")
    assert [one for one in (*shown, "payment.provider", "POST", "Content-Type", "trace_id") if one not in text] == []
    assert 'href="https://acme.sentry.io/issues/5300000123/events/3f1b6c0a9d5e4c72b8a1e0f4d2c6b890/"' in text
    assert 'href="https://sentry.io/organizations/acme/releases/shop-api%404.2.0/"' in text


def test_it_says_what_each_rule_said_and_who_was_told(stored: Engine, operator: Browser) -> None:
    number = decided(stored, event_alert_webhook(tags=[]))

    text = text_of(operator, f"/alerts/{number}")

    assert "tags.critical is absent" in text
    assert "not met" in text
    assert "text has &#34;payment&#34;" in text
    assert "chat" in text


@pytest.mark.parametrize("webhook", [metric_alert_webhook(), issue_webhook("resolved"), transaction_webhook(), signed("nonsense", b"{}")])
def test_alerts_of_every_kind_have_a_page_and_a_rehearsal(stored: Engine, operator: Browser, webhook: Webhook) -> None:
    number = decided(stored, webhook)
    rules_versions.remember(stored, make_rules().version, {"": RULES}, datetime.now(UTC))

    assert operator.get(f"/alerts/{number}").status_code == 200
    assert operator.get(f"/alerts/{number}/rehearsal").status_code == 200


def test_what_cannot_be_read_shows_its_bytes(stored: Engine, operator: Browser) -> None:
    number = decided(stored, signed("event_alert", b"\x00\xff<b>no json" + b"x" * 300_000))

    text = text_of(operator, f"/alerts/{number}")

    assert "not JSON" in text
    assert r"\x00\xff&lt;b&gt;no json" in text
    assert "Only the beginning is shown" in text
    assert len(text) < 250_000


def test_there_is_no_page_of_what_never_came(operator: Browser) -> None:
    assert operator.get("/alerts/12345").status_code == 404
    assert operator.get(f"/alerts/{'9' * 30}").status_code == 404


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "//evil.example", "ftp://x/", "http:///x"]
)
def test_only_addresses_of_pages_are_links(stored: Engine, operator: Browser, address: str) -> None:
    text = text_of(operator, f"/alerts/{decided(stored, event_alert_webhook(web_url=address))}")

    assert f'href="{address}' not in text


def test_calls_of_libraries_are_folded_unless_there_are_no_others() -> None:
    ours, other = (
        SourceFrame(file="a", module="", function="", line_number=1, is_in_app=is_in_app, lines=(), variables=())
        for is_in_app in (True, False)
    )

    assert [(one.is_open, len(one.frames)) for one in runs([ours, other, other, ours])] == [(True, 1), (False, 2), (True, 1)]
    assert [(one.is_open, len(one.frames)) for one in runs([other, other])] == [(True, 2)]


class TestPersonalData:
    def test_who_may_not_see_it_sees_that_there_is_some(self, sqlite_url: str, stored: Engine) -> None:
        crumbs: Json = {"values": [{"message": "paid by Ann", "category": "ui", "data": {"card": "4111"}}]}
        number = decided(stored, event_alert_webhook(breadcrumbs=crumbs, extra={"note": "Ann's"}, contexts={"buyer": {"name": "Ann"}}))

        text = text_of(signed_in(sqlite_url, Role.VIEWER), f"/alerts/{number}")

        hidden = (
            "buyer@example.com",
            "203.0.113.7",
            "8812",
            "paid by Ann",
            "4111",
            "Ann",
            "https://shop.example",
            "read timed out",
            "text has",
        )
        assert [one for one in hidden if one in text] == []
        assert "•••" in text
        assert "buyer" in text

    @pytest.mark.parametrize("key", ["tags[customer_email]", "customer_email", "stack.vars.card"])
    def test_no_rule_tells_of_it(self, sqlite_url: str, stored: Engine, key: str) -> None:
        frames: Json = {"values": [{"type": "E", "stacktrace": {"frames": [{"function": "pay", "vars": {"card": "4111"}}]}}]}
        number = store(stored, event_alert_webhook(tags=[["customer_email", "4111"]], exception=frames))
        rules = f"version: 1\nreceivers: {{log: {{kind: preview}}}}\nrules: [{{name: a, when: '{key}:4*', notify: [log]}}]"
        plan_all(stored, make_rules(rules))

        assert "4111" not in text_of(signed_in(sqlite_url, Role.VIEWER), f"/alerts/{number}")

    def test_settings_say_who_may(self, sqlite_url: str, stored: Engine) -> None:
        number = decided(stored)

        text = text_of(signed_in(sqlite_url, Role.VIEWER, PERSONAL_DATA_FOR="viewer"), f"/alerts/{number}")

        assert "buyer@example.com" in text


class TestSendAgain:
    def test_a_dead_one_waits_to_be_sent_and_that_is_noted(self, stored: Engine, operator: Browser) -> None:
        number = decided(stored)
        one = inspection.listed(stored, event_id=number)[0]
        with stored.begin() as connection:
            connection.execute(update(notifications).where(notifications.c.id == one.id).values(state=State.DEAD))
        assert "Send again" in text_of(operator, f"/alerts/{number}")

        answer = operator.post(f"/alerts/{number}/notifications/{one.id}/again")

        assert answer.status_code == 303
        assert inspection.listed(stored, id=one.id)[0].state is State.PLANNED
        assert audit.listed(stored)[0].action == "notification.requeue"

    def test_nothing_else_is_sent(self, stored: Engine, operator: Browser) -> None:
        first, second = decided(stored), decided(stored, event_alert_webhook(issue_id="7", event_id="b" * 32))
        one = inspection.listed(stored, event_id=first)[0]
        with stored.begin() as connection:
            connection.execute(update(notifications).where(notifications.c.id == one.id).values(state=State.HELD, reason=Reason.COOLDOWN))

        for path in (f"/alerts/{first}/notifications/{one.id}/again", f"/alerts/{second}/notifications/{one.id}/again"):
            operator.post(path)

        assert inspection.listed(stored, id=one.id)[0].state is State.HELD
        assert "It was not sent again" in text_of(operator, "/alerts")
        assert audit.listed(stored) == ()


class TestItsIncident:
    @pytest.mark.parametrize(("change", "becomes"), [("acknowledge", "acknowledged"), ("resolve", "resolved")])
    def test_it_is_changed_by_an_event_of_our_own(self, stored: Engine, operator: Browser, change: str, becomes: str) -> None:
        number = decided(stored)

        assert operator.post(f"/alerts/{number}/incident", change=change).status_code == 303
        plan_all(stored, at=datetime.now(UTC))

        assert becomes in text_of(operator, f"/alerts/{number}")
        assert [one.action for one in audit.listed(stored)] == [f"incident.{change}"]

    def test_what_is_over_is_left(self, stored: Engine, operator: Browser) -> None:
        number = decided(stored)
        operator.post(f"/alerts/{number}/incident", change="resolve")
        plan_all(stored, at=datetime.now(UTC))

        operator.post(f"/alerts/{number}/incident", change="acknowledge")

        text = text_of(operator, f"/alerts/{number}")
        assert "does not fire" in text
        assert 'value="acknowledge"' not in text

    def test_nothing_else_can_be_asked_for(self, stored: Engine, operator: Browser) -> None:
        assert operator.post(f"/alerts/{decided(stored)}/incident", change="delete").status_code == 400


def test_a_silence_of_alerts_like_it_is_prepared(stored: Engine, operator: Browser) -> None:
    text = text_of(operator, f"/alerts/{decided(stored)}")

    assert f'href="/silences/new?matcher={quote("project:shop-api issue.id:5300000123", safe="").replace("%20", "+")}"' in text


class TestRehearsal:
    def test_it_compares_what_rules_said_with_what_they_say_by_now(self, stored: Engine, operator: Browser) -> None:
        number = decided(stored)
        today = SLACK.replace("tags.critical:true", "level:fatal").replace("payment,", "money,")
        rules_versions.remember(stored, "a" * 12, {"": today}, datetime.now(UTC))

        text = text_of(operator, f"/alerts/{number}/rehearsal")

        assert "level is &#34;error&#34;, wanted &#34;fatal&#34;" in text
        assert "not asked any more" in text
        assert "table-warning" in text

    def test_it_changes_nothing(self, stored: Engine, operator: Browser) -> None:
        number = decided(stored)
        rules_versions.remember(stored, make_rules().version, {"": SLACK}, datetime.now(UTC))
        before = _everything(stored)

        operator.get(f"/alerts/{number}/rehearsal")

        assert _everything(stored) == before

    def test_without_rules_it_says_so(self, stored: Engine, operator: Browser) -> None:
        assert "start one" in text_of(operator, f"/alerts/{decided(stored)}/rehearsal")


def _everything(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        return [*connection.execute(select(events)).all(), *connection.execute(select(notifications)).all()]


def test_of_a_pruned_alert_it_shows_what_was_decided_and_says_when_the_rest_went(stored: Engine, operator: Browser) -> None:
    number = store(stored)
    plan_all(stored)
    prune_bodies(stored)

    text, rehearsal = text_of(operator, f"/alerts/{number}"), text_of(operator, f"/alerts/{number}/rehearsal")

    assert "What it said was pruned at" in text
    assert "2026-05-03 10:15:32" in text
    assert "tags.critical" in text
    assert "The webhook as it came" not in text
    assert "the body was pruned at 2026-05-03 10:15:32 UTC" in rehearsal
