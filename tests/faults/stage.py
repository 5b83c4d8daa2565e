"""The whole service with all its vendors, into which one fault is put; and how long it takes until somebody is told of it."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from routing.alert import Json
from storage import marks
from tests.service import ROOT, Service, environment, free_port, redis_of_its_own
from tests.stand_ins.tls import certificate, listener
from tests.vendors import Vendors, all_vendors

FOUND = ROOT / "build" / "faults"
CANARY_SECONDS = 5
PATIENCE_SECONDS = 150.0
RULES = {
    "version": 1,
    "receivers": {
        "chat": {"kind": "slack", "channel": "#errors"},
        "pager": {"kind": "pagerduty", "routing_key": "${PAGERDUTY_CRITICAL_KEY}"},
        "issue": {"kind": "jira", "project": "OPS", "issue_type": "Bug"},
        "mail": {"kind": "email", "to": ["team@example.com"]},
        "hook": {"kind": "webhook", "url": "${HOOK_URL}", "secret": "${HOOK_SECRET}", "allow_private": True},
    },
    "watch": {"notify": ["mail", "chat"], "canary": f"{CANARY_SECONDS}s"},
    "rules": [{"name": "all", "when": "level:error", "notify": ["chat"]}],
}


class Sentry(ThreadingHTTPServer):
    """Answers anything; its clock may differ from ours."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.ahead = timedelta()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Answering(BaseHTTPRequestHandler):
    server: Sentry

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002 - its signature
        return format_datetime(datetime.now(UTC) + self.server.ahead, usegmt=True)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """All of it."""

    service: Service
    vendors: Vendors
    sentry: Sentry
    folder: Path
    kill_redis: Callable[[], None]
    ends: ExitStack
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_worker(self) -> None:
        """One."""
        self.workers.append(self.service.start_worker())

    def mails(self) -> list[str]:
        """What came by mail: subjects and texts."""
        return [str(one.mail["Subject"]) for one in self.vendors.mail.received]

    def chats(self) -> list[str]:
        """What came by Slack."""
        messages: Mapping[str, list[Mapping[str, Json]]] = self.vendors.slack.app.messages
        return [str(message["text"]) for channel in messages.values() for message in channel]

    def seconds_until(self, said: str, where: Callable[[], list[str]]) -> float:
        """How long it takes from now until somebody was told this."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_SECONDS:
            if any(said in one for one in where()):
                return time.monotonic() - began
            time.sleep(0.1)
        logs = "\n".join(self.service.log(name)[-3000:] for name in ("web", "worker"))
        raise AssertionError(f"nobody was told that {said!r}; mails: {self.mails()}; chats: {self.chats()}\n{logs}")

    def until_all_is_well(self) -> None:
        """Wait until a canary has come to each receiver."""
        self.service.until("canaries fly", self._canaries_fly)

    def _canaries_fly(self) -> bool:
        said = [marks.read(self.service.database, f"canary:{name}") for name in RULES["receivers"]]  # type: ignore[attr-defined]
        return all(one and json.loads(one)["ok"] for one in said)


@contextmanager
def staged(folder: Path, database_url: str) -> Iterator[Stage]:
    """Web, a worker and all vendors, and all of it well."""
    with ExitStack() as stack:
        redis_folder = folder / "redis"
        redis_folder.mkdir()
        redis_url, kill_redis = stack.enter_context(redis_of_its_own(redis_folder))
        vendors, sentry = stack.enter_context(all_vendors()), stack.enter_context(Sentry())
        good = certificate(folder, days_left=90)
        hook_port = stack.enter_context(listener(good))
        rules, port = folder / "rules.yaml", free_port()
        rules.write_text(json.dumps(RULES), encoding="utf-8")
        variables = environment(
            database_url,
            redis_url,
            **vendors.environment(),
            RULES_FILE=str(rules),
            PORT=str(port),
            CANARY_URL=f"http://127.0.0.1:{port}",
            HOOK_URL=f"https://127.0.0.1:{hook_port}/hook",
            HOOK_SECRET="whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            SSL_CERT_FILE=str(good),
            SENTRY_BASE_URL=f"http://127.0.0.1:{sentry.server_port}",
            SENTRY_API_TOKEN="a-token",
            SENTRY_ORG="acme",
        )
        service = stack.enter_context(Service(environment=variables, folder=folder))
        service.start_web(port)
        yield Stage(service=service, vendors=vendors, sentry=sentry, folder=folder, kill_redis=kill_redis, ends=stack)


def write_down(name: str, found: Mapping[str, Json]) -> None:
    """For the table."""
    FOUND.mkdir(parents=True, exist_ok=True)
    (FOUND / f"{name}.json").write_text(json.dumps({"fault": name, **found}), encoding="utf-8")
