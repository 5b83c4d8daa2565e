"""`flask alerts explain`: what each rule said to an alert, or would say, and who was or would be told."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import Engine

from cli.rules_in import rules_in
from routing import own_events, sentry
from routing.alert import Alert
from settings import Settings
from storage.database import SchemaError, check_schema
from storage.explanation import Explanation, alert_of_event, of_event, would
from storage.inspection import NoSuchEventError

_LARGEST = 2**63 - 1
"""What a database can number rows with."""
MAX_WIDTH = 100
"""Of the reasons; what is longer goes on in the next line."""


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
            return _would(engine, settings, alert_of_event(engine, int(subject)), moment, f"event {int(subject)}")
        return _would(_ready(engine), settings, _read(Path(subject), resource, moment), moment, subject)
    except (NoSuchEventError, sentry.UnreadableAlert) as error:
        raise click.ClickException(str(error)) from None


def _would(engine: Engine | None, settings: Settings, alert: Alert, at: datetime, what: str) -> Explanation:
    return would(engine, alert, rules_in(settings.rules_file, settings), at, what)


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
