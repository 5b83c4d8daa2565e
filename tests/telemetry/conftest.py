from __future__ import annotations

from collections.abc import Iterator

import pytest
import sentry_sdk

from tests.stand_ins.sentry import Intake
from tests.stand_ins.server import Server
from tests.telemetry.reports import as_before, configure, dsn


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    with as_before():
        yield


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
