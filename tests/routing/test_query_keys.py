"""Each key that the language promises, asked of webhooks as Sentry sends them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from routing.alert import Alert, Json
from routing.query import Context, parse
from routing.sentry import parse as parse_webhook
from tests.factories import (
    NOW,
    Webhook,
    event_alert_webhook,
    fixture,
    issue_webhook,
    make_alert,
    metric_alert_webhook,
    transaction_webhook,
)

_CONTEXTS: Json = {
    "os": {"type": "os", "name": "Android", "version": "14", "rooted": False},
    "device": {"type": "device", "family": "Pixel", "arch": "arm64-v8a", "memory_size": 8_000_000},
    "response": {"status_code": 502, "body_size": 2048},
    "shop": {"cart": {"items": 3}},
}
_FRAME: Json = {
    "filename": "shop/payments.py",
    "abs_path": "/srv/shop/payments.py",
    "module": "shop.payments",
    "function": "charge",
    "lineno": 88,
    "colno": 7,
    "in_app": True,
    "package": "shop.so",
}
_RAISED: Json = {
    "type": "PaymentError",
    "value": "yookassa did not answer",
    "mechanism": {"type": "flask", "handled": False},
    "stacktrace": {"frames": [_FRAME]},
}


def _read(webhook: Webhook) -> Alert:
    return parse_webhook(webhook.resource, webhook.body, NOW)


EVENT = _read(
    event_alert_webhook(
        "Errors in production",
        message="card 4242 declined",
        release="shop-api@4.2.1-rc.1+77",
        contexts=_CONTEXTS,
        exception={"values": [_RAISED]},
        threads={"values": [{"id": 1, "main": True, "crashed": True}, {"id": 2, "main": False}]},
        user={"id": 123, "email": "kim@shop.example", "username": "kim", "ip_address": "203.0.113.9", "geo": {"country_code": "DE"}},
        request={"url": "https://shop.example/pay", "method": "POST", "headers": [["Referer", "https://shop.example/cart"]]},
        tags=[["release", "shop-api@4.2.1-rc.1+77"], ["environment", "production"], ["release.stage", "adopted"], ["critical", "true"]],
        measurements={"duration": {"value": 5001, "unit": "millisecond"}, "lcp": {"value": 2.5, "unit": "second"}},
        extra={"order": {"total": 990, "lines": [{"sku": "tea"}, {"sku": "cup"}]}, "card-token": "x"},
    )
)
SLOW = _read(transaction_webhook(occurrence={"type": 1001, "initialIssuePriority": 25}))
ISSUE = _read(issue_webhook("unresolved", assignedTo={"type": "team", "id": "7", "name": "payments"}))
METRIC = _read(metric_alert_webhook())
LATER = Context(now=NOW + timedelta(hours=3))


@pytest.mark.parametrize(
    ("alert", "met", "unmet"),
    [
        pytest.param(EVENT, "message:declined", "message:accepted", id="message"),
        pytest.param(EVENT, "title:PaymentError*", "title:PaymentError", id="title"),
        pytest.param(EVENT, "level:error", "level:fatal", id="level"),
        pytest.param(EVENT, "environment:prod*", "environment:staging", id="environment"),
        pytest.param(EVENT, "release:shop-api@*", "release:latest", id="release"),
        pytest.param(EVENT, "release.version:>4.2.0", "release.version:>=4.2.1", id="release.version"),
        pytest.param(EVENT, "release.build:77", "release.build:>77", id="release.build"),
        pytest.param(EVENT, "release.package:shop-api", "release.package:shop", id="release.package"),
        pytest.param(EVENT, "release.stage:adopted", "release.stage:replaced", id="release.stage"),
        pytest.param(EVENT, "platform:python", "platform:[javascript, node]", id="platform"),
        pytest.param(EVENT, "project:shop-api", "project:shop", id="project"),
        pytest.param(ISSUE, 'project:"Shop API" project:shop-api', "project:5", id="project by name"),
        pytest.param(EVENT, "transaction:/api/*", "transaction:/api", id="transaction"),
        pytest.param(SLOW, "transaction.duration:>5s", "transaction.duration:>8400ms", id="transaction.duration"),
        pytest.param(EVENT, "user.id:123", "user.id:12", id="user.id"),
        pytest.param(EVENT, "user:id:123 user.email:*@shop.example", "user:id:1", id="user"),
        pytest.param(EVENT, "user.username:kim user.ip:203.0.113.9", "user.username:k", id="user.username, user.ip"),
        pytest.param(EVENT, "user.display:kim@shop.example", "user.display:kim", id="user.display"),
        pytest.param(EVENT, "error.type:PaymentError", "error.type:Payment", id="error.type"),
        pytest.param(EVENT, "error.value:*yookassa*", "error.value:yookassa", id="error.value"),
        pytest.param(EVENT, "error.handled:false", "error.handled:true", id="error.handled"),
        pytest.param(EVENT, "error.unhandled:1", "error.unhandled:0", id="error.unhandled"),
        pytest.param(EVENT, "error.mechanism:flask", "error.mechanism:onerror", id="error.mechanism"),
        pytest.param(EVENT, "error.main_thread:true", "error.main_thread:false", id="error.main_thread"),
        pytest.param(EVENT, "stack.filename:*payments.py", "stack.filename:payments.py", id="stack.filename"),
        pytest.param(EVENT, "stack.function:charge stack.module:shop.*", "stack.function:refund", id="stack.function, stack.module"),
        pytest.param(EVENT, "stack.abs_path:/srv/* stack.package:shop.so", "stack.abs_path:/opt/*", id="stack.abs_path, stack.package"),
        pytest.param(EVENT, "stack.lineno:>80 stack.colno:7 stack.in_app:true", "stack.lineno:>88", id="stack.lineno, .colno, .in_app"),
        pytest.param(EVENT, "http.method:post http.url:*/pay", "http.method:GET", id="http.method, http.url"),
        pytest.param(EVENT, "http.status_code:>=500 http.status_code:5*", "http.status_code:>502", id="http.status_code"),
        pytest.param(EVENT, "http.referer:*/cart", "http.referer:*/pay", id="http.referer"),
        pytest.param(EVENT, "http.response_content_length:>2kb", "http.response_content_length:>2kib", id="http.response_content_length"),
        pytest.param(EVENT, "url:https://shop.example/*", "url:http://*", id="url"),
        pytest.param(EVENT, "os.name:Android os.rooted:false", "os.name:iOS", id="os.*"),
        pytest.param(EVENT, "device.family:Pixel device.arch:arm64*", "device.family:iPhone", id="device.*"),
        pytest.param(EVENT, "geo.country_code:[DE, AT]", "geo.country_code:FR", id="geo.*"),
        pytest.param(EVENT, "sdk.name:sentry.python* sdk.version:2.*", "sdk.name:sentry.java", id="sdk.*"),
        pytest.param(EVENT, "measurements.lcp:>2s", "measurements.lcp:>2500ms", id="measurements.*"),
        pytest.param(EVENT, "has:measurements.duration measurements.duration:>5000", "measurements.duration:>6s", id="of the guide"),
        pytest.param(ISSUE, "issue:SHOP-API-4F2 issue.id:5300000123", "issue:SHOP-API-1", id="issue, issue.id"),
        pytest.param(ISSUE, "issue.category:error", "issue.category:performance", id="issue.category"),
        pytest.param(SLOW, "issue.type:performance_slow_db_query issue.type:1001", "issue.type:error", id="issue.type by its number"),
        pytest.param(EVENT, "issue.type:error", "issue.type:feedback", id="issue.type of an error"),
        pytest.param(ISSUE, "issue.priority:high", "issue.priority:low", id="issue.priority"),
        pytest.param(SLOW, "issue.priority:low", "issue.priority:high", id="issue.priority by its number"),
        pytest.param(ISSUE, "is:unresolved is:regressed is:for_review", "is:new", id="is"),
        pytest.param(ISSUE, "is:assigned assigned:#payments assigned:payments", "assigned:none", id="assigned"),
        pytest.param(ISSUE, "firstSeen:2026-03-04", "firstSeen:>2026-03-05", id="firstSeen"),
        pytest.param(ISSUE, "lastSeen:>=2026-03-05", "lastSeen:<2026-03-05T08:00:00Z", id="lastSeen"),
        pytest.param(ISSUE, "age:-4h age:+2h", "age:-2h", id="age"),
        pytest.param(ISSUE, "timesSeen:>200", "timesSeen:>1k", id="timesSeen"),
        pytest.param(ISSUE, "user_count:41", "user_count:>41", id="user_count"),
        pytest.param(EVENT, "has:user.email !has:dist", "has:dist", id="has"),
        pytest.param(EVENT, "critical:true tags.critical:true tags[critical]:true", "tags[level]:error", id="any tag"),
        pytest.param(EVENT, "contexts.shop.cart.items:>2 contexts.shop.cart.items:3", "contexts.shop.cart.items:<3", id="contexts.*"),
        pytest.param(EVENT, "payload[extra.order.total]:>900", "payload[extra.order.total]:>1k", id="a figure of the payload"),
        pytest.param(EVENT, "payload[extra.order.lines.sku]:cup payload[extra.card-token]:x", "payload[extra.order]:tea", id="a path"),
        pytest.param(EVENT, "has:payload[extra.order.total]", "has:payload[extra.order.tax]", id="has a path"),
        pytest.param(
            EVENT, "payload[extra.order.total,number]:[1, 990]", "payload[extra.order.total,number]:[1, 2]", id="a path of a type"
        ),
        pytest.param(METRIC, "payload[alert_rule.triggers.label]:critical", "payload[event_id]:x", id="a path of a metric alert"),
        pytest.param(EVENT, "resource:event_alert action:triggered", "resource:issue", id="resource, action"),
        pytest.param(METRIC, "metric.value:>5% metric.value:0.0731", "metric.value:>10%", id="metric.value"),
        pytest.param(METRIC, "metric.threshold:0.05", "metric.threshold:<5%", id="metric.threshold"),
        pytest.param(METRIC, "metric.aggregate:failure_rate*", "metric.aggregate:count()", id="metric.aggregate"),
        pytest.param(METRIC, 'alert_rule.name:"Failure rate of the shop"', "alert_rule.name:Failure", id="alert_rule.name"),
        pytest.param(EVENT, 'alert_rule.name:"Errors in production"', "alert_rule.owner:team*", id="alert_rule.name of an issue alert"),
        pytest.param(EVENT, "timestamp:[now-4h TO now]", "timestamp:[now-1h TO now]", id="timestamp of the guide"),
    ],
)
def test_a_key_is_met_and_missed(alert: Alert, met: str, unmet: str) -> None:
    verdict = parse(met).evaluate(alert, LATER)

    assert verdict.matched, verdict.why
    assert not parse(unmet).evaluate(alert, LATER).matched


@pytest.mark.parametrize("name", ["event_alert.triggered", "issue.resolved", "metric_alert.warning", "comment.created", "seer.pr_created"])
def test_what_a_webhook_does_not_tell_is_absent_and_no_fault(name: str) -> None:
    alert = parse_webhook(name.partition(".")[0], fixture(name), NOW)

    for key in ("release.stage", "error.main_thread", "http.referer", "geo.city", "payload[a.b]", "contexts.a", "measurements.x"):
        assert parse(f"!has:{key}").evaluate(alert).why == f"{key} is absent"


@pytest.mark.parametrize(
    "payload",
    [
        {"threads": {"values": [None, {"crashed": True}, {"current": True, "main": "yes"}]}, "request": {"headers": {"Referer": "x"}}},
        {"threads": [], "request": {"headers": [None, ["Referer"], ["Referer", None], [1, 2]]}, "occurrence": {"type": True}},
        {"occurrence": {"type": 10**5000, "initialIssuePriority": -1}},
        {"occurrence": "1001", "issueType": 7},
    ],
)
def test_odd_shapes_are_no_values(payload: dict[str, Json]) -> None:
    alert = make_alert(payload=payload)

    for query in ("has:error.main_thread", "has:http.referer", "has:issue.priority", "issue.type:7"):
        assert not parse(query).evaluate(alert).matched
