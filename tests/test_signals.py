"""What comes from outside reaches a process at whatever moment it is in."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.service import PATIENCE_SECONDS, ROOT

HOLDS_THE_LOCK = """
import os, signal, threading
import signals

lock, told = threading.Lock(), threading.Event()

def tell(number):
    with lock:
        print(number.name)
    told.set()

signals.listen({signal.SIGHUP: tell})
with lock:
    os.kill(os.getpid(), signal.SIGHUP)
told.wait()
"""

IGNORES = """
import os, signal
import signals

signal.signal(signal.SIGHUP, signal.SIG_IGN)
signals.listen({signal.SIGHUP: lambda _: os._exit(1)})
print(signal.getsignal(signal.SIGHUP).name)
"""


@pytest.mark.parametrize(
    ("program", "says"),
    [
        pytest.param(HOLDS_THE_LOCK, signal.SIGHUP.name, id="while its main thread holds a lock that is wanted"),
        pytest.param(IGNORES, signal.SIG_IGN.name, id="unless nohup told it to ignore that signal"),
    ],
)
def test_a_signal_is_heard(program: str, says: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )

    assert (done.stdout, done.stderr, done.returncode) == (f"{says}\n", "", 0)
