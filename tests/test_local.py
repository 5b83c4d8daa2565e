"""`make run` and `make demo`, as real processes: what they say, how they end, and that they leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import LOCK, check_port_is_free, held
from settings import SettingsError
from tests.factories import SECRET
from tests.service import BEAT_SECONDS, PATIENCE_SECONDS, ROOT, free_port

TERM_SECONDS = 10.0
GONE_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Local:
    """A service that was started by `local.py`, and what it has said."""

    process: subprocess.Popen[str]
    port: int
    said: str = ""

    def until(self, text: str) -> None:
        """Read on until it says something."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return
        raise AssertionError(f"never said: {text}\n{self.said}")

    def until_its_end(self) -> int:
        """Read all that is left; the status."""
        rest, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        self.said += rest
        return self.process.returncode

    def leftovers(self) -> list[int]:
        """The process groups that outlived it."""
        return [leader for leader in map(int, re.findall(r"started \(process (\d+)\)", self.said)) if _lives(leader)]


def variables(folder: Path, port: int, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "SENTRY_CLIENT_SECRETS": SECRET,
        "SENTRY_ENVIRONMENT": "test",
        "DATA_DIR": str(folder),
        "PORT": str(port),
        **more,
    }


def run(*command: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own programs
        [sys.executable, *command], cwd=ROOT, env=dict(environment), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


@contextmanager
def started(environment: Mapping[str, str]) -> Iterator[Local]:
    with subprocess.Popen(
        [sys.executable, "local.py"], cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield Local(process=process, port=int(environment["PORT"]))
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("number", "moment", "status"),
    [
        pytest.param(signal.SIGINT, "release started", 130, id="while the tables are made"),
        pytest.param(signal.SIGTERM, "release started", 143, id="TERM while the tables are made"),
        pytest.param(signal.SIGINT, "web started", 0, id="before granian listens for signals"),
        pytest.param(signal.SIGINT, "Spawning worker-1", 0, id="while granian loads the application"),
        pytest.param(signal.SIGTERM, "Started worker-1", 0, id="once it is up"),
        pytest.param(signal.SIGHUP, "Started worker-1", 0, id="when its terminal is closed"),
    ],
)
def test_a_service_ends_at_whatever_moment_it_is_asked_to(tmp_path: Path, number: signal.Signals, moment: str, status: int) -> None:
    with started(variables(tmp_path / "a b", free_port())) as service:
        service.until(moment)
        began = time.monotonic()

        service.process.send_signal(number)

        assert service.until_its_end() == status
    assert time.monotonic() - began < TERM_SECONDS
    assert service.leftovers() == []
    assert "Traceback" not in service.said
    check_port_is_free(service.port)


def test_a_web_process_that_is_killed_ends_the_service_and_leaves_no_child_listening(tmp_path: Path) -> None:
    with started(variables(tmp_path, free_port())) as service:
        service.until("Started worker-1")
        web = re.search(r"web started \(process (\d+)\)", service.said)
        assert web

        os.kill(int(web[1]), signal.SIGKILL)

        assert service.until_its_end() == 128 + signal.SIGKILL
    assert service.leftovers() == []
    check_port_is_free(service.port)


def test_a_second_service_is_told_who_has_the_folder(tmp_path: Path) -> None:
    with held(tmp_path / LOCK):
        second = run("local.py", environment=variables(tmp_path, free_port()))

    way_out = f"end it (kill {os.getpid()}), or set DATA_DIR to another folder"
    assert second.stderr == f"the service cannot start:\nDATA_DIR: {tmp_path} is in use by process {os.getpid()}; {way_out}\n"
    assert second.returncode == 1


def test_a_second_service_is_told_that_the_port_is_taken_even_before_anybody_listens(tmp_path: Path) -> None:
    port = free_port()
    with started(variables(tmp_path / "first", port)) as first, socket.create_server(("127.0.0.1", 0)) as other:
        first.until("release started")

        while_first_starts = run("local.py", environment=variables(tmp_path / "second", port))
        while_other_listens = run("local.py", environment=variables(tmp_path / "second", other.getsockname()[1]))

    for second in (while_first_starts, while_other_listens):
        assert second.returncode == 1
        assert re.fullmatch(r"the service cannot start:\nPORT: .*; end .*, or set PORT to another one\n", second.stderr)


def test_a_folder_can_be_held_again_once_it_was_let_go(tmp_path: Path) -> None:
    with held(tmp_path / LOCK), pytest.raises(SettingsError, match="is in use by process"), held(tmp_path / LOCK):
        pass

    with held(tmp_path / LOCK):
        pass


@pytest.mark.parametrize("program", [("local.py",), ("-m", "demo")], ids=["run", "demo"])
def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path, program: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")

    refused = run(*program, environment=variables(tmp_path / "file", free_port()))

    way_out = "set it to a folder that you may write to and that has room"
    assert refused.stderr.endswith(f" cannot start:\nDATA_DIR: {tmp_path / 'file'} cannot be written (File exists); {way_out}\n")
    assert refused.returncode == 1


def test_a_redis_that_does_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "redis" / "appendonlydir").mkdir(parents=True)
    (tmp_path / "redis" / "appendonlydir" / "appendonly.aof.manifest").write_text("not a manifest")

    refused = run("local.py", environment=variables(tmp_path, free_port()))

    assert f"DATA_DIR: Redis does not start in {tmp_path / 'redis'}; delete that folder" in refused.stderr
    assert "FATAL AOF MANIFEST FILE ERROR" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_demonstration_ends_with_commands_that_show_more(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    demonstration = run("-m", "demo", "--exit", environment=variables(folder, free_port()))

    commands = [line.strip() for line in demonstration.stdout.partition("To look further:")[2].splitlines() if line]
    shown = [_shell(command) for command in commands]

    assert demonstration.returncode == 0, demonstration.stdout + demonstration.stderr
    assert "13 notifications" in shown[0]
    assert re.search("critical-error +matched", shown[1])


def test_the_demonstration_says_why_the_service_did_not_take_a_sample(tmp_path: Path) -> None:
    refused = run("-m", "demo", "--exit", environment=variables(tmp_path, free_port(), MAX_BODY_BYTES="10"))

    assert refused.returncode == 1
    assert re.match(r"the demonstration failed: http://\S+ answered 413 to the sample of critical-error: ", refused.stderr)
    assert "Traceback" not in refused.stderr


def _shell(command: str) -> str:
    """What a person sees who types it, with none of the demonstration's variables set."""
    programs = command.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(programs, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout  # noqa: S602


def _lives(group: int) -> bool:
    """Whether any process of it is left; what was killed may take a moment."""
    deadline = time.monotonic() + GONE_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(BEAT_SECONDS)
    return True
