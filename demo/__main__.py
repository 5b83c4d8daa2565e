"""Starts the service, posts the samples, shows what followed."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from dotenv import dotenv_values

from demo.report import Told, report
from demo.samples import Sample, samples
from local import HOST, check_port_is_free
from routing.notification import State
from settings import Settings, SettingsError
from storage import inspection
from storage.database import open_database

START_SECONDS = 30
ANSWER_SECONDS = 30
FINAL = frozenset({State.SENT, State.HELD, State.DEAD})


def main() -> int:
    """Run the demonstration; the status is 0 if all rules fired and everything was told or previewed."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="end after the report instead of keeping the service up")
    arguments = parser.parse_args()
    try:
        settings = _settings()
        check_port_is_free(settings.port)
        return _demonstrate(settings, stay=not arguments.exit)
    except SettingsError as error:
        raise SystemExit(f"the demonstration cannot start:\n{error}") from None
    except KeyboardInterrupt:
        print("\nEnded.", flush=True)
        return 0


def _demonstrate(settings: Settings, *, stay: bool) -> int:
    with _service(settings) as process:
        good = report([_tell(settings, sample) for sample in samples(datetime.now(UTC))])
        if stay:
            print(f"\nThe service stays up at http://{HOST}:{settings.port}; Ctrl-C ends it.", flush=True)
            process.wait()
    return 0 if good else 1


def _settings() -> Settings:
    """The environment's settings, with a secret and a data folder for the demonstration where none are set."""
    given = {**dotenv_values(".env"), **os.environ}
    invented = {"SENTRY_CLIENT_SECRETS": secrets.token_hex(32), "DATA_DIR": "var/demo"}
    return Settings.load({**os.environ, **{name: value for name, value in invented.items() if not given.get(name)}})


@contextmanager
def _service(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """The whole service, up, its log in a file; ended afterwards with everything it started."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    log_path = settings.data_dir / "service.log"
    print(f"Starting Redis, SQLite, web and worker; their log is {log_path}.", flush=True)
    with log_path.open("wb") as log:
        process = subprocess.Popen([sys.executable, "local.py"], env=settings.environment, stdout=log, stderr=subprocess.STDOUT)
        previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            _wait_until_up(settings, process, log_path)
            yield process
        finally:
            signal.signal(signal.SIGTERM, previous)
            process.terminate()
            process.wait(timeout=START_SECONDS)


def _wait_until_up(settings: Settings, process: subprocess.Popen[bytes], log_path: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://{HOST}:{settings.port}/", timeout=1)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    sys.stdout.write(log_path.read_text(errors="replace"))
    raise SystemExit("the service did not start; its log is above")


def _tell(settings: Settings, sample: Sample) -> Told:
    """Post one sample and wait until everything that follows from it has ended."""
    secret = settings.client_secrets[0] if settings.client_secrets else ""
    url = f"http://{HOST}:{settings.port}/webhooks/sentry"
    posted_at = datetime.now(UTC)
    request = urllib.request.Request(url, data=sample.body, headers=sample.headers(secret), method="POST")
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
        event_id: int = msgspec.json.decode(answer.read())["event"]
    engine = open_database(settings.database)
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        shown = inspection.find_event(engine, event_id)
        listed = inspection.listed(engine, event_id=event_id)
        if (shown.is_decided and all(one.state in FINAL for one in listed)) or time.monotonic() > deadline:
            return Told(sample=sample, posted_at=posted_at, event=shown, notifications=tuple(reversed(listed)))
        time.sleep(0.005)


if __name__ == "__main__":
    sys.exit(main())
