"""One notification for each of the guide's five rules, with the characters that break careless layouts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from routing.alert import Alert, Category, ExceptionValue, Frame, Level, Metric, Status
from routing.notification import Notification, Reason, Severity

NOW = datetime(2026, 11, 23, 10, 9, 20, tzinfo=UTC)
_HAPPENED = NOW - timedelta(seconds=2)
_ISSUE_LINK = "https://acme.sentry.io/issues/4509877001/?alert_rule_id=17&alert_type=issue"

_CRITICAL_ERROR = Alert(
    resource="event_alert",
    action="triggered",
    status=Status.FIRING,
    category=Category.ERROR,
    level=Level.FATAL,
    title='OperationalError: connection to server at "db-1" (10.0.0.5), port 5432 failed',
    text='connection to server at "db-1" (10.0.0.5), port 5432 failed: Connection refused',
    received_at=NOW,
    occurred_at=_HAPPENED,
    culprit="shop.orders.views.checkout",
    organization="acme",
    project="shop-api",
    environment="production",
    release="shop-api@2.14.0",
    platform="python",
    transaction="POST /api/checkout",
    link=_ISSUE_LINK,
    event_id="0f6a2b8c4d1e4f5a9b7c3d2e1f0a9b8c",
    event_type="error",
    issue_id="4509877001",
    short_id="SHOP-API-3F",
    sentry_rule="Critical errors",
    substatus="new",
    first_seen=NOW - timedelta(minutes=2),
    last_seen=_HAPPENED,
    event_count=12,
    user_count=7,
    exceptions=(
        ExceptionValue(
            type="psycopg2.OperationalError",
            value='connection to server at "db-1" failed: Connection refused',
            handled=False,
            frames=(
                Frame(filename="django/db/backends/base/base.py", function="ensure_connection", line_number=289),
                Frame(
                    filename="shop/orders/views.py",
                    module="shop.orders.views",
                    function="checkout",
                    line_number=88,
                    source_line="    order.save()",
                    in_app=True,
                ),
            ),
        ),
    ),
    tags=(
        ("critical", "true"),
        ("environment", "production"),
        ("level", "fatal"),
        ("server_name", "web-3"),
        ("transaction", "POST /api/checkout"),
    ),
)

_HIGH_ERROR_RATE = Alert(
    resource="metric_alert",
    action="critical",
    status=Status.FIRING,
    category=Category.METRIC,
    level=Level.FATAL,
    title="Critical: Error rate > 5% of requests",
    text="7.3% failure rate in the last 5 minutes",
    received_at=NOW,
    occurred_at=_HAPPENED,
    organization="acme",
    project="shop-api",
    environment="production",
    link="https://acme.sentry.io/alerts/rules/details/57/?alert=1234",
    metric_alert_id="1:1234",
    sentry_rule="Error rate > 5% of requests",
    metric=Metric(rule_name="Error rate > 5% of requests", aggregate="failure_rate()", value=0.073, threshold=0.05, window_minutes=5),
)

_PAYMENT_FAILURE = Alert(
    resource="event_alert",
    action="triggered",
    status=Status.FIRING,
    category=Category.ERROR,
    level=Level.ERROR,
    title="PaymentError: YooKassa API 502 <bad gateway> при создании платежа & возврате",
    text="YooKassa API 502 <bad gateway> при создании платежа & возврате",
    received_at=NOW,
    occurred_at=_HAPPENED,
    culprit="shop.payments.yookassa.create_payment",
    organization="acme",
    project="shop-api",
    environment="production",
    release="shop-api@2.14.0",
    platform="python",
    link=_ISSUE_LINK,
    event_id="1a6a2b8c4d1e4f5a9b7c3d2e1f0a9b8d",
    event_type="error",
    issue_id="4509877001",
    short_id="SHOP-API-3F",
    substatus="escalating",
    first_seen=NOW - timedelta(days=3),
    event_count=1203,
    user_count=311,
    exceptions=(
        ExceptionValue(type="HTTPError", value="502 Server Error: Bad Gateway"),
        ExceptionValue(
            type="PaymentError",
            value="YooKassa API 502 <bad gateway> при создании платежа & возврате",
            handled=True,
            frames=(
                Frame(
                    filename="shop/payments/yookassa.py",
                    module="shop.payments.yookassa",
                    function="create_payment",
                    line_number=41,
                    source_line='        raise PaymentError(f"YooKassa API {answer.status} <{answer.reason}> …")',
                    in_app=True,
                ),
            ),
        ),
    ),
    tags=(
        ("http.status_code", "502"),
        ("payment.provider", "yookassa"),
        ("customer", 'ООО "Ромашка" & сыновья'),
        ("server_name", "worker-1"),
    ),
)

_SLOW_TRANSACTION = Alert(
    resource="event_alert",
    action="triggered",
    status=Status.FIRING,
    category=Category.PERFORMANCE,
    level=Level.INFO,
    title="GET /api/catalog/search",
    received_at=NOW,
    occurred_at=_HAPPENED,
    culprit="GET /api/catalog/search",
    organization="acme",
    project="shop-api",
    environment="production",
    release="shop-api@2.14.0",
    platform="python",
    transaction="GET /api/catalog/search",
    duration_ms=8412.6,
    link="https://acme.sentry.io/performance/shop-api:2b6a2b8c4d1e4f5a9b7c3d2e1f0a9b8e/",
    event_id="2b6a2b8c4d1e4f5a9b7c3d2e1f0a9b8e",
    event_type="transaction",
    tags=(("http.method", "GET"), ("server_name", "web-1")),
)

_NEW_ERROR = Alert(
    resource="issue",
    action="created",
    status=Status.FIRING,
    category=Category.ERROR,
    level=Level.ERROR,
    title="KeyError: 'discount_code'",
    text="'discount_code'",
    received_at=NOW,
    occurred_at=_HAPPENED,
    culprit="shop.cart.services.apply_discount",
    organization="acme",
    project="shop-api",
    platform="python",
    link="https://acme.sentry.io/issues/4509877002/",
    issue_id="4509877002",
    short_id="SHOP-API-40",
    substatus="new",
    first_seen=_HAPPENED,
    last_seen=_HAPPENED,
    event_count=1,
    user_count=1,
)

_WHY: Mapping[str, tuple[Severity, str, str, Alert]] = {
    "critical-error": (Severity.CRITICAL, 'tags.critical is "true"', "issue:4509877001", _CRITICAL_ERROR),
    "high-error-rate": (Severity.CRITICAL, "failure_rate() is 0.073, over 0.05", "metric:1:1234", _HIGH_ERROR_RATE),
    "payment-failure": (Severity.CRITICAL, 'the text contains "yookassa"', "issue:4509877001", _PAYMENT_FAILURE),
    "slow-transaction": (
        Severity.WARNING,
        "transaction.duration is 8.41 s, over 5 s",
        "transaction:GET /api/catalog/search",
        _SLOW_TRANSACTION,
    ),
    "new-error": (Severity.INFO, "is new", "issue:4509877002", _NEW_ERROR),
}

NOTIFICATIONS: Mapping[str, Notification] = MappingProxyType(
    {
        rule: Notification(
            id=number,
            incident=incident,
            receiver="team",
            rules=(rule,),
            severity=severity,
            reason=Reason.FIRST,
            why=why,
            created_at=NOW,
            alert=alert,
        )
        for number, (rule, (severity, why, incident, alert)) in enumerate(_WHY.items(), start=1)
    }
)
"""By rule. Each layout is kept as a golden for each of them."""
