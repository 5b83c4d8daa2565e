"""What stands in a channel is kept up to date: at most once a minute, and in nobody's way."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Engine

from notifiers.registry import KINDS
from routing.notification import Lane, Link, Outcome, Reason, State
from routing.rules_loading import load
from storage import claims, inspection, notifications, outcomes, refreshing
from storage.claims import Claimed
from tests.factories import NOW, issue_webhook
from tests.storage.planned import ended, issue, plan_all, store

RULES = load(
    """
    version: 1
    receivers: {chat: {kind: slack, channel: "#errors"}, mail: {kind: email, to: [team@example.com]}}
    rules: [{name: errors, when: "", severity: critical, notify: [chat, mail]}]
    """,
    kinds=KINDS,
    environment={},
)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
STANDS = {"channel": "C1", "ts": "1.0"}


def hear(engine: Engine, after: timedelta, event: int = 1, **changes: str | int) -> None:
    """An alert of the issue comes, so long after the first one."""
    store(engine, issue(1, event, **changes), at=NOW + after)
    plan_all(engine, RULES, at=NOW + after)


def claim(engine: Engine, after: timedelta) -> list[Claimed]:
    """What is sent then, of both lanes."""
    return [one for lane in Lane for one in claims.claim(engine, lane, worker="a", now=NOW + after, limit=64).taken]


def send(engine: Engine, after: timedelta, outcome: Outcome = Outcome.DELIVERED) -> list[str]:
    """What is due then goes out; as `chat first`."""
    at: datetime = NOW + after
    claimed = claim(engine, after)
    done = [(one.id, ended(one.tries.number, outcome, began_at=at, ended_at=at, reference=STANDS)) for one in claimed]
    if done:
        outcomes.record(engine, done)
    return [f"{one.receiver} {one.reason}" for one in claimed]


def test_what_is_held_is_shown_where_that_can_be_changed(engine: Engine) -> None:
    hear(engine, timedelta())
    send(engine, SECOND)
    store(engine, issue_webhook("assigned", id="1", count="41"), at=NOW + 2 * SECOND)
    hear(engine, 2 * SECOND, 2)

    (update,) = claim(engine, SECOND + MINUTE)

    assert (update.receiver, update.reason) == ("chat", Reason.UPDATED)
    assert (update.event.resource, update.told and update.told.reference) == ("event_alert", STANDS)
    assert update.numbers
    assert (update.numbers.event_count, update.numbers.assignee) == (41, "payments")


def test_it_is_changed_once_a_minute_at_most_with_what_is_known_by_then(engine: Engine) -> None:
    hear(engine, timedelta())
    send(engine, SECOND)
    for event in range(2, 50):
        hear(engine, event * SECOND, event)

    assert send(engine, 60 * SECOND) == []
    assert send(engine, 61 * SECOND) == ["chat updated"]
    assert send(engine, 62 * SECOND) == []


def test_only_the_last_change_is_kept(engine: Engine) -> None:
    hear(engine, timedelta())
    send(engine, SECOND)
    for event in range(2, 8):
        hear(engine, event * 2 * MINUTE, event)
        assert send(engine, event * 2 * MINUTE) == ["chat updated"]

    assert [one.reason for one in inspection.listed(engine) if one.state is State.SENT] == [Reason.UPDATED, Reason.FIRST, Reason.FIRST]


def test_a_change_that_was_only_recorded_is_kept_no_longer_and_never_sent_as_news(engine: Engine) -> None:
    hear(engine, timedelta())
    send(engine, SECOND)
    for event in (2, 3):
        hear(engine, event * 2 * MINUTE, event)
        send(engine, event * 2 * MINUTE, Outcome.PREVIEWED)

    assert [one.reason for one in inspection.listed(engine, state=State.HELD) if one.state is State.HELD].count(Reason.UPDATED) == 1
    assert notifications.requeue(engine, state=State.HELD, now=NOW + timedelta(hours=1)) == ()


def test_it_holds_no_message_up_and_gives_way_to_it(engine: Engine) -> None:
    hear(engine, timedelta())
    send(engine, SECOND)
    hear(engine, timedelta(minutes=29, seconds=59), 2)
    hear(engine, timedelta(minutes=31), 3)

    assert send(engine, timedelta(minutes=31)) == ["chat repeat", "mail repeat"]
    assert send(engine, timedelta(minutes=40)) == []


def test_nothing_is_changed_where_nothing_arrived_or_all_is_over(engine: Engine) -> None:
    hear(engine, timedelta())
    send(engine, SECOND, Outcome.REFUSED)
    hear(engine, MINUTE, 2)
    assert send(engine, 5 * MINUTE) == []

    hear(engine, timedelta(minutes=31), 3)
    send(engine, timedelta(minutes=31))
    hear(engine, timedelta(minutes=31, seconds=2), 4)
    store(engine, issue_webhook("resolved", id="1"), at=NOW + timedelta(minutes=31, seconds=3))
    plan_all(engine, RULES, at=NOW + timedelta(minutes=31, seconds=3))

    assert sorted(send(engine, timedelta(minutes=40))) == ["chat resolved", "mail resolved"]


def test_what_becomes_known_while_a_message_is_on_its_way_is_shown_afterwards(engine: Engine) -> None:
    hear(engine, timedelta())
    on_their_way = claim(engine, SECOND)
    store(engine, issue_webhook("assigned", id="1", count="41"), at=NOW + 2 * SECOND)
    plan_all(engine, RULES, at=NOW + 2 * SECOND)
    at = NOW + 3 * SECOND
    outcomes.record(engine, [(one.id, ended(began_at=at, ended_at=at, reference=STANDS)) for one in on_their_way])

    (update,) = claim(engine, 2 * SECOND + MINUTE)

    assert (update.receiver, update.reason, update.numbers and update.numbers.event_count) == ("chat", Reason.UPDATED, 41)


def test_what_was_made_elsewhere_is_shown_with_its_address(engine: Engine) -> None:
    hear(engine, timedelta())
    claimed = {one.receiver: one for one in claim(engine, SECOND)}
    issue_of = {"key": "OPS-1", "url": "https://acme.atlassian.net/browse/OPS-1"}
    made = {"chat": STANDS, "mail": issue_of}  # as if it were Jira's
    at = NOW + SECOND
    outcomes.record(engine, [(one.id, ended(began_at=at, ended_at=at, reference=made[name])) for name, one in claimed.items()])

    refreshing.show_links(engine, [claimed["mail"].id], at)

    (update,) = claim(engine, 2 * SECOND + MINUTE)
    assert (update.receiver, update.reason, update.links) == ("chat", Reason.UPDATED, (Link("Email", "OPS-1", issue_of["url"]),))


def test_where_nothing_was_made_nothing_is_shown(engine: Engine) -> None:
    hear(engine, timedelta())
    claimed = [one.id for one in claim(engine, SECOND)]
    send(engine, SECOND)

    refreshing.show_links(engine, claimed, NOW + SECOND)

    assert claim(engine, 2 * MINUTE) == []
