"""What a real sentry_sdk sends to a collector of ours, read."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import sentry_sdk
import structlog

import telemetry
from routing.alert import Json
from settings import Settings
from tests.stand_ins.sentry import KEY, Intake
from tests.stand_ins.server import Server

Fact: TypeAlias = "Mapping[str, Json]"


def dsn(server: Server[Intake]) -> str:
    return f"http://{KEY}@{server.url.removeprefix('http://')}/7"


def configure(**variables: str) -> None:
    telemetry.configure(Settings.from_variables({"SENTRY_ENVIRONMENT": "test", "SENTRY_CLIENT_SECRETS": "x", **variables}))


@contextmanager
def as_before() -> Iterator[None]:
    """Afterwards logging is as it was, and nothing is reported."""
    configured, root = structlog.get_config(), logging.root.handlers.copy()
    steps = configured["processors"].copy()
    yield
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)
    configured["processors"][:] = steps
    structlog.configure(wrapper_class=configured["wrapper_class"])
    logging.root.handlers[:] = root


def reported(intake: Server[Intake], kind: str = "event") -> list[dict[str, Json]]:
    sentry_sdk.flush()
    # Threads of applications that earlier tests have made live on, and their database is gone.
    return [one for one in intake.app.items(kind) if "refusals_not_counted" not in str(one.get("tags"))]


def member(fact: Json, *path: str) -> Json:
    """What stands at a path."""
    for name in path:
        assert isinstance(fact, Mapping)
        fact = fact[name]
    return fact


def members(fact: Json, *path: str) -> list[Fact]:
    """The entries of a list at a path."""
    found = member(fact, *path)
    assert isinstance(found, list)
    return [one for one in found if isinstance(one, Mapping)]


def told(event: Fact) -> tuple[Json, Json]:
    """Type and text of the exception."""
    last = members(event, "exception", "values")[-1]
    return last["type"], last["value"]


def sent(intake: Server[Intake]) -> str:
    """Every byte so far."""
    sentry_sdk.flush()
    return b"".join(intake.app.raw).decode()
