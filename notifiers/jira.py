"""Jira: one issue in one project, by the REST API v2, which Cloud and Data Center share.

Creating is not idempotent: every issue carries a label of its incident, by which an unclear attempt is looked up. For no second one
is made while there is one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import Field, JsonValue, SecretStr, field_validator

from notifiers.errors import DeliveryError, PermanentError, RetryableError
from notifiers.http import MAX_EXCERPT, Network
from notifiers.jira_fields import checked, explained, ids_of, need_no_names, refusal_of
from notifiers.jira_layout import comment, description
from notifiers.jira_probe import probe_account, probe_project
from notifiers.message import compose
from notifiers.notifier import Called, Clock, Receipt, ReceiverOptions, readable
from notifiers.wording import cut, key_within, one_line
from routing.alert import Json
from routing.jira_webhooks import WONT_FIX
from routing.notification import Notification

if TYPE_CHECKING:
    from notifiers.jira_client import FoundIssue, Site

MAX_SUMMARY = 255
MAX_DESCRIPTION = 32_767
MAX_LABEL = 255
MAX_GLOBAL_ID = 255

_DISPENSABLE = frozenset({"priority", "labels", "components", "description"})
"""What an issue is created without rather than not at all."""
_SEARCH_LAG = timedelta(seconds=30)
"""Cloud's search learns of a new issue with a delay: developer.atlassian.com/cloud/jira/platform/search-and-reconcile."""
_CLOCKS_DIFFER = timedelta(minutes=2)


class JiraSettings(Protocol):
    """What this kind reads of the environment."""

    @property
    def jira_url(self) -> str | None:
        """`https://acme.atlassian.net`."""

    @property
    def jira_user(self) -> str | None:
        """The account's e-mail on Cloud; None if the token is a personal access token of Data Center."""

    @property
    def jira_token(self) -> SecretStr | None:
        """The token of either."""


class JiraOptions(ReceiverOptions[JiraSettings]):
    """`{kind: jira, project: OPS, issue_type: Bug, priority: High}`."""

    address: ClassVar[tuple[str, ...]] = ("project",)

    project: str
    issue_type: str = Field("Bug", min_length=1)
    priority: str | None = Field(None, min_length=1)
    labels: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    fields: Mapping[str, JsonValue] = Field(default_factory=dict)
    """What else the project wants, by id or name."""
    resolve_transition: str | None = Field(None, min_length=1)
    """By name; None: the first one that leads to a status of the category Done."""
    reopen_transition: str | None = Field(None, min_length=1)
    """The same, to a status of another category."""
    wont_fix: tuple[str, ...] = WONT_FIX
    """Resolutions after which an issue is left alone."""

    @field_validator("project")
    @classmethod
    def _is_key(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]+", value):
            raise ValueError('write the key of the project, as in its issues: "OPS"')
        return value

    @field_validator("labels")
    @classmethod
    def _are_labels(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not re.fullmatch(rf"\S{{1,{MAX_LABEL}}}", label) for label in value):
            raise ValueError(f"a label has 1 to {MAX_LABEL} characters and no blanks")
        return value

    @field_validator("fields")
    @classmethod
    def _fit_beside_ours(cls, value: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        return checked(value)

    def missing_credential(self, settings: JiraSettings) -> str | None:
        """The first variable that is not set."""
        if not settings.jira_url:
            return "JIRA_URL"
        return None if settings.jira_token and settings.jira_token.get_secret_value() else "JIRA_TOKEN"

    def render(self, notification: Notification) -> str:
        """The JSON body; of an end the transition."""
        if notification.is_closing:
            return readable({"transition": {"name": self.resolve_transition or "the first one to a status of the category Done"}})
        return readable({"fields": self.issue(notification)})

    def issue(self, notification: Notification) -> dict[str, Json]:
        """Its fields, as https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issues/#api-rest-api-2-issue-post."""
        message, label = compose(notification), incident_label(notification, self.project)
        issue: dict[str, Json] = {
            "project": {"key": self.project},
            "issuetype": {"name": self.issue_type},
            "summary": message.headed(f"[{message.project}] {message.heading}: {message.title}", MAX_SUMMARY),
            "description": description(message),
            "labels": list(dict.fromkeys(("sentry-alert", *_rule_labels(notification), *self.labels, label))),
        }
        return {**issue, **self.chosen, **self.fields}

    @property
    def chosen(self) -> dict[str, Json]:
        """By id the fields of an issue that options of their own decide."""
        priority: dict[str, Json] = {"priority": {"name": self.priority}} if self.priority else {}
        return priority | ({"components": [{"name": name} for name in self.components]} if self.components else {})

    def open(self, settings: JiraSettings, *, network: Network, clock: Clock) -> JiraNotifier:
        """The notifier for this project."""
        if not settings.jira_url or not settings.jira_token:
            raise PermanentError(f"{self.missing_credential(settings)} is not set")
        # Here, not above: with it come jira and requests, and the web process opens no notifier.
        from notifiers.jira_client import Site  # noqa: PLC0415

        site = Site(settings.jira_url, user=settings.jira_user, token=settings.jira_token, network=network)
        return JiraNotifier(self, site, clock)


class JiraNotifier:
    """Creates issues in one project, and closes and reopens them."""

    def __init__(self, options: JiraOptions, site: Site, clock: Clock) -> None:
        self._options, self._site, self._clock = options, site, clock
        self._ids: Mapping[str, str] = {key: key for key in options.fields} if need_no_names(options.fields) else {}

    def send(self, notification: Notification) -> Receipt:
        """Create the issue; where the incident has one, close it, open it again, or leave it as it is."""
        if notification.is_closing:
            return self._close(notification)
        known = self._known(notification)
        return self._bring_back(known, notification) if known else self._create_issue(notification)

    def _known(self, notification: Notification) -> FoundIssue | None:
        """The incident's issue: by its key, or by its label where the key is not known or its issue is gone."""
        if key := notification.reference.get("key"):
            try:
                return self._site.issue(key)
            except PermanentError as error:
                if error.status_code != HTTPStatus.NOT_FOUND:
                    raise
        return next(iter(self._of_incident(notification)), None)

    def _close(self, notification: Notification) -> Receipt:
        """By the transition of rules.yaml, or the first one that leads to a status of the category Done."""
        known = self._known(notification)
        if known is None:
            return Receipt(payload=self._options.render(notification), excerpt="the incident has no issue, so none was closed")
        if known.is_done:
            return self._told(known, f"{known.key} is closed already")
        name = self._site.move(known.key, to_done=True, name=self._options.resolve_transition)
        return self._told(known, f"closed {known.key} by {name}", {"transition": name})

    def _bring_back(self, known: FoundIssue, notification: Notification) -> Receipt:
        """Open it again and say why, unless it is open; no second issue is made."""
        if not known.is_done:
            return self._told(known, f"{known.key} is open already, so no second issue was made")
        if known.resolution in self._options.wont_fix:
            return self._told(known, f"{known.key} is closed as {known.resolution}, so it was left alone")
        # Said first: where it stands shows whether it was moved.
        words = comment(compose(notification), mark=_mark(notification))
        if not any(_mark(notification) in said for said in self._site.comments(known.key)):
            self._site.comment(known.key, words)
        name = self._site.move(known.key, to_done=False, name=self._options.reopen_transition)
        return self._told(known, f"opened {known.key} again by {name}", {"comment": words, "transition": name})

    def _create_issue(self, notification: Notification) -> Receipt:
        """By one request; by a second one, with less, only if Jira has refused the first one for a field that can be done without.

        A priority that is not on the project's screen must not cost the issue. Before the first issue Jira is asked for the ids of
        fields that rules.yaml calls by their names.
        """
        fields = self._by_id(self._options.issue(notification))
        try:
            return self._linked(self._create(fields), notification)
        except PermanentError as error:
            refused = _dispensable_fields(error, fields)
            if not refused:
                raise
        receipt = self._linked(self._create({name: value for name, value in fields.items() if name not in refused}), notification)
        return _remarked(receipt, f"without {', '.join(refused)}: {' '.join(refused.values())}")

    def _linked(self, receipt: Receipt, notification: Notification) -> Receipt:
        """Let the issue link to Sentry's; that it does not is no reason to make another one."""
        message = compose(notification)
        if message.link is None:
            return receipt
        global_id = key_within(f"sentry/{notification.incident}", MAX_GLOBAL_ID)
        title = cut(f"Sentry: {message.reference or message.title}", MAX_SUMMARY)
        try:
            self._site.link(receipt.reference["key"], global_id, url=message.link, title=title)
        except DeliveryError as error:
            return _remarked(receipt, f"without a link to Sentry: {error}")
        return receipt

    def find(self, notification: Notification) -> Receipt | None:
        """Look for the issue by its label; what changes an issue that is known is looked at when it is tried again.

        Raises:
            RetryableError: also if it is too early to say that there is none.
        """
        if notification.is_closing or notification.reference:
            return None
        for issue in self._of_incident(notification):
            if issue.fields.created >= notification.created_at - _CLOCKS_DIFFER:
                found = self._receipt(issue.key, self._options.issue(notification), status=None, excerpt=f"found {issue.key}")
                return self._linked(found, notification)
        if self._clock() < notification.created_at + _SEARCH_LAG:
            raise RetryableError("Jira's search may not know the issue yet", retry_after=_SEARCH_LAG)
        return None

    def probe(self) -> Called:
        """Ask what the project wants of an issue, and whether the receiver's options have it."""
        given = self._options
        return probe_project(
            self._site, project=given.project, issue_type=given.issue_type, options=given.chosen, fields=dict(given.fields)
        )

    def probe_account(self) -> Called:
        """Ask who we are."""
        return probe_account(self._site)

    def _of_incident(self, notification: Notification) -> Sequence[FoundIssue]:
        """The incident's issues in this project, newest first."""
        project = self._options.project
        return self._site.newest(f'project = "{project}" AND labels = "{incident_label(notification, project)}" ORDER BY created DESC')

    def _by_id(self, issue: Mapping[str, Json]) -> Mapping[str, Json]:
        written = self._options.fields
        if len(self._ids) < len(written):
            self._ids = ids_of(written, self._site.known_fields())
        return {self._ids.get(name, name): value for name, value in issue.items()}

    def _create(self, fields: Mapping[str, Json]) -> Receipt:
        try:
            key = self._site.create(fields)
        except PermanentError as error:
            written = {id_: name for name, id_ in self._ids.items()}
            raise explained(error, sent=fields, written=written) from None
        return self._receipt(key, fields, status=201, excerpt=f"created {key}")

    def _told(self, known: FoundIssue, excerpt: str, sent: Mapping[str, Json] | None = None) -> Receipt:
        reference = {"key": known.key, "url": f"{self._site.url}/browse/{known.key}"}
        return Receipt(payload=readable(sent) if sent else "", status_code=HTTPStatus.OK, excerpt=excerpt, reference=reference)

    def _receipt(self, key: str, fields: Mapping[str, Json], *, status: int | None, excerpt: str) -> Receipt:
        reference = {"key": key, "url": f"{self._site.url}/browse/{key}"}
        return Receipt(payload=readable({"fields": fields}), status_code=status, excerpt=excerpt, reference=reference)


def incident_label(notification: Notification, project: str) -> str:
    """The label that all issues of an incident in a project share, whatever its receivers are called."""
    names = json.dumps((notification.incident, project))
    return f"sar-{hashlib.sha256(names.encode()).hexdigest()[:24]}"


def _mark(notification: Notification) -> str:
    """By which a comment is known again."""
    return f"(notification {notification.id})"


def _remarked(receipt: Receipt, remark: str) -> Receipt:
    return replace(receipt, excerpt=cut(one_line(f"{receipt.excerpt} {remark}"), MAX_EXCERPT))


def _rule_labels(notification: Notification) -> tuple[str, ...]:
    labels = (re.sub(r"\s+", "-", one_line(rule))[:MAX_LABEL] for rule in notification.rules)
    return tuple(filter(None, labels))


def _dispensable_fields(error: PermanentError, sent: Mapping[str, Json]) -> Mapping[str, str]:
    """The fields for which alone Jira refused the issue, with its words; empty if it had other reasons, too."""
    refusal = refusal_of(error)
    if refusal and not refusal.errorMessages and (_DISPENSABLE & sent.keys()).issuperset(refusal.errors):
        return refusal.errors
    return {}
