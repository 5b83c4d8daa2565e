"""Logs as events with facts: for people in development, JSON lines elsewhere. Faults of this service go to its own Sentry project."""

from __future__ import annotations

import atexit
import json
import logging
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from settings import Settings

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

REPORTED_AGAIN_AFTER_SECONDS = 60.0
"""What fails in a loop fails every second."""
_MAX_REMEMBERED = 1000
BEHIND_SECONDS = 0.02
"""Where lines are written behind, they wait so long for others."""

_TOKEN_PATH = re.compile(r"(/webhooks/(?:sentry/legacy|glitchtip)/)[^/?#]+")
_STATEMENT = re.compile(r"\n\[(?:SQL|parameters): .*", re.DOTALL)

Report = Callable[[BaseException, str, Mapping[str, object]], None]
"""Sends a fault to Sentry, with the event that it was logged as and its facts."""

_JSON = msgspec.json.Encoder(enc_hook=repr)


def configure(settings: Settings) -> None:
    """Set up logging, and Sentry if a DSN is set."""
    is_for_people = settings.sentry_environment == "development"
    renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if is_for_people else _as_json
    steps: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        renderer,
    ]
    if settings.sentry_dsn:
        _init_sentry(settings)
        steps.insert(0, FaultReporter(_report, clock=time.monotonic))
    # In the list that is there: loggers that have been used keep it, and so hear of a new configuration, and of a test that listens.
    configured = structlog.get_config()["processors"]
    configured[:] = steps
    structlog.configure(
        processors=configured,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_StandardError,
        cache_logger_on_first_use=True,
    )


def write_behind() -> None:
    """From now on lines that tell of no fault are written by a thread of their own, several at once.

    A write hands on the interpreter, and who has more to do gets it back late: one for each webhook took an eighth of its time. What
    waits is written before a line that tells of a fault, and when the process ends; one that leaves by `os._exit` calls `write_all`.
    """
    _lines.write_behind()


def write_all() -> None:
    """Write what waits."""
    _lines.write()


class FaultReporter:
    """A step of logging that reports what was caught: the exception of an error's line, or the one that is being handled there.

    One fault at one place is reported once in a while only, however often it is logged.
    """

    def __init__(self, report: Report, *, clock: Callable[[], float]) -> None:
        """`clock` counts seconds."""
        self._report, self._clock = report, clock
        self._reported: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Report, and pass the line on."""
        if method in {"error", "critical"} and (fault := _fault(event)) and self._is_due(_identity(event, fault)):
            facts = {name: value for name, value in event.items() if name not in {"event", "exc_info"}}
            self._report(fault, str(event.get("event")), facts)
        return event

    def _is_due(self, identity: str) -> bool:
        now = self._clock()
        with self._lock:
            if now - self._reported.get(identity, -REPORTED_AGAIN_AFTER_SECONDS) < REPORTED_AGAIN_AFTER_SECONDS:
                return False
            if len(self._reported) >= _MAX_REMEMBERED:
                self._reported.clear()
            self._reported[identity] = now
            return True


class _Lines:
    """Lines on their way to what is standard error when they are written, which a test may have put in place of the process's own."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._lock = threading.Lock()
        self._comes = threading.Event()
        self._is_behind = False

    def write_behind(self) -> None:
        if not self._is_behind:
            self._is_behind = True
            threading.Thread(target=self._write_in_time, name="log", daemon=True).start()
            atexit.register(self.write)

    def say(self, line: str) -> None:
        self._waiting.append(line)
        if not self._is_behind:
            self.write()
        elif not self._comes.is_set():
            self._comes.set()

    def write(self, *last: str) -> None:
        """All that waits, and then this."""
        with self._lock:
            self._waiting.extend(last)
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            try:
                sys.stderr.write("".join(f"{line}\n" for line in lines))
            except OSError:
                return  # a full disk must not make a delivery look as if it had failed

    def _write_in_time(self) -> None:
        while True:
            self._comes.wait()
            time.sleep(BEHIND_SECONDS)
            self._comes.clear()
            self.write()


_lines = _Lines()


class _StandardError:
    """What structlog writes to."""

    def __init__(self, *_: object) -> None:
        """Take what structlog says of whose logger it is, and forget it."""

    def info(self, line: str) -> None:
        _lines.say(line)

    def error(self, line: str) -> None:
        _lines.write(line)

    warning = critical = error


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    try:
        return _JSON.encode(event).decode()
    except (ValueError, TypeError, RecursionError):
        # Half a surrogate pair, say. A line of a log must not be what fails.
        return json.dumps(event, default=repr, skipkeys=True)


def _fault(event: EventDict) -> BaseException | None:
    given = event.get("exc_info")
    if isinstance(given, BaseException):
        return given
    return given[1] if isinstance(given, tuple) else sys.exc_info()[1]


def _identity(event: EventDict, fault: BaseException) -> str:
    """The same for the same fault at the same place."""
    trace = fault.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{event.get('event')} {type(fault).__qualname__} {place}"


def _init_sentry(settings: Settings) -> None:
    import sentry_sdk  # noqa: PLC0415 - 0.1 s and 15 MB that a service without a DSN need not pay
    from sentry_sdk.integrations.stdlib import StdlibIntegration  # noqa: PLC0415 - the same

    traces, profiles = settings.sample_rates
    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value() if settings.sentry_dsn else None,
        environment=settings.sentry_environment,
        release=settings.sentry_release,
        traces_sample_rate=traces,
        # The share of processes that profile their traces; profiles by transaction are at their end.
        profile_session_sample_rate=profiles,
        profile_lifecycle="trace",
        # What we are sent holds other people's data and secrets: docs.sentry.io/platforms/python/data-management/data-collected
        data_collection={
            "user_info": False,
            "cookies": {"mode": "off"},
            "http_headers": {"request": {"mode": "off"}},
            "http_bodies": [],
            "url_query_params": {"mode": "off"},
            "database_query_data": False,
            "queues": False,
            "stack_frame_variables": False,
        },
        # It keeps the addresses that are called, of which some are secrets, and tells everybody who is called of our traces.
        disabled_integrations=[StdlibIntegration],
        before_send=_without_secrets,
        before_send_transaction=_without_secrets,
    )


def _report(fault: BaseException, event: str, facts: Mapping[str, object]) -> None:
    import sentry_sdk  # noqa: PLC0415 - as in _init_sentry, which has loaded it

    with sentry_sdk.new_scope() as scope:
        scope.set_tag("log_event", event)
        scope.set_context("log", dict(facts))
        scope.capture_exception(fault)


def _without_secrets(event: Event, _hint: Hint) -> Event:
    """Cut the token out of the paths of unsigned webhooks: who has it can send us anything; and what people wrote out of SQL errors."""
    for part in ("request", "exception", "breadcrumbs", "logentry", "transaction", "spans"):
        if part in event:
            event[part] = _cleaned(event[part])  # type: ignore[typeddict-item]  # the texts change, their place does not
    return event


def _cleaned(value: object) -> object:
    match value:
        case str():
            return _STATEMENT.sub("", _TOKEN_PATH.sub(r"\1[token]", value))
        case dict():
            return {key: _cleaned(inner) for key, inner in value.items()}
        case list():
            return [_cleaned(inner) for inner in value]
    return value
