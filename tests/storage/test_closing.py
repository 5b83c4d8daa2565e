"""How ends reach their destinations: after what they end, only where that arrived, and by the rules under which it was told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import pytest
from sqlalchemy import Engine

from notifiers.registry import KINDS
from routing import sentry
from routing.incident import Turn
from routing.notification import Lane, Outcome, Reason, State
from routing.own_events import Change
from routing.rules import RuleSet
from routing.rules_loading import load
from storage import incident_desk, inspection, notifications, outcomes
from storage.incident_desk import Somebody
from tests.factories import NOW, issue_webhook
from tests.storage.planned import claim, ended, ids, issue, make_rules, plan_all, store

LATER = timedelta(hours=1)
EAGER = """
version: 1
receivers: {chat: {kind: preview}}
rules: [{name: payment, when: payment, notify: [chat], cooldown: 0s}]
"""
"""Tells of every error."""
CLOSED = {"channel": "C1", "ts": "1.0"}


def announce(engine: Engine, rules: RuleSet | None = None) -> int:
    """An issue is told to `chat`, or will be; the number of the notification."""
    store(engine, issue(1))
    plan_all(engine, rules)
    (planned,) = inspection.listed(engine)
    return planned.id


def under(receiver: str, channel: str) -> RuleSet:
    """Rules that tell of every error at once."""
    options = f'{{kind: slack, channel: "{channel}"}}'
    rule = f"{{name: payment, when: payment, notify: [{receiver}], cooldown: 0s}}"
    return load(f"version: 1\nreceivers: {{{receiver}: {options}}}\nrules: [{rule}]", kinds=KINDS, environment={})


def end(engine: Engine, rules: RuleSet | None = None) -> None:
    """The issue is resolved."""
    store(engine, issue_webhook("resolved", id="1"), at=NOW + timedelta(minutes=10))
    plan_all(engine, rules, at=NOW + timedelta(minutes=10))


def send(engine: Engine, outcome: Outcome = Outcome.DELIVERED, **changes: object) -> None:
    """What is due is tried."""
    for lane in Lane:
        for one in claim(engine, lane, after=LATER):
            outcomes.record(engine, [(one.id, ended(one.tries.number, outcome, **changes))])


def states(engine: Engine) -> list[tuple[State, Reason]]:
    """What became of each notification, oldest first."""
    return [(one.state, one.reason) for one in reversed(inspection.listed(engine))]


def test_an_end_knows_what_was_told_and_under_which_rules(engine: Engine) -> None:
    announce(engine)
    send(engine, reference=CLOSED, rules_version="abc")
    end(engine)

    (closing,) = claim(engine, after=LATER)

    assert closing.told
    assert (closing.told.reason, closing.told.reference, closing.told.rules_version) == (Reason.FIRST, CLOSED, "abc")
    assert closing.reason is Reason.RESOLVED


def test_an_end_goes_by_the_name_that_its_receiver_had_last(engine: Engine) -> None:
    announce(engine, under("chat", "#errors"))
    send(engine, rules_version="old")
    renamed = under("talk", "#errors")
    store(engine, issue(1, 2), at=NOW + timedelta(minutes=1))
    plan_all(engine, renamed, at=NOW + timedelta(minutes=1))
    send(engine, rules_version="new")
    end(engine, renamed)

    (closing,) = claim(engine, after=LATER)

    assert closing.told
    assert (closing.receiver, closing.told.rules_version) == ("talk", "new")


def test_what_was_not_sent_when_the_end_came_is_not_sent_any_more(engine: Engine) -> None:
    announce(engine)
    end(engine)

    assert states(engine) == [(State.HELD, Reason.ENDED), (State.PLANNED, Reason.RESOLVED)]
    assert inspection.listed(engine)[1].why.endswith("; resolved in Sentry by Zoë Ng in the next release before it was told")
    (closing,) = claim(engine, after=LATER)
    assert closing.told is None


def test_what_may_have_gone_out_is_made_sure_of_and_closed_after_that(engine: Engine) -> None:
    first = announce(engine)
    send(engine, Outcome.AMBIGUOUS, retry_after=timedelta(minutes=5))
    end(engine)

    assert ids(claim(engine, after=LATER)) == [first]
    assert claim(engine, after=LATER) == ()
    outcomes.record(engine, [(first, ended(2, reference=CLOSED))])
    (closing,) = claim(engine, after=LATER)
    assert closing.told
    assert closing.told.reference == CLOSED


def test_an_end_waits_for_what_it_ends_whatever_its_lane(engine: Engine) -> None:
    """The closing is critical as the worst that was told; a lesser message of the same incident is still under way."""
    rules = make_rules(
        """
        version: 1
        receivers: {chat: {kind: preview}}
        rules:
          - {name: payment, when: "payment tags.critical:true", severity: critical, notify: [chat], cooldown: 0s, stop: true}
          - {name: lesser, when: "payment", notify: [chat], cooldown: 0s}
        """
    )
    store(engine, issue(1, 1, tags=[["critical", "true"]]))
    plan_all(engine, rules)
    send(engine)
    store(engine, issue(1, 2), at=NOW + timedelta(minutes=1))
    plan_all(engine, rules, at=NOW + timedelta(minutes=1))
    (lesser,) = claim(engine, Lane.NORMAL, after=LATER)
    end(engine, rules)

    assert claim(engine, Lane.CRITICAL, after=LATER) == ()
    outcomes.record(engine, [(lesser.id, ended())])
    assert [one.reason for one in claim(engine, Lane.CRITICAL, after=LATER)] == [Reason.RESOLVED]


SOME = {"message_id": "<1@example.com>", "have_it": "ann@example.com", "told": "ann@example.com"}
"""What stands where some of those who were to be told have been."""


def test_what_is_done_so_far_is_known_to_the_next_attempt(engine: Engine) -> None:
    announce(engine)
    send(engine, Outcome.RETRY, reference=SOME, retry_after=timedelta(seconds=5))

    (again,) = claim(engine, after=LATER)

    assert (again.so_far, again.told) == (SOME, None)


@pytest.mark.parametrize("retry_after", [timedelta(hours=1), None], ids=["on its way", "dead"])
def test_who_was_told_hears_the_end_although_others_never_were(engine: Engine, retry_after: timedelta | None) -> None:
    announce(engine)
    send(engine, Outcome.RETRY, reference=SOME, retry_after=retry_after)
    end(engine)

    (closing,) = claim(engine, after=LATER)

    assert closing.reason is Reason.RESOLVED
    assert closing.told
    assert closing.told.reference == SOME


class TestWhereAnIncidentIsToldInTwoPlaces:
    """Its receiver was led elsewhere while a further message was on its way."""

    OLD, NEW = "a" * 16, "b" * 16

    def tell(self, engine: Engine, number: int, place: str, reference: Mapping[str, str] = MappingProxyType({})) -> None:
        """A message arrives at a place."""
        minutes = timedelta(minutes=number)
        store(engine, issue(1, number), at=NOW + minutes)
        plan_all(engine, make_rules(EAGER), at=NOW + minutes)
        send(engine, place=place, rules_version=place, reference=reference)

    def begin_again(self, engine: Engine) -> None:
        """The issue is unresolved, ten minutes after its end."""
        store(engine, issue_webhook("unresolved", id="1", title="PaymentError"), at=NOW + timedelta(minutes=20))
        plan_all(engine, make_rules(EAGER), at=NOW + timedelta(minutes=20))

    def told(self, engine: Engine) -> list[tuple[str | None, dict[str, str]]]:
        """Where the ends that are due go, and what they close."""
        due = []
        while found := claim(engine, after=LATER):
            outcomes.record(engine, [(one.id, ended(one.tries.number)) for one in found])
            due += [(one.told.place, dict(one.told.reference)) for one in found if one.told]
        return due

    def test_each_place_hears_the_end(self, engine: Engine) -> None:
        self.tell(engine, 1, self.OLD, reference={"ts": "1"})
        self.tell(engine, 2, self.OLD, reference={"ts": "2"})
        self.tell(engine, 3, self.NEW, reference={"ts": "3"})
        end(engine, make_rules(EAGER))

        assert self.told(engine) == [(self.NEW, {"ts": "3"}), (self.OLD, {"ts": "2"})]
        assert states(engine)[3:] == [(State.SENT, Reason.RESOLVED)] * 2

    def test_each_is_tried_again_where_it_is_to_be_told(self, engine: Engine) -> None:
        self.tell(engine, 1, self.OLD, reference={"ts": "1"})
        self.tell(engine, 2, self.NEW, reference={"ts": "2"})
        end(engine, make_rules(EAGER))
        send(engine, Outcome.REFUSED)
        send(engine)
        notifications.requeue(engine, now=NOW + LATER)

        assert self.told(engine) == [(self.NEW, {"ts": "2"})]

    def test_a_place_where_it_was_told_anew_is_left_open(self, engine: Engine) -> None:
        self.tell(engine, 1, self.OLD)
        self.tell(engine, 2, self.NEW)
        end(engine, make_rules(EAGER))
        self.begin_again(engine)
        send(engine)
        send(engine, place=self.OLD)

        assert self.told(engine) == []

    def test_a_later_end_closes_nothing_twice(self, engine: Engine) -> None:
        self.tell(engine, 1, self.OLD)
        self.tell(engine, 2, self.NEW)
        end(engine, make_rules(EAGER))
        self.told(engine)
        self.begin_again(engine)
        send(engine, place=self.NEW)
        store(engine, issue_webhook("resolved", id="1", lastSeen="2026-03-12T10:40:00Z"), at=NOW + timedelta(minutes=30))
        plan_all(engine, make_rules(EAGER), at=NOW + timedelta(minutes=30))

        assert self.told(engine) == [(self.NEW, {})]


def test_what_died_on_its_way_needs_no_end(engine: Engine) -> None:
    announce(engine)
    send(engine, Outcome.REFUSED)
    end(engine)

    (closing,) = claim(engine, after=LATER)
    assert closing.told is None
    outcomes.record(engine, [(closing.id, ended(1, Outcome.NEEDLESS))])

    assert states(engine) == [(State.DEAD, Reason.FIRST), (State.HELD, Reason.RESOLVED)]


def test_what_is_over_is_not_sent_again_by_hand_but_an_end_is(engine: Engine) -> None:
    dead = announce(engine)
    send(engine, Outcome.AMBIGUOUS)
    end(engine)
    send(engine, Outcome.REFUSED)

    requeued = notifications.requeue(engine, now=NOW + LATER)

    closing = inspection.listed(engine)[0]
    assert requeued == (closing.id,)
    assert (closing.reason, inspection.listed(engine, id=dead)[0].state) == (Reason.RESOLVED, State.DEAD)


def test_what_died_before_its_incident_ended_is_not_sent_when_that_has_begun_again(engine: Engine) -> None:
    """Nobody would tell the end of it: it was over before."""
    dead = announce(engine)
    send(engine, Outcome.REFUSED)
    end(engine)
    store(engine, issue_webhook("unresolved", id="1"), at=NOW + timedelta(minutes=20))
    plan_all(engine, at=NOW + timedelta(minutes=20))

    assert dead not in notifications.requeue(engine, now=NOW + timedelta(minutes=21))


def test_a_previewed_end_stays_an_end(engine: Engine) -> None:
    announce(engine)
    send(engine, Outcome.PREVIEWED)
    end(engine)
    send(engine, Outcome.PREVIEWED)

    assert states(engine) == [(State.HELD, Reason.PREVIEW), (State.HELD, Reason.RESOLVED)]
    assert notifications.requeue(engine, state=State.HELD, now=NOW + LATER) == ()


def test_what_comes_back_knows_when_it_was_closed(engine: Engine) -> None:
    announce(engine)
    send(engine, reference=CLOSED)
    end(engine)
    send(engine, reference=CLOSED)
    store(engine, issue_webhook("unresolved", id="1", title="PaymentError"), at=NOW + timedelta(minutes=20))
    plan_all(engine, at=NOW + timedelta(minutes=20))

    (back,) = claim(engine, after=LATER)

    assert back.told
    assert (back.reason, back.told.reason, back.told.at) == (Reason.FIRST, Reason.RESOLVED, NOW + timedelta(seconds=1))


class TestWhatPeopleDo:
    ANN = Somebody(name="Ann Lee", where="Slack", place="0" * 16)

    def do(self, engine: Engine, what: Change) -> str | None:
        done = incident_desk.change(engine, "issue:1", what, self.ANN, NOW + timedelta(minutes=5))
        plan_all(engine, at=NOW + timedelta(minutes=5))
        return done

    def test_is_an_event_that_is_told_with_the_content_of_what_stands_there(self, engine: Engine) -> None:
        announce(engine)
        send(engine, reference=CLOSED)

        assert self.do(engine, Change.ACKNOWLEDGED) == "issue:1"

        (told,) = claim(engine, after=LATER)
        assert (told.reason, told.event.resource, told.acknowledged_by) == (Reason.ACKNOWLEDGED, "event_alert", "Ann Lee in Slack")
        assert told.told
        assert told.told.reference == CLOSED

    def test_resolves_the_incident_and_is_told_as_it_was_done(self, engine: Engine) -> None:
        announce(engine)
        send(engine)
        self.do(engine, Change.RESOLVED)

        (told,) = claim(engine, after=LATER)
        assert (told.reason, told.why) == (Reason.RESOLVED, "resolved in Slack by Ann Lee")
        assert "PaymentError" in sentry.parse(told.event.resource, told.event.body, NOW).title

    def test_to_what_does_not_fire_is_nothing(self, engine: Engine) -> None:
        announce(engine)
        self.do(engine, Change.RESOLVED)

        assert self.do(engine, Change.ACKNOWLEDGED) is None


def test_a_change_is_dated_by_when_it_came(engine: Engine) -> None:
    """Sentry says of an issue that is resolved when it was last seen, which may be days before."""
    announce(engine)
    end(engine)

    found = incident_desk.life(engine, "issue:1")

    assert found
    assert [(one.turn, one.at) for one in found.turns][-1] == (Turn.RESOLVED, NOW + timedelta(minutes=10))
