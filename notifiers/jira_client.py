"""The jira package's client with its wire through our one door, and Jira's answers as types.

Only loaded when a Jira notifier is opened, for jira costs 0.15 s and 21 MB. It knows neither fields nor labels.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlencode

import jira
from jira.resilientsession import ResilientSession
from pydantic import AwareDatetime, BaseModel, Field, SecretStr
from requests import Request, Response

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import MAX_BODY_BYTES, AnswerT, Network, read_answer
from notifiers.jira_fields import KnownField, KnownFields
from routing.alert import Json
from routing.jira_webhooks import DONE

_CLOUD, _DATA_CENTER = "Cloud", "Server"
_FIELDS = ("created", "status", "resolution")


class _Named(BaseModel):
    name: str = ""


class _Category(BaseModel):
    key: str


class Status(BaseModel):
    """Where an issue stands."""

    name: str = ""
    statusCategory: _Category  # noqa: N815 - the name is Jira's


class FoundFields(BaseModel):
    """Of an issue's fields those that are asked for."""

    created: AwareDatetime
    status: Status | None = None
    resolution: _Named | None = None


class FoundIssue(BaseModel):
    """An issue as it is now."""

    key: str
    fields: FoundFields

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.fields.status is not None and self.fields.status.statusCategory.key == DONE

    @property
    def resolution(self) -> str | None:
        """How it was closed, by name."""
        return self.fields.resolution.name if self.fields.resolution else None


class _Transition(BaseModel):
    id: str
    name: str
    to: Status


class _Transitions(BaseModel):
    transitions: tuple[_Transition, ...]


class _Made(BaseModel):
    """A comment, or a link."""

    id: str | int


class _Comment(BaseModel):
    body: str = ""


class _Comments(BaseModel):
    comments: tuple[_Comment, ...]


class _Nothing(BaseModel):
    """What Jira answers to a transition."""


class _Created(BaseModel):
    key: str = Field(min_length=1)


class _Found(BaseModel):
    issues: tuple[FoundIssue, ...]


class _Myself(BaseModel):
    displayName: str = ""  # noqa: N815 - the name is Jira's


class _IssueType(_Named):
    id: str


class _IssueTypes(BaseModel):
    """Data Center calls them values."""

    issueTypes: tuple[_IssueType, ...] = ()  # noqa: N815 - the name is Jira's
    values: tuple[_IssueType, ...] = ()


class _Allowed(_Named):
    value: str = ""


class FieldNeeds(BaseModel):
    """A field that an issue of a type may have in a project."""

    fieldId: str  # noqa: N815 - the names are Jira's
    name: str = ""
    required: bool = False
    hasDefaultValue: bool = False  # noqa: N815
    allowedValues: tuple[_Allowed, ...] = ()  # noqa: N815

    @property
    def id(self) -> str:
        """As fields are called elsewhere."""
        return self.fieldId

    @property
    def allowed_names(self) -> tuple[str, ...]:
        """By name what it may hold; none if anything."""
        return tuple(one.name or one.value for one in self.allowedValues)


class _FieldsNeeded(BaseModel):
    """As `_IssueTypes`."""

    fields: tuple[FieldNeeds, ...] = ()
    values: tuple[FieldNeeds, ...] = ()


class Site:
    """A Jira and an account that is signed in there. Every method raises DeliveryErrors only."""

    def __init__(self, url: str, *, user: str | None, token: SecretStr, network: Network) -> None:
        """`user` is None where the token is a personal access token, which only Data Center has."""
        self.url = url.rstrip("/")
        self._client = _Client(self.url, user, token, network)

    def create(self, fields: Mapping[str, Json]) -> str:
        """Create an issue by one request; return its key."""
        return self._client.create_issue(fields=dict(fields), prefetch=False).key

    def issue(self, key: str) -> FoundIssue:
        """An issue as it is now.

        Raises:
            PermanentError: with status 404, if there is none of this key or the account may not see it.
        """
        return FoundIssue.model_validate(self._client.issue(key, fields=",".join(_FIELDS)).raw)

    def move(self, key: str, *, to_done: bool, name: str | None) -> str:
        """Take an issue through the transition of this name, or without a name through the first one that leads there; its name.

        Raises:
            PermanentError: the issue has no such transition now; says which it has.
        """
        found = _Transitions(transitions=self._client.transitions(key)).transitions
        fitting = [one for one in found if one.name == name] or [
            one for one in found if name is None and (one.to.statusCategory.key == DONE) is to_done
        ]
        if not fitting:
            option = "resolve_transition" if to_done else "reopen_transition"
            offered = ", ".join(one.name for one in found) or "none"
            wanted = f'no transition "{name}"' if name else f"no transition that {'closes' if to_done else 'reopens'} it"
            raise PermanentError(f"{key} has {wanted} now; write one of those that it has as `{option}`: {offered}")
        self._client.move(key, fitting[0].id)
        return fitting[0].name

    def comment(self, key: str, body: str) -> None:
        """Say something on an issue."""
        self._client.add_comment(key, body)

    def comments(self, key: str) -> Sequence[str]:
        """What was said last on an issue, the latest first.

        Raises:
            RetryableError: never ambiguous, for nothing is said by asking.
        """
        with _only_asked():
            return [one.body for one in self._client.latest_comments(key)]

    def link(self, key: str, global_id: str, *, url: str, title: str) -> None:
        """Let an issue link to a page; one link for each global id, however often.

        https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issue-remote-links/#api-rest-api-2-issue-issueidorkey-remotelink-post
        """
        self._client.link(key, {"globalId": global_id, "object": {"url": url, "title": title}})

    def newest(self, query: str) -> Sequence[FoundIssue]:
        """The first five issues that a query finds.

        Raises:
            RetryableError: never ambiguous, for nothing is made by asking.

        Cloud has removed the search of Data Center (CHANGE-2046), which does not know Cloud's. What the account lets expect
        is asked first; only where Jira does not know that search, a second request follows.
        """
        with _only_asked():
            try:
                return self._search(query)
            except PermanentError as error:
                if error.status_code not in {404, 405, 410}:
                    raise
            self._client.deploymentType = _DATA_CENTER if self._client.deploymentType == _CLOUD else _CLOUD
            return self._search(query)

    def known_fields(self) -> Sequence[KnownField]:
        """All fields of this Jira.

        Raises:
            RetryableError: never ambiguous, for nothing is created by asking.
        """
        with _only_asked():
            return self._client.known_fields()

    def myself(self) -> str:
        """By name the account that is signed in; never ambiguous, as the two below."""
        with _only_asked():
            return self._client.asked("myself", _Myself).displayName

    def issue_types(self, project: str) -> Mapping[str, str]:
        """By name the ids of the first two hundred types of issues that may be created in a project."""
        with _only_asked():
            found = self._client.asked(f"issue/createmeta/{project}/issuetypes", _IssueTypes, maxResults="200")
        return {one.name: one.id for one in (*found.issueTypes, *found.values)}

    def fields_of(self, project: str, issue_type: str) -> Sequence[FieldNeeds]:
        """The first two hundred fields that an issue of a type, by its id, may have."""
        with _only_asked():
            found = self._client.asked(f"issue/createmeta/{project}/issuetypes/{issue_type}", _FieldsNeeded, maxResults="200")
        return (*found.fields, *found.values)

    def _search(self, query: str) -> Sequence[FoundIssue]:
        return _Found.model_validate(self._client.search_issues(query, maxResults=5, fields=list(_FIELDS), json_result=True)).issues


@contextmanager
def _only_asked() -> Iterator[None]:
    """Whatever has failed, nothing was done by it."""
    try:
        yield
    except RetryableError as error:
        raise RetryableError(str(error), status_code=error.status_code, retry_after=error.retry_after) from None


class _Client(jira.JIRA):
    """Left alone it retries a POST, follows redirects, waits for ever, asks for serverInfo and logs answers as they came.

    Not all of that can be switched off, so its session is replaced, which is a private attribute: the tests say if it is not used.
    """

    def __init__(self, url: str, user: str | None, token: SecretStr, network: Network) -> None:
        secret = token.get_secret_value()
        super().__init__(
            url,
            options={"rest_api_version": "2"},
            basic_auth=(_as_latin_1(user), _as_latin_1(secret)) if user else None,
            token_auth=None if user else secret,
            timeout=network.timeouts,
            max_retries=0,
            get_server_info=False,
            logging=False,
        )
        self.deploymentType = _CLOUD if user else _DATA_CENTER
        on_the_wire = base64.b64encode(f"{user}:{secret}".encode()).decode()
        self._session = _Door(self._session, network, (token, SecretStr(on_the_wire)))

    def fields(self) -> list[dict[str, Json]]:
        """Nothing: a search would fetch the names of all fields first, to translate those that it is asked for."""
        return []

    def move(self, key: str, transition: str) -> None:
        # Not by transition_issue(), which makes a number of the id; Jira documents a text.
        self._session.post(self._get_url(f"issue/{key}/transitions"), data=json.dumps({"transition": {"id": transition}}))

    def latest_comments(self, key: str) -> Sequence[_Comment]:
        answer = self._session.get(self._get_url(f"issue/{key}/comment"), params={"orderBy": "-created", "maxResults": "50"})
        return _Comments.model_validate(answer.json()).comments

    def link(self, key: str, body: Mapping[str, Json]) -> None:
        # Not by add_remote_link(), which asks for all application links first.
        self._session.post(self._get_url(f"issue/{key}/remotelink"), data=json.dumps(body))

    def asked(self, path: str, model: type[AnswerT], **params: str) -> AnswerT:
        return model.model_validate(self._session.get(self._get_url(path), params=params).json())

    def known_fields(self) -> Sequence[KnownField]:
        return KnownFields.model_validate(super().fields()).root


class _Door(ResilientSession):
    """Gives `Network` what the client sends, and the client that part of a yes which is understood; a no it never sees.

    Whatever a session of requests sends passes through its `request`. An adapter further down would do too, but what requests
    does until there costs 0.3 ms an issue.
    """

    def __init__(self, signed_in: ResilientSession, network: Network, secrets: Sequence[SecretStr]) -> None:
        super().__init__()
        any_request = Request("GET", "https://jira.invalid", headers=signed_in.headers, auth=signed_in.auth).prepare()
        # Network does not unpack what was compressed.
        self._headers = {**any_request.headers, "Accept-Encoding": "identity"}
        self._network, self._secrets = network, secrets

    def request(
        self, method: str | bytes, url: str | bytes, *_: object, params: object = None, data: object = None, **__: object
    ) -> Response:
        if method == "GET":
            return _response(self._got(str(url), _query(params)))
        answer = self._network.post(str(url), body=str(data).encode(), headers=self._headers, secrets=self._secrets)
        if str(url).endswith("/transitions"):
            return _response(_Nothing())
        made = _Made if str(url).endswith(("/comment", "/remotelink")) else _Created
        return _response(read_answer(answer, made, secrets=self._secrets))

    def _got(self, url: str, query: str) -> BaseModel:
        found = self._network.get(f"{url}?{query}" if query else url, headers=self._headers, secrets=self._secrets)
        if len(found.body.encode()) >= MAX_BODY_BYTES:
            raise PermanentError("Jira's answer is longer than 1 MiB; if it is asked for its fields, write their ids in rules.yaml")
        return read_answer(found, _answer_of(url), secrets=self._secrets)


def _answer_of(url: str) -> type[BaseModel]:
    """What Jira answers to a question."""
    path = url.rpartition("/rest/api/")[2]
    if path.endswith("/field"):
        return KnownFields
    if "/search" in path:
        return _Found
    if path.endswith("/comment"):
        return _Comments
    if "/createmeta/" in path:
        return _IssueTypes if path.endswith("/issuetypes") else _FieldsNeeded
    if path.endswith("/myself"):
        return _Myself
    return _Transitions if path.endswith("/transitions") else FoundIssue


def _response(answer: BaseModel) -> Response:
    response = Response()
    response.status_code = HTTPStatus.OK
    response.raw = io.BytesIO(answer.model_dump_json().encode())
    return response


def _query(params: object) -> str:
    named = params.items() if isinstance(params, Mapping) else ()
    return urlencode([(name, value) for name, value in named if value is not None], doseq=True)


def _as_latin_1(text: str) -> str:
    """What requests, which encodes credentials as Latin-1, sends as UTF-8."""
    return text.encode().decode("latin-1")
