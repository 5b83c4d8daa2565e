"""Delivers what a lane has claimed: reads its alert, opens its receiver's notifier, tries once.

Knows neither database nor queue: what was claimed comes with all that is needed, and says by itself what is to be said.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol

from notifiers.configuration import missing_credentials, open_receiver
from notifiers.delivery import NOBODY, Onlooker, RetryPolicy, attempt
from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network
from notifiers.notifier import Clock, Notifier
from notifiers.registry import VendorSettings
from routing import sentry
from routing.alert import Alert
from routing.destinations import Changes
from routing.findings import Findings
from routing.notification import DONE_IN_SENTRY, FOLLOW_UPS, Attempt, Details, Notification, Outcome, Reason, Severity, Tries
from routing.own_events import Change
from routing.pruned import said_of_pruned
from routing.rules import Receiver, RuleSet

ALERTS_KEPT = 32
"""The notifications of one event are claimed together: its alert is read once for all of them."""


VERSIONS_KEPT = 16
"""Of the rules: those under which something was announced that is being closed now."""

OPTED_OUT_FOR = timedelta(days=1)
"""So long nothing is tried where somebody has opted out; he may have opted in again since, and no vendor tells."""

NOTIFIERS_KEPT = 200
"""For each thread: alerts may name any number of destinations."""

SHOW_ALL = frozenset(Reason) - DONE_IN_SENTRY - {Reason.ANSWER, Reason.RESOLVED}
"""Reasons of messages that tell all there is."""


class DispatchSettings(VendorSettings, Protocol):
    """What is read of the environment beside the kinds' own; `settings.Settings` has it."""

    @property
    def sentry_base_url(self) -> str:
        """Sentry's address."""

    @property
    def sentry_org(self) -> str | None:
        """The organization's slug: for links to issues that came without one."""

    @property
    def public_url(self) -> str | None:
        """The console's address: for links to what has no room in a message."""


class Webhook(Hashable, Protocol):
    """The event that a notification tells of; it does not change."""

    @property
    def resource(self) -> str:
        """Sentry's name for what it is about."""

    @property
    def body(self) -> bytes:
        """The bytes as they came."""

    @property
    def received_at(self) -> datetime:
        """When they came."""

    @property
    def findings(self) -> Findings | None:
        """What others said of it when they were asked."""


class Told(Protocol):
    """What was told at a destination before."""

    @property
    def reason(self) -> Reason:
        """Of the last message."""

    @property
    def rules_version(self) -> str | None:
        """The rules under which it was told."""

    @property
    def place(self) -> str | None:
        """Where that was, as `Receiver.place` spells it."""

    @property
    def severity(self) -> Severity:
        """Of the last message."""

    @property
    def at(self) -> datetime | None:
        """When the last message went out, if it did."""


class Claimed(Protocol):
    """A notification that is to be sent now."""

    @property
    def receiver(self) -> str:
        """Its name in rules.yaml."""

    @property
    def reason(self) -> Reason:
        """Why it is told."""

    @property
    def severity(self) -> Severity:
        """How bad it is."""

    @property
    def began_at(self) -> datetime | None:
        """When the incident has begun, or has begun again."""

    @property
    def opted_out_at(self) -> datetime | None:
        """Since when whoever is there wants to hear nothing; None: as far as is known, he does."""

    @property
    def told(self) -> Told | None:
        """What was told there before; None: nothing."""

    @property
    def event(self) -> Webhook:
        """What it tells of."""

    @property
    def tries(self) -> Tries:
        """Those before this one."""

    @property
    def changes(self) -> Changes:
        """Options of the receiver that hang on the alert."""

    @property
    def tried_under(self) -> str | None:
        """The version of the rules under which it may have gone out already; None: it has not, or nobody knows."""

    def notification(self, alert: Alert) -> Notification:
        """What is to be said of the alert."""


class Hold(NamedTuple):
    """Why nothing is said."""

    reason: Reason
    why: str


class Found(NamedTuple):
    """By what something is sent."""

    rules: RuleSet
    """Those in force, or those under which it was announced."""
    receiver: Receiver


class Dispatch:
    """Tries once what it is given. Threads share it; each has notifiers of its own."""

    def __init__(
        self,
        settings: DispatchSettings,
        rules: Callable[[], RuleSet],
        clock: Clock,
        *,
        earlier: Callable[[str], RuleSet],
        details: Callable[[Alert], Details | None] = lambda _: None,
    ) -> None:
        """`rules` gives those in force; when they have changed, notifiers are opened anew. `earlier` gives those of a version.

        `earlier` may raise DeliveryErrors: that version is not known here, or cannot be read any more. `details` gives what Sentry
        says of an alert's issue.
        """
        self._settings, self._rules, self._clock = settings, rules, clock
        self._network = Network()
        self._threads = threading.local()
        self._alert = lru_cache(ALERTS_KEPT)(self._parse)
        self._earlier = lru_cache(VERSIONS_KEPT)(earlier)
        self._details = details
        self._offered: tuple[RuleSet | None, frozenset[Change]] = None, frozenset()

    def deliver(self, claimed: Claimed, onlooker: Onlooker = NOBODY) -> Attempt:
        """Try once, and say how it ended; `onlooker` hears of the steps. Raises nothing, whatever fails."""
        rules = self._rules()  # once: whatever is read meanwhile, one set decides all of it
        if hold := self._hold(claimed, rules):
            now = self._clock()
            return Attempt(
                number=claimed.tries.number,
                began_at=now,
                ended_at=now,
                outcome=Outcome.NEEDLESS,
                held_for=hold.reason,
                excerpt=hold.why,
            )
        found: Found | None = None

        def open_notifier() -> Notifier:
            nonlocal found
            found = self._receiver_for(claimed, rules)
            return self._notifier(found, claimed.changes, rules)

        done = attempt(
            lambda: self._completed(claimed.notification(self._alert(claimed.event)), rules),
            open_notifier,
            tries=claimed.tries,
            policy=RetryPolicy(),
            clock=self._clock,
            jitter=random.random,
            onlooker=onlooker,
        )
        if found is None:
            return replace(done, was_asked=False)
        if claimed.opted_out_at and done.outcome is Outcome.DELIVERED:
            done = replace(done, opted_out=False)
        return replace(done, rules_version=found.rules.version, place=found.receiver.place(claimed.changes))

    def _hold(self, claimed: Claimed, rules: RuleSet) -> Hold | None:
        """Why nothing is to be said, by what has come of what was said before."""
        if _follows_nothing(claimed):
            return Hold(Reason.ENDED, "its end was told there already" if claimed.told else "nothing was announced there")
        receiver = rules.receivers.get(claimed.receiver)
        if receiver and not receiver.options.is_told_again and _is_known(claimed):
            return Hold(Reason.KNOWN, "it was told there, and has not got worse (`repeats: true` of the receiver changes that)")
        opted_out_at = claimed.opted_out_at
        if opted_out_at and claimed.tries.number == 1 and self._clock() - opted_out_at < OPTED_OUT_FOR:
            tried = f"tried again after {opted_out_at + OPTED_OUT_FOR:%Y-%m-%d %H:%M} UTC, or when a dead one is requeued"
            return Hold(Reason.OPTED_OUT, f"whoever is there has opted out at {opted_out_at:%Y-%m-%d %H:%M} UTC; {tried}")
        return None

    def _parse(self, event: Webhook) -> Alert:
        base_url, organization = self._settings.sentry_base_url, self._settings.sentry_org
        known = {"base_url": base_url, "organization": organization}
        if pruned := said_of_pruned(event.body):
            raise PermanentError(f"its alert cannot be told any more: {pruned}")
        return sentry.parse(event.resource, event.body, event.received_at, **known, findings=event.findings)

    def _completed(self, notification: Notification, rules: RuleSet) -> Notification:
        """With what the rules in force say of how it is told."""
        rule, receiver = rules.by_name.get(notification.rule), rules.receivers.get(notification.receiver)
        template = (rule.template if rule else None) or (receiver.template if receiver else None)
        owner, runbook = (rule.owner, rule.runbook) if rule else ("", "")
        full_list = f"{self._settings.public_url}/deliveries/{notification.id}" if self._settings.public_url and notification.others else ""
        offers = self._offers(rules) if notification.alert.issue_id else frozenset()
        details = self._details(notification.alert) if notification.reason in SHOW_ALL else None
        if not (template or owner or runbook or offers or details or full_list):
            return notification
        return replace(notification, template=template, owner=owner, runbook=runbook, offers=offers, details=details, full_list=full_list)

    def _offers(self, rules: RuleSet) -> frozenset[Change]:
        """What is done by those of the receivers that do not only preview."""
        known, offers = self._offered
        if known is not rules:
            can = [one for one in rules.receivers.values() if one.name not in missing_credentials(rules, self._settings)]
            offers = frozenset(offer for receiver in can for offer in receiver.options.offers)
            self._offered = rules, offers
        return offers

    def _receiver_for(self, claimed: Claimed, rules: RuleSet) -> Found:
        """That of the rules in force; but what was announced is closed as it was announced, whatever became of its receiver.

        Raises:
            RetryableError: the rules in force have none of this name.
            PermanentError: nor have those under which it was announced.
        """
        receiver = rules.receivers.get(claimed.receiver)
        told = claimed.told if claimed.reason in FOLLOW_UPS else None
        if told and told.rules_version and not (receiver and receiver.place(claimed.changes) == told.place):
            return self._earlier_receiver(claimed, told.rules_version, told.place)
        if claimed.tried_under not in {None, rules.version} and (tried := self._tried_by(claimed, claimed.tried_under)):
            return tried
        if receiver is None:
            # Not for good: another worker may have read a newer file, and the next edit may bring it back.
            raise RetryableError(f"receiver {claimed.receiver} is not in the rules in force")
        return Found(rules, receiver)

    def _tried_by(self, claimed: Claimed, version: str) -> Found | None:
        """What may have gone out is looked for, and sent again, where that was, whatever became of its receiver."""
        with suppress(PermanentError):  # they were not kept: those in force will have to do
            rules = self._earlier(version)
            if receiver := rules.receivers.get(claimed.receiver):
                return Found(rules, receiver)
        return None

    def _earlier_receiver(self, claimed: Claimed, version: str, place: str | None) -> Found:
        rules = self._earlier(version)
        fitting = [receiver for receiver in rules.receivers.values() if receiver.place(claimed.changes) == place]
        # It may have had another name when it was told there last.
        for receiver in sorted(fitting, key=lambda one: one.name != claimed.receiver):
            return Found(rules, receiver)
        raise PermanentError(f"the rules {version}, under which it was announced, have no receiver any more that leads there")

    def _notifier(self, found: Found, changes: Changes, in_force: RuleSet) -> Notifier:
        """The receiver's notifier of this thread."""
        rules, receiver = found
        if getattr(self._threads, "rules", None) is not in_force:
            self._threads.rules, self._threads.notifiers = in_force, {}
        notifiers: dict[str, Notifier] = self._threads.notifiers
        name = f"{rules.version} {receiver.name} {json.dumps(changes, sort_keys=True) if changes else ''}"
        if name not in notifiers:
            if len(notifiers) >= NOTIFIERS_KEPT:
                notifiers.clear()
            notifiers[name] = open_receiver(receiver, self._settings, network=self._network, clock=self._clock, changes=changes)
        return notifiers[name]


def _follows_nothing(claimed: Claimed) -> bool:
    """Whether it tells what became of something that was never told, or whose end was told already."""
    return claimed.reason in FOLLOW_UPS and (claimed.told is None or claimed.told.reason is Reason.RESOLVED)


def _is_known(claimed: Claimed) -> bool:
    """Whether the destination was told of the incident since it began, and nothing less bad."""
    told = claimed.told
    if told is None or told.reason is Reason.RESOLVED or claimed.reason in FOLLOW_UPS:
        return False
    was_told_since = told.at is not None and (claimed.began_at is None or told.at >= claimed.began_at)
    return was_told_since and claimed.severity.rank >= told.severity.rank
