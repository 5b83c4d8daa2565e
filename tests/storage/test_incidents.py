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


def opened(engine: Engine, key: str = "issue:1", alert: Alert | None = None) -> Incident:
    with engine.begin() as connection:
        return incidents.open_incident(connection, key, alert or make_alert())


def said(engine: Engine, incident: Incident, *alerts: tuple[Alert, str | None]) -> None:
    with engine.begin() as connection:
        incidents.record_alerts(connection, {incident.id: alerts})


def spoke(engine: Engine, incident: Incident, *rules: str, at: datetime = NOW, known: bool = False) -> None:
    with engine.begin() as connection:
        spoken = {(incident.id, rule): at for rule in rules}
        incidents.record_spoken(connection, spoken, known=frozenset(spoken) if known else frozenset())


def by_key(engine: Engine, *keys: str) -> dict[str, Incident]:
    with engine.connect() as connection:
        return incidents.by_key(connection, keys)


def test_an_incident_is_found_by_its_key(engine: Engine) -> None:
    one, other = opened(engine, "issue:1"), opened(engine, "metric:1:2")

    assert by_key(engine, "issue:1", "metric:1:2", "issue:3") == {"issue:1": one, "metric:1:2": other}
    assert by_key(engine) == {}


def test_a_key_has_one_incident(engine: Engine) -> None:
    opened(engine)

    with pytest.raises(IntegrityError):
        opened(engine)


def test_an_incident_knows_when_each_rule_last_spoke(engine: Engine) -> None:
    one, other = opened(engine, "issue:1"), opened(engine, "issue:2")

    spoke(engine, one, "critical", "payment")
    spoke(engine, one, "payment", at=NOW + MINUTE, known=True)
    spoke(engine, other, "critical", at=NOW + 2 * MINUTE)

    found = by_key(engine, "issue:1", "issue:2")
    assert found["issue:1"].notified_at == {"critical": NOW, "payment": NOW + MINUTE}
    assert found["issue:2"].notified_at == {"critical": NOW + 2 * MINUTE}


def test_alerts_are_counted_and_the_last_change_of_status_stays(engine: Engine) -> None:
    incident = opened(engine)
    firing, resolved, comment = (make_alert(status=status) for status in (Status.FIRING, Status.RESOLVED, Status.UNCHANGED))

    said(engine, incident, (firing, "a"), (resolved, "b"), (comment, "c"))
    said(engine, incident, (comment, "d"))

    assert incident_rows(engine, table.c.status, table.c.last_change, table.c.alert_count) == [(Status.RESOLVED, "b", 4)]


def test_the_last_alert_is_the_latest_that_occurred(engine: Engine) -> None:
    incident = opened(engine, alert=make_alert(occurred_at=NOW))

    said(engine, incident, (make_alert(occurred_at=NOW + MINUTE), "a"), (make_alert(occurred_at=NOW), "b"))
    said(engine, incident, (make_alert(occurred_at=NOW - MINUTE), "c"))

    assert incident_rows(engine, table.c.first_alert_at, table.c.last_alert_at) == [(NOW, NOW + MINUTE)]


def test_nothing_said_and_nothing_spoken_is_nothing_done(engine: Engine) -> None:
    opened(engine)

    with engine.begin() as connection:
        incidents.record_alerts(connection, {})
        incidents.record_spoken(connection, {}, known=frozenset())

    assert incident_rows(engine, table.c.alert_count) == [(0,)]


@pytest.mark.parametrize("text", ["\0", "\ud800", "x" * 300_000, "\0\ud800" + "é" * 300_000], ids=["null", "surrogate", "long", "all"])
def test_no_text_of_an_alert_hinders_its_incident(engine: Engine, text: str) -> None:
    opened(engine, alert=make_alert(title=text, project=text, link=f"https://example.com/{text}"))

    ((title, project),) = incident_rows(engine, table.c.title, table.c.project)
    assert (len(str(title)), len(str(project))) == (min(len(text), 1000), min(len(text), 200))
