"""Signals from outside, told in a thread of their own. It does not know what they are taken for."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Mapping
from threading import Thread


def listen(called: Mapping[signal.Signals, Callable[[signal.Signals], None]]) -> None:
    """Have each of these signals call its function from now on, in a thread; one that is ignored (as `nohup` has it) stays so.

    Not in a handler: Python runs handlers in the main thread between two steps of it. There one may meet a lock that the thread itself
    holds, and one that comes just before the thread begins to wait is not looked at until the wait is over.
    Source: docs.python.org, library/signal.html#signal.set_wakeup_fd.

    Raises:
        ValueError: this is not the main thread.
    """
    heard, told = socket.socketpair()
    told.settimeout(0)
    for number in called:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(told.detach())
    Thread(target=_call, args=(heard, called), name="signals", daemon=True).start()


def _call(heard: socket.socket, called: Mapping[signal.Signals, Callable[[signal.Signals], None]]) -> None:
    with heard:
        while numbers := heard.recv(64):
            for number in map(signal.Signals, numbers):
                if number in called:
                    called[number](number)
