"""How many messages come twice, and how many never, where a fault proxy lets a vendor do the work and cuts off a fifth of the answers."""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, Self

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import rig
from notifiers.delivery import RetryPolicy, attempt
from notifiers.errors import DeliveryError
from notifiers.http import Network, Timeouts
from notifiers.jira import JiraNotifier, JiraOptions
from notifiers.jira_client import FoundIssue, Site
from notifiers.notifier import Notifier, ReceiverOptions
from notifiers.registry import KINDS, VendorSettings
from routing.notification import Notification, Outcome, Tries
from settings import Settings
from tests.factories import make_alert, make_notification
from tests.stand_ins import jira, pagerduty, sentry_api, slack, twilio
from tests.stand_ins.sentry_api import Issue, SentryApi
from tests.stand_ins.server import Server
from tests.stand_ins.smtp import MailServer

SENDS = 2000
CUT = 0.2
GROUPS = 20
"""Channels, or numbers: no person gets two thousand messages in a minute."""
THREADS = 8
MOST_TRIES = 8
"""Of the naive sender, as many as the service makes."""
QUICK = Timeouts(connect_seconds=3.05, read_seconds=10.0)
BEGAN = datetime.now(UTC)


class Vendor(Protocol):
    """A stand-in at work."""

    @property
    def port(self) -> int:
        """On loopback."""

    def texts(self) -> Iterable[str]:
        """What people see there, a text for each message."""


@dataclass(frozen=True, slots=True)
class Api:
    """A stand-in that speaks HTTP."""

    port: int
    read: Callable[[], Iterable[str]]

    def texts(self) -> Iterable[str]:
        """Each message."""
        return self.read()


def _opened(options: ReceiverOptions[VendorSettings], settings: Settings) -> Notifier:
    # Jira's search is not asked too early: by this clock its time has passed.
    return options.open(settings, network=Network(QUICK), clock=lambda: BEGAN + timedelta(minutes=5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A vendor, and how it is told."""

    serve: Callable[[], AbstractContextManager[Vendor]]
    options: Callable[[int], Mapping[str, object]]
    """Of the receiver of a group."""
    cuts: Callable[[bytes], bool] = bool
    """Whether an answer to these bytes may be cut off."""
    kind: str = ""
    """Of the receiver, where the case is not called by it."""
    naive: Callable[[ReceiverOptions[VendorSettings], Settings], Notifier] = _opened
    """Opens what a naive sender has, where the notifier by itself looks before it makes anything."""


class FaultProxy:
    """Passes on all that is asked, and breaks a share of the answers off before their first byte."""

    def __init__(self, port: int, cuts: Callable[[bytes], bool], share: float) -> None:
        self._target, self._cuts, self._share = port, cuts, share
        self._chance = random.Random(20261124)  # noqa: S311 - the same cuts in each run
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None] | None] = set()
        """asyncio itself keeps them only as long as it wants to."""
        self.port = 0
        self.cut = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _end(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.current_task())
        there, onward = await asyncio.open_connection("127.0.0.1", self._target)
        asked = bytearray()

        async def ask() -> None:
            while data := await reader.read(65536):
                asked.extend(data)
                onward.write(data)
            onward.close()

        asking = asyncio.create_task(ask())
        try:
            while data := await there.read(65536):
                if asked and self._cuts(bytes(asked)) and self._chance.random() < self._share:
                    self.cut += 1
                    linger = struct.pack("ii", 1, 0)  # the peer gets a RST
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    break
                asked.clear()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            asking.cancel()
            writer.close()
            onward.close()


@contextmanager
def of_slack() -> Iterator[Vendor]:
    """A workspace with a channel for each group."""
    channels = {f"C0GROUP{group:02}": f"group-{group}" for group in range(GROUPS)}
    with Server(slack.Slack(channels=channels, now=BEGAN.timestamp())) as server:
        app = server.app
        yield Api(_port(server.url), lambda: [str(one["text"]) for messages in app.messages.values() for one in messages])


@contextmanager
def of_jira() -> Iterator[Vendor]:
    """A site with one project."""
    with Server(jira.Jira(now=BEGAN)) as server:
        app = server.app
        yield Api(_port(server.url), lambda: [str(fields["summary"]) for fields in app.issues])


@contextmanager
def of_twilio() -> Iterator[Vendor]:
    """An account."""
    with Server(twilio.Twilio(now=BEGAN)) as server:
        app = server.app
        yield Api(_port(server.url), lambda: [str(message["body"]) for message in app.messages])


@contextmanager
def of_pagerduty() -> Iterator[Vendor]:
    """A service: what responders see are alerts, not events."""
    with Server(pagerduty.PagerDuty()) as server:
        app = server.app
        yield Api(_port(server.url), lambda: [str(alert.events[0]) for alert in app.alerts.values()])


@contextmanager
def of_sentry() -> Iterator[Vendor]:
    """An organization with an issue for each message, which becomes a comment."""
    with Server(SentryApi(issues={str(number): Issue() for number in range(1, SENDS + 1)})) as server:
        app = server.app
        yield Api(_port(server.url), lambda: [text for issue in app.issues.values() for text in issue.comments])


@contextmanager
def of_mail() -> Iterator[Vendor]:
    """A mail server."""
    with MailServer() as server:
        yield Api(server.port, lambda: [str(one.mail["Subject"]) for one in server.received])


@contextmanager
def of_mailbox() -> Iterator[Vendor]:
    """A mail server before a store that shows one mail of each Message-ID, as many do."""
    with MailServer() as server:
        yield Api(server.port, lambda: list({str(one.mail["Message-ID"]): str(one.mail["Subject"]) for one in server.received}.values()))


class _BlindSite(Site):
    """Finds no issue, whatever there is."""

    def newest(self, query: str) -> Sequence[FoundIssue]:  # noqa: ARG002 - it does not look
        return ()


def _without_search(options: ReceiverOptions[VendorSettings], settings: Settings) -> Notifier:
    assert isinstance(options, JiraOptions)  # noqa: S101 - the case is of that kind
    assert settings.jira_url  # noqa: S101 - it is set below
    assert settings.jira_token  # noqa: S101 - the same
    site = _BlindSite(settings.jira_url, user=settings.jira_user, token=settings.jira_token, network=Network(QUICK))
    return JiraNotifier(options, site, lambda: BEGAN)


def _after_the_mail(asked: bytes) -> bool:
    """What is cut off before the whole mail was handed in is no question of twice."""
    return asked.endswith(b"\r\n.\r\n")


def _team(_: int) -> Mapping[str, object]:
    return {"to": ["team@example.com"]}


CASES: Mapping[str, Case] = {
    "slack": Case(serve=of_slack, options=lambda group: {"channel": f"C0GROUP{group:02}"}),
    "jira": Case(serve=of_jira, options=lambda _: {"project": "OPS"}, naive=_without_search),
    "sms": Case(serve=of_twilio, options=lambda group: {"to": f"+155500011{group:02}"}),
    "pagerduty": Case(serve=of_pagerduty, options=lambda _: {"routing_key": pagerduty.ROUTING_KEY}),
    "sentry": Case(serve=of_sentry, options=lambda _: {}),
    "email": Case(serve=of_mail, options=_team, cuts=_after_the_mail),
    "email, by Message-ID": Case(serve=of_mailbox, options=_team, cuts=_after_the_mail, kind="email"),
}


def by_the_service(notification: Notification, open_notifier: Callable[[], Notifier]) -> None:
    """As a worker delivers; the waits between the tries are not waited for."""
    tries = Tries(number=1, failures=0, planned_at=BEGAN, may_be_there=False)
    policy = RetryPolicy()
    while True:
        done = attempt(lambda: notification, open_notifier, tries=tries, policy=policy, clock=lambda: BEGAN, jitter=lambda: 0.5)
        if done.retry_after is None:
            return
        may_be_there = tries.may_be_there or done.outcome is Outcome.AMBIGUOUS
        failures = tries.failures + (not done.was_put_off)
        tries = replace(tries, number=tries.number + 1, failures=failures, may_be_there=may_be_there)


def by_repeating(notification: Notification, open_notifier: Callable[[], Notifier]) -> None:
    """As most senders do: what failed is sent again."""
    for _ in range(MOST_TRIES):
        try:
            open_notifier().send(notification)
        except DeliveryError:
            continue
        return


SERVICE = "this service"
SENDERS = {SERVICE: by_the_service, "a naive sender": by_repeating}


def main() -> None:
    """Print, for each vendor and sender, what came twice and what never came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vendors", nargs="*", choices=list(CASES), default=list(CASES))
    chosen = parser.parse_args().vendors
    rows = [[kind, sender, *_measured(CASES[kind], CASES[kind].kind or kind, sender)] for kind in chosen for sender in SENDERS]
    rig.print_table(("vendor", "sender", "sends", "answers cut off", "came twice or more", "never came"), rows)


def _measured(case: Case, kind: str, sender: str) -> list[str]:
    with case.serve() as vendor, FaultProxy(vendor.port, case.cuts, CUT) as proxy:
        settings, threads = _settings(proxy.port), threading.local()

        def deliver(number: int) -> None:
            group = number % GROUPS
            opened: dict[int, Notifier] = threads.__dict__.setdefault("opened", {})

            def open_notifier() -> Notifier:
                if group not in opened:
                    options = KINDS[kind].model_validate(dict(case.options(group)))
                    opened[group] = (_opened if sender == SERVICE else case.naive)(options, settings)
                return opened[group]

            SENDERS[sender](_notification(number), open_notifier)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(deliver, range(1, SENDS + 1)))
        came = Counter(found[0] for text in vendor.texts() if (found := re.findall(r"Failure [0-9]{4}", text)))
    doubles = sum(1 for count in came.values() if count > 1)
    return [str(SENDS), str(proxy.cut), str(doubles), str(SENDS - len(came))]


def _settings(port: int) -> Settings:
    url = f"http://127.0.0.1:{port}"
    variables = {
        "ALLOW_UNSIGNED": "true",
        "SLACK_API_URL": f"{url}/api",
        "SLACK_BOT_TOKEN": slack.TOKEN,
        "JIRA_URL": url,
        "JIRA_USER": jira.USER,
        "JIRA_TOKEN": jira.TOKEN,
        "TWILIO_API_URL": url,
        "TWILIO_ACCOUNT_SID": twilio.SID,
        "TWILIO_AUTH_TOKEN": twilio.TOKEN,
        "TWILIO_FROM": twilio.NUMBER,
        "PAGERDUTY_EVENTS_URL": url,
        "SENTRY_BASE_URL": url,
        "SENTRY_ORG": sentry_api.ORG,
        "SENTRY_API_TOKEN": sentry_api.TOKEN,
        "SMTP_URL": f"smtp://127.0.0.1:{port}?starttls=off",
        "MAIL_FROM": "alerts@example.com",
    }
    return Settings.from_variables(variables)


def _notification(number: int) -> Notification:
    alert = make_alert(title=f"Failure {number:04}", issue_id=str(number))
    return make_notification(id=number, incident=f"issue:{number}", alert=alert, created_at=BEGAN)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


if __name__ == "__main__":
    main()
