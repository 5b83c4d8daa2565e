"""`flask alerts explain` and `ignored`, as an operator types them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import Engine

from storage.database import open_database
from tests.factories import event_alert_webhook, fixture
from tests.routing.story import rules_of
from tests.storage.planned import issue, make_rules, plan_all, prune_bodies, store, stumbling
from tests.test_cli import RULES, run, runner

NIGHT = RULES.replace("rules:", "windows: {night: {times: [22:00-07:00]}}\nrules:").replace(
    "notify: [slack-errors, pager, somebody]", "mute: [night], notify: [pager]"
)


@pytest.fixture
def engine(sqlite_url: str) -> Engine:
    return open_database(sqlite_url)


@pytest.fixture
def flask(sqlite_url: str, tmp_path: Path) -> FlaskCliRunner:
    (tmp_path / "rules.yaml").write_text(NIGHT, encoding="utf-8")
    return runner(sqlite_url, RULES_FILE=str(tmp_path / "rules.yaml"))


@pytest.fixture
def body(tmp_path: Path) -> Path:
    path = tmp_path / "webhook.json"
    path.write_bytes(event_alert_webhook().body)
    return path


class TestOfAnEvent:
    def test_says_what_each_rule_said_and_what_followed(self, flask: FlaskCliRunner, engine: Engine) -> None:
        store(engine, issue(1))
        plan_all(engine)

        lines = run(flask, "alerts", "explain", "1").splitlines()

        assert lines[0] == "event 1, event_alert.triggered, received 2026-03-04 10:15:32 UTC"
        assert lines[1].endswith(" (shop-api, production)")
        assert lines[2] == f"matched, by rules {make_rules().version}"
        assert lines[4:] == [
            "RULE               WHY",
            "critical  not      tags.critical is absent",
            'payment   matched  text has "payment"',
            "",
            "ID  RECEIVER  STATE    REASON  RULES    WHY",
            '1   chat      planned  first   payment  text has "payment"',
        ]

    def test_names_the_event_that_said_the_same(self, flask: FlaskCliRunner, engine: Engine) -> None:
        for sdk in ("one", "other"):
            store(engine, issue(1, sdk={"name": sdk}))
        plan_all(engine)

        assert run(flask, "alerts", "explain", "2").splitlines()[2].startswith("duplicate of event 1, by rules")

    def test_names_the_entry_of_ignore(self, flask: FlaskCliRunner, engine: Engine) -> None:
        for number in (1, 2):
            store(engine, issue(number))
        plan_all(engine, rules_of("ignore: [{name: noise, when: 'level:error'}]\nrules: [{name: all, when: '', notify: [chat]}]"))

        assert 'ignored: noise: level is "error"' in run(flask, "alerts", "explain", "1")
        assert run(flask, "alerts", "ignored") == "       2  noise\n"

    def test_shows_the_error_of_one_that_could_not_be_planned(self, flask: FlaskCliRunner, engine: Engine) -> None:
        store(engine, issue(1, title="boom"))
        rules = make_rules()
        broken = replace(rules.rules[0], when=stumbling("boom", ValueError("no such thing")))
        plan_all(engine, replace(rules, rules=(broken,)))

        assert "failed: plan: ValueError: no such thing" in run(flask, "alerts", "explain", "1")

    def test_of_one_that_waits_says_that_it_waits(self, flask: FlaskCliRunner, engine: Engine) -> None:
        store(engine)

        assert run(flask, "alerts", "explain", "1").splitlines()[-1] == "waiting"

    @pytest.mark.parametrize("number", ["999", "0", "99999999999999999999"])
    def test_of_a_wrong_number_says_so(self, flask: FlaskCliRunner, number: str) -> None:
        assert run(flask, "alerts", "explain", number, status=1) == f"Error: there is no event {number}\n"

    def test_at_a_time_says_what_the_rules_of_today_would_do_then(self, flask: FlaskCliRunner, engine: Engine) -> None:
        store(engine, issue(1))
        plan_all(engine)

        by_day = run(flask, "alerts", "explain", "1", "--at", "2026-03-04T12:00")
        by_night = run(flask, "alerts", "explain", "1", "--at", "2026-03-04T23:30+01:00")

        assert "would be matched" in by_day
        assert "planned  first" in by_day
        assert 'held by window "night" until 2026-03-05 07:00 UTC' in by_night
        assert by_night.splitlines()[-2:] == ["LATER, IF STILL OPEN", "2026-03-05 07:00:00 UTC  window  errors"]

    def test_changes_nothing(self, flask: FlaskCliRunner, engine: Engine) -> None:
        store(engine, issue(1))
        before = run(flask, "alerts", "explain", "1")

        run(flask, "alerts", "explain", "1", "--at", "2026-03-04T12:00")

        assert run(flask, "alerts", "explain", "1") == before


class TestOfAFile:
    def test_says_what_would_be_told(self, flask: FlaskCliRunner, body: Path) -> None:
        said = run(flask, "alerts", "explain", str(body), "--at", "2026-03-04T12:00")

        assert said.startswith(f"{body} at 2026-03-04 12:00:00 UTC, event_alert.triggered\n")
        assert "errors  matched" in said

    def test_for_programs_it_is_json(self, flask: FlaskCliRunner, body: Path) -> None:
        said = json.loads(run(flask, "alerts", "explain", str(body), "--at", "2026-03-04T12:00", "--json"))

        assert said["outcome"] == "would be matched"
        assert [(rule["rule"], rule["matched"]) for rule in said["rules"]] == [("errors", True)]
        assert [(told["receiver"], told["state"]) for told in said["told"]] == [("pager", "planned")]

    def test_needs_no_database(self, tmp_path: Path, body: Path) -> None:
        (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
        flask = runner(f"sqlite:///{tmp_path}/none.db", RULES_FILE=str(tmp_path / "rules.yaml"))

        assert "as if nothing had come before (no database)" in run(flask, "alerts", "explain", str(body))

    @pytest.mark.parametrize("name", ["issue.resolved", "metric_alert.critical", "legacy.triggered", "comment.created"])
    def test_knows_most_webhooks_by_what_they_hold(self, flask: FlaskCliRunner, tmp_path: Path, name: str) -> None:
        path = tmp_path / "body.json"
        path.write_bytes(fixture(name))

        assert f", {name.split('.', maxsplit=1)[0]}." in run(flask, "alerts", "explain", str(path))

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"{}", "which webhook is this? say it by --resource: activity_alert, comment"),
            (b"[]", "which webhook is this?"),
            (b"\xff", "which webhook is this?"),
        ],
    )
    def test_of_what_is_no_webhook_says_so(self, flask: FlaskCliRunner, tmp_path: Path, content: bytes, said: str) -> None:
        path = tmp_path / "body.json"
        path.write_bytes(content)

        assert said in run(flask, "alerts", "explain", str(path), status=1)

    def test_of_no_file_says_so(self, flask: FlaskCliRunner) -> None:
        assert "x: No such file or directory; write the number of an event, or a file" in run(flask, "alerts", "explain", "x", status=1)

    def test_of_no_time_says_what_one_looks_like(self, flask: FlaskCliRunner) -> None:
        assert '"9999-12-31T23:59-12:00" is too far away; write a time from 1971' in run(
            flask, "alerts", "explain", "1", "--at", "9999-12-31T23:59-12:00", status=2
        )
        assert '"soon" is no time; write one like 2026-03-04T23:30' in run(flask, "alerts", "explain", "1", "--at", "soon", status=2)


def test_of_a_pruned_event_it_says_what_was_decided_and_that_it_was_pruned(engine: Engine, flask: FlaskCliRunner) -> None:
    event = store(engine)
    plan_all(engine)
    prune_bodies(engine)

    assert run(flask, "alerts", "explain", str(event)).splitlines()[0].endswith("; its body was pruned 2026-05-03 10:15:32 UTC")
    said = run(flask, "alerts", "explain", str(event), "--at", "2026-03-04T23:30", status=1)
    assert "the body was pruned at 2026-05-03 10:15:32 UTC, for its age (RETAIN_BODIES)" in said
