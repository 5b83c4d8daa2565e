"""What is no fault, and why."""

from __future__ import annotations

import pytest
import redis
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import ClientDisconnected

from notifiers.errors import PermanentError, RetryableError
from telemetry.noise import NOISE, Noise


def locked(said: str = "database is locked") -> OperationalError:
    return OperationalError("INSERT …", {}, Exception(said))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ClientDisconnected(), "client went away"),
        (BrokenPipeError(), "client went away"),
        (ConnectionResetError(), "client went away"),
        (KeyboardInterrupt(), "ended the process"),
        (SystemExit(1), "ended the process"),
        (RetryableError("HTTP 503"), "tried again"),
        (redis.exceptions.ConnectionError("away"), "until Redis is back"),
        (redis.exceptions.BusyLoadingError("loading"), "until Redis is back"),
        (locked(), "tries again"),
        (locked("deadlock detected"), "tries again"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_noise_is_known_with_its_reason(fault: BaseException, reason: str) -> None:
    assert reason in (Noise().reason(fault) or "")


@pytest.mark.parametrize(
    "fault",
    [
        PermanentError("channel_not_found"),
        ConnectionError("of whom?"),
        TimeoutError(),
        locked("disk I/O error"),
        ValueError("database is locked"),
    ],
    ids=repr,
)
def test_what_is_a_fault_is_none(fault: BaseException) -> None:
    assert Noise().reason(fault) is None


def test_each_name_is_that_of_a_class_that_there_is() -> None:
    known = [ClientDisconnected, BrokenPipeError, ConnectionResetError, KeyboardInterrupt, SystemExit, GeneratorExit, RetryableError]
    known += [redis.exceptions.ConnectionError, redis.exceptions.TimeoutError]

    assert set(NOISE) == {f"{one.__module__}.{one.__qualname__}" for one in known}


@pytest.mark.parametrize("ignored", ["KeyError", "LookupError", "builtins.LookupError", "curr.ncy"])
def test_what_the_operator_ignores_is_known_by_name_by_kind_and_by_what_it_says(ignored: str) -> None:
    noise = Noise((ignored,))

    assert noise.reason(KeyError("currency")) == f"SENTRY_IGNORE_ERRORS: {ignored}"
    assert noise.reason(ValueError("amount")) is None
