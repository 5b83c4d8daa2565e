"""What a kind's test module says of its kind, so that one suite can hold all kinds to the same rules."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from notifiers.http import Network
from notifiers.notifier import Notifier, ReceiverOptions
from notifiers.registry import VendorSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """`tests/notifiers/test_<kind>.py` has one, called CONTRACT."""

    options: ReceiverOptions[VendorSettings]
    """With its secrets set."""
    open: Callable[[str, Network], Notifier]
    """The notifier of these options, its vendor at this base URL (`http://127.0.0.1:1234`)."""
    secrets: tuple[str, ...]
    """Values from options and settings that no error may show."""
    fault_of: Callable[[str], str | None]
    """What the vendor's documented limits, and where present its specification, have against a rendered text."""
    speaks_http: bool = True
    to_questions: str = ""
    """What the vendor says where nothing stands of an incident, to a kind that asks before it makes anything."""
    takes_any_2xx: bool = False
    """The body of a 2xx does not matter."""


def contract_of(kind: str) -> Contract:
    """What the kind's test module says of it."""
    contract: Contract = importlib.import_module(f"tests.notifiers.test_{kind}").CONTRACT
    return contract
