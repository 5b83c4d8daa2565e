"""What a kind of receiver must offer: the options that rules.yaml gives it, and the notifier that they open."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

import msgspec
from pydantic import ConfigDict

from notifiers.http import Network
from routing.alert import Json
from routing.notification import Notification
from routing.rules import Options

Clock: TypeAlias = Callable[[], datetime]
SettingsT_contra = TypeVar("SettingsT_contra", contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof of one delivery."""

    payload: str
    """What was sent, as text, without credentials."""
    status_code: int | None = None
    excerpt: str = ""
    reference: Mapping[str, str] = field(default_factory=dict)
    """The vendor's name for what was made, as later messages about the same incident need it."""
    sent: bool = True
    """False if the payload was only recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What came of a call that does nothing."""

    is_fine: bool
    """Whether a message could be sent, as far as that can be seen without sending one."""
    said: str
    """What the vendor said or what is wrong, without a secret."""
    way_out: str = ""
    """How to mend it, or what is warned of."""
    proves: str = ""
    """What is proven by it: `token, channel`; empty where the vendor has no such call."""
    warning: str = ""
    """What will go wrong, or is weaker than it could be, although it is fine now."""
    is_set: bool = True
    """False if a credential is not set, so that nobody was called."""
    is_limited: bool = False
    """It was not answered because too much was asked: that passes."""


class Notifier(Protocol):
    """Tells one receiver. Not shared between threads."""

    def send(self, notification: Notification) -> Receipt:
        """Deliver, each thing by one request that is not repeated here.

        Raises:
            RetryableError: a later try may succeed.
            PermanentError: it never will.
        """


@runtime_checkable
class Reconciler(Protocol):
    """A notifier that can ask its vendor whether an ambiguous attempt went through."""

    def find(self, notification: Notification) -> Receipt | None:
        """The proof that this notification is already there, None if the vendor does not have it.

        Raises:
            RetryableError: the vendor could not be asked now.
            PermanentError: the vendor will never tell: a scope is missing, or too much has come since to look through it all.
        """


@runtime_checkable
class Probe(Protocol):
    """A notifier that can ask its vendor whether a message could be sent. Nothing is posted, opened or changed by it."""

    def probe(self) -> Called:
        """Ask about all that a message needs.

        Raises:
            RetryableError, PermanentError: the vendor could not be asked, or does not know us.
        """

    def probe_account(self) -> Called:
        """Ask only whether we are let in, where the rest hangs on the alert; as `probe`."""


class ReceiverOptions(Options, Generic[SettingsT_contra]):
    """One receiver of rules.yaml, checked. `SettingsT_contra` names the settings that its kind reads, and no others."""

    # A secret in rules.yaml is `${NAME}`: an error that quoted its input would show what NAME holds.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @abstractmethod
    def missing_credential(self, settings: SettingsT_contra) -> str | None:
        """The name of a credential without which nothing can be sent, None if all are set."""

    @abstractmethod
    def render(self, notification: Notification) -> str:
        """What would be sent, as text, without credentials; the same text for the same notification."""

    @abstractmethod
    def open(self, settings: SettingsT_contra, *, network: Network, clock: Clock) -> Notifier:
        """The notifier that sends it; all its credentials are set."""


def credential(value: object) -> object:
    """For pydantic's BeforeValidator: the `${NAME}` of a variable that is not set arrives empty, and means None."""
    return value.strip() or None if isinstance(value, str) else value


def readable(payload: Json) -> str:
    """A JSON payload as people read it, in the console and in goldens."""
    return msgspec.json.format(msgspec.json.encode(payload), indent=2).decode()


def on_the_wire(payload: Json) -> bytes:
    """A JSON payload as it is sent: ASCII, so that not even half a surrogate pair can fail to be encoded."""
    return json.dumps(payload, separators=(",", ":")).encode("ascii")
