"""`flask alerts explain`: what each rule said to an alert, or would say, and who was or would be told."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import Engine

from cli.rules_in import rules_in
from routing import own_events, sentry
from routing.alert import Alert
from routing.notification import PlannedNotification
from routing.plan import Plan
from settings import Settings
from storage import dry_run, inspection
from storage.database import SchemaError, check_schema
from storage.inspection import Listed, NoSuchEventError

_LARGEST = 2**63 - 1
"""What a database can number rows with."""
MAX_WIDTH = 100
"""Of the reasons; what is longer goes on in the next line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A notification, or one that would be."""

    id: int | None = None
    receiver: str
    state: str
    reason: str
    severity: str
    rules: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What became of an alert, or would."""

    what: str
    title: str
    outcome: str
    rules_version: str
    rules: tuple[tuple[str, bool, str], ...]
    told: tuple[Told, ...]
    later: tuple[str, ...] = ()
    """When rules would come back to it."""


def of_event(engine: Engine, event_id: int) -> Explanation:
    """What became of an event.

    Raises:
        NoSuchEventError: there is none of this number.
    """
    event = inspection.find_event(engine, event_id)
    outcome = f"{event.disposition} of event {event.duplicate_of}" if event.duplicate_of else str(event.disposition or event.state)
    because = event.error or event.ignored_by
    listed = reversed(inspection.listed(engine, event_id=event_id))
    return Explanation(
        what=f"event {event.id}, {_kind(event.resource, event.action)}, received {_clock(event.received_at)}",
        title=f"{event.title} ({event.project or 'no project'}, {event.environment or 'no environment'})" if event.title else "",
        outcome=outcome + (f": {because}" if because else ""),
        rules_version=event.rules_version or "",
        rules=tuple((trace.rule, trace.matched, trace.why) for trace in event.trace),
        told=tuple(_told(one, one.id) for one in listed),
    )


def of_plan(alert: Alert, planned: Plan, *, version: str, what: str) -> Explanation:
    """What would become of an alert."""
    return Explanation(
        what=f"{what}, {_kind(alert.resource, alert.action)}",
        title=f"{alert.title} ({alert.project or 'no project'}, {alert.environment or 'no environment'})",
        outcome=f"would be {planned.disposition}" + (f": {planned.ignored_by}" if planned.ignored_by else ""),
        rules_version=version,
        rules=tuple((trace.rule, trace.matched, trace.why) for trace in planned.trace),
        told=tuple(map(_told, planned.notifications)),
        later=tuple(f"{_clock(timer.due_at)}  {timer.cause}  {timer.rule}" for timer in planned.timers),
    )


def lines(explanation: Explanation) -> Iterator[str]:
    """For people."""
    yield explanation.what
    if explanation.title:
        yield explanation.title
    yield explanation.outcome + (f", by rules {explanation.rules_version}" if explanation.rules_version else "")
    if explanation.rules:
        yield ""
        yield from _table(("RULE", "", "WHY"), [(rule, "matched" if met else "not", why) for rule, met, why in explanation.rules])
    if explanation.told:
        yield ""
        rows = [(str(one.id or "-"), one.receiver, one.state, one.reason, "+".join(one.rules), one.why) for one in explanation.told]
        yield from _table(("ID", "RECEIVER", "STATE", "REASON", "RULES", "WHY"), rows)
    if explanation.later:
        yield ""
        yield "LATER, IF STILL OPEN"
        yield from explanation.later


def as_json(explanation: Explanation) -> str:
    """For programs."""
    rules = [{"rule": rule, "matched": matched, "why": why} for rule, matched, why in explanation.rules]
    return json.dumps({**asdict(explanation), "rules": rules}, indent=2)


def explain(engine: Engine, settings: Settings, subject: str, *, at: datetime | None, resource: str | None) -> Explanation:
    """What became of an event; with a time or a file, what would.

    Raises:
        click.ClickException: in words, what is wrong with what was asked.
    """
    is_event = subject.isdecimal() and not Path(subject).exists()
    if is_event and int(subject[:30]) > _LARGEST:
        raise click.ClickException(f"there is no event {subject[:30]}")
    try:
        if is_event and at is None:
            return of_event(engine, int(subject))
        moment = at or datetime.now(UTC)
        if is_event:
            event = dry_run.find(engine, int(subject))
            alert = sentry.parse(event.resource, event.body, event.received_at, findings=event.findings)
            return _would(engine, settings, alert, moment, f"event {event.id}")
        return _would(_ready(engine), settings, _read(Path(subject), resource, moment), moment, subject)
    except (NoSuchEventError, sentry.UnreadableAlert) as error:
        raise click.ClickException(str(error)) from None


def _told(one: Listed | PlannedNotification, id_: int | None = None) -> Told:
    return Told(id=id_, receiver=one.receiver, state=one.state, reason=one.reason, severity=one.severity, rules=one.rules, why=one.why)


def _would(engine: Engine | None, settings: Settings, alert: Alert, at: datetime, what: str) -> Explanation:
    rules = rules_in(settings.rules_file, settings)
    known = "" if engine else ", as if nothing had come before (no database)"
    planned = dry_run.decide(engine, alert, rules, at)
    return of_plan(alert, planned, version=rules.version, what=f"{what} at {_clock(at)}{known}")


def _ready(engine: Engine) -> Engine | None:
    try:
        check_schema(engine)
    except SchemaError:
        return None
    return engine


def _read(path: Path, resource: str | None, at: datetime) -> Alert:
    """The alert in a file that holds the body of a webhook."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}; write the number of an event, or a file with a webhook's body") from None
    found = resource or sentry.resource_of(body)
    if found is None:
        known = ", ".join(sorted(sentry.RESOURCES - own_events.RESOURCES))
        raise click.ClickException(f"{path}: which webhook is this? say it by --resource: {known}")
    return sentry.parse(found, body, at)


def _kind(resource: str, action: str | None) -> str:
    return ".".join(filter(None, (resource, action))) or "of no resource"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as what is in them; the last one goes on below itself."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head) - 1)]
    for row in (head, *rows):
        first, *more = _wrapped(row[-1])
        yield "  ".join((*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)), first)).rstrip()
        for line in more:
            yield " " * (sum(widths) + 2 * len(widths)) + line


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, MAX_WIDTH, break_long_words=True) or [""]
