"""Jira: one issue in one project, by the REST API v2, which Cloud and Data Center share.

Creating is not idempotent: every issue carries a label of its incident and receiver, by which an unclear attempt is looked up.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from pydantic import Field, JsonValue, SecretStr, field_validator

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import MAX_EXCERPT, Network
from notifiers.jira_fields import checked, explained, ids_of, need_no_names, refusal_of
from notifiers.message import Message, Other, compose, cut, one_line
from notifiers.notifier import Clock, Receipt, ReceiverOptions, readable
from routing.alert import Json
from routing.notification import Notification, Reason

if TYPE_CHECKING:
    from notifiers.jira_client import Site

MAX_SUMMARY = 255
MAX_DESCRIPTION = 32_767
MAX_LABEL = 255

# Ours: even if every character must be escaped, the description stays within Jira's limit.
_MAX_TITLE = 500
_MAX_TEXT = 600
_MAX_TABLE = 5000
_MAX_OTHERS = 4000

_DISPENSABLE = frozenset({"priority", "labels", "components", "description"})
"""What an issue is created without rather than not at all."""
_SEARCH_LAG = timedelta(seconds=30)
"""Cloud's search learns of a new issue with a delay: developer.atlassian.com/cloud/jira/platform/search-and-reconcile."""
_CLOCKS_DIFFER = timedelta(minutes=2)

# What the renderer takes as markup, of which some counts only at the edge of a word; and the icons (x), (!), (on).
_MARKUP = re.compile(
    r"[{}\[\]|!]|(?<![^\W_])[*_+^~?#-]|[*_+^~?#-](?![^\W_])"
    r"|\((?=(?:[!?/x+*yni-]|on|off|flag|flagoff)\))"
    r"|\\(?![^\W_]|\s)|&(?=\#?\w+;)|(?<=^h[1-6])\.|(?<=^bq)\."
)
# A backslash cannot be escaped by another one, that is a line break.
_ENTITIES: Mapping[str, str] = {"\\": "&#92;", "&": "&amp;", ".": "&#46;"}


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

    project: str
    issue_type: str = Field("Bug", min_length=1)
    priority: str | None = Field(None, min_length=1)
    labels: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    fields: Mapping[str, JsonValue] = Field(default_factory=dict)
    """What else the project wants, by id or name."""

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
        """The JSON body."""
        return readable({"fields": self.issue(notification)})

    def issue(self, notification: Notification) -> dict[str, Json]:
        """Its fields, as https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issues/#api-rest-api-2-issue-post."""
        message = compose(notification)
        issue: dict[str, Json] = {
            "project": {"key": self.project},
            "issuetype": {"name": self.issue_type},
            "summary": message.headed(f"[{message.project}] {message.heading}: {message.title}", MAX_SUMMARY),
            "description": _description(message),
            "labels": list(dict.fromkeys(("sentry-alert", *_rule_labels(notification), *self.labels, incident_label(notification)))),
        }
        if self.priority:
            issue["priority"] = {"name": self.priority}
        if self.components:
            issue["components"] = [{"name": name} for name in self.components]
        return {**issue, **self.fields}

    def open(self, settings: JiraSettings, *, network: Network, clock: Clock) -> JiraNotifier:
        """The notifier for this project."""
        if not settings.jira_url or not settings.jira_token:
            raise PermanentError(f"{self.missing_credential(settings)} is not set")
        # Here, not above: with it come jira and requests, and the web process opens no notifier.
        from notifiers.jira_client import Site  # noqa: PLC0415

        site = Site(settings.jira_url, user=settings.jira_user, token=settings.jira_token, network=network)
        return JiraNotifier(self, site, clock)


_AGAIN = frozenset({Reason.REPEAT, Reason.REMINDER, Reason.ESCALATION})
"""What somebody has told of the incident before, perhaps here."""


class JiraNotifier:
    """Creates issues in one project."""

    def __init__(self, options: JiraOptions, site: Site, clock: Clock) -> None:
        self._options, self._site, self._clock = options, site, clock
        self._ids: Mapping[str, str] = {key: key for key in options.fields} if need_no_names(options.fields) else {}

    def send(self, notification: Notification) -> Receipt:
        """Create the issue, unless it was told before and the incident has an open one.

        By one request; by a second one, with less, only if Jira has refused the first one for a field that can be done
        without: a priority that is not on the project's screen must not cost the issue. Before the first issue Jira is asked
        for the ids of fields that rules.yaml calls by their names.
        """
        issue = self._options.issue(notification)
        if notification.reason in _AGAIN:
            for found in self._site.newest(f"{self._of_incident(notification)} AND statusCategory != Done ORDER BY created DESC"):
                return self._receipt(found.key, issue, status=200, excerpt=f"{found.key} is open already, so no second issue was made")
        fields = self._by_id(issue)
        try:
            return self._create(fields)
        except PermanentError as error:
            refused = _dispensable_fields(error, fields)
            if not refused:
                raise
        receipt = self._create({name: value for name, value in fields.items() if name not in refused})
        told = f"{receipt.excerpt} without {', '.join(refused)}: {' '.join(refused.values())}"
        return replace(receipt, excerpt=cut(one_line(told), MAX_EXCERPT))

    def find(self, notification: Notification) -> Receipt | None:
        """Look for the issue by its label.

        Raises:
            RetryableError: also if it is too early to say that there is none.
        """
        for issue in self._site.newest(f"{self._of_incident(notification)} ORDER BY created DESC"):
            if issue.fields.created >= notification.created_at - _CLOCKS_DIFFER:
                return self._receipt(issue.key, self._options.issue(notification), status=None, excerpt=f"found {issue.key}")
        if self._clock() < notification.created_at + _SEARCH_LAG:
            raise RetryableError("Jira's search may not know the issue yet", retry_after=_SEARCH_LAG)
        return None

    def _of_incident(self, notification: Notification) -> str:
        return f'project = "{self._options.project}" AND labels = "{incident_label(notification)}"'

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

    def _receipt(self, key: str, fields: Mapping[str, Json], *, status: int | None, excerpt: str) -> Receipt:
        reference = {"key": key, "url": f"{self._site.url}/browse/{key}"}
        return Receipt(payload=readable({"fields": fields}), status_code=status, excerpt=excerpt, reference=reference)


def incident_label(notification: Notification) -> str:
    """The label that all issues of an incident and a receiver share."""
    names = json.dumps((notification.incident, notification.receiver))
    return f"sar-{hashlib.sha256(names.encode()).hexdigest()[:24]}"


def escaped(text: str) -> str:
    """One line as wiki markup that shows just these characters: https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa."""
    return _MARKUP.sub(lambda found: _ENTITIES.get(found[0], "\\" + found[0]), text)


def _rule_labels(notification: Notification) -> tuple[str, ...]:
    labels = (re.sub(r"\s+", "-", one_line(rule))[:MAX_LABEL] for rule in notification.rules)
    return tuple(filter(None, labels))


def _description(message: Message) -> str:
    sections = (
        f"*{escaped(message.heading)}* in {escaped(message.place)}",
        escaped(cut(message.title, _MAX_TITLE)),
        "\n".join(map(escaped, cut(message.text, _MAX_TEXT).splitlines())),
        _table(message),
        f"[Open in Sentry|{_link(message.link)}]" if message.link else "",
        "{noformat}\n" + _literal(message.stack) + "\n{noformat}" if message.stack else "",
        _others(message),
        f"----\nWhy: {escaped(cut(message.reasons, 600))}\nIncident: {escaped(cut(one_line(message.incident), 300))}",
    )
    return "\n\n".join(filter(None, sections))


def _table(message: Message) -> str:
    table = "||Field||Value||"
    for fact in message.rows:
        row = f"\n|{escaped(fact.label)}|{escaped(fact.value)}|"
        table += row if len(table) + len(row) <= _MAX_TABLE else ""
    return table


def _others(message: Message) -> str:
    if not message.others:
        return ""
    shown = message.others_within(_MAX_OTHERS, lambda other: len(_other(other)) + 1)
    lines = (f"And {message.others_count} more:", *map(_other, shown), message.others_beside(len(shown)))
    return "\n".join(filter(None, lines))


def _other(other: Other) -> str:
    link = f" [Open in Sentry|{_link(other.link)}]" if other.link else ""
    return f"* {escaped(other.name)}{link}"


def _link(address: str) -> str:
    return address.replace("[", "%5B").replace("]", "%5D")


def _literal(text: str) -> str:
    return re.sub(r"\{(?=noformat)", "{ ", text, flags=re.IGNORECASE)


def _dispensable_fields(error: PermanentError, sent: Mapping[str, Json]) -> Mapping[str, str]:
    """The fields for which alone Jira refused the issue, with its words; empty if it had other reasons, too."""
    refusal = refusal_of(error)
    if refusal and not refusal.errorMessages and (_DISPENSABLE & sent.keys()).issuperset(refusal.errors):
        return refusal.errors
    return {}
