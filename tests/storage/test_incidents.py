"""Incidents: one for each key, with its status, its count, and when each rule last spoke of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from routing.alert import Alert, Status
from routing.incident import Cause, Incident, Timer
from routing.notification import Reason
from storage import incidents
from storage.incidents import Kept
from storage.tables import incidents as table
from tests.factories import NOW, make_alert
from tests.storage.planned import incident_rows, store

MINUTE = timedelta(minutes=1)


def take_in(kept: Kept, *alerts: Alert, change: str | None = None, rules: tuple[str, ...] = (), at: datetime = NOW) -> Kept:
    """An incident after it has heard these alerts, and these rules have spoken of it."""
    for alert in alerts:
        kept.incident.hear(alert, change, at)
        kept.alerts.append(alert)
    kept.incident.spoke(rules, at)
    return kept


def heard(
    engine: Engine, *alerts: Alert, key: str = "issue:1", change: str | None = None, rules: tuple[str, ...] = (), at: datetime = NOW
) -> Kept:
    """The incident of this key, after it has heard these alerts, of which these rules spoke, and was stored."""
    with engine.begin() as connection:
        kept = incidents.by_key(connection, [key]).get(key) or Kept(incident=Incident(key=key))
        take_in(kept, *(alerts or (make_alert(),)), change=change, rules=rules, at=at)
        incidents.save(connection, [kept])
    return kept


def by_key(engine: Engine, *keys: str) -> dict[str, Kept]:
    with engine.connect() as connection:
        return incidents.by_key(connection, keys)


def test_an_incident_is_found_by_its_key(engine: Engine) -> None:
    one, other = heard(engine, key="issue:1"), heard(engine, key="metric:1:2")

    found = by_key(engine, "issue:1", "metric:1:2", "issue:3")

    assert {key: kept.id for key, kept in found.items()} == {"issue:1": one.id, "metric:1:2": other.id}
    assert by_key(engine) == {}


def test_several_new_incidents_get_each_its_own_id(engine: Engine) -> None:
    new = [take_in(Kept(incident=Incident(key=f"issue:{number}")), make_alert(), rules=("critical",)) for number in range(30)]

    with engine.begin() as connection:
        incidents.save(connection, new)

    stored = by_key(engine, *(kept.incident.key for kept in new))
    assert [stored[kept.incident.key].id for kept in new] == [kept.id for kept in new]


def test_a_key_has_one_incident(engine: Engine) -> None:
    heard(engine)
    again = take_in(Kept(incident=Incident(key="issue:1")), make_alert())

    with pytest.raises(IntegrityError), engine.begin() as connection:
        incidents.save(connection, [again])


def test_an_incident_knows_when_each_rule_last_spoke(engine: Engine) -> None:
    heard(engine, rules=("critical", "payment"))
    heard(engine, rules=("payment",), at=NOW + MINUTE)
    heard(engine, key="issue:2", rules=("critical",), at=NOW + 2 * MINUTE)

    found = by_key(engine, "issue:1", "issue:2")

    assert found["issue:1"].incident.notified_at == {"critical": NOW, "payment": NOW + MINUTE}
    assert found["issue:2"].incident.notified_at == {"critical": NOW + 2 * MINUTE}


@pytest.mark.parametrize("at_once", [True, False], ids=["in one batch", "in two"])
def test_its_end_lets_every_rule_speak_anew(engine: Engine, *, at_once: bool) -> None:
    resolved = make_alert(status=Status.RESOLVED)
    heard(engine, rules=("critical", "payment"))

    with engine.begin() as connection:
        kept = take_in(incidents.by_key(connection, ["issue:1"])["issue:1"], resolved, change="end")
        if at_once:
            take_in(kept, make_alert(), change="again", rules=("payment",), at=NOW + MINUTE)
        incidents.save(connection, [kept])

    assert by_key(engine, "issue:1")["issue:1"].incident.notified_at == ({"payment": NOW + MINUTE} if at_once else {})


def test_alerts_are_counted_and_the_last_change_of_status_stays(engine: Engine) -> None:
    firing, resolved, comment = (make_alert(status=status) for status in (Status.FIRING, Status.RESOLVED, Status.UNCHANGED))

    heard(engine, firing, change="a")
    heard(engine, resolved, comment, change="b")
    heard(engine, comment, change="c")

    assert incident_rows(engine, table.c.status, table.c.last_change, table.c.alert_count) == [(Status.RESOLVED, "b", 4)]


def test_the_last_alert_is_the_latest_that_occurred(engine: Engine) -> None:
    heard(engine, *(make_alert(occurred_at=at) for at in (NOW, NOW + MINUTE, NOW)))
    heard(engine, make_alert(occurred_at=NOW - MINUTE))

    assert incident_rows(engine, table.c.first_alert_at, table.c.last_alert_at) == [(NOW, NOW + MINUTE)]


def test_nothing_heard_changes_nothing(engine: Engine) -> None:
    heard(engine, rules=("critical",))
    before = incident_rows(engine, *table.c)

    with engine.begin() as connection:
        incidents.save(connection, by_key(engine, "issue:1").values())

    assert incident_rows(engine, *table.c) == before


def test_what_is_remembered_of_an_incident_comes_back_as_it_was(engine: Engine) -> None:
    event = store(engine)
    heard(engine, make_alert(release="4.2.0", environment="production"), rules=("critical",))
    kept = by_key(engine, "issue:1")["issue:1"]
    timer = Timer(
        rule="critical",
        cause=Cause.ESCALATION,
        due_at=NOW + MINUTE,
        event=event,
        step=1,
        group="g",
        why="level is fatal",
        held_by=Reason.INHIBITED,
    )
    kept.incident.set_timers([timer, replace(timer, step=2)])
    kept.incident.explains.add("database-down:1")
    kept.incident.acknowledged_by = "Ann Lee in Slack"
    kept.incident.issues |= {"issue:1": True, "issue:2": False}
    with engine.begin() as connection:
        incidents.save(connection, [kept])

    found = by_key(engine, "issue:1")["issue:1"]

    assert found.incident == kept.incident
    assert found.incident.seen_in == {"release:4.2.0", "environment:production"}


def test_what_is_remembered_can_change_and_go(engine: Engine) -> None:
    event = store(engine)
    kept = heard(engine)
    timer = Timer(rule="critical", cause=Cause.REPEAT, due_at=NOW, event=event)
    for timers in ([timer, replace(timer, rule="other")], [replace(timer, due_at=NOW + MINUTE)], []):
        kept = by_key(engine, "issue:1")["issue:1"]
        kept.incident.timers = {timer.key: timer for timer in timers}
        with engine.begin() as connection:
            incidents.save(connection, [kept])

        assert by_key(engine, "issue:1")["issue:1"].incident.timers == kept.incident.timers


@pytest.mark.parametrize("text", ["\0", "\ud800", "x" * 300_000, "\0\ud800" + "é" * 300_000], ids=["null", "surrogate", "long", "all"])
def test_no_text_of_an_alert_hinders_its_incident(engine: Engine, text: str) -> None:
    heard(engine, make_alert(title=text, project=text, link=f"https://example.com/{text}"))

    ((title, project),) = incident_rows(engine, table.c.title, table.c.project)
    assert (len(str(title)), len(str(project))) == (min(len(text), 1000), min(len(text), 200))
