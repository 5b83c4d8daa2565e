"""rules.yaml together with the kinds of receivers that exist and the credentials that are set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel

from notifiers.errors import PermanentError
from notifiers.http import Network
from notifiers.notifier import Clock, Notifier, ReceiverOptions
from notifiers.preview import PreviewNotifier
from notifiers.registry import KINDS, VendorSettings
from routing.destinations import Changes, Refusal
from routing.document import Problem
from routing.rules import Receiver, RulesError, RuleSet
from routing.rules_loading import load


class ConfigurationSettings(VendorSettings, Protocol):
    """What is read of the environment beside the kinds' own; `settings.Settings` has it."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What `${NAME}` stands for."""

    @property
    def own_project(self) -> str:
        """The number of the Sentry project to which this service reports itself; empty: to none."""

    @property
    def is_production(self) -> bool:
        """Whether a missing credential is a fault."""


def read_rules(text: str, settings: ConfigurationSettings, included: Mapping[str, str] | None = None) -> RuleSet:
    """Read a rules.yaml, and what it includes, as this service can put it in force.

    Raises:
        RulesError: with everything that is wrong; in production a missing credential is wrong, too.
    """
    rules = load(text, kinds=KINDS, environment=settings.environment, included=included)
    problems = [
        rules.receivers[name].problem(f"{missing} is not set, and production does not preview; set it or remove the receiver")
        for name, missing in missing_credentials(rules, settings).items()
        if settings.is_production
    ]
    problems += [problem for receiver in rules.receivers.values() for problem in _faults(receiver, settings)]
    if problems:
        raise RulesError(tuple(problems))
    return replace(rules, own_project=settings.own_project)


def earlier_rules(texts: Mapping[str, str] | None, settings: ConfigurationSettings, version: str) -> RuleSet:
    """The rules of a version that is no longer in force, to close what was announced under it.

    Raises:
        PermanentError: nobody has kept them, or they cannot be read by what the environment holds today.
    """
    if texts is None:
        raise PermanentError(f"the rules {version}, under which it was announced, were not kept")
    first, included = texts[""], {file: text for file, text in texts.items() if file}
    try:
        return load(first, kinds=KINDS, environment=settings.environment, included=included)
    except RulesError as error:
        raise PermanentError(f"the rules {version}, under which it was announced, cannot be read any more: {error.problems[0]}") from None


def missing_credentials(rules: RuleSet, settings: VendorSettings) -> Mapping[str, str]:
    """By receiver the name of the credential that is not set, for those that can only preview."""
    found = {name: _missing(receiver, settings) for name, receiver in rules.receivers.items()}
    return {name: missing for name, missing in found.items() if missing}


def open_receiver(
    receiver: Receiver, settings: VendorSettings, *, network: Network, clock: Clock, changes: Changes | None = None
) -> Notifier:
    """The notifier of a receiver, or one that only records if its credential is not set.

    Raises:
        PermanentError: the receiver's options and an alert's changes to them do not go together.
    """
    options = _options(receiver, changes)
    if missing := _missing(receiver, settings):
        return PreviewNotifier(options.render, because=f"{missing} is not set")
    return options.open(settings, network=network, clock=clock)


def _missing(receiver: Receiver, settings: VendorSettings) -> str | None:
    """The variable that an operator has to set; that of the option where the credential is one."""
    missing = _options(receiver).missing_credential(settings)
    return receiver.unset.get(missing, missing) if missing else None


def _faults(receiver: Receiver, settings: VendorSettings) -> Iterator[Problem]:
    """What opening it complains of: an SMTP_URL that is none, say. No connection is made."""
    try:
        open_receiver(receiver, settings, network=Network(), clock=_no_clock)
    except PermanentError as error:
        yield receiver.problem(str(error))


def _no_clock() -> datetime:
    raise AssertionError("a notifier looks at the clock only when it sends")


def _options(receiver: Receiver, changes: Changes | None = None) -> ReceiverOptions[VendorSettings]:
    options: BaseModel | Refusal = receiver.options
    if changes:
        # The rules may have changed since they were made.
        options = receiver.destination.options(changes) if receiver.destination else Refusal(why="it takes no such options any more")
    if isinstance(options, Refusal):
        raise PermanentError(f"receiver {receiver.name}: {options.why}")
    assert isinstance(options, ReceiverOptions)  # noqa: S101 - KINDS holds nothing else; routing must not know that
    return options
