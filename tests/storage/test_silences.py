"""Silences as a database keeps them, and their reminders, which go the way of every alert."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import Engine, update
from structlog.testing import capture_logs

from routing.findings import Findings
from routing.silences import Silence, SilenceState
from storage import inspection, silences
from storage.silences import NoSuchSilenceError, in_force, preview, remind
from storage.tables import events
from storage.tables import silences as table
from tests.factories import NOW, make_silence
from tests.routing.story import rules_of
from tests.storage.planned import in_threads, issue, make_rules, plan_all, store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TELLING = rules_of("rules: [{name: silences, when: 'resource:silence', notify: [chat], cooldown: 0s}]")


def add(engine: Engine, silence: Silence | None = None) -> Silence:
    return silences.add(engine, silence or make_silence(), NOW)


def states(engine: Engine, state: SilenceState | None = None) -> list[int]:
    return [silence.id for silence in silences.listed(engine, state=state, now=NOW, limit=10)]


def test_what_was_added_is_found_as_it_was(engine: Engine) -> None:
    added = add(engine, make_silence('tags.team:"a b" OR level:fatal', "payment"))

    assert silences.find(engine, added.id) == added
    assert [str(matcher) for matcher in added.matchers] == ['tags.team:"a b" OR level:fatal', "payment"]
    with pytest.raises(NoSuchSilenceError, match="there is no silence 99"):
        silences.find(engine, 99)


def test_those_that_are_over_are_not_in_force(engine: Engine) -> None:
    active, pending = add(engine), add(engine, make_silence(begins=HOUR))
    over = silences.expire(engine, add(engine).id, NOW)

    with engine.connect() as connection:
        found = in_force(connection, NOW)

    assert [silence.id for silence in found] == [active.id, pending.id]
    assert states(engine) == [over.id, pending.id, active.id]
    assert [states(engine, state) for state in SilenceState] == [[pending.id], [active.id], [over.id]]


def test_what_is_silenced_is_held_and_says_by_which(engine: Engine) -> None:
    silence = add(engine, make_silence("payment"))
    store(engine, issue(1))

    plan_all(engine)

    (listed,) = inspection.listed(engine)
    assert (listed.reason.value, listed.state.value) == ("silenced", "held")
    assert f"silenced by silence {silence.id} of ann until 2026-03-04 11:15 UTC: migration" in listed.why


def test_one_that_this_version_cannot_read_holds_nothing_and_hinders_nobody(engine: Engine) -> None:
    silence = add(engine, make_silence("payment"))
    with engine.begin() as connection:
        connection.execute(update(table).values(matchers='["level:"]'))
    store(engine, issue(1))

    with capture_logs() as lines:
        plan_all(engine)

    assert [listed.reason.value for listed in inspection.listed(engine)] == ["first"]
    assert lines[0]["event"] == "silence_not_in_force"
    assert lines[0]["silence_id"] == silence.id


def test_a_preview_says_what_would_have_been_held(engine: Engine) -> None:
    for number, tags in enumerate(([["critical", "true"]], [], [])):
        store(engine, issue(number, tags=tags, title=f"payment {number}"))
    plan_all(engine)

    found = preview(engine, make_silence("tags.critical:true").matchers, NOW + HOUR)

    assert (found.events, found.notifications, found.is_cut) == (1, {"pager": 1, "chat": 1}, False)
    assert preview(engine, make_silence("level:fatal").matchers, NOW + HOUR).events == 0
    assert preview(engine, make_silence("level:error").matchers, NOW + 2 * DAY).events == 0


class TestReminders:
    def test_each_is_told_once_by_the_rules(self, engine: Engine) -> None:
        silence = add(engine, make_silence("project:shop", lasts=8 * DAY))
        told = []
        for after in (DAY, 7 * DAY, 7 * DAY + HOUR, 8 * DAY - HOUR, 8 * DAY - HOUR / 2, 9 * DAY):
            remind(engine, NOW + after)
            plan_all(engine, TELLING, at=NOW + after)
            told.append(len(inspection.listed(engine)))

        assert told == [0, 1, 1, 2, 2, 2]
        newest = inspection.find_event(engine, inspection.listed(engine)[0].event_id)
        assert (newest.resource, newest.title) == ("router:silence", f"Silence {silence.id} by ann: migration")

    def test_two_workers_tell_it_once(self, engine: Engine) -> None:
        add(engine, make_silence(lasts=8 * DAY))

        in_threads(2, lambda: remind(engine, NOW + 7 * DAY))

        plan_all(engine, TELLING)
        assert len(inspection.listed(engine)) == 1

    def test_those_of_one_silence_are_one_incident(self, engine: Engine) -> None:
        add(engine, make_silence(lasts=30 * DAY))
        for weeks in (1, 2):
            remind(engine, NOW + weeks * 7 * DAY)
            plan_all(engine, TELLING, at=NOW + weeks * 7 * DAY)

        assert [listed.reason.value for listed in inspection.listed(engine)] == ["repeat", "first"]

    def test_where_no_rule_asks_for_it_nobody_is_told(self, engine: Engine) -> None:
        add(engine, make_silence(lasts=8 * DAY))
        remind(engine, NOW + 7 * DAY)

        plan_all(engine, make_rules())

        assert inspection.listed(engine) == ()


def test_one_that_this_version_cannot_read_can_be_ended(engine: Engine) -> None:
    id_ = add(engine).id
    with engine.begin() as connection:
        connection.execute(update(table).values(matchers='["no:such((condition"]'))

    assert silences.expire(engine, id_, NOW).state(NOW) is SilenceState.EXPIRED


def test_a_preview_knows_what_others_said_of_an_alert(engine: Engine) -> None:
    event = store(engine, issue(1))
    plan_all(engine)
    with engine.begin() as connection:
        said = msgspec.json.encode(Findings(tags=(("team", "payments"),))).decode()
        connection.execute(update(events).where(events.c.id == event).values(findings=said))

    assert preview(engine, make_silence("tags.team:payments").matchers, NOW + timedelta(minutes=1)).events == 1
