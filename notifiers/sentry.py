"""Sentry: what people do elsewhere is done to its issues, too: resolved, archived, assigned; and said in a comment."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import Field, SecretStr

from notifiers.errors import PermanentError
from notifiers.http import Network
from notifiers.message import as_text, compose
from notifiers.notifier import Called, Clock, Receipt, ReceiverOptions, readable
from notifiers.wording import cut, one_line
from routing.alert import ENDS, Alert, Json, Status
from routing.fingerprint import issue_of
from routing.notification import DONE_IN_SENTRY, Notification, Reason
from routing.own_events import Change

if TYPE_CHECKING:
    from notifiers.sentry_client import Organization

MAX_COMMENT = 20_000
"""Ours; Sentry's documentation names no limit."""
MAX_ASSIGNEE = 200
_WRITES = frozenset({"event:write", "event:admin"})


class Vendor(StrEnum):
    """Where people do something to incidents."""

    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    JIRA = "jira"
    CONSOLE = "console"


class SentrySettings(Protocol):
    """What this kind reads of the environment."""

    @property
    def sentry_base_url(self) -> str:
        """`https://sentry.io`, that of a region, or one's own."""

    @property
    def sentry_org(self) -> str | None:
        """The organization's slug."""

    @property
    def sentry_api_token(self) -> SecretStr | None:
        """Of the internal integration, with `event:write`, which Sentry calls Issue & Event: Read & Write."""


class SentryOptions(ReceiverOptions[SentrySettings]):
    """`{kind: sentry}`: it hears what people do to any incident, and is in no rule's `notify`, unless that is to be a comment."""

    resolve: tuple[Vendor, ...] = tuple(Vendor)
    """Where somebody has to end an incident, or reopen it, for that to be done to its issue."""
    comment: bool = True
    """Whether a comment says who did what, and where."""
    people: Mapping[str, Annotated[str, Field(min_length=1, max_length=MAX_ASSIGNEE)]] = Field(default_factory=dict)
    """By the name that somebody has in Slack or Jira: the e-mail or name in Sentry. Who is not in it has the same one everywhere."""

    @property
    def follows(self) -> frozenset[Reason]:
        """Nothing: how an issue ends Sentry knows by itself, or is told whether it was announced there or not."""
        return frozenset()

    @property
    def offers(self) -> frozenset[Change]:
        """That for which Slack's buttons ask."""
        return frozenset({Change.ASSIGNED} | ({Change.RESOLVED} if Vendor.SLACK in self.resolve else set()))

    def is_told_what_is_done(self, alert: Alert) -> bool:
        """Ends from the places named, assignments, and who has taken it on."""
        if alert.status in ENDS or alert.reopens:
            return alert.origin.lower().removeprefix("the ") in self.resolve
        return bool(alert.assigns_to) or (self.comment and alert.acknowledged is not None)

    def missing_credential(self, settings: SentrySettings) -> str | None:
        """The first variable that is not set."""
        if not settings.sentry_api_token:
            return "SENTRY_API_TOKEN"
        return None if settings.sentry_org else "SENTRY_ORG"

    def render(self, notification: Notification) -> str:
        """What is changed, and what is said."""
        return readable({"issue": _issue(notification), **self.changes(notification), "comment": self.words(notification)})

    def changes(self, notification: Notification) -> dict[str, Json]:
        """As https://docs.sentry.io/api/events/update-an-issue/ has them; none where there is only something to be said."""
        alert = notification.alert
        if notification.reason not in DONE_IN_SENTRY:
            return {}
        match alert.status:
            case Status.RESOLVED:
                return {"status": "resolved"}
            case Status.ARCHIVED:
                return {"status": "ignored", "substatus": "archived_until_escalating"}
        changes: dict[str, Json] = {"status": "unresolved"} if notification.reason is Reason.REOPENED else {}
        if alert.assigns_to:
            changes["assignedTo"] = cut(one_line(self.people.get(alert.assigns_to, alert.assigns_to)), MAX_ASSIGNEE)
        return changes

    def words(self, notification: Notification) -> str | None:
        """The comment; its number tells it from others."""
        if not self.comment:
            return None
        is_done = notification.reason in DONE_IN_SENTRY
        said = f"{notification.why[:1].upper()}{notification.why[1:]}" if is_done else as_text(compose(notification))
        return f"{cut(said, MAX_COMMENT)}\n{_mark(notification)}"

    def open(self, settings: SentrySettings, *, network: Network, clock: Clock) -> SentryNotifier:
        """The notifier for this organization."""
        if not settings.sentry_api_token or not settings.sentry_org:
            raise PermanentError(f"{self.missing_credential(settings)} is not set")
        # Here, not above: with it comes requests, and the web process opens no notifier.
        from notifiers.sentry_client import Organization  # noqa: PLC0415

        url, token = settings.sentry_base_url, settings.sentry_api_token
        return SentryNotifier(self, Organization(url, settings.sentry_org, token=token, timeouts=network.timeouts, clock=clock))


class SentryNotifier:
    """Changes one issue, and says who wanted it."""

    def __init__(self, options: SentryOptions, organization: Organization) -> None:
        self._options, self._organization = options, organization

    def send(self, notification: Notification) -> Receipt:
        """Do it, then say it. To do it twice is to do it once."""
        issue, changes, words = _issue(notification), self._options.changes(notification), self._options.words(notification)
        if issue is None:
            raise PermanentError("the alert is of no issue in Sentry")
        is_of_one_that_fires = notification.alert.status not in ENDS and notification.reason is not Reason.REOPENED
        if notification.reason in DONE_IN_SENTRY and notification.fires is not is_of_one_that_fires:
            return Receipt(payload="", excerpt=f"the incident {'fires again' if notification.fires else 'is over'}; nothing was changed")
        if changes:
            self._organization.change(issue, changes)
        if words:
            self._organization.comment(issue, words)
        return Receipt(payload=self._options.render(notification), status_code=200, excerpt="ok", reference={"issue": issue})

    def probe(self) -> Called:
        """Ask for the token's scopes and the organization's projects."""
        scopes, projects = self._organization.scopes(), self._organization.projects()
        if scopes is not None and not scopes & _WRITES:
            said, way_out = (
                "the token has no scope event:write",
                "give the integration Issue & Event: Read & Write, in its settings in Sentry",
            )
            return Called(is_fine=False, said=said, way_out=way_out)
        return Called(
            is_fine=True, said=f"the token sees {len(projects)} projects", proves="token, organization" + (", scopes" if scopes else "")
        )

    def probe_account(self) -> Called:
        """The same: nothing hangs on an alert."""
        return self.probe()

    def find(self, notification: Notification) -> Receipt | None:
        """Look for the comment, which comes last."""
        issue, mark = _issue(notification), _mark(notification)
        if issue and self._options.comment and any(text.endswith(mark) for text in self._organization.comments(issue)):
            return Receipt(payload=self._options.render(notification), excerpt="found on the issue", reference={"issue": issue})
        return None


def _issue(notification: Notification) -> str | None:
    """The number of the issue: what is passed on is about one, whatever the incident is."""
    return issue_of(notification.incident) or notification.alert.issue_id


def _mark(notification: Notification) -> str:
    return f"(notification {notification.id})"
