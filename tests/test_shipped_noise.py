"""The noise that the shipped rules.yaml ignores, and what looks like it and is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifiers.registry import KINDS
from routing import sentry
from routing.alert import Json
from routing.asking import facts_of, noise
from routing.history import History
from routing.rules_loading import load
from tests.factories import NOW, event_alert_webhook

SHIPPED = load((Path(__file__).parents[1] / "rules.yaml").read_text(encoding="utf-8"), kinds=KINDS, environment={})


def ignored_by(**event: Json) -> str | None:
    """The entry of `ignore` that an alert with such an event meets."""
    webhook = event_alert_webhook(**{"tags": [["level", "error"]], **event})
    alert = sentry.parse(webhook.resource, webhook.body, NOW)
    found = noise(facts_of(alert, History(), NOW), SHIPPED)
    return found[0].name if found else None


def raised(type_: str, filename: str = "shop/cart.py") -> Json:
    return {"values": [{"type": type_, "value": "-", "stacktrace": {"frames": [{"filename": filename}]}}]}


def status(code: str, url: str) -> dict[str, Json]:
    return {"tags": [["http.status_code", code], ["url", url]], "request": {"url": url}}


@pytest.mark.parametrize(
    ("event", "entry"),
    [
        pytest.param(status("404", "https://shop.example/static/app.js"), "missing-assets", id="missing script"),
        pytest.param(status("404", "https://shop.example/favicon.ico"), "missing-assets", id="missing icon"),
        pytest.param(status("404", "https://shop.example/api/users/7"), None, id="missing user"),
        pytest.param(status("500", "https://shop.example/static/app.js"), None, id="broken script"),
        pytest.param({"exception": raised("TypeError", "chrome-extension://abc/x.js")}, "browser-extensions", id="extension"),
        pytest.param({"exception": raised("TypeError", "https://shop.example/x.js")}, None, id="our own script"),
        pytest.param({"exception": raised("RateLimitError")}, "rate-limits", id="rate limit"),
        pytest.param(status("429", "https://shop.example/api"), "rate-limits", id="status 429"),
        pytest.param({"exception": raised("ReadTimeout")}, "network-timeouts", id="time-out"),
        pytest.param({"exception": raised("ReadTimeout"), "tags": [["critical", "true"]]}, None, id="critical time-out"),
        pytest.param({"exception": raised("ReadTimeout"), "level": "fatal"}, None, id="fatal time-out"),
        pytest.param({"exception": raised("PaymentError")}, None, id="any error"),
    ],
)
def test_the_noise_of_the_guide_is_ignored(event: dict[str, Json], entry: str | None) -> None:
    assert ignored_by(**event) == entry
