"""Jira's REST API v2 with one project, as Cloud or as Data Center: creates issues by the rules of their screen and finds them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from werkzeug.wrappers import Request, Response

from routing.alert import Json
from tests.notifiers import specs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

USER = "alerts@example.com"
TOKEN = "jira-token-5d81e0"
API = "/rest/api/2"

_JQL = re.compile(r'project = "[A-Z]+" AND labels = "(\S+)"(?: AND statusCategory != Done)? ORDER BY created DESC')

_ISSUE = re.compile(r"/issue/([A-Z]+)-([0-9]+)(/transitions|/comment|/remotelink)?")

_META = re.compile(r"/issue/createmeta/([A-Z][A-Z0-9_]*)/issuetypes(?:/([0-9]+))?")

Fields: TypeAlias = Mapping[str, Json]

_CATEGORIES: Mapping[str, str] = {"To Do": "new", "Doing": "indeterminate", "Done": "done"}
_IDS: Mapping[str, str] = {"Start": "11", "Close": "31", "Reopen": "41"}
_TO: Mapping[str, str] = {"Start": "Doing", "Close": "Done", "Reopen": "To Do"}


SYSTEM_FIELDS: Mapping[str, str] = {
    "summary": "Summary",
    "issuetype": "Issue Type",
    "priority": "Priority",
    "labels": "Labels",
    "components": "Component/s",
    "duedate": "Due date",
    "created": "Created",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """A field that an administrator has added."""

    name: str
    takes: Literal["text", "number", "texts", "choice"] = "text"
    is_required: bool = False


@dataclass(slots=True, kw_only=True)
class Jira:
    """One site."""

    now: datetime
    is_cloud: bool = True
    projects: tuple[str, ...] = ("OPS",)
    issues: list[Fields] = field(default_factory=list)
    """The fields of each, in the order of their keys."""
    screen: set[str] = field(default_factory=lambda: {"project", "issuetype", "summary", "description", "labels", "priority", "components"})
    priorities: tuple[str, ...] = ("Highest", "High", "Medium", "Low")
    issue_types: tuple[str, ...] = ("Bug", "Task")
    custom: dict[str, CustomField] = field(default_factory=dict)
    """By id; all are on the screen."""
    loses_answers: bool = False
    """Does what it is asked, but what comes back is a gateway's error."""
    loses_answers_to: str = ""
    """The same, of one part of an issue: `/comment`."""
    search_lags: bool = False
    states: dict[int, str] = field(default_factory=dict)
    """By number of the issue where it stands, if that is not `To Do`."""
    resolutions: dict[int, str] = field(default_factory=dict)
    comments: dict[int, list[str]] = field(default_factory=dict)
    links: dict[int, dict[str, Fields]] = field(default_factory=dict)
    """Of each issue the pages to which it links, by global id."""
    refuses_links: bool = False
    moved: dict[int, str] = field(default_factory=dict)
    """By number of the issue the key that it has since it was moved to another project."""
    changes: list[str] = field(default_factory=list)
    """Where issues were moved, and that was not told yet."""
    is_too_much: bool = False
    deleted: set[int] = field(default_factory=set)
    workflow: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"To Do": ("Start", "Close"), "Doing": ("Close",), "Done": ("Reopen",)}
    )
    """By status the transitions from it."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if self.is_too_much:
            return Response("", status=429, headers={"Retry-After": "5"})
        if request.headers.get("Authorization") != self._authorization():
            return _refusal(401, "You are not authenticated. Authentication required to perform this operation.")
        return self._general(request) or self._particular(request)

    def _general(self, request: Request) -> Response | None:
        match request.method, request.path.removeprefix(API):
            case "POST", "/issue":
                return self._create(request)
            case "GET", "/search/jql" | "/search" as path:
                return self._search(request, path)
            case "GET", "/serverInfo":
                return _json(200, {"deploymentType": "Cloud" if self.is_cloud else "Server", "versionNumbers": [9, 12, 0]})
            case "GET", "/field":
                names = {**SYSTEM_FIELDS, **{id_: custom.name for id_, custom in self.custom.items()}}
                return _json(200, [{"id": id_, "name": name, "clauseNames": [id_]} for id_, name in names.items()])
            case "GET", "/myself":
                return self._unless_unfit(request, {"displayName": "Alert Router", "active": True, "accountId": "5b10a2844c20165700ede21g"})
        return None

    def _particular(self, request: Request) -> Response:
        if meta := _META.fullmatch(request.path.removeprefix(API)):
            return self._meta(request, meta[1], meta[2])
        found = _ISSUE.fullmatch(request.path.removeprefix(API))
        return (
            self._of_issue(request, self._number(found[1], int(found[2])), found[3] or "")
            if found
            else Response("<html><body>404 Not Found</body></html>", status=404, content_type="text/html")
        )

    def _meta(self, request: Request, project: str, issue_type: str | None) -> Response:
        """https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issues/, createmeta of a project."""
        if project not in self.projects:
            return _refusal(404, f"No project could be found with key or id '{project}'.")
        if issue_type is None:
            types: Json = [{"id": str(number), "name": name, "subtask": False} for number, name in enumerate(self.issue_types, start=1)]
            return self._unless_unfit(request, {"issueTypes" if self.is_cloud else "values": types, "total": len(self.issue_types)})
        fields = [self._described(id_, name) for id_, name in SYSTEM_FIELDS.items() if id_ in self.screen]
        fields += [_field(id_, one.name, is_required=one.is_required) for id_, one in self.custom.items()]
        return self._unless_unfit(request, {"fields" if self.is_cloud else "values": list(fields), "total": len(fields)})

    def _described(self, id_: str, name: str) -> Fields:
        described = _field(id_, name, is_required=id_ in {"summary", "issuetype"})
        return {**described, "allowedValues": [{"name": one} for one in self.priorities]} if id_ == "priority" else described

    def _unless_unfit(self, request: Request, answer: Fields) -> Response:
        fault = _openapi_fault(request) if self.is_cloud and specs.present() else None
        return _refusal(400, fault) if fault else _json(200, answer)

    def _of_issue(self, request: Request, number: int, part: str) -> Response:
        """https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issues/."""
        if not 0 < number <= len(self.issues) or number in self.deleted:
            return _refusal(404, "Issue does not exist or you do not have permission to see it.")
        fault = _openapi_fault(request) if self.is_cloud and specs.present() else None
        return _refusal(400, fault) if fault else self._do(request, number, part)

    def _do(self, request: Request, number: int, part: str) -> Response:
        if request.method == "GET":
            return self._told(number, part)
        match request.method, part:
            case "POST", "/transitions":
                return self._move(number, json.loads(request.get_data()))
            case "POST", "/comment":
                self.comments.setdefault(number, []).append(json.loads(request.get_data())["body"])
                return self._unless_lost(_json(201, {"id": str(len(self.comments[number]))}), part)
            case "POST", "/remotelink":
                return self._link(number, json.loads(request.get_data()))
        return _refusal(405, "Method Not Allowed")

    def _told(self, number: int, part: str) -> Response:
        said = list(reversed(self.comments.get(number, [])))
        told: Mapping[str, Json] = {
            "": self._found(number),
            "/transitions": {"transitions": [_transition(name) for name in self.workflow[self._state(number)]]},
            "/comment": {"comments": [{"id": "1", "body": body} for body in said], "total": len(said)},
        }
        return _json(200, told[part])

    def _move(self, number: int, body: Mapping[str, Fields]) -> Response:
        wanted = body["transition"]["id"]
        offered = {_IDS[name]: name for name in self.workflow[self._state(number)]}
        if wanted not in offered:
            return _refusal(400, f"It is not possible to transition with id '{wanted}'.")
        self.states[number] = _TO[offered[str(wanted)]]
        self.changes.append(self.states[number])
        self.resolutions.pop(number, None)
        if self.states[number] == "Done":
            self.resolutions[number] = "Done"
        return self._unless_lost(Response(status=204), "/transitions")

    def _link(self, number: int, body: Fields) -> Response:
        if self.refuses_links:
            return _refusal(403, "You do not have permission to link issues.")
        known = self.links.setdefault(number, {})
        status = 200 if body["globalId"] in known else 201
        known[str(body["globalId"])] = body
        return _json(status, {"id": 10_000, "self": "https://your-domain.atlassian.net/rest/api/issue/OPS-1/remotelink/10000"})

    def _unless_lost(self, answer: Response, part: str = "") -> Response:
        lost = Response("<html><body>502 Bad Gateway</body></html>", status=502, content_type="text/html")
        return lost if self.loses_answers or (part and part == self.loses_answers_to) else answer

    def _number(self, project: str, number: int) -> int:
        """That by which an issue is kept, whatever its key is by now."""
        return next((kept for kept, key in self.moved.items() if key == f"{project}-{number}"), number)

    def _state(self, number: int) -> str:
        return self.states.get(number, "To Do")

    def _authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode() if self.is_cloud else f"Bearer {TOKEN}"

    def _create(self, request: Request) -> Response:
        body: Mapping[str, Fields] = json.loads(request.get_data())
        if errors := self._objections(body["fields"]) or _spec_fault(request, body, is_cloud=self.is_cloud):
            return _json(400, {"errorMessages": [], "errors": errors})
        self.issues.append(body["fields"])
        number = len(self.issues)
        address = f"{request.host_url}rest/api/2/issue/{10_000 + number}"
        return self._unless_lost(_json(201, {"id": str(10_000 + number), "key": f"OPS-{number}", "self": address}))

    def _objections(self, fields: Fields) -> dict[str, str]:
        summary, description = str(fields.get("summary", "")), str(fields.get("description", ""))
        checks = {
            "project": (fields.get("project") not in [{"key": key} for key in self.projects], "valid project is required"),
            "issuetype": (_name(fields.get("issuetype")) not in self.issue_types, "Specify a valid issue type"),
            "summary": (not 0 < len(summary) <= 255 or "\n" in summary, "Summary must be one line of at most 255 characters."),
            "description": (len(description) > 32_767, "The entered text is too long. It exceeds the allowed limit of 32,767 characters."),
            "labels": (any(" " in str(label) for label in _list(fields.get("labels"))), "The label contains spaces which is invalid."),
            "priority": ("priority" in fields and _name(fields["priority"]) not in self.priorities, "The priority selected is invalid."),
        }
        hidden = fields.keys() - self.screen - self.custom.keys()
        return {
            **{name: text for name, (applies, text) in checks.items() if applies},
            **{id_: text for id_, custom in self.custom.items() if (text := _custom_fault(custom, fields.get(id_)))},
            **{name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown." for name in sorted(hidden)},
        }

    def _search(self, request: Request, path: str) -> Response:
        if path == "/search" and self.is_cloud:
            return _refusal(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")
        if path == "/search/jql" and not self.is_cloud:
            return _no_page()
        if self.is_cloud and specs.present() and (fault := _openapi_fault(request)):
            return _refusal(400, fault)
        query = _JQL.fullmatch(request.args["jql"])
        if not query:
            return _refusal(400, f"Error in the JQL Query: {request.args['jql']}")
        found = [number for number, fields in enumerate(self.issues, start=1) if query[1] in _list(fields.get("labels"))]
        found = [number for number in found if number not in self.deleted | self.moved.keys()]
        return _json(200, {"issues": [] if self.search_lags else [self._found(number) for number in reversed(found)]})

    def _found(self, number: int) -> Json:
        created = self.now + timedelta(seconds=number)
        resolution = self.resolutions.get(number)
        fields: Fields = {
            "created": f"{created:%Y-%m-%dT%H:%M:%S}.000+0000",
            "status": _status(self._state(number)),
            "resolution": {"name": resolution} if resolution else None,
        }
        return {"id": str(10_000 + number), "key": self.moved.get(number, f"OPS-{number}"), "fields": fields}


def _status(name: str) -> Fields:
    return {"name": name, "statusCategory": {"key": _CATEGORIES[name]}}


def _transition(name: str) -> Fields:
    return {"id": _IDS[name], "name": name, "to": _status(_TO[name])}


def _field(id_: str, name: str, *, is_required: bool) -> Fields:
    return {"fieldId": id_, "key": id_, "name": name, "required": is_required, "hasDefaultValue": False, "operations": ["set"]}


def _custom_fault(custom: CustomField, value: Json) -> str | None:
    """What is wrong with it, in Jira's words; nothing if it may be absent."""
    if value is None:
        return f"{custom.name} is required." if custom.is_required else None
    chosen = {name for name, text in value.items() if isinstance(text, str)} if isinstance(value, Mapping) else set()
    judged = {
        "text": (isinstance(value, str), "Operation value must be a string"),
        "number": (isinstance(value, int | float), "Operation value must be a number"),
        "texts": (isinstance(value, list) and all(isinstance(one, str) for one in value), "data was not an array"),
        "choice": (bool(chosen & {"id", "value"}), "Could not find valid 'id' or 'value' in the Parent Option object."),
    }
    fits, fault = judged[custom.takes]
    return None if fits else fault


def _name(value: Json) -> Json:
    return value.get("name") if isinstance(value, Mapping) else None


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _spec_fault(request: Request, body: Mapping[str, Fields], *, is_cloud: bool) -> dict[str, str]:
    if not specs.present():
        return {}
    # The strict schema knows none of Jira's own fields but those that every issue has from us.
    known = {name: value for name, value in body["fields"].items() if name != "duedate"}
    fault = specs.schema_fault({"fields": known}, "jira/create-issue.strict.schema.json") or (is_cloud and _openapi_fault(request))
    return {"specification": fault} if fault else {}


def _openapi_fault(request: Request) -> str | None:
    """What Cloud's specification has against a request; there is none of Data Center."""
    return specs.openapi_fault(
        "jira/jira-cloud-v2.derived.openapi.json",
        host="https://your-domain.atlassian.net",
        path=request.path,
        method=request.method.lower(),
        query=request.args.to_dict(),
        body=request.get_data(),
        headers=dict(request.headers),
    )


def _no_page() -> Response:
    return Response("<html><body>404 Not Found</body></html>", status=404, content_type="text/html")


def _refusal(status: int, message: str) -> Response:
    return _json(status, {"errorMessages": [message], "errors": {}})


def _json(status: int, content: Json) -> Response:
    return Response(json.dumps(content), status=status, content_type="application/json")
