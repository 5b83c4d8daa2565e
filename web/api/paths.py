"""The API: all of its paths, what they have in common, and how what is wrong is answered."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from flask import Blueprint, Flask, Response, current_app
from flask_limiter import Limiter
from pydantic import RootModel
from werkzeug.exceptions import HTTPException

from web.api import openapi, problems
from web.api.audit import add_audit
from web.api.bearer import who_asks
from web.api.events import add_events
from web.api.incidents import add_incidents
from web.api.notifications import add_notifications
from web.api.operations import operation
from web.api.receivers import add_receivers
from web.api.rules import add_rules
from web.api.silences import add_silences

NAME = "api"
RATE = "600 per minute"
"""Of one token."""
RATE_OF_ADDRESS = "3000 per minute"


class ApiDescription(RootModel[dict[str, object]]):
    """An OpenAPI document."""


def add_api(app: Flask, limiter: Limiter, keep_few: Callable[[Blueprint], None]) -> None:
    """All of it, at /api/v1."""
    api = Blueprint(NAME, __name__, url_prefix="/api/v1")
    keep_few(api)
    for add in (add_events, add_incidents, add_notifications, add_silences, add_rules, add_receivers, add_audit, _add_document):
        add(api)
    limiter.limit(RATE, key_func=who_asks)(api)
    limiter.limit(RATE_OF_ADDRESS)(api)
    api.register_error_handler(HTTPException, _refuse)
    app.register_blueprint(api)


def _add_document(api: Blueprint) -> None:
    @api.get("/openapi.json")
    @operation(scope=None, answer=None)
    def describe() -> ApiDescription:
        """Describe this API."""
        return described()

    @cache
    def described() -> ApiDescription:
        """The same as long as the process lives."""
        return ApiDescription(openapi.document(current_app, NAME))


def _refuse(error: HTTPException) -> Response:
    return problems.answer(error)
