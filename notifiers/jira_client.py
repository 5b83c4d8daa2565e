"""The jira package's client with its wire through our one door, and Jira's answers as types.

Only loaded when a Jira notifier is opened, for jira costs 0.15 s and 21 MB. It knows neither fields nor labels.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import urlencode

import jira
from jira.resilientsession import ResilientSession
from pydantic import AwareDatetime, BaseModel, Field, SecretStr
from requests import Request, Response

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import MAX_BODY_BYTES, Network, read_answer
from notifiers.jira_fields import KnownField, KnownFields
from routing.alert import Json

_CLOUD, _DATA_CENTER = "Cloud", "Server"


class FoundFields(BaseModel):
    """Of an issue's fields those that are asked for."""

    created: AwareDatetime


class FoundIssue(BaseModel):
    """An issue that a search found."""

    key: str
    fields: FoundFields


class _Created(BaseModel):
    key: str = Field(min_length=1)


class _Found(BaseModel):
    issues: tuple[FoundIssue, ...]


class Site:
    """A Jira and an account that is signed in there. Every method raises DeliveryErrors only."""

    def __init__(self, url: str, *, user: str | None, token: SecretStr, network: Network) -> None:
        """`user` is None where the token is a personal access token, which only Data Center has."""
        self.url = url.rstrip("/")
        self._client = _Client(self.url, user, token, network)

    def create(self, fields: Mapping[str, Json]) -> str:
        """Create an issue by one request; return its key."""
        return self._client.create_issue(fields=dict(fields), prefetch=False).key

    def newest(self, query: str) -> Sequence[FoundIssue]:
        """The first five issues that a query finds.

        Cloud has removed the search of Data Center (CHANGE-2046), which does not know Cloud's. What the account lets expect
        is asked first; only where Jira does not know that search, a second request follows.
        """
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
        try:
            return self._client.known_fields()
        except RetryableError as error:
            raise RetryableError(str(error), status_code=error.status_code, retry_after=error.retry_after) from None

    def _search(self, query: str) -> Sequence[FoundIssue]:
        return _Found.model_validate(self._client.search_issues(query, maxResults=5, fields=["created"], json_result=True)).issues


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
        created = self._network.post(str(url), body=str(data).encode(), headers=self._headers, secrets=self._secrets)
        return _response(read_answer(created, _Created, secrets=self._secrets))

    def _got(self, url: str, query: str) -> BaseModel:
        found = self._network.get(f"{url}?{query}" if query else url, headers=self._headers, secrets=self._secrets)
        if len(found.body.encode()) >= MAX_BODY_BYTES:
            raise PermanentError("Jira's answer is longer than 1 MiB; if it is asked for its fields, write their ids in rules.yaml")
        return read_answer(found, KnownFields if url.endswith("/field") else _Found, secrets=self._secrets)


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
