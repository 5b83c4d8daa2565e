"""Reports of faults to the service's own Sentry project, and what helps to understand them: who, in which steps, how long.

Without a DSN all of it does nothing, and sentry_sdk, which takes 0.1 s and 15 MB, is not loaded.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal, TypeAlias

import structlog

from settings import Settings
from telemetry.noise import Noise
from telemetry.scrubbing import Scrubber

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

RECEIVER_TAG = "alert_router.receiver"
"""The tag that names the receiver which a report concerns: routing/own_failures.py looks for it in what comes back from Sentry."""
NEVER_WHOLE = frozenset({"delivery_fault", "event_not_planned"})
"""Lines whose fault came while an alert was in hand: of what its exception says only the type is reported, for it may say anything."""
QUOTES = frozenset({"said", "detail"})
"""Facts in the words of others."""

Severity: TypeAlias = Literal["fatal", "critical", "error", "warning", "info", "debug"]

_dropped: Counter[str] = Counter()


def init_sentry(settings: Settings) -> None:
    """Report to the project of the DSN; without one, to none."""
    if settings.sentry_dsn is None:
        return
    import sentry_sdk  # noqa: PLC0415 - see above
    from sentry_sdk.integrations.argv import ArgvIntegration  # noqa: PLC0415 - the same
    from sentry_sdk.integrations.logging import LoggingIntegration  # noqa: PLC0415 - the same
    from sentry_sdk.integrations.stdlib import StdlibIntegration  # noqa: PLC0415 - the same

    traces, profiles = settings.sample_rates
    door = Door(Scrubber(settings.secrets, names_people=settings.telemetry_names_people), Noise(settings.sentry_ignore_errors), settings)
    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value(),
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
        disabled_integrations=[
            # It keeps the addresses that are called, of which some are secrets, and tells everybody who is called of our traces.
            StdlibIntegration,
            # What a command is given may be a password.
            ArgvIntegration,
            # What libraries log is a line of ours, and reported as one.
            LoggingIntegration,
        ],
        before_send=door.fault,
        before_send_transaction=door.transaction,
    )


def is_sentry_enabled() -> bool:
    """Whether faults are reported."""
    sdk = sys.modules.get("sentry_sdk")
    return sdk is not None and bool(sdk.get_client().is_active())


def dropped() -> Mapping[str, int]:
    """How often something was not reported, by the reason."""
    return dict(_dropped)


def attach_user_context(
    user_id: int | str, email: str | None = None, role: str | None = None, metadata: Mapping[str, object] | None = None
) -> None:
    """Say for whom the work is done that is reported from now on; the e-mail is sent only where people may be named."""
    if is_sentry_enabled():
        import sentry_sdk  # noqa: PLC0415 - it is loaded

        known = {"id": str(user_id), "email": email, "role": role, **(metadata or {})}
        sentry_sdk.set_user({name: value for name, value in known.items() if value is not None})


def attach_session(session: str, address: str | None) -> None:
    """Say in which session it is done, by a name that opens none, and from where."""
    if is_sentry_enabled():
        import sentry_sdk  # noqa: PLC0415 - it is loaded

        sentry_sdk.set_tag("session", session)
        sentry_sdk.set_context("client", {"address": address or ""})


def clear_user_context() -> None:
    """Say that it is done for nobody, and in no session."""
    if is_sentry_enabled():
        import sentry_sdk  # noqa: PLC0415 - it is loaded

        sentry_sdk.set_user(None)
        scope = sentry_sdk.get_isolation_scope()
        scope.remove_tag("session")
        scope.remove_context("client")


def capture_exception(
    error: BaseException,
    level: Severity = "error",
    user_id: int | str | None = None,
    extra_data: Mapping[str, object] | None = None,
) -> str | None:
    """Report an exception; its number in Sentry, None where it was not sent."""
    if not is_sentry_enabled():
        return None
    import sentry_sdk  # noqa: PLC0415 - it is loaded

    with _told_apart(level, user_id, extra_data):
        return sentry_sdk.capture_exception(error)


def capture_message(
    message: str, level: Severity = "info", user_id: int | str | None = None, extra_data: Mapping[str, object] | None = None
) -> str | None:
    """Report something that is no exception; its number in Sentry, None where it was not sent."""
    if not is_sentry_enabled():
        return None
    import sentry_sdk  # noqa: PLC0415 - it is loaded

    with _told_apart(level, user_id, extra_data):
        return sentry_sdk.capture_message(message, level)


def set_error_tag(name: str, value: str) -> None:
    """Have what is reported from now on found by this."""
    if is_sentry_enabled():
        import sentry_sdk  # noqa: PLC0415 - it is loaded

        sentry_sdk.set_tag(name, value)


def add_breadcrumb(message: str, category: str = "default", level: Severity = "info", data: Mapping[str, object] | None = None) -> None:
    """Remember a step, for what may be reported after it."""
    if is_sentry_enabled():
        import sentry_sdk  # noqa: PLC0415 - it is loaded

        sentry_sdk.add_breadcrumb(message=message, category=category, level=level, data=dict(data or {}))


def start_span(operation: str, name: str) -> AbstractContextManager[object]:
    """A part of the trace that is being made, if one is."""
    if not is_sentry_enabled():
        return nullcontext()
    import sentry_sdk  # noqa: PLC0415 - it is loaded

    return sentry_sdk.start_span(op=operation, name=name)


@contextmanager
def measure(name: str) -> Iterator[None]:
    """How long something takes, as a part of the trace and as a line for who debugs; around a block, or over a function."""
    began = time.perf_counter()
    try:
        with start_span("function", name):
            yield
    finally:
        structlog.get_logger().debug("time_taken", what=name, milliseconds=round((time.perf_counter() - began) * 1000, 1))


@contextmanager
def piece_of_work(operation: str, name: str, **ids: int | str | None) -> Iterator[None]:
    """Something with a trace, breadcrumbs and tags of its own: threads that work for many would mix theirs."""
    if not is_sentry_enabled():
        yield
        return
    import sentry_sdk  # noqa: PLC0415 - it is loaded

    with sentry_sdk.isolation_scope() as scope:
        scope.clear_breadcrumbs()
        for tag, value in ids.items():
            if value is not None:
                scope.set_tag(RECEIVER_TAG if tag == "receiver" else tag, str(value))
        with sentry_sdk.start_transaction(op=operation, name=name):
            yield


def report(fault: BaseException | None, event: str, facts: Mapping[str, object]) -> None:
    """Report what a line of the log says; `faults.Report`."""
    if not is_sentry_enabled():
        return
    import sentry_sdk  # noqa: PLC0415 - it is loaded

    with sentry_sdk.new_scope() as scope:
        scope.set_tag("log_event", event)
        scope.set_context("log", dict(facts))
        if receiver := facts.get("receiver"):
            scope.set_tag(RECEIVER_TAG, str(receiver))
        if fault is not None:
            scope.capture_exception(fault)
            return
        scope.fingerprint = [event, str(receiver)]
        scope.capture_message(f"{event}: {receiver}", "error")


class Door:
    """All that is reported passes here last."""

    def __init__(self, scrubber: Scrubber, noise: Noise, settings: Settings) -> None:
        """`scrubber` knows what must not leave, `noise` what need not."""
        self._scrubber, self._noise = scrubber, noise
        self._names_people = settings.telemetry_names_people

    def fault(self, event: Event, hint: Hint) -> Event | None:
        """Let a fault or a message pass, clean, unless it is noise."""
        caught = hint.get("exc_info")
        fault = caught[1] if caught else None
        if reason := self._noise.reason(fault, str(event.get("message") or event.get("logentry", {}).get("message") or "")):
            _dropped[reason] += 1
            structlog.get_logger().debug("not_reported", fault=type(fault).__qualname__ if fault else "", why=reason)
            return None
        if event.get("tags", {}).get("log_event") in NEVER_WHOLE:
            _keep_types(event)
        return self._cleaned(event)

    def transaction(self, event: Event, _hint: Hint) -> Event | None:
        """Let a trace pass, clean."""
        return self._cleaned(event)

    def _cleaned(self, event: Event) -> Event:
        """Without secrets and people, wherever they stand: what is not known to be harmless is looked through."""
        # A job's arguments, in whatever form: ours have none, and others' are not known to be harmless.
        event.get("extra", {}).pop("rq-job", None)
        contexts = event.get("contexts", {})
        if address := contexts.get("client", {}).get("address"):
            contexts["client"]["address"] = self._scrubber.address(str(address))
        if not self._names_people:
            self._forget_people(event)
        for part in event.keys() - _HARMLESS:
            event[part] = self._scrubber.tree(event[part])  # type: ignore[literal-required]  # texts change, their place does not
        return event

    @staticmethod
    def _forget_people(event: Event) -> None:
        user = event.get("user") or {}
        for name in ("email", "username", "ip_address", "name"):
            user.pop(name, None)
        log = event.get("contexts", {}).get("log", {})
        for quote in QUOTES & log.keys():
            del log[quote]


_HARMLESS = frozenset({"event_id", "timestamp", "start_timestamp", "platform", "environment", "release", "sdk", "modules", "type", "level"})


def _keep_types(event: Event) -> None:
    for one in event.get("exception", {}).get("values", ()):
        one["value"] = "[not sent: it may quote an alert]"


@contextmanager
def _told_apart(level: Severity, user_id: int | str | None, extra_data: Mapping[str, object] | None) -> Iterator[None]:
    """A scope for one report."""
    import sentry_sdk  # noqa: PLC0415 - it is loaded

    with sentry_sdk.new_scope() as scope:
        scope.set_level(level)
        if user_id is not None:
            scope.set_user({"id": str(user_id)})
        if extra_data:
            scope.set_context("extra_data", dict(extra_data))
        yield
