"""Metrics: right in all processes and after restarts, readable by Prometheus whatever alerts say, and for nobody else."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from routing.notification import Outcome, Reason, State
from routing.own_events import Change
from storage import counting, incident_desk, inspection, marks, outcomes, tallies
from storage.canaries import RESOURCE
from storage.coming_back import plan_due
from storage.counting import BOUNDS, bound_of
from storage.incident_desk import Somebody
from storage.refusals import Refusal
from storage.retention import Retention, prune
from storage.sizes import measure
from storage.tables import events, refusals
from storage.tallies import MOST_OF_A_NAME, OTHER, tally
from tests.factories import NOW, Webhook, event_alert_webhook
from tests.promtool import promtool
from tests.service import ROOT
from tests.storage.planned import claim, ended, in_threads, issue, make_rules, plan_all, store
from tests.web.console import make_app
from tests.web.hostile import STRINGS
from web.operation import Kept

PATHS = ("/metrics", "/api/system/metrics/prometheus/")


def scrape(app: Flask, path: str = "/metrics", **headers: str) -> str:
    answer = app.test_client().get(path, headers=headers)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def values(text: str, name: str) -> dict[tuple[str, ...], float]:
    """By the values of its labels, in the order of their names."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples if sample.name == name]
    return {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in samples}


def deliver(engine: Engine) -> None:
    """As a worker does, with what is counted."""
    finished = [(one, ended(ended_at=NOW + timedelta(seconds=3))) for one in claim(engine)]
    counts = counting.of_attempts([(one, done, outcomes.state_after(done)) for one, done in finished])
    outcomes.record(engine, [(one.id, done) for one, done in finished], counts=counts)


def test_what_was_decided_and_told_is_counted(database_url: str, engine: Engine) -> None:
    for number in range(3):
        store(engine, issue(number))
    plan_all(engine)
    deliver(engine)

    text = scrape(make_app(database_url))

    assert values(text, "sentry_events_processed_total") == {("production",): 3}
    assert sum(values(text, "alert_router_events_total").values()) == 3
    sent = {labels: count for labels, count in values(text, "alert_router_notifications_total").items() if labels[-1] == State.SENT}
    assert sum(sent.values()) == values(text, "alert_router_attempts_total")["preview", "delivered"] > 0


def test_a_histogram_tells_how_long_it_took(database_url: str, engine: Engine) -> None:
    store(engine, issue(1))
    plan_all(engine)
    deliver(engine)

    text = scrape(make_app(database_url))
    buckets = values(text, "alert_router_delivery_seconds_bucket")

    assert [count for _, count in sorted(buckets.items(), key=lambda item: float(item[0][1]))] == [0] * 6 + [1] * 7
    assert values(text, "alert_router_delivery_seconds_sum") == {("preview",): 3}


def test_two_processes_tell_the_same_and_a_new_one_too(database_url: str, engine: Engine) -> None:
    store(engine, issue(1))
    plan_all(engine)

    first, second = (scrape(make_app(database_url)) for _ in range(2))

    assert values(first, "sentry_events_processed_total") == values(second, "sentry_events_processed_total") == {("production",): 1}


def test_workers_that_count_at_the_same_time_lose_nothing(engine: Engine) -> None:
    one, other = tally("attempts", kind="slack", outcome="delivered"), tally("attempts", kind="email", outcome="delivered")

    def count() -> None:
        for _ in range(20):
            with engine.begin() as connection:
                tallies.add(connection, {one: 1, other: 2})

    in_threads(4, count)

    assert tallies.read(engine) == {one: 80, other: 160}


def test_however_many_environments_there_are_metrics_stay_few(engine: Engine) -> None:
    with engine.begin() as connection:
        for number in range(MOST_OF_A_NAME + 50):
            tallies.add(connection, {tally("events", environment=f"review-{number}"): 1})

    found = tallies.read(engine)

    assert len(found) == MOST_OF_A_NAME + 1
    assert found[tally("events", environment=OTHER)] == 50


def test_prometheus_reads_it_whatever_alerts_say(database_url: str, engine: Engine) -> None:
    for number, text in enumerate(STRINGS):
        store(engine, event_alert_webhook(environment=text, issue_id=str(number), transaction=text))
    plan_all(engine)
    marks.write(engine, 'canary:a "receiver"\n', '{"ok": true, "seconds": 1.5}', NOW)
    with engine.begin() as connection:
        connection.execute(refusals.insert(), {**Refusal(NOW.date(), "sentry", 401)._asdict(), "count": 7})

    text = scrape(make_app(database_url))

    assert promtool("check", "metrics", text=text) == "0 "
    assert values(text, "alert_router_requests_refused_total") == {("sentry", "401"): 7}
    assert values(text, "alert_router_canary_seconds") == {('a "receiver"\n',): 1.5}


def test_of_endpoints_those_with_the_most_alerts_are_told(sqlite_url: str, stored: Engine) -> None:
    now = datetime.now(UTC)
    with stored.begin() as connection:
        rows = [
            {
                "received_at": now - timedelta(minutes=1),
                "resource": "event_alert",
                "body": b"",
                "state": "planned",
                "disposition": "matched",
            }
            | {"endpoint": f"/page/{number}", "duration_ms": 1000.0 * number, "level": "error"}
            for number in range(30)
            for _ in range(number)
        ]
        connection.execute(events.insert(), rows)

    text = scrape(make_app(sqlite_url))
    p95 = values(text, "sentry_performance_p95")

    assert p95 == {(f"/page/{number}",): float(number) for number in range(10, 30)}
    assert values(text, "sentry_error_rate") == {("error",): pytest.approx(len(rows) / 300)}


def test_each_attempt_is_counted_also_one_that_a_dead_worker_had(engine: Engine) -> None:
    store(engine, issue(1))
    plan_all(engine)
    claim(engine)
    outcomes.take_from_dead(engine, NOW)

    assert tallies.read(engine)[counting.how_ended("preview", Outcome.AMBIGUOUS)] == 1


def test_canaries_and_what_people_do_are_no_webhooks_of_sentry(engine: Engine) -> None:
    store(engine, Webhook(resource=RESOURCE, body=b'{"canary": 1}', headers={}))
    store(engine, issue(1))
    plan_all(engine)
    incident_desk.change(engine, "issue:1", Change.ACKNOWLEDGED, Somebody(name="ann", where="Slack"), NOW)
    plan_all(engine)

    counts = tallies.read(engine)

    assert {one: value for one, value in counts.items() if one.name == counting.EVENTS} == {tally("events", environment="production"): 1}
    assert sum(value for one, value in counts.items() if one.name == counting.DISPOSITIONS) == 3


def test_what_comes_back_later_is_counted(engine: Engine) -> None:
    rules = make_rules('{version: 1, receivers: {chat: {kind: preview}}, rules: [{name: all, when: "", notify: [chat], repeat: 1h}]}')
    store(engine, issue(1))
    plan_all(engine, rules)
    plan_due(engine, rules, lambda: NOW + timedelta(hours=2))

    counts = tallies.read(engine)

    assert counts[counting.came_into("preview", Reason.REMINDER, State.PLANNED)] == 1
    assert sum(value for one, value in counts.items() if one.name == counting.NOTIFICATIONS) == len(inspection.listed(engine))


def test_what_was_refused_stays_counted_when_its_days_are_pruned(database_url: str, engine: Engine) -> None:
    app, day = make_app(database_url), timedelta(days=1)
    with engine.begin() as connection:
        for days in (0, 400):
            connection.execute(refusals.insert(), {**Refusal((NOW + days * day).date(), "sentry", 401)._asdict(), "count": 7})
    before = values(scrape(app), "alert_router_requests_refused_total")

    prune(engine, Retention(bodies=day, events=day, records=day), lambda: NOW + 400 * day, rest=lambda _: None)

    after = values(scrape(make_app(database_url)), "alert_router_requests_refused_total")
    assert before == after == {("sentry", "401"): 14}


def test_it_tells_how_much_is_stored_and_what_is_spooled(database_url: str, engine: Engine, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    app = make_app(database_url, SPOOL_DIR=str(spool))
    (spool / "20260304T101532.000000-1-00000000.spool").write_bytes(b"12345")
    measure(engine, NOW)

    text = scrape(app)

    assert values(text, "alert_router_spooled_bytes") == {(): 5}
    assert values(text, "alert_router_stored_rows")["events",] == 0
    assert values(text, "alert_router_stored_bytes")["events",] > 0


def test_while_a_scrape_hangs_another_one_is_sent_away() -> None:
    is_made, may_end = threading.Event(), threading.Event()

    def make() -> bytes:
        is_made.set()
        may_end.wait(10)
        return b"text"

    kept = Kept(make, wait_seconds=0.05)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(kept.now)
        is_made.wait(10)
        assert kept.now() is None
        may_end.set()
        assert first.result() == b"text"
    assert kept.now() == b"text"


def test_without_a_database_it_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    app = make_app(f"sqlite:///{tmp_path_factory.mktemp('empty')}/no.db")

    assert app.test_client().get("/metrics").status_code == 503


class TestWhoMayLook:
    @pytest.mark.parametrize("path", PATHS)
    def test_this_machine_may_and_others_may_not(self, sqlite_url: str, path: str) -> None:
        client = make_app(sqlite_url).test_client()

        assert client.get(path).status_code == 200
        assert client.get(path, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403

    def test_networks_may_that_are_named(self, sqlite_url: str) -> None:
        client = make_app(sqlite_url, METRICS_FROM="192.0.2.0/24").test_client()

        assert client.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200
        assert client.get("/metrics").status_code == 403

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"])
    def test_a_proxy_on_this_machine_lets_nobody_in_that_it_does_not_name(self, sqlite_url: str, header: str) -> None:
        unnamed, named = make_app(sqlite_url).test_client(), make_app(sqlite_url, PROXY_ADDRESSES="127.0.0.1").test_client()

        assert unnamed.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403
        assert named.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 403
        assert named.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 200

    @pytest.mark.parametrize(("given", "status"), [("Bearer a-token", 200), ("Bearer another", 403), ("Basic YTpi", 403), ("", 403)])
    def test_a_token_is_as_good(self, sqlite_url: str, given: str, status: int) -> None:
        client = make_app(sqlite_url, METRICS_TOKEN="a-token", METRICS_FROM="192.0.2.0/24").test_client()

        assert client.get("/metrics", headers={"Authorization": given}).status_code == status


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0, "0.05"), (0.05, "0.05"), (0.06, "0.1"), (BOUNDS[-1], str(BOUNDS[-1])), (BOUNDS[-1] + 1, "+Inf")]
)
def test_a_time_falls_under_the_next_bound(seconds: float, bound: str) -> None:
    assert bound_of(seconds) == bound


def test_the_page_of_documentation_names_each_metric(sqlite_url: str) -> None:
    names = {family.name for family in text_string_to_metric_families(scrape(make_app(sqlite_url)))}
    documented = set(
        re.findall(
            r"^\| `((?:sentry|alert_router)_[a-z0-9_]+?)(?:_total)?(?:\{[^}]*\})?` \|",
            (ROOT / "docs" / "metrics.md").read_text(),
            re.MULTILINE,
        )
    )

    assert documented == names


def test_what_alert_rules_and_the_dashboard_name_is_there(database_url: str, engine: Engine) -> None:
    store(engine, issue(1))
    plan_all(engine)
    deliver(engine)
    there = set(re.findall(r"^# HELP (\w+)", scrape(make_app(database_url)), re.MULTILINE))
    there |= {f"{name}_bucket" for name in there}

    named = {
        name
        for path in (ROOT / "deploy" / "prometheus" / "alert-router.rules.yml", ROOT / "deploy" / "grafana" / "alert-router.json")
        for name in re.findall(r"\b(?:sentry|alert_router)_\w+", path.read_text(encoding="utf-8"))
    }

    assert len(named) > 15
    assert named - there == set()


def test_the_alert_rules_fire_when_they_should_and_only_then() -> None:
    folder = ROOT / "deploy" / "prometheus"

    assert promtool("check", "rules", str(folder / "alert-router.rules.yml")).startswith("0 ")
    assert promtool("test", "rules", str(folder / "alert-router.test.yml")).startswith("0 ")


def test_every_alert_rule_is_tried_while_all_is_well_and_while_it_is_not() -> None:
    folder = ROOT / "deploy" / "prometheus"
    rules = yaml.safe_load((folder / "alert-router.rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    tried = [test["alert_rule_test"] for test in yaml.safe_load((folder / "alert-router.test.yml").read_text(encoding="utf-8"))["tests"]]

    for is_well, tests in zip((True, False), tried, strict=True):
        assert {one["alertname"] for one in tests if bool(one["exp_alerts"]) is not is_well} == {rule["alert"] for rule in rules}
