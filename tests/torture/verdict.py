"""What must be so after all of it: what was accepted is an event, planned, told once or held for a reason, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.exc import OperationalError

from routing import sentry
from routing.alert import Json
from routing.notification import Reason, State
from storage import events
from storage.tables import attempts, gates, notifications
from storage.tables import events as event_rows
from tests.stand_ins.pagerduty import PagerDuty
from tests.torture.stage import CountingSlack
from tests.torture.traffic import Story

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found."""

    events: int
    notifications: Mapping[State, int]
    attempts: int
    faults: tuple[str, ...]
    """Promises that were broken, each in words; none is as it must be."""


def time_passes(engine: Engine) -> None:
    """What waits for another try, or for a vendor that had failed, waits no more: the hours until then are not spent here."""
    now = datetime.now(UTC)
    # Where the service writes without a pause, the next time will do.
    with suppress(OperationalError), engine.begin() as connection:
        connection.execute(update(notifications).where(notifications.c.state == State.PLANNED).values(next_attempt_at=now))
        connection.execute(update(gates).values(opens_at=now, closed_until=None, trips=0))


def unsettled(engine: Engine, spool: Path) -> list[str]:
    """What waits to be read in, planned or sent."""
    unfinished = select(func.count()).where(notifications.c.state.in_((State.PLANNED, State.SENDING)))
    waiting = select(func.count()).select_from(event_rows).where(event_rows.c.state == "waiting")
    with engine.connect() as connection:
        counts = {"notifications": connection.execute(unfinished).scalar_one(), "events": connection.execute(waiting).scalar_one()}
    counts["bytes in the spool"] = sum(path.stat().st_size for path in spool.glob("*") if path.is_file())
    return [f"{count} {what}" for what, count in counts.items() if count]


def judge(engine: Engine, stories: Sequence[Story], slack: CountingSlack, pagerduty: PagerDuty) -> Verdict:
    """Hold what is stored and what the vendors have against what was accepted."""
    kept = Counter(_kept(engine))
    with engine.connect() as connection:
        by_state = {
            State(state): count for state, count in connection.execute(select(notifications.c.state, func.count()).group_by("state"))
        }
        tried = connection.execute(select(func.count()).select_from(attempts)).scalar_one()
        found = connection.execute(text("SELECT count(*) FROM events")).scalar_one()
    faults = (
        *_lost(stories, kept),
        *_unplanned(engine),
        *_dead(engine),
        *_doubled(slack),
        *_of_slack(stories, slack),
        *_of_pagerduty(stories, pagerduty),
    )
    return Verdict(events=found, notifications=by_state, attempts=tried, faults=faults)


def _kept(engine: Engine) -> Iterator[tuple[int, str]]:
    """By issue and resource what is stored: each body once, however often it came."""
    last = 0
    while True:
        with engine.connect() as connection:
            ids = (
                connection.execute(select(event_rows.c.id).where(event_rows.c.id > last).order_by(event_rows.c.id).limit(BATCH))
                .scalars()
                .all()
            )
            if not ids:
                return
            found = list(events.of(connection, ids))
        for event in found:
            alert = sentry.parse(event.resource, event.body, event.received_at)
            yield int(alert.issue_id or 0), f"{event.resource} {alert.event_id or ''}"
        last = ids[-1]


def _lost(stories: Sequence[Story], kept: Counter[tuple[int, str]]) -> Iterator[str]:
    for story in stories:
        for webhook in {one.body: one for one in story.webhooks}.values():
            alert = sentry.parse(webhook.resource, webhook.body, datetime.now(UTC))
            if not kept[(story.issue, f"{webhook.resource} {alert.event_id or ''}")]:
                yield f"issue {story.issue}: a webhook of {webhook.resource} was accepted and is no event"


def _unplanned(engine: Engine) -> Iterator[str]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT state, count(*) FROM events WHERE state <> 'planned' GROUP BY state")).all()
    yield from (f"{count} events are {state}" for state, count in rows)


def _dead(engine: Engine) -> Iterator[str]:
    query = select(notifications.c.id, notifications.c.receiver, notifications.c.reason, attempts.c.excerpt)
    last = (attempts.c.notification_id == notifications.c.id) & (attempts.c.number == notifications.c.attempts)
    wrong = notifications.c.state.in_((State.DEAD, State.PLANNED, State.SENDING)) & (notifications.c.reason != Reason.UPDATED)
    with engine.connect() as connection:
        for row in connection.execute(query.outerjoin(attempts, last).where(wrong).limit(20)):
            yield f"notification {row.id} to {row.receiver} ({row.reason}) was not told: {row.excerpt}"


def _doubled(slack: CountingSlack) -> Iterator[str]:
    at: dict[str, list[float]] = {}
    for number, moment in slack.posted:
        at.setdefault(number, []).append(moment)
    for number, moments in at.items():
        if len(moments) > 1:
            times = ", ".join(f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S.%f}" for moment in moments)
            yield f"notification {number} was posted {len(moments)} times in Slack: {times}"


def _of_slack(stories: Sequence[Story], slack: CountingSlack) -> Iterator[str]:
    roots: dict[str, list[Mapping[str, Json]]] = {}
    for message in chain(*slack.messages.values()):
        if "thread_ts" not in message:
            roots.setdefault(_incident(message), []).append(message)
    for story in stories:
        found = roots.get(f"issue:{story.issue}", [])
        if len(found) != 1:
            # What ended before it was told is told nowhere.
            if found or not story.ends:
                yield f"issue {story.issue} has {len(found)} messages in Slack"
        elif story.ends is not ("Resolved" in str(found[0].get("text")) or "RESOLVED" in str(found[0].get("text"))):
            yield f"issue {story.issue}: Slack shows {str(found[0].get('text'))[:80]!r}"


def _incident(message: Mapping[str, Json]) -> str:
    metadata = message.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    return str(payload.get("incident")) if isinstance(payload, dict) else "?"


def _of_pagerduty(stories: Sequence[Story], pagerduty: PagerDuty) -> Iterator[str]:
    by_issue: dict[str, list[str]] = {}
    for alert in list(pagerduty.alerts.values()):
        title = str(alert.events[0].get("payload", {}))
        issue = next((word for word in title.replace("'", " ").replace(":", " ").split() if word.isdigit()), "?")
        by_issue.setdefault(issue, []).append(alert.state)
    for story in stories:
        states = by_issue.get(str(story.issue), [])
        wanted = [] if not story.is_fatal else ["resolved" if story.ends else "triggered"]
        if states != wanted and not (story.ends and not states):
            yield f"issue {story.issue} is {states or 'unknown'} in PagerDuty, not {wanted or 'unknown'}"
