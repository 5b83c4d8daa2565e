"""Logs as events with facts: for people in development, JSON lines elsewhere. Errors of this service go to its own Sentry project."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING

import structlog

from settings import Settings

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

_TOKEN_PATH = re.compile(r"(/webhooks/(?:sentry/legacy|glitchtip)/)[^/?#]+")


def configure(settings: Settings) -> None:
    """Set up logging, and Sentry if a DSN is set."""
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if settings.sentry_environment == "development"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    if settings.sentry_dsn:
        _init_sentry(settings)


def _init_sentry(settings: Settings) -> None:
    import sentry_sdk  # noqa: PLC0415 - 0.1 s and 15 MB that a service without a DSN need not pay

    traces, profiles = settings.sample_rates
    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value() if settings.sentry_dsn else None,
        environment=settings.sentry_environment,
        release=settings.sentry_release,
        traces_sample_rate=traces,
        profiles_sample_rate=profiles,
        send_default_pii=False,
        # The bodies that we take hold other people's data and secrets.
        max_request_body_size="never",
        include_local_variables=False,
        before_send=_without_token,
        before_send_transaction=_without_token,
    )


def _without_token(event: Event, _hint: Hint) -> Event:
    """Cut the token out of the path of an unsigned webhook: who has it can send us anything."""
    request = event.get("request")
    if request and isinstance(url := request.get("url"), str):
        request["url"] = _TOKEN_PATH.sub(r"\1[token]", url)
    return event
