"""Sentry's own API, by requests: an organization, and a token that may change its issues.

Only loaded when a Sentry notifier is opened. It knows neither receivers nor why something is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import TypeVar

import requests
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from notifiers.errors import DeliveryError, RetryableError
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


_Issue = TypeAdapter(Mapping[str, object])
_Comments = TypeAdapter(tuple[Comment, ...])


class Organization:
    """An organization in Sentry. Every method makes one request, and raises DeliveryErrors only."""

    def __init__(self, url: str, slug: str, *, token: SecretStr, timeouts: Timeouts, clock: Clock) -> None:
        self._issues = f"{url.rstrip('/')}/api/0/organizations/{slug}/issues"
        self._token, self._timeouts, self._clock = token, timeouts, clock
        self._session = requests.Session()
        sealed(self._session)

    def change(self, issue: str, changes: Mapping[str, Json]) -> None:
        """Change an issue: `status`, `substatus`, `assignedTo`; a token needs `event:write`.

        https://docs.sentry.io/api/events/update-an-issue/
        """
        self._ask("PUT", f"{issue}/", _Issue, changes)

    def comment(self, issue: str, text: str) -> None:
        """Say something on an issue."""
        self._ask("POST", f"{issue}/comments/", _Issue, {"text": text})

    def comments(self, issue: str) -> Sequence[str]:
        """The latest comments on an issue, newest first."""
        return [str(one.data.get("text") or "") for one in self._ask("GET", f"{issue}/comments/", _Comments)]

    def _ask(self, method: str, path: str, model: TypeAdapter[AnswerT], body: Mapping[str, Json] | None = None) -> AnswerT:
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}", "Accept-Encoding": "identity"}
        with translate_requests_errors(secrets=(self._token,)):
            request = requests.Request(method, f"{self._issues}/{path}", json=body, headers=headers).prepare()
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
