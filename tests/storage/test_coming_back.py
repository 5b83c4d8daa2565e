"""What is told when the time of something has come, by what a database remembers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine, func, select

from routing.rules import RuleSet
from storage import inspection, outcomes
from storage.coming_back import PAUSE_AFTER_FAULT, is_due, plan_due
from storage.tables import explanations, timers, told_alerts, told_groups
from tests.factories import NOW, fixture, signed
from tests.routing.story import rules_of
from tests.storage.planned import claim, ended, in_threads, issue, plan_all, store

HOUR = timedelta(hours=1)
REPEATED = rules_of("rules: [{name: errors, when: '', notify: [chat], repeat: 4h}]")
GROUPED = rules_of("rules: [{name: errors, when: '', notify: [chat], group_by: [project], group_wait: 30s}]")


def come_back(engine: Engine, rules: RuleSet, after: timedelta) -> list[str]:
    """What is told by then that was not told before."""
    known = {listed.id for listed in inspection.listed(engine)}
    while plan_due(engine, rules, lambda: NOW + after).events:
        pass
    new = [listed for listed in inspection.listed(engine) if listed.id not in known]
    return sorted(f"{listed.receiver} {listed.reason} {listed.state}" for listed in new)


def count(engine: Engine, table: object) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]  # any table


def test_a_reminder_is_told_when_it_is_due_and_again_after_that(engine: Engine) -> None:
    store(engine, issue(1))
    plan_all(engine, REPEATED)

    assert not is_due(engine, NOW + 3 * HOUR)
    assert come_back(engine, REPEATED, 3 * HOUR) == []
    assert is_due(engine, NOW + 4 * HOUR)
    assert come_back(engine, REPEATED, 4 * HOUR) == ["chat reminder planned"]
    assert come_back(engine, REPEATED, 5 * HOUR) == []
    assert come_back(engine, REPEATED, 8 * HOUR) == ["chat reminder planned"]


def test_a_group_is_told_as_one_and_names_the_others(engine: Engine) -> None:
    for number in (1, 2, 3):
        store(engine, issue(number, title=f"Trouble {number}"))
        plan_all(engine, GROUPED)

    assert come_back(engine, GROUPED, timedelta(seconds=30)) == ["chat first planned"]

    (claimed,) = claim(engine, after=timedelta(seconds=31))
    assert claimed.incident.startswith("group:errors:")
    assert len(claimed.others) == 2
    assert count(engine, told_groups) == 1
    assert count(engine, timers) == 0


def test_the_end_of_an_incident_takes_its_timers_away(engine: Engine) -> None:
    body = fixture("issue.resolved")
    store(engine, issue(5300000123))
    plan_all(engine, REPEATED)
    assert count(engine, timers) == 1

    store(engine, signed("issue", body))
    plan_all(engine, REPEATED)

    assert count(engine, timers) == 0


def test_a_rule_that_is_no_longer_in_force_says_nothing(engine: Engine) -> None:
    store(engine, issue(1))
    plan_all(engine, REPEATED)

    assert come_back(engine, GROUPED_BY_ANOTHER_NAME, 5 * HOUR) == []
    assert count(engine, timers) == 0


def test_two_planners_tell_it_once(engine: Engine) -> None:
    for number in range(10):
        store(engine, issue(number))
    plan_all(engine, REPEATED)

    in_threads(2, lambda: come_back(engine, REPEATED, 5 * HOUR))

    assert [listed.reason for listed in inspection.listed(engine)].count("reminder") == 10  # type: ignore[arg-type]  # a StrEnum


def test_what_a_fault_of_ours_hinders_is_tried_later_and_hinders_nothing_else(engine: Engine) -> None:
    for number in (1, 2):
        store(engine, issue(number))
        plan_all(engine, REPEATED)
    (rule,) = REPEATED.rules
    broken = replace(REPEATED, rules=(replace(rule, mute=(Broken(),)),))  # type: ignore[arg-type]  # it need only raise

    planned = plan_due(engine, broken, lambda: NOW + 5 * HOUR)

    assert len(planned.failures) == 2
    assert planned.failures[0][1].startswith("come back: RuntimeError")
    assert plan_due(engine, broken, lambda: NOW + 5 * HOUR).events == 0
    assert come_back(engine, REPEATED, 5 * HOUR + PAUSE_AFTER_FAULT) == ["chat reminder planned"] * 2


def test_what_explains_others_is_remembered_until_it_ends(engine: Engine) -> None:
    rules = rules_of("""
inhibit: [{name: down, source: "level:fatal", target: "level:error"}]
rules: [{name: errors, when: "", notify: [chat], cooldown: 1d}]
""")
    store(engine, issue(5300000123, level="fatal"))
    plan_all(engine, rules)
    store(engine, issue(2))
    plan_all(engine, rules)

    assert inspection.listed(engine)[0].why == 'any alert; inhibited by "down": issue:5300000123 fires'
    assert come_back(engine, rules, timedelta(minutes=5)) == []

    store(engine, signed("issue", fixture("issue.resolved")))
    plan_all(engine, rules)

    assert count(engine, explanations) == 0
    assert come_back(engine, rules, timedelta(minutes=10)) == ["chat delayed planned"]


def test_throttles_remember_over_batches_and_forget_in_time(engine: Engine) -> None:
    rules = rules_of("""
throttles: [{name: noisy, when: "", limit: 2, per: 1h}]
rules: [{name: errors, when: "", notify: [chat]}]
""")
    for number in (1, 2, 3):
        store(engine, issue(number))
        plan_all(engine, rules)

    assert [listed.reason.value for listed in reversed(inspection.listed(engine))] == ["first", "first", "throttled"]

    store(engine, issue(4), at=NOW + 2 * HOUR)
    plan_all(engine, rules, at=NOW + 2 * HOUR)

    assert inspection.listed(engine)[0].reason.value == "first"
    assert count(engine, told_alerts) == 1


def test_an_ignored_event_says_by_what(engine: Engine) -> None:
    rules = rules_of("ignore: [{name: noise, when: 'level:error'}]\nrules: [{name: errors, when: '', notify: [chat]}]")
    event = store(engine, issue(1))

    plan_all(engine, rules)

    shown = inspection.find_event(engine, event)
    assert (shown.disposition, shown.ignored_by) == ("ignored", 'noise: level is "error"')


def test_messages_about_one_incident_go_in_order_whatever_the_occasion(engine: Engine) -> None:
    store(engine, issue(1))
    plan_all(engine, REPEATED)
    (first,) = claim(engine)
    come_back(engine, REPEATED, 4 * HOUR)

    assert claim(engine, after=5 * HOUR) == ()
    outcomes.record(engine, [(first.id, ended())])

    (second,) = claim(engine, after=5 * HOUR)
    assert second.reason.value == "reminder"


class Broken:
    """A window that nobody can look into."""

    def allows(self, _severity: object) -> bool:
        raise RuntimeError("broken")


GROUPED_BY_ANOTHER_NAME = rules_of("rules: [{name: others, when: '', notify: [chat]}]")


def test_two_rules_that_come_back_at_once_to_one_incident_tell_their_receivers(engine: Engine) -> None:
    rules = rules_of("""
windows: {morning: {times: [10:00-11:00]}}
rules:
  - {name: one, when: "", notify: [chat], mute: [morning], repeat: 4h}
  - {name: other, when: "", notify: [chat, mail], mute: [morning], repeat: 4h}
""")
    store(engine, issue(1))
    plan_all(engine, rules)

    assert come_back(engine, rules, HOUR) == ["chat delayed planned", "mail delayed planned"]
    assert come_back(engine, rules, 5 * HOUR) == ["chat reminder planned", "mail reminder planned"]
