"""Fingerprints: which alerts the shipped ones join, as SDKs word them, and what keeps an incident of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.registry import KINDS
from routing.alert import Alert, Category, ExceptionValue, Json, Metric
from routing.fingerprint import Fingerprint, fingerprint_key, incident_key
from routing.fingerprint_template import parse as parse_key
from routing.query import parse as parse_query
from routing.rules_loading import load
from routing.sentry import parse
from tests.factories import (
    NOW,
    Webhook,
    comment_webhook,
    error_webhook,
    event_alert_webhook,
    issue_webhook,
    make_alert,
    metric_alert_webhook,
)

RULES = Path(__file__).parents[2] / "rules.yaml"


def shipped() -> tuple[Fingerprint, ...]:
    """Those of rules.yaml, with the comment signs taken off as it says."""
    before, heading, rest = RULES.read_text(encoding="utf-8").partition("# fingerprints:\n")
    block, _, after = rest.partition("\n\n")
    in_force = before + heading.removeprefix("# ") + re.sub("^# ", "", block, flags=re.MULTILINE) + "\n\n" + after
    return load(in_force, kinds=KINDS, environment={}).fingerprints


SHIPPED = shipped()


def raised(kind: str, value: str = "", /, mechanism: str = "generic", **event: Json) -> Alert:
    """What an issue alert says of one exception."""
    exception: Json = {"values": [{"type": kind, "value": value, "mechanism": {"type": mechanism, "handled": False}}]}
    bare: dict[str, Json] = {"transaction": None, "culprit": "", "request": None, "tags": [], "exception": exception}
    return alert_of(event_alert_webhook(**{**bare, **event}))


def alert_of(webhook: Webhook) -> Alert:
    return parse(webhook.resource, webhook.body, NOW)


def request(method: str, url: str) -> Json:
    return {"url": url, "method": method, "headers": []}


def breadcrumbs(*requests: tuple[str, int | None]) -> Json:
    """The requests that a page made, each with the status of its answer, None for one that got none."""
    return {
        "values": [
            {"type": "http", "category": "fetch", "level": "error", "data": {"method": "GET", "url": url}}
            if status is None
            else {"type": "http", "category": "xhr", "data": {"method": "GET", "url": url, "status_code": status}}
            for url, status in requests
        ]
    }


EMAIL = "ValidationError.email_field"
UNIQUE = "IntegrityError.unique_constraint"
FOREIGN_KEY = "IntegrityError.foreign_key_constraint"
NOT_FOUND = "Http404./api/users/{id}"
REFUSED = "Http403.POST./api/payments"
UNDEFINED = "ReferenceError.undefined_userContext"
NETWORK = "NetworkError./api/users/{id}"
USER_42 = "https://shop.example/api/users/42?tab=orders"

JOINED = {
    "Django form": (EMAIL, raised("ValidationError", "{'email': ['Enter a valid email address.']}")),
    "Django REST framework": (
        EMAIL,
        raised("ValidationError", "{'email': [ErrorDetail(string='Enter a valid email address.', code='invalid')]}"),
    ),
    "pydantic 2": (
        EMAIL,
        raised(
            "ValidationError",
            "1 validation error for User\nemail\n  value is not a valid email address: An email address must have an @-sign."
            " [type=value_error, input_value='zoe', input_type=str]",
        ),
    ),
    "pydantic 1": (
        EMAIL,
        raised("ValidationError", "2 validation errors for Request\nbody -> email\n  field required (type=value_error.missing)\nage\n  x"),
    ),
    "FastAPI": (
        EMAIL,
        raised("RequestValidationError", "[{'type': 'missing', 'loc': ('body', 'email'), 'msg': 'Field required', 'input': {}}]"),
    ),
    "Mongoose": (EMAIL, raised("ValidationError", "User validation failed: email: Path `email` is required.")),
    "Joi": (EMAIL, raised("ValidationError", '"email" must be a valid email')),
    "yup": (EMAIL, raised("ValidationError", "email is a required field")),
    "jsonschema": (EMAIL, raised("ValidationError", "'zoe' is not a 'email'\n\nOn instance['email']:\n    'zoe'")),
    "Zod": (EMAIL, raised("ZodError", '[\n  {\n    "code": "invalid_string",\n    "path": [\n      "email"\n    ]\n  }\n]')),
    "unique, PostgreSQL": (
        UNIQUE,
        raised(
            "IntegrityError", 'duplicate key value violates unique constraint "users_email_key"\nDETAIL:  Key (email)=(a) already exists.'
        ),
    ),
    "unique, SQLAlchemy": (
        UNIQUE,
        raised(
            "IntegrityError",
            '(psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint "users_pkey"\n[SQL: INSERT INTO users …]',
        ),
    ),
    "unique, asyncpg": (UNIQUE, raised("UniqueViolationError", 'duplicate key value violates unique constraint "users_email_key"')),
    "unique, MySQL": (UNIQUE, raised("IntegrityError", "(1062, \"Duplicate entry 'foreign key constraint' for key 'users.email'\")")),
    "unique, SQLite": (UNIQUE, raised("IntegrityError", "UNIQUE constraint failed: users.email")),
    "foreign key, PostgreSQL": (
        FOREIGN_KEY,
        raised("IntegrityError", 'insert or update on table "orders" violates foreign key constraint "orders_user_id_fkey"'),
    ),
    "foreign key, MySQL": (
        FOREIGN_KEY,
        raised(
            "IntegrityError",
            "(1452, 'Cannot add or update a child row: a foreign key constraint fails (`shop`.`orders`, CONSTRAINT `orders_user_fk`"
            " FOREIGN KEY (`user_id`) REFERENCES `users` (`id`))')",
        ),
    ),
    "foreign key, SQLite": (FOREIGN_KEY, raised("IntegrityError", "FOREIGN KEY constraint failed")),
    "not null, SQLite": ("IntegrityError.not_null_constraint", raised("IntegrityError", "NOT NULL constraint failed: users.email")),
    "404 by address": (NOT_FOUND, raised("Http404", "No User matches the given query.", request=request("GET", USER_42))),
    "404 by Django's route": (NOT_FOUND, raised("Http404", "No User matches the given query.", transaction="/api/users/{pk}/")),
    "404 by Flask's status": (NOT_FOUND, raised("NotFound", "404 Not Found: …", transaction="users.show", request=request("GET", USER_42))),
    "404 seen by a browser": (
        NOT_FOUND,
        raised(
            "Error",
            "HTTP Client Error with status code: 404",
            mechanism="auto.http.client.fetch",
            transaction="/checkout",
            request=request("GET", USER_42),
            contexts={"response": {"status_code": 404}},
        ),
    ),
    "403 of Django": (
        REFUSED,
        raised("PermissionDenied", "", request=request("POST", "https://shop.example/api/payments/"), transaction="/api/payments/"),
    ),
    "403 by tag": (REFUSED, raised("ApiError", "refused", transaction="POST /api/payments", tags=[["http.status_code", "403"]])),
    "property, Chrome": ("TypeError.email", raised("TypeError", "Cannot read properties of undefined (reading 'email')")),
    "property, Firefox": ("TypeError.email", raised("TypeError", 'can\'t access property "email", user.profile is undefined')),
    "property, Safari": ("TypeError.email", raised("TypeError", "undefined is not an object (evaluating 'user.profile.email')")),
    "variable, Chrome and Firefox": (UNDEFINED, raised("ReferenceError", "userContext is not defined")),
    "variable, Safari": (UNDEFINED, raised("ReferenceError", "Can't find variable: userContext")),
    "variable, Hermes": (UNDEFINED, raised("ReferenceError", "Property 'userContext' doesn't exist")),
    "network, own error": (NETWORK, raised("NetworkError", "GET https://api.shop.example/api/users/42 failed")),
    "network, Chrome": (
        NETWORK,
        raised("TypeError", "Failed to fetch (shop.example)", breadcrumbs=breadcrumbs(("/api/cart", 200), (USER_42, None))),
    ),
    "network, Firefox": (
        NETWORK,
        raised(
            "TypeError", "NetworkError when attempting to fetch resource.", breadcrumbs=breadcrumbs((USER_42, None), ("/api/cart", 200))
        ),
    ),
    "network, Safari": (NETWORK, raised("TypeError", "Load failed", breadcrumbs=breadcrumbs((USER_42, None)))),
    "network, axios": (
        NETWORK,
        raised("AxiosError", "Network Error", breadcrumbs=breadcrumbs((USER_42, 0)), request=request("GET", "https://a.b/cart")),
    ),
    "network, axios with its fields": (
        NETWORK,
        raised("AxiosError", "Network Error", contexts={"AxiosError": {"config": {"url": "/api/users/42", "method": "get"}}}),
    ),
    "network, requests": (
        NETWORK,
        raised(
            "ConnectionError",
            "HTTPSConnectionPool(host='api', port=443): Max retries exceeded with url: /api/users/42 (Caused by NewConnectionError('…'))",
        ),
    ),
}


@pytest.mark.parametrize(("name", "alert"), JOINED.values(), ids=JOINED)
def test_the_shipped_fingerprints_name_what_the_guide_names(name: str, alert: Alert) -> None:
    assert fingerprint_key(alert, SHIPPED) == f"fingerprint:shop-api:{name}"


@pytest.mark.parametrize(
    "alert",
    [
        pytest.param(raised("KeyError", "'currency'"), id="another error"),
        pytest.param(raised("ValidationError", "['Enter a valid value.']"), id="no field"),
        pytest.param(raised("ValidationError", "{'non_field_errors': ['No.']}"), id="an error of no single field"),
        pytest.param(raised("IntegrityError", "database disk image is malformed"), id="no constraint"),
        pytest.param(raised("TypeError", "Cannot convert undefined or null to object"), id="no property"),
        pytest.param(raised("Http404", "", transaction="users.show"), id="no path"),
        pytest.param(raised("PermissionDenied", "", transaction="/api/payments"), id="no method"),
        pytest.param(raised("TypeError", "Failed to fetch", request=request("GET", USER_42)), id="a page is not what it asked for"),
        pytest.param(
            make_alert(exceptions=(ExceptionValue(type="ReferenceError", value="a is not defined"),), project=None), id="no project"
        ),
        pytest.param(alert_of(metric_alert_webhook()), id="a metric alert"),
        pytest.param(alert_of(comment_webhook()), id="a comment"),
    ],
)
def test_what_cannot_be_named_stays_in_its_own_incident(alert: Alert) -> None:
    assert fingerprint_key(alert, SHIPPED) is None


@pytest.mark.parametrize("action", ["created", "resolved", "archived", "unresolved"])
def test_a_change_of_an_issue_finds_the_fingerprint_of_its_event_by_type_and_message(action: str) -> None:
    metadata: Json = {"type": "IntegrityError", "value": "UNIQUE constraint failed: users.email"}

    change = alert_of(issue_webhook(action, metadata=metadata))

    assert fingerprint_key(change, SHIPPED) == f"fingerprint:shop-api:{UNIQUE}"


def test_the_end_of_an_issue_that_only_its_event_could_name_has_no_fingerprint() -> None:
    metadata: Json = {"type": "PermissionDenied", "value": ""}

    end = alert_of(issue_webhook("resolved", metadata=metadata, culprit="/api/payments/"))

    assert (fingerprint_key(end, SHIPPED), incident_key(end)) == (None, "issue:5300000123")


def test_the_first_fingerprint_that_an_alert_can_fill_counts() -> None:
    alert = make_alert(tags=(("team", "cart"),))

    key = fingerprint_key(
        alert, (fingerprint("level:fatal", "a"), fingerprint("", "{tags.shop}"), fingerprint("", "b.{tags.team}"), fingerprint("", "c"))
    )

    assert key == "fingerprint:shop-api:b.cart"


def test_without_fingerprints_nothing_is_joined() -> None:
    assert fingerprint_key(make_alert(), ()) is None


def test_what_does_not_fit_is_told_apart_by_a_hash() -> None:
    one, other = (fingerprint_key(make_alert(transaction=f"{'x' * 300} {end}"), (fingerprint("", "{transaction}"),)) for end in "ab")

    assert one != other
    assert re.fullmatch(r"fingerprint:shop-api:x{110}-[0-9a-f]{16}", one or "")


def test_two_projects_stay_apart() -> None:
    keys = {
        fingerprint_key(make_alert(project=project), (fingerprint("", "all"),)) for project in ("shop-api", "shop-web", "ü", "ö", "a b")
    }

    assert len(keys) == 5
    assert "fingerprint:shop-web:all" in keys


@given(kind=st.text(), value=st.text(), project=st.text(min_size=1), transaction=st.text(), tag=st.text())
def test_a_key_fits_every_vendor_whatever_the_alert_says(kind: str, value: str, project: str, transaction: str, tag: str) -> None:
    alert = make_alert(
        exceptions=(ExceptionValue(type=kind, value=value),), project=project, transaction=transaction, tags=(("team", tag),)
    )

    key = fingerprint_key(alert, (*SHIPPED, fingerprint("", "{error.type}.{transaction}.{tags.team}"), fingerprint("", "rest")))

    assert re.fullmatch(r"fingerprint:[!-~]{1,188}", key or "")


def test_a_metric_alert_is_never_joined() -> None:
    alert = make_alert(category=Category.METRIC, metric=Metric(rule_name="Errors", aggregate="count()"))

    assert fingerprint_key(alert, (fingerprint("", "all"),)) is None


def test_an_event_joins_by_its_own_project() -> None:
    keys = {fingerprint_key(alert_of(webhook), (fingerprint("", "all"),)) for webhook in (event_alert_webhook(), error_webhook())}

    assert keys == {"fingerprint:shop-api:all", "fingerprint:shop-web:all"}


def fingerprint(when: str, key: str) -> Fingerprint:
    return Fingerprint(when=parse_query(when), key=parse_key(key))
