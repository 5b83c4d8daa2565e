"""Logs as events with facts: for people in development, JSON lines elsewhere. Errors of this service go to its own Sentry project."""

from __future__ import annotations

import logging
import sys

import structlog

from settings import Settings


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
    )
