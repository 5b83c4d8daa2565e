"""One reader for each of Sentry's resources: an opened webhook in, an Alert out.

Which field stands where follows the table "Canonical fields" of the protocol reference; the first place that says something wins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypedDict

from routing.alert import Alert, Category, Json, Level, Status
from routing.payload import Object, first_text, mapping, moment, sequence, text, whole
from routing.sentry_event import event_category, event_fields, event_text, event_time, event_titles, exceptions_of_metadata
from routing.sentry_metric import read_metric

_MAX_TITLE = 1000
_METRIC_ISSUE = 8001
_MAX_URL = 2000
_MAX_PARTS = 100

_LEVELS = {
    **{level.value: level for level in Level},
    "critical": Level.FATAL,
    "warn": Level.WARNING,
    "log": Level.INFO,
    "sample": Level.INFO,
    # Sentry's numbers, as old SDKs sent them.
    "50": Level.FATAL,
    "40": Level.ERROR,
    "30": Level.WARNING,
    "20": Level.INFO,
    "10": Level.DEBUG,
}
_LEVEL_OF_METRIC_ACTION = {
    "critical": Level.FATAL,
    "warning": Level.WARNING,
    "open": Level.ERROR,
    "resolved": Level.INFO,
}

# How issue types begin, which has not changed; the categories were renamed in 2025 (outage, db_query, mobile, …).
_CATEGORY_OF_ISSUE_TYPE = {
    "error": Category.ERROR,
    "monitor": Category.CRON,
    "uptime": Category.UPTIME,
    "replay": Category.REPLAY,
    "feedback": Category.FEEDBACK,
    "metric": Category.METRIC,
    "performance": Category.PERFORMANCE,
    "profile": Category.PERFORMANCE,
}
_CATEGORY_OF_ISSUE_CATEGORY = {
    **{category.value: category for category in Category if category is not Category.OTHER},
    "outage": Category.UPTIME,
    "metric_alert": Category.METRIC,
    "profile": Category.PERFORMANCE,
    "db_query": Category.PERFORMANCE,
    "http_client": Category.PERFORMANCE,
    "frontend": Category.PERFORMANCE,
    "mobile": Category.PERFORMANCE,
}

_ISSUE_IN_URL = re.compile(r"/(?:issues|group)/(\d+)")
_PROJECT_IN_URL = re.compile(r"/projects/[^/?#]+/([^/?#]+)/")
# In this order: paths of API and UI, customer domains, paths of Sentry before 10, GlitchTip.
_ORGANIZATION_IN_URL = (
    re.compile(r"/(?:organizations|projects)/([^/?#]+)/"),
    re.compile(r"^https?://(?!(?:us|de|www|app)\.)([a-z0-9][a-z0-9-]*)\.sentry\.io/"),
    re.compile(r"^https?://[^?#]*/([^/?#]+)/[^/?#]+/(?:issues|group)/\d"),
    re.compile(r"^https?://[^/?#]+/([^/?#]+)/(?:issues|uptime-monitors)/\d"),
)


class Envelope(TypedDict):
    """The fields of an Alert that do not depend on its resource."""

    resource: str
    action: str
    status: Status
    received_at: datetime
    installation: str | None
    actor: str | None
    by_app: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook whose envelope has been opened."""

    envelope: Envelope
    is_known: bool
    """Whether its action is one that says something of an incident."""
    data: Object
    read_again: Callable[[], Object]
    """The same data, from the bytes."""
    organization: str | None

    @property
    def resource(self) -> str:
        """The resource, in lower case and of harmless characters."""
        return self.envelope["resource"]

    @property
    def action(self) -> str:
        """What happened to the resource."""
        return self.envelope["action"]

    @property
    def status(self) -> Status:
        """What that says of the incident."""
        return self.envelope["status"]

    @property
    def actor(self) -> str | None:
        """Who did it."""
        return self.envelope["actor"]

    @property
    def received_at(self) -> datetime:
        """Stands in for the time where the body tells none."""
        return self.envelope["received_at"]


def read_event(webhook: Webhook) -> Alert:
    """An issue alert that fired, or an error as it came in: both hold one event."""
    event, read_again = _event_of(webhook.data), webhook.read_again
    fields = event_fields(event, lambda: _event_of(read_again()))
    return Alert(
        **webhook.envelope,
        **fields,
        category=_category(webhook, event_category(event)),
        level=_level(webhook, event.get("level"), dict(fields["tags"]).get("level")),
        title=_title(webhook, *event_titles(event)),
        text=event_text(event, fields["exceptions"]),
        occurred_at=event_time(event) or webhook.received_at,
        culprit=text(event.get("culprit")),
        organization=_organization(webhook, event.get("url"), event.get("web_url"), event.get("issue_url")),
        project=_project_of_event(event),
        link=text(event.get("web_url")),
        issue_id=first_text(event.get("issue_id"), _issue_in(event.get("issue_url")), _issue_in(event.get("web_url"))),
        metric_rule_id=_metric_rule_of(event),
        sentry_rule=first_text(webhook.data.get("triggered_rule"), mapping(webhook.data.get("issue_alert")).get("title")),
    )


def read_legacy(webhook: Webhook) -> Alert:
    """What the WebHooks plugin of any Sentry since 8 sends: a flat group with a raw event in it."""
    group, read_again = webhook.data, webhook.read_again
    event = _event_of(group)
    fields = event_fields(event, lambda: _event_of(read_again()))
    return Alert(
        **webhook.envelope,
        **fields,
        category=_category(webhook, event_category(event)),
        level=_level(webhook, group.get("level"), event.get("level"), dict(fields["tags"]).get("level")),
        title=_title(webhook, event.get("title"), group.get("message"), *event_titles(event)),
        text=first_text(group.get("message")) or event_text(event, fields["exceptions"]),
        occurred_at=event_time(event) or webhook.received_at,
        culprit=first_text(group.get("culprit"), event.get("culprit")),
        organization=_organization(webhook, group.get("url")),
        project=first_text(group.get("project_slug"), group.get("project")),
        link=text(group.get("url")),
        issue_id=first_text(group.get("id"), _issue_in(group.get("url"))),
        sentry_rule=first_text(*sequence(group.get("triggering_rules"))),
    )


def read_issue(webhook: Webhook) -> Alert:
    """A change of an issue, or (activity_alert) what Seer did about one. There are no tags and no environment in either."""
    issue = mapping(webhook.data.get("issue"))
    project, metadata = mapping(issue.get("project")), mapping(issue.get("metadata"))
    rule = mapping(webhook.data.get("alert"))  # only in an activity_alert, like the activity
    activity = mapping(mapping(webhook.data.get("activity")).get("details"))
    link = first_text(issue.get("web_url"), issue.get("webUrl"), issue.get("permalink"))
    last_seen = moment(issue.get("lastSeen"))
    return Alert(
        **webhook.envelope,
        category=_category(webhook, _category_of_issue(issue)),
        level=_level(webhook, issue.get("level")),
        title=_title(webhook, issue.get("title"), metadata.get("title"), metadata.get("value"), issue.get("shortId")),
        text=first_text(activity.get("summary"), metadata.get("value"), metadata.get("message")) or "",
        occurred_at=last_seen or webhook.received_at,
        culprit=text(issue.get("culprit")),
        organization=_organization(webhook, issue.get("url"), link),
        project=first_text(project.get("slug"), issue.get("project")),
        platform=first_text(issue.get("platform"), project.get("platform")),
        link=link,
        event_type=text(issue.get("type")),
        issue_id=first_text(issue.get("id"), _issue_in(link)),
        short_id=text(issue.get("shortId")),
        sentry_rule=first_text(rule.get("title"), rule.get("name")),
        substatus=text(issue.get("substatus")),
        resolution=text(webhook.data.get("resolution_type")),
        priority=text(issue.get("priority")),
        first_seen=moment(issue.get("firstSeen")),
        last_seen=last_seen,
        event_count=whole(issue.get("count")),
        user_count=whole(issue.get("userCount")),
        exceptions=exceptions_of_metadata(metadata),
        payload=issue,
    )


def read_metric_alert(webhook: Webhook) -> Alert:
    """A metric alert that crossed a threshold or came back."""
    data, action = webhook.data, webhook.action
    incident = mapping(data.get("metric_alert"))
    rule = mapping(incident.get("alert_rule"))
    organization, identifier = text(incident.get("organization_id")), text(incident.get("identifier"))
    metric = read_metric(data, action, webhook.status)
    times = [incident.get(name) for name in ("date_started", "date_detected", "date_created")]
    if webhook.status is Status.RESOLVED:
        times.insert(0, incident.get("date_closed"))
    return Alert(
        **webhook.envelope,
        category=_category(webhook, Category.METRIC),
        level=_LEVEL_OF_METRIC_ACTION.get(action, Level.INFO),
        title=_title(webhook, data.get("description_title"), incident.get("title"), metric.rule_name, data.get("description_text")),
        text=text(data.get("description_text")) or "",
        occurred_at=next(filter(None, map(moment, times)), webhook.received_at),
        organization=_organization(webhook, data.get("web_url")),
        project=first_text(*sequence(incident.get("projects")), *sequence(rule.get("projects"))),
        environment=text(rule.get("environment")),
        link=text(data.get("web_url")),
        metric_alert_id=f"{organization}:{identifier}" if organization and identifier else text(incident.get("id")),
        metric_rule_id=text(rule.get("id")),
        sentry_rule=metric.rule_name or None,
        metric=metric,
        payload=incident,
    )


def read_comment(webhook: Webhook) -> Alert:
    """A comment on an issue, of which it names no more than the id."""
    comment = webhook.data
    return Alert(
        **webhook.envelope,
        category=Category.OTHER,
        level=Level.INFO,
        title=_title(webhook, f"Comment {webhook.action} by {webhook.actor}" if webhook.actor else None),
        text=text(comment.get("comment")) or "",
        occurred_at=moment(comment.get("timestamp")) or webhook.received_at,
        organization=webhook.organization,
        project=text(comment.get("project_slug")),
        issue_id=text(comment.get("issue_id")),
        payload=comment,
    )


def read_installation(webhook: Webhook) -> Alert:
    """The integration was installed or removed."""
    installation = mapping(webhook.data.get("installation"))
    app = text(mapping(installation.get("app")).get("slug"))
    return Alert(
        **webhook.envelope,
        category=Category.OTHER,
        level=Level.INFO,
        title=_title(webhook, f"Installation {webhook.action}: {app}" if app else None),
        occurred_at=webhook.received_at,
        organization=first_text(mapping(installation.get("organization")).get("slug"), webhook.organization),
        payload=installation,
    )


def read_seer(webhook: Webhook) -> Alert:
    """A step of Seer's work on an issue. Its shape changes often; what is not understood stays in the payload."""
    run = webhook.data
    found = [mapping(run.get(name)).get("description") for name in ("root_cause", "solution")]
    changes = [mapping(change).get("title") for change in sequence(run.get("changes"))]
    pulls = [mapping(mapping(pull).get("pull_request")).get("pr_url") for pull in sequence(run.get("pull_requests"))]
    return Alert(
        **webhook.envelope,
        category=Category.OTHER,
        level=Level.INFO,
        title=_title(webhook, f"Seer: {webhook.action.replace('_', ' ')}" if webhook.action else None),
        text=first_text(*found, *changes, *pulls) or "",
        occurred_at=webhook.received_at,
        organization=webhook.organization,
        issue_id=text(run.get("group_id")),
        payload=run,
    )


def read_build(webhook: Webhook) -> Alert:
    """A build whose size was analysed or that was made ready to install."""
    build = webhook.data
    app = mapping(build.get("appInfo"))
    name = " ".join(filter(None, map(text, (app.get("name"), app.get("version")))))
    return Alert(
        **webhook.envelope,
        category=Category.OTHER,
        level=Level.INFO,
        title=_title(webhook, f"{name or 'Build'}: {webhook.action.replace('_', ' ')}" if webhook.action else None),
        text=text(build.get("errorMessage")) or "",
        occurred_at=webhook.received_at,
        organization=first_text(build.get("organizationSlug"), webhook.organization),
        project=text(build.get("projectSlug")),
        platform=text(build.get("platform")),
        payload=build,
    )


def read_glitchtip(webhook: Webhook) -> Alert:
    """GlitchTip's message for Slack-like receivers: up to three issues, or a monitor that went down or came back."""
    issues = [issue for issue in sequence(webhook.data.get("attachments")) if isinstance(issue, dict)]
    issue: Object = issues[0] if issues else {}
    rows = [mapping(row) for row in sequence(issue.get("fields"))]
    told = {text(row.get("title")): text(row.get("value")) for row in rows}
    # Up to three issues come in one body: the first heads the alert, the others are told in its text.
    others = [": ".join(filter(None, (text(other.get("title")), text(other.get("title_link"))))) for other in issues[1:]]
    is_uptime = "Uptime" in (text(webhook.data.get("text")) or "")
    is_up = is_uptime and (text(issue.get("text")) or "").endswith("back up.")
    envelope: Envelope = {**webhook.envelope, "status": Status.RESOLVED if is_up else webhook.status}
    return Alert(
        **envelope,
        category=Category.UPTIME if is_uptime else Category.ERROR,
        level=Level.INFO if is_up else Level.ERROR,
        title=_title(webhook, issue.get("title"), webhook.data.get("text")),
        text="\n".join(filter(None, (text(issue.get("text")), *others))),
        occurred_at=webhook.received_at,
        organization=_organization(webhook, issue.get("title_link")),
        project=told.get("Project"),
        environment=told.get("Environment"),
        release=told.get("Release"),
        link=text(issue.get("title_link")),
        event_id=text(issue.get("event_id")),
        issue_id=_issue_in(issue.get("title_link")),
        payload=webhook.data,
    )


def read_unknown(webhook: Webhook) -> Alert:
    """Whatever is not known yet: a part that is known, else a title, a project, a link and an issue where they usually stand."""
    for name, reader in (("event", read_event), ("error", read_event), ("issue", read_issue), ("metric_alert", read_metric_alert)):
        if mapping(webhook.data.get(name)):
            return reader(webhook)
    parts = [webhook.data, *islice((part for part in webhook.data.values() if isinstance(part, dict)), _MAX_PARTS)]
    link = _first(parts, "web_url", "permalink", "url")
    return Alert(
        **webhook.envelope,
        category=Category.OTHER,
        level=Level.INFO,
        title=_title(webhook, _first(parts, "title", "name", "message")),
        occurred_at=webhook.received_at,
        organization=_organization(webhook, link),
        project=_first(parts, "project_slug", "projectSlug", "slug"),
        link=link,
        issue_id=first_text(_first(parts, "issue_id", "group_id"), _issue_in(link)),
        payload=webhook.data,
    )


def _category(webhook: Webhook, category: Category) -> Category:
    return category if webhook.is_known else Category.OTHER


def _category_of_issue(issue: Object) -> Category:
    kind = (text(issue.get("issueType")) or "").partition("_")[0]
    category = text(issue.get("issueCategory")) or ""
    found = _CATEGORY_OF_ISSUE_TYPE.get(kind) or _CATEGORY_OF_ISSUE_CATEGORY.get(category)
    return found or (Category.PERFORMANCE if issue.get("type") == "transaction" else Category.ERROR)


def _level(webhook: Webhook, *words: Json) -> Level:
    """The first word that names a level; where none does (`unknown`), an alert that fires is an error and any other is news."""
    found = (_LEVELS.get((text(word) or "").lower()) for word in words)
    return next(filter(None, found), Level.ERROR if webhook.status is Status.FIRING else Level.INFO)


def _title(webhook: Webhook, *candidates: Json) -> str:
    said = first_text(*candidates, f"Sentry {webhook.resource} {webhook.action}") or ""
    line = " ".join(filter(None, map(str.strip, said.strip()[: 2 * _MAX_TITLE].splitlines())))
    return line if len(line) <= _MAX_TITLE else f"{line[: _MAX_TITLE - 1]}…"


def _organization(webhook: Webhook, *urls: Json) -> str | None:
    found = (_found(pattern, url) for url in urls for pattern in _ORGANIZATION_IN_URL)
    return next(filter(None, found), webhook.organization)


def _event_of(data: Object) -> Object:
    return mapping(data.get("event")) or mapping(data.get("error"))


def _project_of_event(event: Object) -> str | None:
    slug = _found(_PROJECT_IN_URL, event.get("url"))
    if slug:
        return slug
    project = event.get("project")
    is_slug = isinstance(project, str) and not project.isdecimal()  # Sentry sends its id; look-alikes send the slug
    return first_text(mapping(project).get("slug"), event.get("project_slug"), project if is_slug else None)


def _metric_rule_of(event: Object) -> str | None:
    """The rule of a metric alert of which an event of its issue tells (sentry-webhooks, 5.3)."""
    occurrence = mapping(event.get("occurrence"))
    if whole(occurrence.get("type")) != _METRIC_ISSUE:
        return None
    evidence = mapping(occurrence.get("evidenceData"))
    return first_text(evidence.get("alert_id"), evidence.get("alertId"))


def _issue_in(url: Json) -> str | None:
    return _found(_ISSUE_IN_URL, url)


def _found(pattern: re.Pattern[str], url: Json) -> str | None:
    match = pattern.search(url[:_MAX_URL]) if isinstance(url, str) else None
    return match[1] if match else None


def _first(parts: Sequence[Object], *names: str) -> str | None:
    return first_text(*(part.get(name) for name in names for part in parts))
