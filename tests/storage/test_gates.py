"""Destinations are told as fast as they may be, by all workers together, and left alone while they fail or have asked for that."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from routing.gate import FIRST_PAUSE, MIN_FAILURES, Limit
from routing.notification import Lane, Outcome
from routing.rules import RuleSet
from storage import claims, gates, outcomes
from storage.claims import Claimed, Pace
from storage.due import PATIENCE
from tests.factories import NOW, issue_webhook
from tests.storage.planned import ended, in_threads, issue, make_rules, plan_all, store

SECOND = timedelta(seconds=1)
SLOW = Pace(limits={"preview": Limit(per_second=1, burst=3)})
RULES = """
version: 1
receivers: {chat: {kind: preview}, talk: {kind: preview}}
rules:
  - {name: critical, when: "level:fatal", severity: critical, notify: [chat], stop: true}
  - {name: talks, when: "level:warning", notify: [talk], stop: true}
  - {name: all, when: "", notify: [chat], cooldown: 0s}
"""


@pytest.fixture
def rules() -> RuleSet:
    return make_rules(RULES)


def plan(engine: Engine, rules: RuleSet, *levels: str, first: int = 1) -> None:
    """An alert of each of these levels comes, each about an issue of its own."""
    for number, level in enumerate(levels, first):
        store(engine, issue(number, level=level))
    plan_all(engine, rules)


def claim(
    engine: Engine, lane: Lane = Lane.NORMAL, *, after: timedelta = timedelta(), pace: Pace = SLOW, under_way: tuple[Claimed, ...] = ()
) -> tuple[Claimed, ...]:
    return claims.claim(engine, lane, worker="a", now=NOW + after, limit=64, pace=pace, under_way=under_way).taken


def record(engine: Engine, claimed: tuple[Claimed, ...], outcome: Outcome, *, at: timedelta = timedelta(), **changes: object) -> None:
    finished = [(one.id, ended(one.tries.number, outcome, ended_at=NOW + at, **changes)) for one in claimed]
    outcomes.record(engine, finished, pace=SLOW)


def test_a_destination_gets_no_more_than_its_vendor_takes(engine: Engine, rules: RuleSet) -> None:
    plan(engine, rules, *["error"] * 10)

    counts = [len(claim(engine, after=seconds * SECOND)) for seconds in range(5)]

    assert counts == [3, 1, 1, 1, 1]


def test_another_destination_is_told_meanwhile(engine: Engine, rules: RuleSet) -> None:
    plan(engine, rules, *["error"] * 100, "warning")

    claimed = [*claim(engine), *claim(engine)]

    assert [one.receiver for one in claimed] == ["chat"] * 3 + ["talk"]


def test_workers_share_what_may_go(engine: Engine, rules: RuleSet) -> None:
    plan(engine, rules, *["error"] * 30)
    claimed: list[Claimed] = []

    in_threads(4, lambda: claimed.extend(claim(engine)))

    assert len(claimed) == 3
    assert len({one.id for one in claimed}) == 3


def test_what_was_not_sent_takes_nothing_away(engine: Engine, rules: RuleSet) -> None:
    plan(engine, rules, *["error"] * 10)
    record(engine, claim(engine), Outcome.NEEDLESS)

    assert len(claim(engine)) == 3


def test_a_clock_that_is_put_back_closes_nothing_for_longer(engine: Engine, rules: RuleSet) -> None:
    plan(engine, rules, *["error"] * 10)
    claim(engine, after=timedelta(minutes=10))

    assert len(claim(engine)) == 0
    assert len(claim(engine, after=SECOND)) == 1


class TestWhoSaysWhenToComeBack:
    def test_is_told_nothing_before_whatever_waits(self, engine: Engine, rules: RuleSet) -> None:
        plan(engine, rules, *["error"] * 5, "fatal")
        (first, *others) = claim(engine)
        record(engine, (first,), Outcome.RETRY, retry_after=7 * SECOND, was_put_off=True, excerpt="HTTP 429")
        record(engine, tuple(others), Outcome.DELIVERED)

        early = [*claim(engine, after=6.9 * SECOND), *claim(engine, Lane.CRITICAL, after=6.9 * SECOND)]

        assert early == []
        assert [one.receiver for one in claim(engine, Lane.CRITICAL, after=7 * SECOND)] == ["chat"]

    def test_is_told_nothing_for_a_while_if_it_only_says_that_it_was_too_much(self, engine: Engine, rules: RuleSet) -> None:
        plan(engine, rules, *["error"] * 5)
        (first, *others) = claim(engine)
        record(engine, (first,), Outcome.RETRY, retry_after=timedelta(hours=2), status_code=429)
        record(engine, tuple(others), Outcome.DELIVERED)

        assert claim(engine, after=FIRST_PAUSE - SECOND) == ()
        assert len(claim(engine, after=FIRST_PAUSE)) == 2

    def test_is_listed_with_what_it_said(self, engine: Engine, rules: RuleSet) -> None:
        plan(engine, rules, "error")
        record(engine, claim(engine), Outcome.RETRY, retry_after=7 * SECOND, was_put_off=True, excerpt="HTTP 429")

        (closed,) = gates.closed(engine, NOW + SECOND)

        assert (closed.receiver, closed.until, closed.why, closed.is_broken) == ("chat", NOW + 7 * SECOND, "HTTP 429", False)
        assert gates.closed(engine, NOW + 7 * SECOND) == ()


class TestWhatFails:
    def fail(self, engine: Engine, rules: RuleSet) -> tuple[gates.Closed, ...]:
        plan(engine, rules, *["error"] * 20)
        claimed = claim(engine, pace=Pace())[:MIN_FAILURES]
        failed = [(one.id, ended(1, Outcome.RETRY, ended_at=NOW, retry_after=SECOND, excerpt="HTTP 503")) for one in claimed]
        outcomes.give_back(engine, [one.id for one in claim(engine, pace=Pace())], worker="a", now=NOW)
        return outcomes.record(engine, failed)

    def test_is_left_alone_and_then_one_message_is_tried(self, engine: Engine, rules: RuleSet) -> None:
        (closed,) = self.fail(engine, rules)

        assert (closed.receiver, closed.why, closed.until) == ("chat", "HTTP 503", NOW + FIRST_PAUSE)
        assert claim(engine, after=FIRST_PAUSE - SECOND, pace=Pace()) == ()
        assert len(claim(engine, after=FIRST_PAUSE, pace=Pace())) == 1
        assert claim(engine, after=FIRST_PAUSE, pace=Pace()) == ()

    def test_is_told_everything_once_the_trial_is_fine(self, engine: Engine, rules: RuleSet) -> None:
        self.fail(engine, rules)
        record(engine, claim(engine, after=FIRST_PAUSE, pace=Pace()), Outcome.DELIVERED, at=FIRST_PAUSE)

        assert len(claim(engine, after=FIRST_PAUSE, pace=Pace())) > 1
        assert gates.closed(engine, NOW + FIRST_PAUSE) == ()

    def test_is_not_one_that_was_never_asked_for_the_rules_have_no_such_receiver_any_more(self, engine: Engine, rules: RuleSet) -> None:
        plan(engine, rules, *["error"] * 10)
        claimed = claim(engine, pace=Pace())

        record(engine, claimed, Outcome.RETRY, retry_after=SECOND, was_asked=False)

        assert gates.closed(engine, NOW) == ()
        assert len(claim(engine, after=SECOND, pace=Pace())) == 10

    def test_is_closed_once_not_with_each_failure(self, engine: Engine, rules: RuleSet) -> None:
        self.fail(engine, rules)
        trial = claim(engine, after=FIRST_PAUSE, pace=Pace())

        again = outcomes.record(
            engine,
            [
                (one.id, ended(2, Outcome.RETRY, began_at=NOW + FIRST_PAUSE, ended_at=NOW + FIRST_PAUSE, retry_after=SECOND))
                for one in trial
            ],
        )

        assert [one.until for one in again] == [NOW + 3 * FIRST_PAUSE]


class TestCriticalFirst:
    def test_where_only_so_many_may_go_others_wait(self, engine: Engine, rules: RuleSet) -> None:
        plan(engine, rules, *["error"] * 5)
        claim(engine)
        plan(engine, rules, "fatal", first=6)

        assert claim(engine, after=SECOND) == ()
        assert len(claim(engine, Lane.CRITICAL, after=SECOND)) == 1
        assert len(claim(engine, after=2 * SECOND)) == 1

    def test_but_not_for_ever(self, engine: Engine, rules: RuleSet) -> None:
        plan(engine, rules, *["error"] * 5)
        plan(engine, rules, *["fatal"] * 5, first=6)
        claim(engine, Lane.CRITICAL, after=PATIENCE)

        assert len(claim(engine, after=PATIENCE + SECOND)) == 1

    def test_what_a_critical_one_waits_for_itself_does_not_wait_for_that(self, engine: Engine, rules: RuleSet) -> None:
        """The end of a critical incident comes after a lesser message about it, which may have gone out."""
        store(engine, issue(1, 1, level="fatal"))
        store(engine, issue(1, 2, level="error"))
        plan_all(engine, rules)
        record(engine, claim(engine, Lane.CRITICAL), Outcome.DELIVERED)
        (lesser,) = claim(engine)
        record(engine, (lesser,), Outcome.AMBIGUOUS, retry_after=SECOND / 2)
        store(engine, issue_webhook("resolved", id="1"), at=NOW)
        plan_all(engine, rules)

        assert claim(engine, Lane.CRITICAL, after=SECOND) == ()
        assert [one.id for one in claim(engine, after=SECOND)] == [lesser.id]


def test_a_destination_that_hangs_leaves_threads_to_others(engine: Engine, rules: RuleSet) -> None:
    plan(engine, rules, *["error"] * 20, "warning")
    pace = Pace(threads=8)

    hanging = claim(engine, pace=pace)

    assert len(hanging) == 6
    # Both destinations are of one kind here, which has its share, too.
    assert claim(engine, pace=pace, under_way=hanging) == ()
    assert len(claim(engine, pace=Pace(threads=16), under_way=hanging)) == 6
