"""What would wait too long is told in summaries: each alert in some message, and each summary closed when all of it has ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from routing import sentry
from routing.gate import Limit
from routing.notification import Lane, Outcome, Reason, State
from routing.rules import RuleSet
from storage import claims, incident_desk, inspection, notifications, outcomes, overflow
from storage.claims import Claimed, Pace
from storage.tables import announcements, slots
from tests.factories import NOW, issue_webhook
from tests.storage.planned import ended, issue, make_rules, plan_all, store

LIMITS = {"preview": Limit.per_minute(60)}
PACE = Pace(limits=LIMITS)
RULES = """
version: 1
receivers: {chat: {kind: preview}}
rules:
  - {name: critical, when: "level:fatal", severity: critical, notify: [chat], stop: true}
  - {name: new, when: "level:warning", notify: [chat], stop: true}
  - {name: all, when: "", notify: [chat], cooldown: 0s}
"""


@pytest.fixture
def rules() -> RuleSet:
    return make_rules(RULES)


def come(engine: Engine, rules: RuleSet, count: int, level: str = "error", *, first: int = 1) -> None:
    for number in range(first, first + count):
        store(engine, issue(number, level=level, title=f"trouble {number}"))
    plan_all(engine, rules, limit=500)


def sum_up(engine: Engine, rules: RuleSet) -> frozenset[Lane]:
    return overflow.sum_up(engine, rules, LIMITS, lambda: NOW)


def send_all(engine: Engine) -> list[Claimed]:
    """Everything is sent, however long that takes."""
    sent: list[Claimed] = []
    for lane in Lane:
        while claimed := claims.claim(engine, lane, worker="a", now=NOW + timedelta(hours=1), limit=500).taken:
            outcomes.record(engine, [(one.id, ended(one.tries.number, reference={"ts": str(one.id)})) for one in claimed])
            sent += claimed
    return sent


def incidents_told(sent: list[Claimed]) -> set[str]:
    """Those that head a message, and those that one names beside."""
    heads = {f"issue:{sentry.parse(one.event.resource, one.event.body, NOW).issue_id}" for one in sent}
    return heads | {other.incident for one in sent for other in one.others}


def end(engine: Engine, rules: RuleSet, *numbers: int) -> None:
    for number in numbers:
        store(engine, issue_webhook("resolved", id=str(number), lastSeen=f"2026-03-05T10:{number % 60:02}:00Z"), at=NOW)
    plan_all(engine, rules, limit=500)


def test_few_wait_for_their_turn(engine: Engine, rules: RuleSet) -> None:
    come(engine, rules, 50)

    assert sum_up(engine, rules) == frozenset()
    assert len(send_all(engine)) == 50


def test_many_are_told_in_a_summary_for_each_rule_and_none_is_missing(engine: Engine, rules: RuleSet) -> None:
    come(engine, rules, 60)
    come(engine, rules, 20, "warning", first=101)

    assert sum_up(engine, rules) == {Lane.NORMAL}

    sent = send_all(engine)
    assert sorted((one.rules, one.reason, len(one.others)) for one in sent) == [
        (("all",), Reason.SUMMARY, 59),
        (("new",), Reason.SUMMARY, 19),
    ]
    assert incidents_told(sent) == {f"issue:{number}" for number in (*range(1, 61), *range(101, 121))}
    held = inspection.listed(engine, state=State.HELD, limit=100)
    assert {one.reason for one in held} == {Reason.SUMMED_UP}
    assert held[-1].why.endswith("; told as one of 60, for 60 alerts waited, more than chat is told in 1m")


def test_critical_ones_are_left_until_there_are_too_many_of_them(engine: Engine, rules: RuleSet) -> None:
    come(engine, rules, 80)
    come(engine, rules, 5, "fatal", first=101)

    sum_up(engine, rules)

    assert [one.reason for one in send_all(engine) if one.rules == ("critical",)] == [Reason.FIRST] * 5


def test_too_many_critical_ones_are_told_so_that_each_is_named(engine: Engine, rules: RuleSet) -> None:
    come(engine, rules, 80, "fatal")

    assert sum_up(engine, rules) == {Lane.CRITICAL}

    sent = send_all(engine)
    assert {len(one.others) + 1 for one in sent} == {8}
    assert len(incidents_told(sent)) == 80


def test_what_comes_while_a_summary_waits_joins_it(engine: Engine, rules: RuleSet) -> None:
    come(engine, rules, 70)
    sum_up(engine, rules)
    come(engine, rules, 70, first=101)
    sum_up(engine, rules)

    (sent,) = send_all(engine)

    assert len(sent.others) == 139


def test_it_is_closed_when_all_of_it_has_ended(engine: Engine, rules: RuleSet) -> None:
    come(engine, rules, 70)
    sum_up(engine, rules)
    send_all(engine)

    end(engine, rules, *range(1, 70))
    assert send_all(engine) == []
    end(engine, rules, 70)

    (closing,) = send_all(engine)
    assert closing.reason is Reason.RESOLVED
    assert closing.told
    assert closing.told.reason is Reason.SUMMARY


def test_a_dead_one_can_be_sent_again_until_all_of_it_has_ended(engine: Engine, rules: RuleSet) -> None:
    come(engine, rules, 70)
    sum_up(engine, rules)
    (dead,) = claims.claim(engine, Lane.NORMAL, worker="a", now=NOW, limit=500).taken
    outcomes.record(engine, [(dead.id, ended(outcome=Outcome.REFUSED))])

    end(engine, rules, *range(2, 71))  # its head among them, the newest
    while_one_fires = notifications.requeue(engine, ids=[dead.id], now=NOW, dry_run=True)
    end(engine, rules, 1)

    assert while_one_fires == (dead.id,)
    assert notifications.requeue(engine, ids=[dead.id], now=NOW) == ()


def test_what_was_told_before_is_closed_by_itself_too(engine: Engine, rules: RuleSet) -> None:
    come(engine, rules, 1)
    send_all(engine)
    store(engine, issue(1, 2))
    come(engine, rules, 70, first=2)
    sum_up(engine, rules)
    send_all(engine)

    end(engine, rules, 1)

    (closing,) = send_all(engine)
    assert (closing.incident, closing.reason) == ("issue:1", Reason.RESOLVED)


def test_what_ends_before_its_summary_is_told_leaves_nothing_open(engine: Engine, rules: RuleSet) -> None:
    come(engine, rules, 70)
    sum_up(engine, rules)
    end(engine, rules, *range(1, 71))

    assert {one.told for one in send_all(engine)} <= {None}
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(announcements)).scalar_one() == 0


def test_who_asks_finds_where_an_incident_was_told(engine: Engine, rules: RuleSet) -> None:
    come(engine, rules, 70)
    sum_up(engine, rules)

    life = incident_desk.life(engine, "issue:3")

    assert life
    with engine.connect() as connection:
        topics = connection.execute(select(announcements.c.subject).distinct()).scalars().all()
    assert len(topics) == 1
    assert topics[0].startswith("group:summary:")


def test_turns_that_nobody_needs_any_more_are_free_again(engine: Engine) -> None:
    """`max_per_minute` has given each message a turn of its own, the last of them an hour from now."""
    rules = make_rules(RULES.replace("{kind: preview}", "{kind: preview, max_per_minute: 2}"))
    come(engine, rules, 60)

    overflow.sum_up(engine, rules, {}, lambda: NOW)

    with engine.connect() as connection:
        assert connection.execute(select(func.count()).where(slots.c.at > NOW)).scalar_one() <= 1
    (sent,) = send_all(engine)
    assert len(sent.others) == 59
