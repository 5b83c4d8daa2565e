"""Incidents: one for each key, with its status, its count, and when each rule last spoke of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from routing.alert import Alert, Status
from storage import incidents
from storage.incidents import Incident
from storage.tables import incidents as table
from tests.factories import NOW, make_alert
from tests.storage.planned import incident_rows

MINUTE = timedelta(minutes=1)


def heard(
    engine: Engine, *alerts: Alert, key: str = "issue:1", change: str | None = None, rules: tuple[str, ...] = (), at: datetime = NOW
) -> Incident:
    """The incident of this key, after it has heard these alerts, of which these rules spoke, and was stored."""
    with engine.begin() as connection:
        incident = incidents.by_key(connection, [key]).get(key) or Incident(key=key)
        for alert in alerts or (make_alert(),):
            incident.hear(alert, change, speaking=rules, at=at)
        incidents.save(connection, [incident])
    return incident


def by_key(engine: Engine, *keys: str) -> dict[str, Incident]:
    with engine.connect() as connection:
        return incidents.by_key(connection, keys)


def test_an_incident_is_found_by_its_key(engine: Engine) -> None:
    one, other = heard(engine, key="issue:1"), heard(engine, key="metric:1:2")

    found = by_key(engine, "issue:1", "metric:1:2", "issue:3")

    assert {key: incident.id for key, incident in found.items()} == {"issue:1": one.id, "metric:1:2": other.id}
    assert by_key(engine) == {}


def test_several_new_incidents_get_each_its_own_id(engine: Engine) -> None:
    new = [Incident(key=f"issue:{number}") for number in range(30)]
    for incident in new:
        incident.hear(make_alert(), None, speaking=("critical",), at=NOW)

    with engine.begin() as connection:
        incidents.save(connection, new)

    stored = by_key(engine, *(incident.key for incident in new))
    assert [stored[incident.key].id for incident in new] == [incident.id for incident in new]


def test_a_key_has_one_incident(engine: Engine) -> None:
    heard(engine)
    again = Incident(key="issue:1")
    again.hear(make_alert(), None, speaking=(), at=NOW)

    with pytest.raises(IntegrityError), engine.begin() as connection:
        incidents.save(connection, [again])


def test_an_incident_knows_when_each_rule_last_spoke(engine: Engine) -> None:
    heard(engine, rules=("critical", "payment"))
    heard(engine, rules=("payment",), at=NOW + MINUTE)
    heard(engine, key="issue:2", rules=("critical",), at=NOW + 2 * MINUTE)

    found = by_key(engine, "issue:1", "issue:2")

    assert found["issue:1"].notified_at == {"critical": NOW, "payment": NOW + MINUTE}
    assert found["issue:2"].notified_at == {"critical": NOW + 2 * MINUTE}


@pytest.mark.parametrize("at_once", [True, False], ids=["in one batch", "in two"])
def test_its_end_lets_every_rule_speak_anew(engine: Engine, *, at_once: bool) -> None:
    resolved = make_alert(status=Status.RESOLVED)
    heard(engine, rules=("critical", "payment"))

    with engine.begin() as connection:
        incident = incidents.by_key(connection, ["issue:1"])["issue:1"]
        incident.hear(resolved, "end", speaking=(), at=NOW)
        if at_once:
            incident.hear(make_alert(), "again", speaking=("payment",), at=NOW + MINUTE)
        incidents.save(connection, [incident])

    assert by_key(engine, "issue:1")["issue:1"].notified_at == ({"payment": NOW + MINUTE} if at_once else {})


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


def test_nothing_heard_is_nothing_stored(engine: Engine) -> None:
    heard(engine)

    with engine.begin() as connection:
        incidents.save(connection, [*incidents.by_key(connection, ["issue:1"]).values(), Incident(key="issue:2")])

    assert incident_rows(engine, table.c.alert_count) == [(1,)]


@pytest.mark.parametrize("text", ["\0", "\ud800", "x" * 300_000, "\0\ud800" + "é" * 300_000], ids=["null", "surrogate", "long", "all"])
def test_no_text_of_an_alert_hinders_its_incident(engine: Engine, text: str) -> None:
    heard(engine, make_alert(title=text, project=text, link=f"https://example.com/{text}"))

    ((title, project),) = incident_rows(engine, table.c.title, table.c.project)
    assert (len(str(title)), len(str(project))) == (min(len(text), 1000), min(len(text), 200))
