"""The whole way, in real processes: a signed webhook in, the vendors' requests out, whatever dies in between."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.samples import samples
from routing.notification import State
from tests.factories import SECRET, Webhook, event_alert_webhook, issue_webhook
from tests.service import Service, end, environment, redis_of_its_own
from tests.stand_ins.server import Server
from tests.stand_ins.slack import Slack
from tests.vendors import CHANNELS, Vendors, critical_error

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Closed:
    """A vendor behind a door: it holds every request until the door is opened, and then answers as ever."""

    def __init__(self, vendor: Slack) -> None:
        self.vendor = vendor
        self.door = threading.Event()
        self.waiting = threading.Semaphore(0)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/api/chat."):  # not what a canary asks
            self.waiting.release()
        self.door.wait()
        return self.vendor(environ, start_response)


@pytest.fixture
def held() -> Iterator[Server[Closed]]:
    """A Slack that holds what it is told until its door is opened."""
    with Server(Closed(Slack(channels=CHANNELS, now=datetime.now(UTC).timestamp()))) as server:
        yield server
        server.app.door.set()


@contextmanager
def service(tmp_path: Path, variables: dict[str, str]) -> Iterator[Service]:
    with Service(environment=variables, folder=tmp_path) as running:
        yield running


EXPECTED = {
    "critical-error": {"slack": 1, "pagerduty": 1, "jira": 1, "mail": 0},
    "high-error-rate": {"slack": 1, "pagerduty": 1, "jira": 0, "mail": 1},
    "payment-failure": {"slack": 1, "pagerduty": 0, "jira": 1, "mail": 1},
    "slow-transaction": {"slack": 1, "pagerduty": 0, "jira": 0, "mail": 1},
    "new-error": {"slack": 1, "pagerduty": 0, "jira": 0, "mail": 1},
}


TOLD_EVERYWHERE = """
version: 1
receivers:
  chat: {kind: slack, channel: "#errors"}
  pager: {kind: pagerduty, routing_key: "${PAGERDUTY_CRITICAL_KEY}"}
  tickets: {kind: jira, project: OPS}
  mail: {kind: email, to: [team@thebot.local]}
rules: [{name: all, when: "", severity: critical, notify: [chat, pager, tickets, mail]}]
"""
TOLD_NOWHERE = """
version: 1
receivers:
  pager: {kind: pagerduty, routing_key: "0123456789abcdef0123456789abcdef"}
rules: []
"""


def test_each_rule_of_the_guide_tells_exactly_its_own_receivers_once(
    tmp_path: Path, database_url: str, redis_url: str, vendors: Vendors
) -> None:
    with service(tmp_path, environment(database_url, redis_url, **vendors.environment())) as running:
        running.start_web()
        running.start_worker()
        told = {}
        for sample in samples(datetime.now(UTC)):
            before, sent = vendors.told(), running.states().get(State.SENT, 0)
            wanted = sum(EXPECTED[sample.rule].values())

            status, _ = running.post(Webhook(resource=sample.resource, body=sample.body, headers=sample.headers(SECRET)))

            assert status == 202
            running.until(f"{sample.rule} is told", lambda: running.states().get(State.SENT, 0) == sent + wanted)  # noqa: B023 - called at once
            told[sample.rule] = {name: count - before[name] for name, count in vendors.told().items()}

    assert told == EXPECTED


def test_a_wrong_signature_leaves_no_trace(tmp_path: Path, sqlite_url: str, redis_url: str) -> None:
    with service(tmp_path, environment(sqlite_url, redis_url)) as running:
        running.start_web()

        status, _ = running.post(event_alert_webhook(), **{"Sentry-Hook-Signature": "0" * 64})

        assert status == 401
        assert running.event_count() == 0


def test_a_worker_killed_between_claim_and_answer_loses_nothing_and_doubles_nothing(
    tmp_path: Path, sqlite_url: str, redis_url: str, vendors: Vendors, held: Server[Closed]
) -> None:
    held_slack = {"SLACK_API_URL": f"{held.url}/api", "RULES_FILE": _paging_rules(tmp_path)}
    with service(tmp_path, {**environment(sqlite_url, redis_url, **vendors.environment()), **held_slack}) as running:
        running.start_web()
        worker = running.start_worker()
        running.post(critical_error())
        assert held.app.waiting.acquire(timeout=30)

        end(worker, signal.SIGKILL)
        held.app.door.set()
        running.start_worker()

        running.until("all are sent", lambda: running.states() == {State.SENT: 2})
    assert len(held.app.vendor.messages["C0ERRORS"]) == 1
    assert [alert.state for alert in vendors.pagerduty.app.alerts.values()] == ["triggered"]


def test_a_worker_told_to_end_gives_back_what_hangs_within_ten_seconds(
    tmp_path: Path, sqlite_url: str, redis_url: str, vendors: Vendors, held: Server[Closed]
) -> None:
    held_slack = {"SLACK_API_URL": f"{held.url}/api", "RULES_FILE": _paging_rules(tmp_path)}
    with service(tmp_path, {**environment(sqlite_url, redis_url, **vendors.environment()), **held_slack}) as running:
        running.start_web()
        worker = running.start_worker()
        running.post(critical_error())
        assert held.app.waiting.acquire(timeout=30)

        seconds = end(worker, signal.SIGTERM)

        assert seconds < 10
        assert running.states() == {State.SENT: 1, State.PLANNED: 1}


def test_redis_killed_for_good_with_fifty_waiting_delays_them_and_loses_none(tmp_path: Path, sqlite_url: str, vendors: Vendors) -> None:
    with (
        redis_of_its_own(tmp_path / "redis") as (redis_url, kill),
        service(tmp_path, environment(sqlite_url, redis_url, **vendors.environment())) as running,
    ):
        running.start_web()
        posted = [running.post(critical_error(number))[0] for number in range(50)]
        kill()
        still_taken, _ = running.post(critical_error(50))

        running.start_worker()

        running.until("all are sent", lambda: running.states() == {State.SENT: 51 * 3})
    assert {*posted, still_taken} == {202}
    assert len(vendors.pagerduty.app.alerts) == 51


def test_redis_that_comes_and_goes_under_a_working_worker_is_not_missed(tmp_path: Path, sqlite_url: str, vendors: Vendors) -> None:
    with (
        redis_of_its_own(tmp_path / "redis") as (redis_url, kill),
        service(tmp_path, environment(sqlite_url, redis_url, **vendors.environment())) as running,
    ):
        running.start_web()
        running.start_worker()
        running.post(critical_error(1))
        running.until("the first is sent", lambda: running.states() == {State.SENT: 3})

        kill()
        running.post(critical_error(2))

        running.until("the second is sent", lambda: running.states() == {State.SENT: 6})


def test_a_redis_that_hangs_holds_up_no_planner(tmp_path: Path, sqlite_url: str, vendors: Vendors) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        service(tmp_path, environment(sqlite_url, f"redis://127.0.0.1:{silent.getsockname()[1]}", **vendors.environment())) as running,
    ):
        running.start_web()
        running.start_worker()
        running.until("the worker has started", lambda: "worker_started" in running.log("worker"))
        began = time.monotonic()

        for number in range(1, 5):
            running.post(critical_error(number))
            running.until("it is sent", lambda: running.states() == {State.SENT: 3 * number})  # noqa: B023 - called at once

    assert time.monotonic() - began < 10  # each waited six seconds


def test_two_workers_share_the_work_and_double_nothing(tmp_path: Path, database_url: str, redis_url: str, vendors: Vendors) -> None:
    with service(tmp_path, environment(database_url, redis_url, **vendors.environment())) as running:
        running.start_web()
        running.start_worker()
        running.start_worker()

        for number in range(20):
            running.post(critical_error(number))

        running.until("all are sent", lambda: running.states() == {State.SENT: 60})
    assert vendors.told() == {"slack": 20, "pagerduty": 20, "jira": 20, "mail": 0}


def test_what_was_announced_is_closed_although_its_receivers_are_gone_and_the_worker_is_another(
    tmp_path: Path, database_url: str, redis_url: str, vendors: Vendors
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(TOLD_EVERYWHERE)
    variables = environment(database_url, redis_url, **vendors.environment())
    with service(tmp_path, {**variables, "RULES_FILE": str(rules)}) as running:
        running.start_web()
        worker = running.start_worker()
        running.post(critical_error())
        running.until("it is told", lambda: running.states() == {State.SENT: 4})
        end(worker, signal.SIGKILL)
        rules.write_text(TOLD_NOWHERE)
        running.start_worker()

        running.post(issue_webhook("resolved", id="7001"))

        running.until("its end is told", lambda: running.states() == {State.SENT: 8})
    (alert,) = vendors.pagerduty.app.alerts.values()
    assert alert.state == "resolved"
    assert vendors.jira.app.states == {1: "Done"}
    assert [str(message["text"]).split(":")[0] for message in vendors.slack.app.messages["C0ERRORS"]] == ["[RESOLVED] All", "Resolved"]
    assert [mail.mail["Subject"].startswith("Re: [CRITICAL] ") for mail in vendors.mail.received] == [False, True]


def test_a_bad_edit_of_the_rules_keeps_the_old_ones_in_force(tmp_path: Path, sqlite_url: str, redis_url: str, vendors: Vendors) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text((Path(__file__).parents[1] / "rules.yaml").read_text())
    variables = environment(sqlite_url, redis_url, **vendors.environment())
    with service(tmp_path, {**variables, "RULES_FILE": str(rules)}) as running:
        running.start_web()
        running.start_worker()
        running.until("the worker has started", lambda: "worker_started" in running.log("worker"))

        rules.write_text("rules: [this is not right]")

        running.until("the edit is refused", lambda: "rules_refused" in running.log("worker"))
        running.post(critical_error())
        running.until("the old rules tell", lambda: running.states() == {State.SENT: 3})


def test_rules_that_tell_nobody_are_warned_of_also_when_they_are_edited(tmp_path: Path, sqlite_url: str, redis_url: str) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("{version: 1, receivers: {pager: {kind: preview}}, rules: [{name: all, when: '', notify: [pager]}]}")
    with service(tmp_path, {**environment(sqlite_url, redis_url), "RULES_FILE": str(rules)}) as running:
        running.start_worker()
        running.until("the rules are in force", lambda: '"rules":1,"receivers":1' in running.log("worker"))
        before = running.log("worker")

        rules.write_text("{version: 1, receivers: {chat: {kind: slack, channel: '#errors'}}, rules: []}")

        running.until("the edit is in force", lambda: '"rules":0,"receivers":1' in running.log("worker"))
        running.until("what it lacks is said", lambda: "no_rules_in_force" in running.log("worker"))
        running.until("who is not told is said", lambda: '"receiver":"chat","missing":"SLACK_BOT_TOKEN"' in running.log("worker"))
    assert "no_rules_in_force" not in before
    assert "receiver_only_previews" not in before


def test_production_does_not_start_without_a_credential(tmp_path: Path, sqlite_url: str, redis_url: str) -> None:
    with service(tmp_path, {**environment(sqlite_url, redis_url), "SENTRY_ENVIRONMENT": "production"}) as running:
        worker = running.start_worker()

        status = worker.wait(30)

        log = running.log("worker")
    assert status == 1
    assert "receivers.slack-errors: SLACK_BOT_TOKEN is not set" in log
    assert "receivers.pagerduty-critical: PAGERDUTY_CRITICAL_KEY is not set" in log
    assert "Traceback" not in log


def _paging_rules(folder: Path) -> str:
    """Slack and PagerDuty for critical errors. Not Jira, which would be asked only after half a minute whether it has the issue."""
    path = folder / "paging.yaml"
    path.write_text(
        """
        version: 1
        receivers:
          slack-errors: {kind: slack, channel: "#errors"}
          pagerduty-critical: {kind: pagerduty, routing_key: "${PAGERDUTY_CRITICAL_KEY}"}
        rules:
          - {name: critical-error, when: "tags.critical:true", severity: critical, notify: [slack-errors, pagerduty-critical]}
        """
    )
    return str(path)


COMING_BACK = """
version: 1
receivers:
  errors: {kind: slack, channel: "#errors"}
  team: {kind: slack, channel: "#{tags.team}", allow: ["#payments"], fallback: errors}
  pager: {kind: pagerduty, routing_key: "${PAGERDUTY_CRITICAL_KEY}"}
rules:
  - name: grouped
    when: "level:error"
    notify: [team]
    group_by: [project]
    group_wait: 1s
    escalate: [{after: 2s, notify: [pager]}]
"""


def test_what_is_told_later_is_told_by_the_worker_that_is_there_then(
    tmp_path: Path, database_url: str, redis_url: str, vendors: Vendors
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(COMING_BACK, encoding="utf-8")
    variables = {**environment(database_url, redis_url, **vendors.environment()), "RULES_FILE": str(rules)}
    with service(tmp_path, variables) as running:
        running.start_web()
        worker = running.start_worker()
        for number in range(3):
            about = {"issue_id": str(number), "event_id": f"{number:032x}", "tags": [["level", "error"], ["team", "payments"]]}
            assert running.post(event_alert_webhook(**about))[0] == 202
        running.until("the alerts are held for their group", lambda: running.states().get(State.HELD, 0) == 3)
        end(worker, signal.SIGKILL)
        running.start_worker()

        running.until("the group is told and escalated", lambda: running.states().get(State.SENT, 0) >= 2)

        running.until("nothing is left to send", lambda: State.PLANNED not in running.states() and State.SENDING not in running.states())
    (message,) = vendors.slack.app.messages["C0PAYMENTS"]
    assert "(+2 more)" in str(message)
    assert [alert.state for alert in vendors.pagerduty.app.alerts.values()] == ["triggered"]


def test_hup_puts_the_rules_in_force_that_are_there_and_keeps_the_old_ones_if_they_are_faulty(
    tmp_path: Path, sqlite_url: str, redis_url: str
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(COMING_BACK, encoding="utf-8")
    with service(tmp_path, {**environment(sqlite_url, redis_url), "RULES_FILE": str(rules)}) as running:
        worker = running.start_worker()
        running.until("the worker has begun", lambda: running.log("worker").count("rules_in_force") == 1)

        worker.send_signal(signal.SIGHUP)
        running.until("they are read again", lambda: running.log("worker").count("rules_in_force") == 2)
        rules.write_text("version: 2", encoding="utf-8")
        worker.send_signal(signal.SIGHUP)
        running.until("the faulty ones are refused", lambda: "rules_refused" in running.log("worker"))

        assert worker.poll() is None
