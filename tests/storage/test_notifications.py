"""Notifications: claimed once, in order, and on record whatever becomes of them."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.event import listen

from routing.notification import Attempt, Lane, Outcome, Reason, Severity, State
from storage import claims, inspection, outcomes, tables
from storage.claims import Claimed
from storage.database import open_database
from storage.inspection import Tried
from tests.factories import NOW, make_alert
from tests.storage.planned import claim, ended, ids, in_threads, issue, make_many, notified, only, plan_all, store

SECOND = timedelta(seconds=1)
LATER = NOW + timedelta(minutes=5)


def reference(engine: Engine, id_: int) -> str | None:
    with engine.connect() as connection:
        stored: str | None = connection.execute(
            select(tables.notifications.c.reference).where(tables.notifications.c.id == id_)
        ).scalar_one()
        return stored


def lesser_and_page(engine: Engine) -> tuple[int, int]:
    """An incident that is told to `chat`, and then, as critical, once more, and to `pager`; the numbers of both for `chat`."""
    for event, tags in enumerate(([], [["critical", "true"]])):
        store(engine, issue(1, event, tags=tags))
    plan_all(engine)
    page, lesser = (one.id for one in inspection.listed(engine) if one.receiver == "chat")
    return lesser, page


class TestClaiming:
    def test_takes_what_is_due_with_all_that_is_to_be_said(self, engine: Engine) -> None:
        planned = notified(engine)

        (claimed,) = claim(engine, after=SECOND)

        assert (claimed.id, claimed.tries.number, claimed.tries.may_be_there) == (planned.id, 1, False)
        assert (claimed.event.id, claimed.event.resource, claimed.event.body) == (planned.event_id, "event_alert", issue(1).body)
        notification = claimed.notification(make_alert())
        assert (notification.id, notification.incident, notification.receiver) == (planned.id, "issue:1", "chat")
        assert (notification.rules, notification.severity, notification.reason) == (("payment",), Severity.WARNING, Reason.FIRST)
        assert (notification.why, notification.created_at, notification.alert) == ('text has "payment"', NOW, make_alert())
        assert only(engine, planned.id).state is State.SENDING

    def test_puts_the_attempt_on_record_before_it_is_made(self, engine: Engine) -> None:
        planned = notified(engine)

        claim(engine, after=SECOND)

        (attempt,) = inspection.tried(engine, planned.id)
        assert attempt == Tried(number=1, began_at=NOW + SECOND, ended_at=None, outcome=None, status_code=None, excerpt="", payload="")

    def test_takes_nothing_twice(self, engine: Engine) -> None:
        notified(engine)
        claim(engine)

        assert claim(engine, worker="worker-b") == ()

    def test_by_several_workers_at_once_gives_each_notification_to_one_of_them(self, engine: Engine) -> None:
        made = make_many(engine, *range(30))
        claimed: list[Claimed] = []

        def take_all() -> None:
            while found := claim(engine, limit=4):
                claimed.extend(found)

        in_threads(3, take_all)

        assert sorted(ids(claimed)) == made
        assert all(len(inspection.tried(engine, id_)) == 1 for id_ in made)

    def test_takes_the_oldest_first_and_at_most_so_many(self, engine: Engine) -> None:
        made = make_many(engine, 1, 2, 3, 4, 5)

        assert [ids(claim(engine, limit=2)) for _ in range(3)] == [made[:2], made[2:4], made[4:]]

    def test_takes_of_one_incident_and_receiver_the_next_only_when_the_one_before_has_ended(self, engine: Engine) -> None:
        first, second, third = make_many(engine, 1, 1, 1)

        before = ids(claim(engine))
        during = ids(claim(engine))
        outcomes.record(engine, [(first, ended())])
        after = ids(claim(engine))

        assert (before, during, after) == ([first], [], [second])
        assert only(engine, third).state is State.PLANNED

    def test_keeps_that_order_over_a_retry(self, engine: Engine) -> None:
        first, _ = make_many(engine, 1, 1)
        claim(engine)
        outcomes.record(engine, [(first, ended(outcome=Outcome.RETRY, retry_after=timedelta(minutes=1)))])

        assert claim(engine, after=SECOND) == ()
        assert ids(claim(engine, after=timedelta(minutes=2))) == [first]

    @pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.PREVIEWED, Outcome.REFUSED])
    def test_goes_on_after_any_end(self, engine: Engine, outcome: Outcome) -> None:
        first, second = make_many(engine, 1, 1)
        claim(engine)
        outcomes.record(engine, [(first, ended(outcome=outcome))])

        assert ids(claim(engine, after=SECOND)) == [second]

    def test_of_one_receiver_does_not_wait_for_another(self, engine: Engine) -> None:
        store(engine, issue(1, tags=[["critical", "true"]]))
        plan_all(engine)

        claimed = claim(engine, Lane.CRITICAL)

        assert [one.receiver for one in claimed] == ["pager", "chat"]

    def test_looks_at_nothing_but_what_waits_however_much_was_sent(self, sqlite_url: str) -> None:
        engine = open_database(sqlite_url)
        asked: list[tuple[str, tuple[object, ...]]] = []
        listen(engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
        claim(engine)
        statement, parameters = asked[-1]

        with engine.connect() as connection:
            steps = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
        engine.dispose()

        used = [step.split()[4] for step in steps if step.startswith(("SEARCH notifications USING INDEX", "SEARCH other USING INDEX"))]
        assert used == ["ix_notifications_due", "uq_notifications_on_its_way", "ix_notifications_unfinished"]

    def test_takes_only_what_is_due(self, engine: Engine) -> None:
        notified(engine, at=LATER)

        assert claim(engine) == ()
        assert len(claim(engine, after=LATER - NOW)) == 1

    def test_takes_only_its_own_lane(self, engine: Engine) -> None:
        store(engine, issue(1, tags=[["critical", "true"]]))
        store(engine, issue(2))
        plan_all(engine)

        critical, normal = claim(engine, Lane.CRITICAL), claim(engine, Lane.NORMAL)

        assert [one.incident for one in critical] == ["issue:1", "issue:1"]
        assert [one.incident for one in normal] == ["issue:2"]

    def test_lets_no_page_wait_for_a_lesser_message_that_is_tried_again(self, engine: Engine) -> None:
        lesser, page = lesser_and_page(engine)
        (found,) = claim(engine, Lane.NORMAL)
        outcomes.record(engine, [(found.id, ended(outcome=Outcome.RETRY, retry_after=SECOND))])

        assert (found.id, page in ids(claim(engine, Lane.CRITICAL, after=2 * SECOND))) == (lesser, True)

    def test_lets_one_message_of_an_incident_be_on_its_way_to_a_destination(self, engine: Engine) -> None:
        lesser, page = lesser_and_page(engine)

        first, second = claim(engine, Lane.NORMAL), claim(engine, Lane.CRITICAL)
        outcomes.record(engine, [(lesser, ended())])

        assert (ids(first), [one.receiver for one in second], ids(claim(engine, Lane.CRITICAL))) == ([lesser], ["pager"], [page])

    def test_lets_one_of_two_lanes_have_it_that_ask_at_the_same_moment(self, engine: Engine) -> None:
        for number in range(40):
            for event, tags in enumerate(([], [["critical", "true"]])):
                store(engine, issue(number, event, tags=tags))
        plan_all(engine)
        lanes = list(Lane)
        claimed: list[Claimed] = []
        start = Barrier(len(lanes))

        def take() -> None:
            lane = lanes[start.wait()]
            claimed.extend(claim(engine, lane, limit=200))

        in_threads(len(lanes), take)

        topics = [(one.incident, one.place) for one in claimed]
        assert (len(topics), len(set(topics))) == (80, 80)

    def test_what_a_page_overtook_belongs_to_what_the_page_made_there(self, engine: Engine) -> None:
        lesser, page = lesser_and_page(engine)
        claim(engine, Lane.NORMAL)
        outcomes.record(engine, [(lesser, ended(outcome=Outcome.RETRY, retry_after=SECOND))])
        claim(engine, Lane.CRITICAL, after=2 * SECOND)
        outcomes.record(engine, [(page, ended(reference={"ts": "1.0"}))])

        (again,) = claim(engine, after=3 * SECOND)

        assert (again.id, again.told and again.told.reference) == (lesser, {"ts": "1.0"})

    def test_leaves_what_a_later_version_has_planned_to_workers_of_that_version(self, engine: Engine) -> None:
        known, unknown = make_many(engine, 1, 2)
        with engine.begin() as connection:
            connection.execute(tables.notifications.update().where(tables.notifications.c.id == unknown).values(reason="foretold"))

        assert ids(claim(engine)) == [known]

    def test_takes_nothing_that_is_held(self, engine: Engine) -> None:
        for event in (1, 2):
            store(engine, issue(1, event))
        plan_all(engine)

        assert [one.state for one in inspection.listed(engine)] == [State.HELD, State.PLANNED]
        assert len(claim(engine)) == 1
        assert claim(engine, after=timedelta(days=1)) == ()


def test_the_lanes_in_which_something_is_due_are_known(engine: Engine) -> None:
    store(engine, issue(1, tags=[["critical", "true"]]))
    store(engine, issue(2))
    plan_all(engine)

    before = claims.due_lanes(engine, NOW - SECOND)
    both = claims.due_lanes(engine, NOW)
    claim(engine, Lane.CRITICAL)
    normal = claims.due_lanes(engine, NOW)

    assert (set(before), set(both), set(normal)) == (set(), {Lane.CRITICAL, Lane.NORMAL}, {Lane.NORMAL})


OUTCOMES: dict[str, tuple[Attempt, State, timedelta | None]] = {
    "delivered": (ended(outcome=Outcome.DELIVERED), State.SENT, None),
    "previewed": (ended(outcome=Outcome.PREVIEWED), State.HELD, None),
    "refused": (ended(outcome=Outcome.REFUSED), State.DEAD, None),
    "to be tried again": (ended(outcome=Outcome.RETRY, retry_after=timedelta(seconds=30)), State.PLANNED, timedelta(seconds=31)),
    "to be tried again at once": (ended(outcome=Outcome.RETRY, retry_after=timedelta()), State.PLANNED, SECOND),
    "ambiguous": (ended(outcome=Outcome.AMBIGUOUS, retry_after=timedelta(seconds=5)), State.PLANNED, timedelta(seconds=6)),
    "tried too often": (ended(outcome=Outcome.RETRY), State.DEAD, None),
    "ambiguous once too often": (ended(outcome=Outcome.AMBIGUOUS), State.DEAD, None),
}


class TestRecording:
    @pytest.mark.parametrize(("attempt", "state", "again_after"), OUTCOMES.values(), ids=OUTCOMES)
    def test_an_end_decides_what_follows(self, engine: Engine, attempt: Attempt, state: State, again_after: timedelta | None) -> None:
        planned = notified(engine)
        claim(engine)

        outcomes.record(engine, [(planned.id, attempt)])

        listed = only(engine, planned.id)
        assert (listed.state, listed.finished_at) == (state, None if again_after else attempt.ended_at)
        assert listed.reason is (Reason.PREVIEW if attempt.outcome is Outcome.PREVIEWED else Reason.FIRST)
        assert again_after is None or listed.next_attempt_at == NOW + again_after
        assert inspection.count_by_state(engine) == {state: 1}
        assert len(claim(engine, after=timedelta(days=1))) == (1 if again_after else 0)

    def test_all_that_is_known_of_an_attempt_is_kept(self, engine: Engine) -> None:
        planned = notified(engine)
        claim(engine)

        outcomes.record(engine, [(planned.id, ended(status_code=200, excerpt="ok", payload='{"a": 1}', reference={"ts": "17.5"}))])

        (attempt,) = inspection.tried(engine, planned.id)
        assert attempt == Tried(
            number=1, began_at=NOW, ended_at=NOW + SECOND, outcome=Outcome.DELIVERED, status_code=200, excerpt="ok", payload='{"a": 1}'
        )
        listed = only(engine, planned.id)
        assert (listed.attempts, listed.last_excerpt, listed.last_payload) == (1, "ok", '{"a": 1}')
        assert reference(engine, planned.id) == '{"ts":"17.5"}'

    def test_what_may_be_there_is_told_what_else_is(self, engine: Engine) -> None:
        another, lost = make_many(engine, 1, 2)
        claim(engine)
        outcomes.record(engine, [(another, ended(reference={"sid": "SM1"})), (lost, ended(outcome=Outcome.AMBIGUOUS, retry_after=SECOND))])

        (again,) = claim(engine, after=2 * SECOND)

        assert again.notification(make_alert()).of_others == {"SM1"}

    def test_every_attempt_is_kept_and_later_ones_know_whether_one_was_ambiguous(self, engine: Engine) -> None:
        planned = notified(engine)
        claim(engine)
        outcomes.record(engine, [(planned.id, ended(outcome=Outcome.AMBIGUOUS, retry_after=SECOND, excerpt="silence"))])
        (second,) = claim(engine, after=timedelta(minutes=1))
        outcomes.record(engine, [(planned.id, ended(2, Outcome.RETRY, retry_after=SECOND, excerpt="busy"))])
        (third,) = claim(engine, after=timedelta(minutes=2))

        assert [(one.tries.number, one.tries.may_be_there) for one in (second, third)] == [(2, True), (3, True)]
        tried = inspection.tried(engine, planned.id)
        assert [(one.number, one.outcome, one.excerpt) for one in tried] == [
            (1, Outcome.AMBIGUOUS, "silence"),
            (2, Outcome.RETRY, "busy"),
            (3, None, ""),
        ]

    def test_failures_are_counted_but_not_what_the_vendor_put_off(self, engine: Engine) -> None:
        planned = notified(engine)
        counted = []
        for number, was_put_off in enumerate((False, True, True, False, False), 1):
            (claimed,) = claim(engine, after=timedelta(hours=number))
            counted.append(claimed.tries.failures)
            again = ended(number, Outcome.RETRY, retry_after=SECOND, was_put_off=was_put_off)
            outcomes.record(engine, [(planned.id, again)])

        assert counted == [0, 1, 1, 1, 2]
        assert claimed.tries.planned_at == NOW

    def test_a_reference_outlives_an_attempt_that_brought_none(self, engine: Engine) -> None:
        planned = notified(engine)
        claim(engine)
        outcomes.record(engine, [(planned.id, ended(outcome=Outcome.RETRY, retry_after=SECOND, reference={"key": "OPS-1"}))])
        claim(engine, after=timedelta(minutes=1))

        outcomes.record(engine, [(planned.id, ended(2))])

        assert reference(engine, planned.id) == '{"key":"OPS-1"}'

    def test_many_ends_are_recorded_together(self, engine: Engine) -> None:
        made = make_many(engine, 1, 2, 3)
        claim(engine)

        outcomes.record(engine, [(made[0], ended()), (made[1], ended(outcome=Outcome.REFUSED)), (made[2], ended())])

        assert inspection.count_by_state(engine) == {State.SENT: 2, State.DEAD: 1}

    @pytest.mark.parametrize("text", ["\0", "\ud800", "x" * 300_000, "\0\ud800" + "é" * 300_000], ids=["null", "surrogate", "long", "all"])
    def test_no_text_of_a_vendor_hinders_the_record(self, engine: Engine, text: str) -> None:
        planned = notified(engine)
        claim(engine)

        outcomes.record(engine, [(planned.id, ended(excerpt=text, payload=text, reference={"ts": text.replace("\ud800", "")}))])

        listed = only(engine, planned.id)
        assert listed.state is State.SENT
        assert len(listed.last_excerpt) == len(listed.last_payload) == len(text)

    @pytest.mark.parametrize("text", ["\0", "\ud800"], ids=["null", "surrogate"])
    def test_no_receivers_name_hinders_a_search(self, engine: Engine, text: str) -> None:
        assert inspection.listed(engine, receiver=text) == ()


def test_notifications_are_listed_newest_first_by_what_is_asked_for(engine: Engine) -> None:
    first, second, third = make_many(engine, 1, 2, 1)
    claim(engine, limit=1)
    outcomes.record(engine, [(first, ended())])

    def found(**wanted: object) -> list[int]:
        return ids(inspection.listed(engine, **wanted))  # type: ignore[arg-type]  # a table of filters

    assert found() == [third, second, first]
    assert found(limit=2) == [third, second]
    assert found(state=State.SENT) == [first]
    assert found(event_id=only(engine, second).event_id) == [second]
    assert found(receiver="chat") == [third, second, first]
    assert found(receiver="nobody") == []
    assert found(id=999) == []


def test_what_was_never_tried_has_no_attempts(engine: Engine) -> None:
    planned = notified(engine)

    assert inspection.tried(engine, planned.id) == ()
    assert (planned.attempts, planned.last_excerpt, planned.last_payload) == (0, "", "")
    assert inspection.count_by_state(engine) == {State.PLANNED: 1}
