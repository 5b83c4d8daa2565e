"""Which part of an alert each key of Sentry's asks about."""

from __future__ import annotations

import pytest

from routing.alert import Alert, ExceptionValue, Frame, Json, Level, Metric, User
from routing.query import parse
from routing.query_answers import reader_of, texts
from routing.query_syntax import parse_key
from tests.factories import NOW, make_alert

EVENT: dict[str, Json] = {
    "dist": "7",
    "project": 4504044639748096,
    "location": "shop/cart.py",
    "logger": "shop.payments",
    "request": {"method": "POST", "url": "https://shop.example/api/payments"},
    "sdk": {"name": "sentry.python.flask", "version": "2.19.0"},
    "user": {"id": "8812", "geo": {"country_code": "DE", "city": "Bremen"}, "segment": "gold", "name": None},
    "contexts": {
        "trace": {"trace_id": "10d0b72d", "op": "http.server", "status": "internal_error"},
        "os": {"name": "Linux", "kernel_version": "6.1"},
        "device": {"family": "Server", "charging": False},
        "app": {"in_foreground": True},
        "response": {"status_code": 503, "body_size": 2048},
        "flags": {"values": [{"flag": "new-cart", "result": True}, {"flag": "old", "result": ""}, None]},
        "gpu": None,
    },
    "measurements": {
        "lcp": {"value": 2.5, "unit": "second"},
        "memory": {"value": 3, "unit": "mebibyte"},
        "cls": {"value": 0.1, "unit": ""},
    },
    "breakdowns": {"span_ops": {"ops.db": {"value": 420.5, "unit": "millisecond"}}},
    "exception": {"values": [None, {"stacktrace": {"frames": [{"abs_path": "/srv/shop/cart.py", "colno": 12}, {"package": "shop.so"}]}}]},
}
SLOW: Json = {"measurements": {"duration": {"value": 5001}}}
ALERT = make_alert(
    level=Level.FATAL,
    transaction="/api/payments",
    duration_ms=8400.0,
    short_id="SHOP-API-3F",
    priority="high",
    first_seen=NOW,
    last_seen=NOW,
    event_count=12,
    user_count=3,
    user=User(id="8812", email="kim@shop.example", username="kim", ip_address="203.0.113.9"),
    exceptions=(
        ExceptionValue(type="TimeoutError", value="read timed out", mechanism="generic", handled=True),
        ExceptionValue(
            type="PaymentError",
            value="yookassa did not answer",
            handled=False,
            frames=(Frame(filename="shop/cart.py", module="shop.cart", function="total", line_number=88, in_app=True), Frame(in_app=False)),
        ),
    ),
    tags=(("browser.name", "Firefox"), ("os.name", "Debian"), ("team", "payments"), ("team", "platform"), ("empty", "")),
    payload=EVENT,
)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("title", ["KeyError: 'currency'"]),
        ("level", ["fatal"]),
        ("environment", ["production"]),
        ("release", ["shop-api@4.2.0"]),
        ("release.package", ["shop-api"]),
        ("dist", ["7"]),
        ("platform", ["python"]),
        ("project", ["shop-api"]),
        ("project.name", ["shop-api"]),
        ("project.id", ["4504044639748096"]),
        ("transaction", ["/api/payments"]),
        ("transaction.op", ["http.server"]),
        ("transaction.status", ["internal_error"]),
        ("trace", ["10d0b72d"]),
        ("culprit", ["shop.cart in total"]),
        ("location", ["shop/cart.py"]),
        ("logger", ["shop.payments"]),
        ("user", ["id:8812", "email:kim@shop.example", "username:kim", "ip:203.0.113.9"]),
        ("user.id", ["8812"]),
        ("user.email", ["kim@shop.example"]),
        ("user.username", ["kim"]),
        ("user.ip", ["203.0.113.9"]),
        ("user.segment", ["gold"]),
        ("user.name", []),
        ("geo.country_code", ["DE"]),
        ("error.type", ["TimeoutError", "PaymentError"]),
        ("error.value", ["read timed out", "yookassa did not answer"]),
        ("error.mechanism", ["generic"]),
        ("error.handled", ["false"]),
        ("error.unhandled", ["true"]),
        ("stack.filename", ["shop/cart.py"]),
        ("stack.module", ["shop.cart"]),
        ("stack.function", ["total"]),
        ("stack.lineno", ["88"]),
        ("stack.in_app", ["true", "false"]),
        ("stack.abs_path", ["/srv/shop/cart.py"]),
        ("stack.package", ["shop.so"]),
        ("stack.colno", ["12"]),
        ("http.method", ["POST"]),
        ("http.url", ["https://shop.example/api/payments"]),
        ("url", ["https://shop.example/api/payments"]),
        ("http.status_code", ["503"]),
        ("http.response_content_length", ["2048"]),
        ("sdk.name", ["sentry.python.flask"]),
        ("os.name", ["Debian"]),
        ("os.kernel_version", ["6.1"]),
        ("device.charging", ["false"]),
        ("app.in_foreground", ["true"]),
        ("browser.name", ["Firefox"]),
        ("gpu.name", []),
        ("contexts.os.name", ["Linux"]),
        ("contexts.os", ["Linux", "6.1"]),
        ("measurements.lcp", ["2500.0"]),
        ("measurements.memory", ["3145728.0"]),
        ("measurements.cls", ["0.1"]),
        ("spans.db", ["420.5"]),
        ("issue", ["SHOP-API-3F"]),
        ("issue.id", ["5300000123"]),
        ("issue.category", ["error"]),
        ("issue.priority", ["high"]),
        ("event.type", ["error"]),
        ("id", ["3f1b6c0a9d5e4c72b8a1e0f4d2c6b890"]),
        ("timestamp", ["2026-03-04 10:15:30+00:00"]),
        ("timestamp.to_hour", ["2026-03-04 10:00:00+00:00"]),
        ("firstSeen", ["2026-03-04 10:15:32+00:00"]),
        ("timesSeen", ["12"]),
        ("user_count", ["3"]),
        ("transaction.duration", ["8400.0"]),
        ("resource", ["event_alert"]),
        ("action", ["triggered"]),
        ("alert_rule.name", ["Errors in production"]),
        ("team", ["payments", "platform"]),
        ("tags.team", ["payments", "platform"]),
        ("tags[team]", ["payments", "platform"]),
        ("tags[level]", []),
        ("flags[new-cart]", ["true"]),
        ("flags[old]", []),
        ("empty", []),
        ("nothing", []),
        ("metric.value", []),
        ("assigned", []),
    ],
)
def test_a_key_asks_for_a_part_of_the_alert(key: str, values: list[str]) -> None:
    read = reader_of(parse_key(key))

    assert list(texts(read(ALERT))) == values


@pytest.mark.parametrize(
    ("query", "alert"),
    [
        pytest.param("project:shop-api project:cart", {"payload": {"projects": ["shop-api", "cart"]}}, id="several projects"),
        pytest.param('project:"The shop"', {"payload": {"project": {"name": "The shop", "slug": "shop-api"}}}, id="its name"),
        pytest.param("metric.threshold:5%", {"metric": Metric(rule_name="R", aggregate="failure_rate()", threshold=0.05)}, id="a limit"),
        pytest.param("alert_rule.name:R", {"sentry_rule": None, "metric": Metric(rule_name="R", aggregate="")}, id="its name"),
        pytest.param("alert_rule.owner:team*", {"payload": {"alert_rule": {"owner": "team:4412"}}}, id="its owner"),
        pytest.param("issue.category:db_query issue.category:error", {"payload": {"issueCategory": "db_query"}}, id="both categories"),
        pytest.param("assigned:zoe@shop.example", {"payload": {"assignedTo": {"email": "zoe@shop.example"}}}, id="a person"),
        pytest.param("assigned:#payments", {"payload": {"assignedTo": {"type": "team", "name": "payments"}}}, id="a team"),
        pytest.param("assigned:none", {"payload": {"assignedTo": None}}, id="nobody"),
        pytest.param("error.unhandled:true", {"exceptions": (), "payload": {"isUnhandled": True}}, id="an issue that says it itself"),
        pytest.param("!has:error.handled", {"exceptions": ()}, id="nothing says it"),
        pytest.param("has:measurements.duration measurements.duration:>5000", {"payload": SLOW}, id="the guide's condition"),
        pytest.param("measurements.lcp:>2s measurements.lcp:<2.6s", {"payload": EVENT}, id="a unit of its own"),
        pytest.param("measurements.memory:3mib", {"payload": EVENT}, id="a size"),
        pytest.param("stack.lineno:>80 stack.in_app:true", {"exceptions": ALERT.exceptions}, id="any frame"),
    ],
)  # fmt: skip
def test_what_only_some_alerts_say_is_found_too(query: str, alert: dict[str, object]) -> None:
    verdict = parse(query).evaluate(make_alert(**alert))

    assert verdict.matched, verdict.why


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"exception": None, "contexts": [], "measurements": 3, "request": "x", "assignedTo": 7, "status": []}, id="shapes"),
        pytest.param(
            {"measurements": {"lcp": {"value": 10**400, "unit": {}}, "cls": {"value": "1"}}, "project": 10**5000}, id="huge numbers"
        ),
        pytest.param({"message": {"a": 1}, "contexts": {"flags": {"values": {"flag": []}}}, "projects": {"a": None}}, id="wrong types"),
    ],
)
def test_a_payload_of_any_shape_answers_or_is_silent(payload: dict[str, Json]) -> None:
    alert = make_alert(payload=payload)
    keys = (
        "stack.colno:>1 measurements.lcp:>1 measurements.cls:1 has:project.id http.method:x has:assigned is:resolved flags[a]:x message:x"
    )

    for query in keys.split():
        assert not parse(f"{query} no:thing").evaluate(alert).matched
        assert isinstance(parse(f"!{query}").evaluate(alert).why, str)


def test_a_deeply_nested_payload_does_not_exhaust_the_stack() -> None:
    nested: Json = 1
    for _ in range(100_000):
        nested = [nested]
    alert: Alert = make_alert(payload={"contexts": {"deep": nested}})

    verdict = parse("contexts.deep:1").evaluate(alert)

    assert verdict.matched
    del alert, nested
