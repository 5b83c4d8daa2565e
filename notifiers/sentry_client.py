"""Sentry's own API, by requests: an organization, and a token that may change its issues.

Only loaded when a Sentry notifier is opened. It knows neither receivers nor why something is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import requests
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from notifiers.errors import DeliveryError, PermanentError, RetryableError
from notifiers.http import LONGEST_RETRY_AFTER, MAX_BODY_BYTES, Timeouts, error_of, excerpt, sealed, translate_requests_errors
from notifiers.notifier import Clock
from routing.alert import Json

RESET = "X-Sentry-Rate-Limit-Reset"
"""When to come back, in seconds since 1970, UTC."""

AnswerT = TypeVar("AnswerT")


class Comment(BaseModel):
    """A comment on an issue, among all else that happened to it."""

    id: str
    data: Mapping[str, object]


class Issue(BaseModel):
    """How an issue stands."""

    count: int
    userCount: int = 0  # noqa: N815 - the names are Sentry's


class _Tag(BaseModel):
    key: str
    value: str


class LatestEvent(BaseModel):
    """The latest event of an issue."""

    eventID: str  # noqa: N815 - the name is Sentry's
    tags: tuple[_Tag, ...] = ()


class _Project(BaseModel):
    id: str
    slug: str


class _Auth(BaseModel):
    scopes: frozenset[str] = frozenset()


class _Index(BaseModel):
    auth: _Auth | None = None


class _Author(BaseModel):
    name: str | None = None
    email: str | None = None


class _Commit(BaseModel):
    id: str
    message: str | None = None


class Committer(BaseModel):
    """Who has probably caused an event, by which commits."""

    author: _Author | None = None
    commits: tuple[_Commit, ...] = ()


class Committers(BaseModel):
    """All of them."""

    committers: tuple[Committer, ...] = ()


class _Owner(BaseModel):
    name: str = ""


class Owners(BaseModel):
    """Who owns an event."""

    owners: tuple[_Owner, ...] = ()


_Anything = TypeAdapter(Mapping[str, object])
_Comments = TypeAdapter(tuple[Comment, ...])
_Issue, _LatestEvent, _Projects = TypeAdapter(Issue), TypeAdapter(LatestEvent), TypeAdapter(tuple[_Project, ...])
_INDEX = TypeAdapter(_Index)
_Committers, _Owners = TypeAdapter(Committers), TypeAdapter(Owners)


class Organization:
    """An organization in Sentry. Every method makes one request, and raises DeliveryErrors only."""

    def __init__(self, url: str, slug: str, *, token: SecretStr, timeouts: Timeouts, clock: Clock) -> None:
        self._api, self.slug = f"{url.rstrip('/')}/api/0", slug
        self._issues = f"organizations/{slug}/issues"
        self._token, self._timeouts, self._clock = token, timeouts, clock
        self._session = requests.Session()
        sealed(self._session)

    def change(self, issue: str, changes: Mapping[str, Json]) -> None:
        """Change an issue: `status`, `substatus`, `assignedTo`; a token needs `event:write`.

        https://docs.sentry.io/api/events/update-an-issue/
        """
        self._ask("PUT", f"{self._issues}/{issue}/", _Anything, changes)

    def comment(self, issue: str, text: str) -> None:
        """Say something on an issue."""
        self._ask("POST", f"{self._issues}/{issue}/comments/", _Anything, {"text": text})

    def comments(self, issue: str) -> Sequence[str]:
        """The latest comments on an issue, newest first."""
        return [str(one.data.get("text") or "") for one in self._ask("GET", f"{self._issues}/{issue}/comments/", _Comments)]

    def issue(self, issue: str) -> Issue:
        """How an issue stands; what only asks needs `event:read`: https://docs.sentry.io/api/events/retrieve-an-issue/."""
        return self._ask("GET", f"{self._issues}/{issue}/", _Issue)

    def latest_event(self, issue: str) -> LatestEvent:
        """The latest event of an issue: https://docs.sentry.io/api/events/retrieve-an-issue-event/."""
        return self._ask("GET", f"{self._issues}/{issue}/events/latest/", _LatestEvent)

    def projects(self) -> Mapping[str, str]:
        """By number the slug of each project, the first hundred of them; needs `project:read`."""
        return {one.id: one.slug for one in self._ask("GET", f"organizations/{self.slug}/projects/", _Projects)}

    def scopes(self) -> frozenset[str] | None:
        """Those of the token; None if Sentry does not say. Its API's first page tells them, its documentation does not name it."""
        index = self.read("", _INDEX)
        return index.auth.scopes if index.auth else None

    def read(self, path: str, model: TypeAdapter[AnswerT]) -> AnswerT:
        """Ask for what is at a path below `/api/0/`."""
        return self._ask("GET", path, model)

    def committers(self, project: str, event: str) -> Sequence[Committer]:
        """Who has probably caused an event, the likeliest first; Sentry's own pages ask so, its documentation does not name it."""
        return self._asked_of_event(project, event, "committers", _Committers, Committers()).committers

    def owners(self, project: str, event: str) -> Sequence[str]:
        """Who owns an event by the project's ownership rules, by name; as `committers`."""
        return [owner.name for owner in self._asked_of_event(project, event, "owners", _Owners, Owners()).owners]

    def _asked_of_event(self, project: str, event: str, what: str, model: TypeAdapter[AnswerT], none: AnswerT) -> AnswerT:
        try:
            return self._ask("GET", f"projects/{self.slug}/{quote(project, safe='')}/events/{quote(event, safe='')}/{what}/", model)
        except PermanentError as error:
            if error.status_code == HTTPStatus.NOT_FOUND:  # so it says that there are none
                return none
            raise

    def _ask(self, method: str, path: str, model: TypeAdapter[AnswerT], body: Mapping[str, Json] | None = None) -> AnswerT:
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}", "Accept-Encoding": "identity"}
        with translate_requests_errors(secrets=(self._token,)):
            request = requests.Request(method, f"{self._api}/{path}", json=body, headers=headers).prepare()
            # As it comes, and not beyond what any vendor answers.
            with self._session.send(request, timeout=self._timeouts, allow_redirects=False, stream=True) as answer:
                text = answer.raw.read(MAX_BODY_BYTES).decode("utf-8", "replace")
        if refusal := error_of(answer.status_code, answer.headers, text, secrets=(self._token,)):
            raise self._with_reset(refusal, answer.headers)
        try:
            return model.validate_json(text)
        except ValidationError:
            said = f"HTTP {answer.status_code}, but not Sentry's answer: {excerpt(text, (self._token,)) or 'empty'}"
            raise RetryableError(said, status_code=answer.status_code, ambiguous=True) from None

    def _with_reset(self, refusal: DeliveryError, headers: Mapping[str, str]) -> DeliveryError:
        """Sentry says with a 429 not how long to wait, but when to come back: https://docs.sentry.io/api/ratelimits/."""
        reset = headers.get(RESET, "")
        if refusal.status_code != HTTPStatus.TOO_MANY_REQUESTS or "Retry-After" in headers or not (reset.isascii() and reset.isdecimal()):
            return refusal
        wait = timedelta(seconds=int(reset[:11]) - self._clock().timestamp())
        wish = max(timedelta(seconds=1), min(wait, LONGEST_RETRY_AFTER))
        return RetryableError(str(refusal), status_code=refusal.status_code, retry_after=wish)
