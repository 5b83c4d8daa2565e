"""A burst of 5,000 alerts, one in a hundred critical, and a Slack that allows a message a second: when is whom told?"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
from sqlalchemy import Connection, select

from benchmarks import rig
from benchmarks.client import CLIENTS, Answers, Load, Webhook, post
from benchmarks.vendor import standing_in
from routing.notification import Mention, Reason, State
from storage.database import open_database
from storage.tables import events, incidents, notifications

ANSWER_SECONDS = 0.2
SLACK_SECONDS = 1.0
"""Between two messages in a channel: https://docs.slack.dev/apis/web-api/rate-limits."""
PATIENCE_SECONDS = 300.0
WANTED_CRITICAL_SECONDS = 5.0
WANTED_LONGEST_ANSWER_SECONDS = 1.0
WANTED_MEMORY_MB = 200.0
RULES: Mapping[str, object] = {
    "version": 1,
    "receivers": {
        "chat": {"kind": "slack", "channel": "C0BENCHMARK"},
        "pager": {"kind": "pagerduty", "routing_key": "0123456789abcdef0123456789abcdef"},
    },
    "rules": [
        {"name": "critical", "when": 'payload[web_url]:"*00/events/*"', "severity": "critical", "notify": ["pager", "chat"]},
        {"name": "payment", "when": "PaymentError", "notify": ["chat"], "stop": True},
        {"name": "new-error", "when": "", "notify": ["chat"]},
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What became of one."""

    accepted: int
    refused: int
    seconds: float
    """Of the burst."""
    longest_answer: float
    pages: int
    last_page_after: float
    """From the last webhook until the last critical page was out."""
    page_waits: tuple[float, ...]
    """Sorted, from each webhook to its page."""
    chat_waits: tuple[float, ...]
    """The same to Slack, by itself or in a summary."""
    untold: int
    """Incidents that neither a message nor a summary tells."""
    messages: int
    """At Slack."""
    memory_mb: Mapping[str, float]


def main() -> None:
    """Measure and print."""
    options = _options()
    with rig.report(
        f"storm: {options.alerts:,} alerts at once, a Slack that allows one a second, {options.database}", options.folder
    ) as folder:
        storms = [_storm(folder, options) for _ in range(options.rounds)]
        _print(storms, options.alerts)


def _storm(folder: Path, options: argparse.Namespace) -> Storm:
    (folder / "rules.yaml").write_text(json.dumps(RULES), encoding="utf-8")
    with ExitStack() as stack:
        made = stack.enter_context(rig.databases(options.database, folder))
        vendor = stack.enter_context(standing_in(ANSWER_SECONDS, {b"/api/": SLACK_SECONDS}))
        url = made.create()
        variables = rig.environment(
            REDIS_URL=stack.enter_context(rig.redis(folder / str(rig.new_serials()))),
            DATABASE_URL=url,
            RULES_FILE=str(folder / "rules.yaml"),
            SPOOL_DIR=str(folder / "spool"),
            SLACK_API_URL=f"{vendor.url}/api",
            SLACK_BOT_TOKEN="xoxb-benchmark",
            PAGERDUTY_EVENTS_URL=vendor.url,
        )
        web: list[int] = []
        port = stack.enter_context(rig.web(variables, folder / "web.log", started=web))
        worker = stack.enter_context(rig.running("worker", variables, folder / "worker.log"))
        clients = stack.enter_context(multiprocessing.get_context("spawn").Pool(CLIENTS))
        time.sleep(2)
        answers = post(clients, Load(port=port, seconds=PATIENCE_SECONDS, request=Webhook(alerts_of_an_issue=1), most=options.alerts))
        _wait_until_told(url)
        memory = {"worker": rig.peak_memory_mb(worker), "web": rig.peak_memory_of_all_mb(web[0])}
        return _read(url, answers, memory)


def _wait_until_told(url: str) -> None:
    engine = open_database(url)
    deadline, calm = time.monotonic() + PATIENCE_SECONDS, 0
    while calm < 3 and time.monotonic() < deadline:
        time.sleep(1)
        calm = 0 if rig.is_busy(engine) else calm + 1
    engine.dispose()


def _read(url: str, answers: Answers, memory: Mapping[str, float]) -> Storm:
    engine = open_database(url)
    with engine.connect() as connection:
        came = {row.key: row.received_at for row in connection.execute(_CAME)}
        paged = _told(connection, "pager")
        chatted = _told(connection, "chat")
        messages = len(connection.execute(select(notifications.c.id).where(notifications.c.receiver == "chat", _IS_SENT)).all())
    engine.dispose()
    return Storm(
        accepted=answers.accepted,
        refused=answers.refused,
        seconds=answers.seconds,
        longest_answer=answers.latencies[-1],
        pages=len(paged),
        last_page_after=(max(paged.values()) - max(came.values())).total_seconds(),
        page_waits=_waits(came, paged),
        chat_waits=_waits(came, chatted),
        untold=len(came.keys() - chatted.keys()),
        messages=messages,
        memory_mb=memory,
    )


def _told(connection: Connection, receiver: str) -> dict[str, datetime]:
    """By incident when it was first told there, by a message of its own or in one with others."""
    query = (
        select(incidents.c.key, notifications.c.others, notifications.c.finished_at)
        .join(incidents, incidents.c.id == notifications.c.incident_id)
        .where(notifications.c.receiver == receiver, _IS_SENT, notifications.c.reason != Reason.UPDATED)
        .order_by(notifications.c.finished_at.desc())
    )
    found: dict[str, datetime] = {}
    for key, others, at in connection.execute(query):
        mentions = msgspec.json.decode(others, type=list[Mention]) if others else []
        found |= dict.fromkeys([key, *(one.incident for one in mentions)], at)
    return found


def _waits(came: Mapping[str, datetime], told: Mapping[str, datetime]) -> tuple[float, ...]:
    return tuple(sorted((at - came[key]).total_seconds() for key, at in told.items()))


def _print(storms: list[Storm], alerts: int) -> None:
    def of(name: str, values: list[float], *, below: float | None = None) -> tuple[str, str, str]:
        return name, rig.median(values), rig.verdict(max(values), below=below) if below is not None else ""

    one_by_one = alerts * SLACK_SECONDS
    last_chat = [one.chat_waits[-1] for one in storms]
    rig.print_table(
        ("", "", "wanted"),
        [
            of("accepted, a second", [one.accepted / one.seconds for one in storms]),
            ("refused", str(sum(one.refused for one in storms)), ""),
            of("longest answer, s", [one.longest_answer for one in storms], below=WANTED_LONGEST_ANSWER_SECONDS),
            of("last page out after the last webhook, s", [one.last_page_after for one in storms], below=WANTED_CRITICAL_SECONDS),
            of("pages", [float(one.pages) for one in storms]),
            of("webhook to page, p50, s", [rig.percentile(one.page_waits, 0.5) for one in storms]),
            of("webhook to page, p99, s", [rig.percentile(one.page_waits, 0.99) for one in storms]),
            of("webhook to Slack, p50, s", [rig.percentile(one.chat_waits, 0.5) for one in storms]),
            of("webhook to Slack, p99, s", [rig.percentile(one.chat_waits, 0.99) for one in storms]),
            of("webhook to Slack, the last, s", last_chat),
            of("of what a message each would take", [one / one_by_one for one in last_chat]),
            of("messages in Slack", [float(one.messages) for one in storms]),
            ("alerts that no message tells", str(sum(one.untold for one in storms)), ""),
            *(of(f"peak of the {name}, MB", [one.memory_mb[name] for one in storms], below=WANTED_MEMORY_MB) for name in ("web", "worker")),
        ],
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--alerts", type=int, default=5000, help="how many come at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=rig.ROOT / "var", help="where databases are made, on the disk that is meant")
    return parser.parse_args()


_CAME = select(incidents.c.key, events.c.received_at).join(events, events.c.incident_id == incidents.c.id)
"""When the one alert of each incident came."""
_IS_SENT = notifications.c.state == State.SENT

if __name__ == "__main__":
    main()
