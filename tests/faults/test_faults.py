"""Fifteen faults, one at a time: each is found, and told by a way that does not hang on what has failed, within its time."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import insert

from routing.rhythm import HOUR, beginning_of_hour
from storage.tables import arrivals
from tests.factories import event_alert_webhook, sign
from tests.faults.stage import Stage, staged, write_down
from tests.stand_ins.jira import CustomField
from tests.stand_ins.tls import certificate, listener

MAIL, CHAT = "mail", "Slack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is broken, and what is to follow."""

    name: str
    put_in: Callable[[Stage], object]
    said: str
    """Words of what somebody is told."""
    check: str
    within_seconds: float
    """From the fault on, with a canary every five seconds."""
    by: str = MAIL
    before_the_worker: bool = False


def rotate_the_secret(stage: Stage) -> None:
    for number in range(4):
        webhook = event_alert_webhook(event_id=f"{number:032x}")
        signed = {"Sentry-Hook-Signature": sign(webhook.body, "the-new-secret")}
        assert stage.service.post(webhook, **signed)[0] == 401


def archive(stage: Stage) -> None:
    stage.vendors.slack.app.archived = {"C0ERRORS"}


def remove_the_bot(stage: Stage) -> None:
    stage.vendors.slack.app.without_bot = {"C0ERRORS"}


def revoke_the_key(stage: Stage) -> None:
    stage.vendors.pagerduty.app.is_revoked = True


def require_a_field(stage: Stage) -> None:
    stage.vendors.jira.app.custom["customfield_10042"] = CustomField(name="Root cause", is_required=True)


def refuse_mail(stage: Stage) -> None:
    stage.vendors.mail.refusals = {"team@example.com": "550 5.1.1 no such user"}


def edit_the_hook(stage: Stage, url: str) -> None:
    rules = stage.folder / "rules.yaml"
    rules.write_text(rules.read_text().replace("${HOOK_URL}", url))


def let_dns_fail(stage: Stage) -> None:
    edit_the_hook(stage, "https://nowhere.invalid/hook")


def let_the_certificate_end(stage: Stage) -> None:
    port = stage.ends.enter_context(listener(certificate(stage.folder, days_left=-1)))
    edit_the_hook(stage, f"https://127.0.0.1:{port}/hook")


def worker_of(stage: Stage) -> subprocess.Popen[bytes]:
    return stage.workers[-1]


def stop_the_worker(stage: Stage) -> None:
    worker = worker_of(stage)
    worker.send_signal(signal.SIGSTOP)
    stage.ends.callback(worker.send_signal, signal.SIGCONT)


def kill_the_worker(stage: Stage) -> None:
    worker_of(stage).kill()


def fill_redis(stage: Stage) -> None:
    with Redis.from_url(stage.service.environment["REDIS_URL"]) as redis:
        redis.config_set("maxmemory", str(int(redis.info("memory")["used_memory"]) + 10_000))


def lock_the_database(stage: Stage) -> None:
    other = sqlite3.connect(stage.service.environment["DATABASE_URL"].removeprefix("sqlite:///"), isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    stage.ends.callback(other.close)


def skew_the_clock(stage: Stage) -> None:
    stage.sentry.ahead = timedelta(minutes=10)


def silence_sentry(stage: Stage) -> None:
    """As if a busy project's webhooks had stayed away for an hour, after four weeks in which they came."""
    hour = beginning_of_hour(datetime.now(UTC)) - HOUR
    rows = [{"project": "shop-api", "hour": hour - HOUR * number, "count": 600} for number in range(24 * 28)]
    with stage.service.database.begin() as connection:
        connection.execute(insert(arrivals), [{**row, "last_at": row["hour"]} for row in rows])


FAULTS = (
    Fault(
        name="Sentry's secret rotated", put_in=rotate_the_secret, said="refused for their signature", check="signatures", within_seconds=30
    ),
    Fault(name="Sentry silent", put_in=silence_sentry, said="No webhook of shop-api has come", check="source-quiet", within_seconds=75),
    Fault(name="Slack channel archived", put_in=archive, said="the channel is archived", check="canary", within_seconds=20),
    Fault(name="bot removed from the channel", put_in=remove_the_bot, said="chat cannot be told", check="canary", within_seconds=20),
    Fault(name="PagerDuty key revoked", put_in=revoke_the_key, said="pager cannot be told", check="canary", within_seconds=20),
    Fault(name="Jira field newly required", put_in=require_a_field, said="issue cannot be told", check="canary", within_seconds=20),
    Fault(name="DNS failing", put_in=let_dns_fail, said="hook cannot be told", check="canary", within_seconds=30),
    Fault(name="certificate expired", put_in=let_the_certificate_end, said="hook cannot be told", check="canary", within_seconds=30),
    Fault(name="SMTP refusing", put_in=refuse_mail, said="mail cannot be told", check="canary", within_seconds=20, by=CHAT),
    Fault(name="worker stuck", put_in=stop_the_worker, said="No worker of the alert router lives", check="workers", within_seconds=75),
    Fault(name="worker gone", put_in=kill_the_worker, said="No worker of the alert router lives", check="workers", within_seconds=75),
    Fault(name="Redis full", put_in=fill_redis, said="of its memory in use", check="redis-full", within_seconds=25),
    Fault(name="Redis gone", put_in=lambda stage: stage.kill_redis(), said="Redis does not answer", check="redis", within_seconds=60),
    Fault(name="database locked", put_in=lock_the_database, said="database takes nothing", check="database", within_seconds=75),
    Fault(
        name="clock skewed by 10 minutes",
        put_in=skew_the_clock,
        said="The alert router's clock is",
        check="clock",
        within_seconds=15,
        before_the_worker=True,
    ),
)


@pytest.fixture
def stage(tmp_path: Path, sqlite_url: str) -> Iterator[Stage]:
    with staged(tmp_path, sqlite_url) as found:
        yield found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_is_told(stage: Stage, fault: Fault) -> None:
    if fault.before_the_worker:
        fault.put_in(stage)
        stage.start_worker()
    else:
        stage.start_worker()
        stage.until_all_is_well()
        assert stage.mails() == stage.chats() == []
        fault.put_in(stage)

    seconds = stage.seconds_until(fault.said, stage.mails if fault.by == MAIL else stage.chats)

    write_down(fault.name, {"check": fault.check, "told_by": fault.by, "seconds": round(seconds, 1), "within": fault.within_seconds})
    assert seconds < fault.within_seconds
