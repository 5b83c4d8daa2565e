from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import sentry_sdk
import structlog

from tests.stand_ins.sentry import Intake
from tests.stand_ins.server import Server
from tests.telemetry.reports import configure, dsn


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    configured = structlog.get_config()
    steps = configured["processors"].copy()
    root = logging.root.handlers.copy()
    yield
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)
    configured["processors"][:] = steps
    structlog.configure(wrapper_class=configured["wrapper_class"])
    logging.root.handlers[:] = root


@pytest.fixture
def intake() -> Iterator[Server[Intake]]:
    with Server(Intake()) as server:
        configure(
            SENTRY_DSN=dsn(server),
            SENTRY_TRACES_SAMPLE_RATE="1",
            # Its profiler asks CPython for the frames of all threads, which has hung a test process that had hundreds of them.
            SENTRY_PROFILES_SAMPLE_RATE="0",
        )
        yield server
        sentry_sdk.flush()
