"""Sentry's API: keeps the issues of one organization, and holds each request to what Sentry documents."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from routing.alert import Json

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TOKEN = "3f0c5b9e7a1d48c2b6f49d0e8a7c6b5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b"
ORG = "acme"
SLUG, INSTALLATION = "alert-router-a1", "0f1e2d3c-4b5a-4697-8877-665544332211"
MEMBERS = frozenset({"ann@example.com", "ann"})
# https://docs.sentry.io/api/events/update-an-issue/
STATUSES = frozenset({"resolved", "unresolved", "ignored", "resolvedInNextRelease"})
SUBSTATUSES = frozenset({"archived_until_escalating", "archived_until_condition_met", "archived_forever", "escalating", "ongoing"})


def alert_rule(name: str, *, is_ours: bool = True) -> Mapping[str, Json]:
    """As workflow_serializer.py and action_serializer.py of Sentry write it."""
    config: Json = {"targetType": "sentry_app", "targetIdentifier": INSTALLATION, "sentryAppIdentifier": "sentry_app_installation_uuid"}
    mail: Json = {"targetType": "issue_owners", "targetIdentifier": None, "targetDisplay": None}
    action: Json = {"id": "1", "type": "sentry_app" if is_ours else "email", "config": config if is_ours else mail, "status": "active"}
    filters: Json = [{"id": "8", "actions": [action], "conditions": []}]
    return {"id": "7", "name": name, "enabled": True, "triggers": None, "actionFilters": filters}


def _older(workflow: Mapping[str, Json]) -> Json:
    """The same as a rule of a project."""
    is_ours = INSTALLATION in json.dumps(workflow)
    kind = "notify_event_sentry_app.NotifyEventSentryAppAction" if is_ours else "mail.NotifyEmailAction"
    installed: dict[str, Json] = {"sentryAppInstallationUuid": INSTALLATION} if is_ours else {}
    return {"name": workflow["name"], "status": "active", "actions": [{"id": f"sentry.rules.actions.{kind}", **installed}]}


def _scope_of(path: str) -> str:
    """Which scope a page wants, of those that are the integration's."""
    if "sentry-app" in path:
        return "org:read"
    return "alerts:read" if path.rstrip("/").endswith(("/workflows", "/rules")) else ""


@dataclass(slots=True)
class Issue:
    """An issue as a person sees it there."""

    status: str = "unresolved"
    assignee: str | None = None
    comments: list[str] = field(default_factory=list)
    """Newest first."""
    changes: list[str] = field(default_factory=list)
    """What was done to it by the API and not told yet: statuses, and `assigned`."""
    count: int = 7
    users: int = 3
    tags: Mapping[str, str] = field(default_factory=lambda: {"environment": "production", "release": "4.2.0", "critical": "true"})
    """Of the latest event."""


@dataclass(slots=True, kw_only=True)
class SentryApi:
    """One organization and its one token."""

    issues: dict[str, Issue] = field(default_factory=lambda: {"4509877001": Issue(), "1": Issue(), "2": Issue()})
    scopes: set[str] = field(default_factory=lambda: {"event:read", "event:write", "org:read", "project:read", "alerts:read"})
    """Those of the token."""
    integration: Mapping[str, Json] = field(
        default_factory=lambda: {
            "slug": SLUG,
            "name": "Alert Router",
            "uuid": "a1",
            "status": "internal",
            "events": ["issue"],
            "scopes": ["event:read"],
            "isAlertable": True,
            "webhookUrl": "https://alerts.example.com/webhooks/sentry",
        }
    )
    alert_rules: list[Mapping[str, Json]] = field(default_factory=lambda: [alert_rule("Critical errors")])
    failed: list[Mapping[str, Json]] = field(default_factory=list)
    """Webhooks that did not go well, the latest first."""
    has_workflows: bool = True
    """Since 2025; before that projects have rules."""
    loses_answers: bool = False
    """Does what it is asked, but what comes back is a gateway's error."""
    resets_at: int | None = None
    """The budget is used up until then."""
    refuses: int = 0
    """The status with which everything is refused."""
    hangs_seconds: float = 0
    """So long nothing is answered."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if self.resets_at is not None:
            headers = {"X-Sentry-Rate-Limit-Reset": str(self.resets_at)}
            return Response(json.dumps("You are attempting to use this endpoint too quickly."), status=429, headers=headers)
        time.sleep(self.hangs_seconds)
        if self.refuses or request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _json(self.refuses or 401, {"detail": "Invalid token"})
        return self._of_ourselves(request.path) or self._of_others(request)

    def _of_ourselves(self, path: str) -> Response | None:
        """Of the token and the integration."""
        if path == "/api/0/":
            return _json(200, {"version": "0", "auth": {"scopes": sorted(self.scopes)}, "user": None})
        if (scope := _scope_of(path)) and scope not in self.scopes:
            return _json(403, {"detail": "You do not have permission to perform this action."})
        told = self._of_integration(path)
        return None if told is None else _json(200, told)

    def _of_others(self, request: Request) -> Response:
        if (listed := _listed(request.path)) is not None:
            return _json(200, listed) if listed else _json(404, {"detail": "No committers found"})
        answer = self._of_issue(request)
        return Response("upstream went away", status=502) if self.loses_answers and answer.status_code < 300 else answer

    def _of_integration(self, path: str) -> Json:
        """What its own pages ask (getsentry/sentry, sentry_apps/api and workflow_engine/endpoints); None: there is no such page."""
        installation: Json = {
            "uuid": INSTALLATION,
            "app": {"uuid": "a1", "slug": SLUG},
            "organization": {"slug": ORG},
            "status": "installed",
        }
        pages: dict[str, Json] = {
            f"organizations/{ORG}/sentry-apps": [dict(self.integration)] if self.integration else [],
            f"organizations/{ORG}/sentry-app-installations": [installation],
            f"organizations/{ORG}/workflows" if self.has_workflows else "": [dict(one) for one in self.alert_rules],
            "" if self.has_workflows else f"projects/{ORG}/shop-api/rules": [_older(one) for one in self.alert_rules],
            f"sentry-apps/{SLUG}/{'webhook-requests' if self.has_workflows else 'requests'}": [dict(one) for one in self.failed],
        }
        return pages.get(path.removeprefix("/api/0/").strip("/") or "/")

    def _of_issue(self, request: Request) -> Response:
        number, _, rest = request.path.removeprefix(f"/api/0/organizations/{ORG}/issues/").partition("/")
        issue = self.issues.get(number)
        if issue is None:
            return _json(404, {"detail": "The requested resource does not exist"})
        if request.method == "GET":
            return _told(number, issue, rest)
        match request.method, rest:
            case "PUT", "":
                return _change(issue, json.loads(request.get_data()))
            case "POST", "comments/":
                return _comment(issue, json.loads(request.get_data()))
        return _json(405, {"detail": "Method not allowed"})


def _told(number: str, issue: Issue, rest: str) -> Response:
    """What is said of an issue."""
    match rest:
        case "":
            return _json(200, {"id": number, "count": str(issue.count), "userCount": issue.users, "status": issue.status})
        case "events/latest/":
            tags = [{"key": key, "value": value} for key, value in issue.tags.items()]
            return _json(200, {"eventID": "fe628bfa48064c9b97ce7e75a19e6197", "groupID": number, "tags": tags, "entries": []})
        case "comments/":
            return _json(200, [_activity(text) for text in issue.comments])
    return _json(404, {"detail": "The requested resource does not exist"})


def _listed(path: str) -> Json:
    """What is listed beside the issues; None: there is no such list."""
    match path.removeprefix("/api/0/").strip("/").split("/"):
        case ["organizations", org, "projects"] if org == ORG:
            return [{"id": "4506", "slug": "shop-api", "name": "Shop API"}]
        case ["projects", org, "shop-api", "events", _, "owners"] if org == ORG:
            owner = {"type": "team", "id": "2", "name": "checkout"}
            return {"owners": [owner], "rule": ["path", "src/*"], "rules": [["path", "src/*"]]}
        case ["projects", org, "shop-api", "events", event, "committers"] if org == ORG:
            commit = {"id": "a1b2c3d4e5f6", "message": "Round prices\n\nTo two digits.", "suspectCommitType": "via commit in release"}
            author = {"name": "Ann Lee", "email": "ann@example.com"}
            return {"committers": [{"author": author, "commits": [commit]}]} if event != "0" * 32 else {}
    return None


def _change(issue: Issue, changes: Mapping[str, Json]) -> Response:
    if not changes or changes.keys() - {"status", "substatus", "assignedTo"}:
        return _json(400, {"detail": "unknown field"})
    if changes.get("status", "resolved") not in STATUSES or changes.get("substatus", "ongoing") not in SUBSTATUSES:
        return _json(400, {"status": ["is not a valid choice."]})
    assignee = changes.get("assignedTo")
    if assignee is not None and assignee not in MEMBERS:
        return _json(400, {"assignedTo": ["Unknown actor input"]})
    status = str(changes.get("status", issue.status))
    issue.changes += [status] if status != issue.status else []
    issue.changes += ["assigned"] if assignee and assignee != issue.assignee else []
    issue.status = status
    issue.assignee = str(assignee) if assignee else issue.assignee
    return _json(200, {"status": issue.status})


def _comment(issue: Issue, body: Mapping[str, Json]) -> Response:
    text = body.get("text")
    if not isinstance(text, str) or not text.strip() or body.keys() - {"text", "mentions"}:
        return _json(400, {"text": ["This field is required."]})
    issue.comments.insert(0, text)
    return _json(201, _activity(text))


def _activity(text: str) -> Mapping[str, Json]:
    return {"id": "77", "type": "note", "data": {"text": text}, "dateCreated": "2026-03-04T10:15:30Z"}


def _json(status: int, body: Json) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")
