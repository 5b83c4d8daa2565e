"""Several hosts on one machine: namespaces of the kernel, from each of which a way may be cut off, silently, as cables and firewalls do."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from types import TracebackType
from typing import Self

DATABASE, REDIS, VENDORS = "10.77.0.2", "10.77.0.3", "10.77.0.4"
"""Where the servers are."""


def is_possible() -> bool:
    """Whether this user may make hosts."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"try-{uuid.uuid4().hex[:6]}"
    command = ["ip", "netns", "add", name]
    is_made = subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - of this system
    if is_made:
        _ip("netns", "del", name)
    return is_made


class Host:
    """A host beside this one, from `with` to its end."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.name = f"host{number}-{uuid.uuid4().hex[:6]}"
        self.prefix = ("ip", "netns", "exec", self.name)
        """Before a command that is to run there."""

    def __enter__(self) -> Self:
        ours, theirs = f"v{self.name[-6:]}a", f"v{self.name[-6:]}b"
        _ip("netns", "add", self.name)
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", self.name)
        _ip("addr", "add", f"{self._network}.1/24", "dev", ours)
        _ip("link", "set", ours, "up")
        self._there("link", "set", "lo", "up")
        self._there("addr", "add", f"{self._network}.2/24", "dev", theirs)
        self._there("link", "set", theirs, "up")
        self._there("route", "add", "default", "via", f"{self._network}.1")
        # A neighbour that nobody is: what is sent to it is gone.
        self._there("neigh", "replace", f"{self._network}.99", "lladdr", "02:00:00:00:00:99", "nud", "permanent", "dev", theirs)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        _ip("netns", "del", self.name)

    def cut(self, address: str) -> None:
        """Nothing that it sends there arrives, and nobody tells it."""
        self._there("route", "replace", f"{address}/32", "via", f"{self._network}.99")

    def heal(self, address: str) -> None:
        """It does again."""
        self._there("route", "del", f"{address}/32")

    @property
    def _network(self) -> str:
        return f"10.77.{self._number}"

    def _there(self, *arguments: str) -> None:
        _ip("-n", self.name, *arguments)


class Addresses:
    """Those of the servers, on this host, from `with` to its end."""

    def __enter__(self) -> Self:
        for address in (DATABASE, REDIS, VENDORS):
            _ip("addr", "add", f"{address}/32", "dev", "lo")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for address in (DATABASE, REDIS, VENDORS):
            _ip("addr", "del", f"{address}/32", "dev", "lo")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)  # noqa: S603, S607 - of this system
