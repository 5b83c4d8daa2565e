"""Starts the service, posts the samples, shows what followed."""

from __future__ import annotations

import signal

if __name__ == "__main__":
    # As in local.py: Ctrl-C during the imports ends this process without a trace.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import secrets
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from dotenv import dotenv_values

from demo.report import Told, report
from demo.samples import Sample, samples
from local import ENDING, HOST, LOCK, check_port_is_free, held, holder
from routing.notification import State
from settings import PRODUCTION, Settings, SettingsError
from storage import inspection
from storage.database import SchemaError, faults_in_words, open_database
from storage.inspection import Listed, Shown

START_SECONDS = 30
ANSWER_SECONDS = 30
FINAL = frozenset({State.SENT, State.HELD, State.DEAD})


class DemonstrationError(Exception):
    """It cannot go on; the text says why, and what to do."""


class Asked(BaseException):
    """A signal asks this process to end. Not an Exception, so that nothing takes it for a fault on the way."""

    def __init__(self, number: int) -> None:
        self.status = 128 + number


def main() -> int:
    """Run the demonstration; the status is 0 if all rules fired and everything was told or previewed."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="end after the report instead of keeping the service up")
    stay = not parser.parse_args().exit
    for number in ENDING:
        signal.signal(number, _ask)
    try:
        settings = _settings()
        check_port_is_free(settings.port)
        with held(settings.data_dir / "demo.lock"):
            return _demonstrate(settings, stay=stay)
    except SettingsError as error:
        raise SystemExit(f"the demonstration cannot start:\n{error}") from None
    except (DemonstrationError, SchemaError) as error:
        raise SystemExit(f"the demonstration failed: {error}") from None
    except Asked as asked:
        return asked.status


def _ask(number: int, _frame: object) -> None:
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)  # once is enough; what was started is ended on the way out
    raise Asked(number)


def _settings() -> Settings:
    """The environment's settings, with a secret and a data folder for the demonstration where none are set, and an open console."""
    given = {**dotenv_values(".env"), **os.environ}
    invented = {"SENTRY_CLIENT_SECRETS": secrets.token_hex(32), "DATA_DIR": "var/demo"}
    if given.get("SENTRY_ENVIRONMENT") != PRODUCTION:
        invented["CONSOLE_OPEN_ON_LOOPBACK"] = "true"
    return Settings.load({**os.environ, **{name: value for name, value in invented.items() if not given.get(name)}})


def _demonstrate(settings: Settings, *, stay: bool) -> int:
    log = settings.data_dir / "service.log"
    with _service(settings, log) as service:
        engine = open_database(settings.database)

        def look(event_id: int) -> tuple[Shown, Sequence[Listed]]:
            with faults_in_words(engine):
                return inspection.find_event(engine, event_id), inspection.listed(engine, event_id=event_id)

        deadline = time.monotonic() + ANSWER_SECONDS
        told = [_tell(settings, sample, look, deadline) for sample in samples(datetime.now(UTC))]
        good = report(told)
        if not good:
            print(f"Not all went well; {log} may say why.")
        print("\n".join(_look_further(settings, told)), flush=True)
        if stay:
            _stay(settings, service, log)
    return 0 if good else 1


def _look_further(settings: Settings, told: Sequence[Told]) -> Iterator[str]:
    """Commands for the same database, complete with what they need; they ask for a secret as the service does, but sign nothing."""
    flask = f"SENTRY_CLIENT_SECRETS=any DATA_DIR={shlex.quote(str(settings.data_dir))} .venv/bin/flask"
    yield "\nTo look further:"
    yield f"  {flask} notifications list"
    yield from (f"  {flask} alerts explain {one.event.id}" for one in told[:1])


def _stay(settings: Settings, service: subprocess.Popen[bytes], log: Path) -> None:
    print(f"\nThe service stays up at http://{HOST}:{settings.port}; Ctrl-C ends it.")
    if settings.console_open_on_loopback:
        print("Open that address for its console: on this machine you are signed in.")
    sys.stdout.flush()
    try:
        status = service.wait()
    except Asked:
        print("\nEnding.", flush=True)
        return
    raise DemonstrationError(f"the service has ended by itself with status {status}; {log} says why")


@contextmanager
def _service(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The whole service, up, its log in a file; ended afterwards with everything it started."""
    print(f"Starting Redis, SQLite, web and worker; their log is {log}.", flush=True)
    with log.open("wb") as output:
        # Held back until there is something to end; a session of its own, so that only this process hears Ctrl-C.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        service = subprocess.Popen(
            [sys.executable, "local.py"], env=settings.environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
            _wait_until_up(settings, service, log)
            yield service
        finally:
            service.terminate()
            service.wait(timeout=START_SECONDS)


def _wait_until_up(settings: Settings, service: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until our own service answers, not one that had the port before."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and service.poll() is None:
        if holder(settings.data_dir / LOCK) == service.pid and _answers(settings.port):
            return
        time.sleep(0.05)
    raise DemonstrationError(f"the service did not start. Its log:\n{log.read_text(errors='replace')}")


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://{HOST}:{port}/", timeout=1)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _tell(settings: Settings, sample: Sample, look: Callable[[int], tuple[Shown, Sequence[Listed]]], deadline: float) -> Told:
    """Post one sample and wait until everything that follows from it has ended."""
    posted_at = datetime.now(UTC)
    event_id = _post(settings, sample)
    while True:
        shown, listed = look(event_id)
        if (shown.is_decided and all(one.state in FINAL for one in listed)) or time.monotonic() > deadline:
            return Told(sample=sample, posted_at=posted_at, event=shown, notifications=tuple(reversed(listed)))
        time.sleep(0.005)


def _post(settings: Settings, sample: Sample) -> int:
    """The number under which the service keeps the sample."""
    secret = settings.client_secrets[0] if settings.client_secrets else ""
    url = f"http://{HOST}:{settings.port}/webhooks/sentry"
    request = urllib.request.Request(url, data=sample.body, headers=sample.headers(secret), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return msgspec.json.decode(answer.read(), type=dict[str, int])["event"]
    except urllib.error.HTTPError as error:
        said = error.read(500).decode(errors="replace").strip()
        raise DemonstrationError(f"{url} answered {error.code} to the sample of {sample.rule}: {said}") from None
    except (OSError, msgspec.MsgspecError, KeyError) as error:
        raise DemonstrationError(f"{url} did not answer as it should to the sample of {sample.rule}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
