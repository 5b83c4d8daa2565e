"""Receivers that are told only so many times a minute."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from notifiers.preview import PreviewOptions
from routing.rules import RuleSet
from routing.rules_loading import load
from storage import inspection
from tests.factories import NOW
from tests.storage.planned import issue, plan_all, store

RULES = """
version: 1
receivers: {chat: {kind: preview, max_per_minute: 2}, mail: {kind: preview}}
rules:
  - {name: errors, when: "level:error", notify: [chat, mail]}
  - {name: fatal, when: "level:fatal", notify: [chat]}
"""


def make_rules() -> RuleSet:
    return load(RULES, kinds={"preview": PreviewOptions}, environment={})


def seconds(engine: Engine, receiver: str) -> list[float]:
    """How long after NOW each notification may be sent, in the order in which they were planned."""
    listed = reversed(inspection.listed(engine, receiver=receiver))
    return [(one.next_attempt_at - NOW).total_seconds() for one in listed]


def test_what_comes_faster_waits_its_turn_and_says_so(engine: Engine) -> None:
    for number in range(5):
        store(engine, issue(number))
    plan_all(engine, make_rules(), limit=2)

    assert seconds(engine, "chat") == [0, 0, 60, 60, 120]
    assert seconds(engine, "mail") == [0] * 5
    assert inspection.listed(engine, receiver="chat")[0].why == 'level is "error"; waits until 10:17:32 UTC, chat is told 2 times a minute'


def test_when_the_minute_is_over_nothing_waits(engine: Engine) -> None:
    for minutes in (0, 0, 1, 1):
        store(engine, issue(len(seconds(engine, "chat"))), at=NOW + timedelta(minutes=minutes))
        plan_all(engine, make_rules(), at=NOW + timedelta(minutes=minutes))

    assert seconds(engine, "chat") == [0, 0, 60, 60]


def test_what_is_critical_does_not_wait_but_counts(engine: Engine) -> None:
    for number, level in enumerate(["error", "error", "fatal", "fatal", "error"]):
        store(engine, issue(number, level=level))
    plan_all(engine, make_rules())

    assert seconds(engine, "chat") == [0, 0, 0, 0, 60]
