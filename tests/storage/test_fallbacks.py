"""What could not be told where it was to be told is told elsewhere, once, and is closed there, too."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from routing.gate import Limit
from routing.notification import Lane, Outcome, Reason, State
from routing.rules import RuleSet
from routing.watch import Watch
from storage import claims, fallbacks, inspection, notifications, outcomes, overflow, overview
from storage.fallbacks import FellBack
from tests.factories import NOW, event_alert_webhook, issue_webhook
from tests.storage.planned import ended, issue, make_rules, plan_all, store

MINUTE = timedelta(minutes=1)
RULES = """
version: 1
receivers:
  chat: {kind: preview, fallback: mail, fallback_after: 5m}
  mail: {kind: preview}
  pager: {kind: preview}
  ops: {kind: preview}
dead_letters: [pager, ops]
rules:
  - {name: critical, when: "level:fatal", severity: critical, notify: [pager], stop: true}
  - {name: all, when: "", notify: [chat]}
"""


@pytest.fixture
def rules() -> RuleSet:
    return make_rules(RULES)


def send(engine: Engine, outcome: Outcome = Outcome.DELIVERED, *, at: datetime = NOW, **changes: object) -> list[str]:
    """What is due is tried; whom that told."""
    told = []
    for lane in Lane:
        for one in claims.claim(engine, lane, worker="a", now=at, limit=64).taken:
            outcomes.record(engine, [(one.id, ended(one.tries.number, outcome, ended_at=at, **changes))])
            told.append(f"{one.receiver} {one.reason}")
    return told


def fall_back(engine: Engine, rules: RuleSet, at: datetime = NOW) -> list[str]:
    return [f"{one.receiver} to {one.to}" for one in fallbacks.fall_back(engine, rules, lambda: at)]


def die(engine: Engine, rules: RuleSet, level: str = "error") -> None:
    store(engine, issue(1, level=level))
    plan_all(engine, rules)
    send(engine, Outcome.REFUSED, excerpt="HTTP 404: channel_not_found")


class TestWhatIsDead:
    def test_is_told_by_the_fallback_which_says_so(self, engine: Engine, rules: RuleSet) -> None:
        die(engine, rules)

        assert fallbacks.fall_back(engine, rules, lambda: NOW) == (
            FellBack(id=1, event_id=1, incident_id=1, receiver="chat", said="HTTP 404: channel_not_found", to="mail"),
        )

        (told, _) = inspection.listed(engine)
        assert (told.receiver, told.reason, told.state, told.incident) == ("mail", Reason.FALLBACK, State.PLANNED, "issue:1")
        assert told.why == "chat could not be told: HTTP 404: channel_not_found; any alert"

    def test_is_lost_until_somebody_is_told_and_again_where_he_was_not(self, engine: Engine, rules: RuleSet) -> None:
        die(engine, rules)
        lost = []
        for _ in range(6):
            lost.append(overview.overview(engine, [], NOW).dead)
            fall_back(engine, rules)
            lost.append(overview.overview(engine, [], NOW).dead)
            send(engine, Outcome.REFUSED)

        assert lost == [1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1]

    def test_is_told_once(self, engine: Engine, rules: RuleSet) -> None:
        die(engine, rules)
        fall_back(engine, rules)
        send(engine)
        notifications.requeue(engine, now=NOW)
        send(engine, Outcome.REFUSED)

        assert fall_back(engine, rules) == []

    def test_goes_to_the_dead_letters_where_there_is_no_fallback_but_not_where_it_has_failed(self, engine: Engine, rules: RuleSet) -> None:
        die(engine, rules, "fatal")

        assert fall_back(engine, rules) == ["pager to ops"]

    def test_follows_the_fallbacks_to_the_end_and_no_further(self, engine: Engine, rules: RuleSet) -> None:
        die(engine, rules)
        went = []
        for _ in range(6):
            went += fall_back(engine, rules)
            send(engine, Outcome.REFUSED)

        assert went == ["chat to mail", "mail to pager", "pager to ops", "ops to None"]

    def test_does_not_come_back_by_the_dead_letters_to_where_it_has_failed_first(self, engine: Engine) -> None:
        rules = make_rules(RULES.replace("[pager, ops]", "[chat]"))
        die(engine, rules)
        went = fall_back(engine, rules)
        send(engine, Outcome.REFUSED)

        went += fall_back(engine, rules)

        assert went == ["chat to mail", "mail to None"]

    def test_is_closed_where_it_was_told(self, engine: Engine, rules: RuleSet) -> None:
        die(engine, rules)
        fall_back(engine, rules)
        send(engine)
        store(engine, issue_webhook("resolved", id="1"), at=NOW + MINUTE)
        plan_all(engine, rules, at=NOW + MINUTE)

        assert sorted(send(engine, at=NOW + MINUTE)) == ["chat resolved", "mail resolved"]

    def test_is_not_told_elsewhere_when_it_is_over(self, engine: Engine, rules: RuleSet) -> None:
        die(engine, rules)
        store(engine, issue_webhook("resolved", id="1"), at=NOW)
        plan_all(engine, rules)

        assert fall_back(engine, rules) == ["chat to None"]

    def test_is_not_told_a_day_later_because_somebody_has_named_a_fallback(self, engine: Engine, rules: RuleSet) -> None:
        die(engine, rules)

        assert fall_back(engine, rules, NOW + timedelta(days=1, minutes=1)) == []


def test_an_end_that_could_not_be_told_is_told_elsewhere(engine: Engine, rules: RuleSet) -> None:
    store(engine, issue(1, level="fatal"))
    plan_all(engine, rules)
    send(engine)
    store(engine, issue_webhook("resolved", id="1"), at=NOW + MINUTE)
    plan_all(engine, rules, at=NOW + MINUTE)
    send(engine, Outcome.REFUSED, at=NOW + MINUTE, excerpt="HTTP 400")

    assert fall_back(engine, rules, NOW + MINUTE) == ["pager to ops"]
    assert inspection.listed(engine)[0].why.startswith("pager could not be told: HTTP 400; resolved in Sentry")
    assert send(engine, at=NOW + MINUTE) == ["ops fallback"]


class TestWhatIsLate:
    def wait(self, engine: Engine, rules: RuleSet) -> None:
        store(engine, issue(1))
        plan_all(engine, rules)
        send(engine, Outcome.RETRY, retry_after=10 * MINUTE, excerpt="HTTP 503")

    def test_is_told_by_the_fallback_too(self, engine: Engine, rules: RuleSet) -> None:
        self.wait(engine, rules)

        assert fall_back(engine, rules, NOW + 5 * MINUTE) == []
        assert fall_back(engine, rules, NOW + 6 * MINUTE) == ["chat to mail"]
        assert inspection.listed(engine)[0].why.startswith("chat was not reached for 6m: HTTP 503; ")

    def test_is_told_by_the_fallback_once_whatever_becomes_of_it(self, engine: Engine, rules: RuleSet) -> None:
        self.wait(engine, rules)
        fall_back(engine, rules, NOW + 6 * MINUTE)
        send(engine, at=NOW + 6 * MINUTE)
        send(engine, Outcome.REFUSED, at=NOW + 11 * MINUTE)

        assert fall_back(engine, rules, NOW + 12 * MINUTE) == []

    def test_and_is_then_summed_up_with_others_is_told_once_more_with_them_if_that_fails(self, engine: Engine, rules: RuleSet) -> None:
        at = NOW + 6 * MINUTE
        store(engine, issue(1))
        plan_all(engine, rules)
        fall_back(engine, rules, at)
        for number in range(2, 80):
            store(engine, issue(number, level="info"), at=at)
        plan_all(engine, rules, at=at)

        overflow.sum_up(engine, rules, {"preview": Limit.per_minute(60)}, lambda: at)
        send(engine, Outcome.REFUSED, at=at)

        assert "chat to mail" in fall_back(engine, rules, at)

    def test_without_a_fallback_it_waits(self, engine: Engine, rules: RuleSet) -> None:
        store(engine, issue(1, level="fatal"))
        plan_all(engine, rules)

        assert fall_back(engine, rules, NOW + 60 * MINUTE) == []


def test_what_tells_that_a_receiver_fails_never_comes_back_to_it_by_the_dead_letters(engine: Engine, rules: RuleSet) -> None:
    ours = replace(rules, own_project="4505001234567890", dead_letters=("chat", "pager"), watch=Watch(notify=("mail",)))
    store(engine, event_alert_webhook(tags=[["alert_router.receiver", "chat"]]))
    plan_all(engine, ours)
    assert send(engine, Outcome.REFUSED) == ["mail fallback"]

    assert fall_back(engine, ours) == ["mail to pager"]
