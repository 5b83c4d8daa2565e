"""Asks Sentry and Slack what webhooks do not say; quickly or not at all, for whatever is told must not wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from pydantic import SecretStr

from notifiers.errors import DeliveryError, RetryableError
from notifiers.http import Network, Timeouts
from notifiers.notifier import Clock
from notifiers.sentry import SentrySettings
from notifiers.slack import SlackSettings
from notifiers.wording import cut, one_line
from routing.alert import SENTRY, Alert, Status
from routing.findings import Findings
from routing.notification import Details
from routing.payload import text, whole
from routing.rules import RuleSet
from routing.slack_interactions import SLACK

if TYPE_CHECKING:
    from notifiers.sentry_client import Committer, Organization

Question: TypeAlias = Callable[[Alert], Findings]

TIMEOUTS = Timeouts(connect_seconds=1.0, read_seconds=1.5)
LONGEST_SECONDS = 2.0
"""All that is to be decided together waits so long at most."""
PAUSE = timedelta(minutes=1)
"""So long a vendor that has failed is not asked again."""
LONG_PAUSE = timedelta(minutes=10)
"""The same, where a token is wrong, or may not."""
THREADS = 8
NUMBERS_KEPT_SECONDS = 30
"""Within this all messages about an issue tell the same numbers, by one question."""
LISTS_KEPT_SECONDS = 60
"""The same of who is in which user group, and of the projects."""
KEPT = 256
MAX_TAGS, MAX_TAG = 200, 1000
"""Sentry keeps as many, and none of more than 200 characters; but it is not Sentry who answers for certain."""
MAX_OWNERS = 3
MAX_COMMIT = 100
"""Of a commit's message, in characters."""


class EnrichmentSettings(SentrySettings, SlackSettings, Protocol):
    """What is read of the environment; `settings.Settings` has it."""


class _Rest(NamedTuple):
    """A vendor has failed."""

    until: datetime
    why: str


class _Cause(NamedTuple):
    """Who is asked about an event."""

    owners: tuple[str, ...] = ()
    commit: str | None = None


class Enrichment:
    """What others know of an alert. Threads share it; what fails here is nobody's error, and is not asked again for a time."""

    def __init__(self, settings: EnrichmentSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._network = Network(TIMEOUTS)
        self._threads = threading.local()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="enrichment")
        self._rests: dict[str, _Rest] = {}
        """By vendor."""
        self._numbers = lru_cache(KEPT)(self._ask_for_numbers)
        self._cause = lru_cache(KEPT)(self._ask_for_cause)
        self._members = lru_cache(1)(self._ask_for_members)
        self._projects = lru_cache(1)(self._ask_for_projects)

    def find_out(self, alerts: Sequence[Alert], rules: RuleSet) -> list[Findings | None]:
        """For each alert, before anything is decided, what others say of it; None where nobody has to be asked, or can be."""
        asked: dict[int, Future[Findings]] = {}
        for number, alert in enumerate(alerts):
            if question := self._question(alert, rules):
                asked[number] = self._pool.submit(question, alert)
        wait(asked.values(), timeout=LONGEST_SECONDS)
        return [_said(asked[number]) if number in asked else None for number in range(len(alerts))]

    def details(self, alert: Alert) -> Details | None:
        """What a message may tell beside its alert: numbers, owners, suspect commit; None without a token, or while Sentry fails."""
        if alert.issue_id is None or not alert.is_of_sentry or alert.resource == "glitchtip" or not self._may_ask_sentry:
            return None
        try:
            event_count, user_count = self._numbers(alert.issue_id, self._period(NUMBERS_KEPT_SECONDS))
        except DeliveryError as error:
            self._rest(SENTRY, error)
            return None
        cause = self._cause_of(alert)
        return Details(event_count=event_count, user_count=user_count, owners=cause.owners, suspect_commit=cause.commit)

    def _question(self, alert: Alert, rules: RuleSet) -> Question | None:
        """What has to be asked about an alert."""
        if alert.resource == "change" and alert.origin == SLACK and rules.buttons.get(alert.action):
            return self._who_pressed
        if not alert.is_of_sentry or alert.status is not Status.FIRING or not self._may_ask_sentry:
            return None
        if alert.resource == "issue" and alert.issue_id and not alert.tags:
            return self._latest_event
        return self._project if alert.project is None and whole(alert.payload.get("project")) else None

    def _who_pressed(self, alert: Alert) -> Findings:
        """The user groups of somebody in Slack."""
        if (rest := self._rests.get(SLACK)) and self._clock() < rest.until:
            return Findings(fault=rest.why)
        try:
            members = self._members(self._period(LISTS_KEPT_SECONDS))
        except DeliveryError as error:
            self._rest(SLACK, error)
            return Findings(fault=str(error))
        user = text(alert.payload.get("user"))
        return Findings(member_of=tuple(group for group, users in members.items() if user in users))

    def _latest_event(self, alert: Alert) -> Findings:
        """The tags of an issue's latest event."""
        try:
            event = self._organization.latest_event(alert.issue_id or "")
        except DeliveryError as error:
            self._rest(SENTRY, error)
            return Findings(fault=str(error))
        tags = tuple((tag.key[:MAX_TAG], tag.value[:MAX_TAG]) for tag in event.tags[:MAX_TAGS])
        return Findings(tags=tags, event_id=event.eventID[:MAX_TAG])

    def _project(self, alert: Alert) -> Findings:
        """The slug of a project that is known by its number."""
        try:
            slugs = self._projects(self._period(LISTS_KEPT_SECONDS))
        except DeliveryError as error:
            self._rest(SENTRY, error)
            return Findings(fault=str(error))
        return Findings(project=slugs.get(str(alert.payload.get("project"))))

    def _cause_of(self, alert: Alert) -> _Cause:
        if not (alert.project and alert.event_id):
            return _Cause()
        try:
            return self._cause(alert.project, alert.event_id)
        except DeliveryError as error:
            self._rest(SENTRY, error)
            return _Cause()

    def _ask_for_numbers(self, issue: str, _: int) -> tuple[int, int]:
        found = self._organization.issue(issue)
        return found.count, found.userCount

    def _ask_for_cause(self, project: str, event: str) -> _Cause:
        owners = [one_line(owner) for owner in self._organization.owners(project, event) if owner]
        committers = self._organization.committers(project, event)
        return _Cause(tuple(owners[:MAX_OWNERS]), next(map(_commit, committers), None))

    def _ask_for_members(self, _: int) -> Mapping[str, frozenset[str]]:
        """By handle and by id of a user group: its members."""
        # Here, not above: with it comes slack_sdk, and most rules ask for no group.
        from notifiers.slack_client import Bot  # noqa: PLC0415

        groups = Bot(self._settings.slack_bot_token or SecretStr(""), self._settings.slack_api_url, self._network).user_groups()
        return {name: frozenset(group.users) for group in groups for name in (group.id, f"@{group.handle}")}

    def _ask_for_projects(self, _: int) -> Mapping[str, str]:
        return self._organization.projects()

    @property
    def _organization(self) -> Organization:
        """That of this thread: its session is not to be shared."""
        # Here, not above: with it comes requests.
        from notifiers.sentry_client import Organization  # noqa: PLC0415

        if not hasattr(self._threads, "organization"):
            settings, token = self._settings, self._settings.sentry_api_token or SecretStr("")
            organization = Organization(
                settings.sentry_base_url, settings.sentry_org or "", token=token, timeouts=TIMEOUTS, clock=self._clock
            )
            self._threads.organization = organization
        found: Organization = self._threads.organization
        return found

    @property
    def _may_ask_sentry(self) -> bool:
        rest = self._rests.get(SENTRY)
        has_token = bool(self._settings.sentry_api_token and self._settings.sentry_org)
        return has_token and (rest is None or self._clock() >= rest.until)

    def _rest(self, vendor: str, error: DeliveryError) -> None:
        """Ask a vendor no more for a time, unless only the one question was wrong."""
        if isinstance(error, RetryableError) and error.status_code != HTTPStatus.OK:
            self._rests[vendor] = _Rest(self._clock() + (error.retry_after or PAUSE), str(error))
        elif error.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            self._rests[vendor] = _Rest(self._clock() + LONG_PAUSE, str(error))

    def _period(self, seconds: int) -> int:
        """The number of the present one, by which what was asked in it is known."""
        return int(self._clock().timestamp()) // seconds


def _said(future: Future[Findings]) -> Findings:
    if not future.done():
        future.cancel()
        return Findings(fault=f"no answer within {LONGEST_SECONDS:g} s")
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop what is decided
        return Findings(fault=f"fault in the router: {type(error).__name__}")


def _commit(committer: Committer) -> str:
    """`a1b2c3d by Ann Lee: Round prices`."""
    author = committer.author
    who = (author.name or author.email) if author else None
    commit = committer.commits[0] if committer.commits else None
    words = [commit.id[:7] if commit else "", f"by {one_line(who)}" if who else ""]
    said = cut(one_line((commit.message or "").partition("\n")[0]), MAX_COMMIT) if commit else ""
    return " ".join(filter(None, words)) + (f": {said}" if said else "")
