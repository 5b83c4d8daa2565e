"""The service in small: what is due comes in its time, and nothing goes back in it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from routing import simulation as simulated
from routing.alert import Alert, Status
from routing.simulation import Simulation, TooManyComebacksError
from tests.factories import NOW, make_alert, make_silence
from tests.routing.story import rules_of

HOUR = timedelta(hours=1)
REPEATED = rules_of("rules: [{name: errors, when: '', notify: [chat], repeat: 4h, escalate: [{after: 1h, notify: [pager]}]}]")


def alert(issue: int = 1, event: int = 1, **changes: object) -> Alert:
    return make_alert(issue_id=str(issue), event_id=f"{event:032x}", **changes)


def said(simulation: Simulation) -> list[str]:
    return [f"+{(one.at - NOW) / HOUR:g}h {one.notification.receiver} {one.notification.reason}" for one in simulation.sayings]


def test_what_is_due_comes_at_its_own_time_and_in_its_order() -> None:
    simulation = Simulation(REPEATED)

    simulation.hear(alert(), NOW)
    simulation.advance(NOW + 9 * HOUR)

    assert said(simulation) == ["+0h chat first", "+1h pager escalation", "+4h chat reminder", "+8h chat reminder"]


def test_what_is_due_comes_before_an_alert_of_the_same_moment() -> None:
    simulation = Simulation(REPEATED)

    simulation.hear(alert(), NOW)
    simulation.hear(alert(issue=2, event=2), NOW + HOUR)

    assert said(simulation) == ["+0h chat first", "+1h pager escalation", "+1h chat first"]


def test_who_acknowledges_calls_off_what_asks_for_that() -> None:
    simulation = Simulation(REPEATED)
    simulation.hear(alert(), NOW)

    assert simulation.acknowledge("issue:1", NOW + HOUR / 2)
    assert not simulation.acknowledge("issue:2", NOW + HOUR / 2)
    simulation.advance(NOW + 9 * HOUR)

    assert said(simulation) == ["+0h chat first", "+0.5h chat acknowledged"]


def test_the_end_of_an_incident_is_the_end_of_what_was_to_come() -> None:
    simulation = Simulation(REPEATED)
    simulation.hear(alert(), NOW)

    simulation.hear(alert(resource="issue", action="resolved", status=Status.RESOLVED), NOW + HOUR / 2)
    simulation.advance(NOW + 9 * HOUR)

    assert said(simulation) == ["+0h chat first", "+0.5h chat resolved"]


def test_a_silence_holds_from_when_it_is_set() -> None:
    simulation = Simulation(REPEATED)
    silence = make_silence("level:error", lasts=2 * HOUR)
    simulation.hear(alert(), NOW)

    simulation.set_silences([silence], NOW)
    simulation.advance(NOW + 2 * HOUR)

    assert said(simulation) == ["+0h chat first", "+1h pager silenced"]


def test_a_fingerprint_joins_issues_and_any_of_them_may_be_acknowledged() -> None:
    rules = rules_of(
        "fingerprints: [{when: 'level:error', key: 'all'}]\nrules: [{name: errors, when: '', notify: [chat], repeat: 4h, cooldown: 1h}]"
    )
    simulation = Simulation(rules)

    first = simulation.hear(alert(1), NOW)
    second = simulation.hear(alert(2, event=2), NOW)

    assert first.incident == second.incident == "fingerprint:shop-api:all"
    assert said(simulation) == ["+0h chat first", "+0h chat cooldown"]
    assert simulation.acknowledge("issue:2", NOW)


def test_what_no_reader_knows_is_heard_and_changes_nothing() -> None:
    simulation = Simulation(REPEATED)

    hearing = simulation.hear(alert(resource="tomorrow"), NOW)

    assert hearing.plan is None
    assert simulation.sayings == []


def test_time_only_goes_forward() -> None:
    simulation = Simulation(REPEATED)
    simulation.advance(NOW)

    with pytest.raises(ValueError, match="time only goes forward"):
        simulation.advance(NOW - HOUR)


def test_what_comes_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "MAX_COMEBACKS", 500)
    simulation = Simulation(rules_of("rules: [{name: errors, when: '', notify: [chat], repeat: 1s}]"))
    simulation.hear(alert(), NOW)

    with pytest.raises(TooManyComebacksError, match="more than 500 times"):
        simulation.advance(NOW + timedelta(seconds=1000))
