"""The doctor on alerts that do not come: rule condition, tags, integration, history, in general and of one event."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from storage.refusals import RefusalCounter
from tests.factories import event_alert_webhook
from tests.storage.planned import RULES, issue, make_rules, plan_all, store
from tests.storage.test_refusals import eventually
from tests.watch.doctor import looked, patient, utc_now
from watch.doctor import alerts
from watch.doctor.finding import Finding, State

OK, WARNING, FAULT = State.OK, State.WARNING, State.FAULT


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


def found(database_url: str, rules_file: Path, event: int | None = None) -> dict[str, Finding]:
    return looked("alerts", patient({"DATABASE_URL": database_url, "RULES_FILE": str(rules_file)}, event=event))


def came(engine: Engine, *numbers: int) -> None:
    for number in numbers:
        store(engine, issue(number), at=utc_now())
    plan_all(engine, at=utc_now())


class TestInGeneral:
    def test_nothing_came_yet(self, database_url: str, rules_file: Path) -> None:
        said = found(database_url, rules_file)

        assert said["integration"].state is WARNING
        assert "Alert Rule Action" in said["integration"].way_out

    def test_webhooks_are_refused(self, engine: Engine, database_url: str, rules_file: Path) -> None:
        RefusalCounter(engine, utc_now).count("sentry", 401)

        eventually(lambda: found(database_url, rules_file)["integration"].state is FAULT)

        assert "SENTRY_CLIENT_SECRETS" in found(database_url, rules_file)["integration"].way_out

    def test_no_rule_is_ever_met(self, engine: Engine, database_url: str, rules_file: Path) -> None:
        store(engine, issue(1), at=utc_now())
        plan_all(engine, make_rules(RULES.replace('"payment"', '"nothing like it"')), at=utc_now())

        finding = found(database_url, rules_file)["rule condition"]

        assert finding.state is WARNING
        assert finding.seen == "of the last 1 events: 1 unrouted: no rule was met by any"
        assert "flask doctor --event 1" in finding.way_out

    def test_a_tag_for_which_rules_ask_never_comes(self, engine: Engine, database_url: str, rules_file: Path) -> None:
        came(engine, 1, 2)

        finding = found(database_url, rules_file)["tags"]

        assert finding.state is WARNING
        assert finding.seen == "no one of the last 2 alerts has the tag critical, for which rule critical asks"
        assert "sentry_sdk.set_tag" in finding.way_out

    def test_all_is_well(self, engine: Engine, database_url: str, rules_file: Path) -> None:
        store(engine, event_alert_webhook(), at=utc_now())
        plan_all(engine, at=utc_now())

        said = found(database_url, rules_file)

        assert {one.state for one in said.values()} == {OK}
        assert said["history"].seen == "of the last day: 2 planned"


class TestOfOneEvent:
    def test_each_rule_says_why(self, engine: Engine, database_url: str, rules_file: Path) -> None:
        came(engine, 1)

        all_of_it = tuple(alerts.look(patient({"DATABASE_URL": database_url, "RULES_FILE": str(rules_file)}, event=1)))

        assert [one.seen for one in all_of_it if one.name == "rule condition"] == [
            "critical: not met: tags.critical is absent",
            'payment: matched: text has "payment"',
        ]
        assert [one.seen for one in all_of_it if one.name == "history"] == ['chat: planned, first: text has "payment"']

    def test_a_tag_that_it_does_not_have_is_named(self, engine: Engine, database_url: str, rules_file: Path) -> None:
        came(engine, 1)

        assert found(database_url, rules_file, 1)["tags"].seen == "it has no tag critical, for which rule critical asks"

    def test_one_that_met_no_rule_told_nobody(self, engine: Engine, database_url: str, rules_file: Path) -> None:
        store(engine, issue(1), at=utc_now())
        plan_all(engine, make_rules(RULES.replace('"payment"', '"nothing like it"')), at=utc_now())

        said = found(database_url, rules_file, 1)

        assert said["rule condition"].seen == "no rule was met: unrouted"
        assert said["history"].state is WARNING

    def test_one_that_waits_is_not_decided(self, engine: Engine, database_url: str, rules_file: Path) -> None:
        store(engine, issue(1), at=utc_now() - timedelta(minutes=3))

        assert found(database_url, rules_file, 1)["rule condition"].way_out == "the worker has to decide it first: see `workers`"

    def test_one_that_there_is_not(self, database_url: str, rules_file: Path) -> None:
        (finding,) = found(database_url, rules_file, 99).values()

        assert (finding.state, finding.seen) == (FAULT, "there is no event 99")
