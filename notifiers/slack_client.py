"""slack_sdk's two clients with their wire through our one door, and Slack's answers as types.

Only loaded when a Slack notifier is opened, for slack_sdk costs 0.13 s and 17 MB. It knows no layout.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from itertools import islice
from math import ceil
from typing import Protocol
from urllib.request import Request

from pydantic import BaseModel, Field, SecretStr
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse
from slack_sdk.webhook import WebhookClient, WebhookResponse

from notifiers.errors import DeliveryError, PermanentError, RetryableError
from notifiers.http import Network, Response, excerpt, read_answer, retry_after
from routing.alert import Json

# https://docs.slack.dev/reference/methods/chat.postMessage#errors
_PASSING_ERRORS = frozenset({"rate_limited", "ratelimited", "request_timeout", "service_unavailable", "team_added_to_org"})
_UNCERTAIN_ERRORS = frozenset({"fatal_error", "internal_error"})
"""Slack says of these that some aspect of the operation may have succeeded."""

_PAGES = 10


class _Post(Protocol):
    """One of the ways in which `Network` posts."""

    def __call__(self, url: str, *, body: bytes, headers: Mapping[str, str], secrets: Sequence[SecretStr] = ()) -> Response: ...


class Metadata(BaseModel):
    """Where the next page begins."""

    next_cursor: str = ""


class Message(BaseModel):
    """A message in a channel's history."""

    ts: str
    thread_ts: str | None = None
    metadata: dict[str, object] | None = None


class Channel(BaseModel):
    """A channel, by itself or in the list of channels."""

    id: str
    name: str = ""
    is_archived: bool = False
    is_member: bool = False
    """Whether the bot is in it."""
    is_private: bool = False
    is_im: bool = False


class Identity(BaseModel):
    """Whose token it is."""

    user: str = ""
    team: str = ""
    scopes: frozenset[str] = frozenset()
    """None if Slack does not say."""


class UserGroup(BaseModel):
    """People whom a workspace calls by one name."""

    id: str
    handle: str = ""
    users: list[str] = Field(default_factory=list)


class Answer(BaseModel):
    """What any method of the Web API answers, as far as it is read here."""

    ok: bool
    error: str = "unknown_error"
    user: str = ""
    team: str = ""
    channel: str | Channel | None = None
    ts: str | None = None
    messages: list[Message] = Field(default_factory=list)
    channels: list[Channel] = Field(default_factory=list)
    usergroups: list[UserGroup] = Field(default_factory=list)
    response_metadata: Metadata = Field(default_factory=Metadata)

    @property
    def channel_id(self) -> str | None:
        """Of the channel that it is about."""
        return self.channel.id if isinstance(self.channel, Channel) else self.channel


class Bot:
    """The Web API for one bot token. Every method raises DeliveryErrors only; a refusal's `answer` is Slack's error."""

    def __init__(self, token: SecretStr, api_url: str, network: Network) -> None:
        self._client = _WebClient(token, api_url, network)

    def post_message(self, payload: Mapping[str, Json]) -> Answer:
        """Post one message."""
        with _translate_refusals("chat.postMessage"):
            return _answer(self._client.api_call("chat.postMessage", json=dict(payload)))

    def identity(self) -> Identity:
        """Whose token it is, and its scopes: https://docs.slack.dev/reference/methods/auth.test."""
        with _translate_refusals("auth.test"):
            response = self._client.auth_test()
        said = {name.lower(): str(value) for name, value in response.headers.items()}.get("x-oauth-scopes", "")
        scopes = {scope.strip() for scope in said.split(",")} - {""}
        answer = _answer(response)
        return Identity(user=answer.user, team=answer.team, scopes=frozenset(scopes))

    def channel(self, channel: str) -> Channel | None:
        """A channel by its id, as it is now: https://docs.slack.dev/reference/methods/conversations.info."""
        with _translate_refusals("conversations.info"):
            found = _answer(self._client.conversations_info(channel=channel)).channel
        return found if isinstance(found, Channel) else None

    def every_channel(self, kinds: Sequence[str]) -> Iterator[Answer]:
        """As `channels`, of these kinds, and with those that are archived."""
        with _translate_refusals("conversations.list"):
            yield from _pages(self._client.conversations_list(types=",".join(kinds), exclude_archived=False, limit=200))

    def post_ephemeral(self, payload: Mapping[str, Json]) -> None:
        """Tell one person in a channel: https://docs.slack.dev/reference/methods/chat.postEphemeral."""
        with _translate_refusals("chat.postEphemeral"):
            self._client.api_call("chat.postEphemeral", json=dict(payload))

    def user_groups(self) -> Sequence[UserGroup]:
        """All user groups with their members; needs the scope usergroups:read."""
        with _translate_refusals("usergroups.list"):
            return _answer(self._client.usergroups_list(include_users=True)).usergroups

    def update_message(self, payload: Mapping[str, Json]) -> Answer:
        """Change one message."""
        with _translate_refusals("chat.update"):
            return _answer(self._client.api_call("chat.update", json=dict(payload)))

    def replies(self, channel: str, thread: str, *, oldest: str) -> Iterator[Answer]:
        """The messages of a thread since `oldest`, in pages, with their metadata; as `history`."""
        with _translate_refusals("conversations.replies"):
            yield from _pages(
                self._client.conversations_replies(channel=channel, ts=thread, oldest=oldest, include_all_metadata=True, limit=100)
            )

    def history(self, channel: str, *, oldest: str) -> Iterator[Answer]:
        """The newest two thousand messages of a channel since `oldest`, in pages, with their metadata.

        Raises:
            PermanentError: also behind the last page, if there are more.
        """
        with _translate_refusals("conversations.history"):
            yield from _pages(self._client.conversations_history(channel=channel, oldest=oldest, include_all_metadata=True, limit=200))

    def channels(self) -> Iterator[Answer]:
        """The first two thousand channels that the bot may see, in pages; as `history`."""
        kinds = "public_channel,private_channel"
        with _translate_refusals("conversations.list"):
            yield from _pages(self._client.conversations_list(types=kinds, exclude_archived=True, limit=200))


class Webhook:
    """One incoming webhook, of Slack or of a relay that speaks like it."""

    def __init__(self, url: SecretStr, network: Network, *, allow_private: bool) -> None:
        """`allow_private` says whether the address, which a user gave, may lead to a private network or this machine."""
        self._client, self._url = _WebhookClient(url, network, network.post if allow_private else network.post_to_public), url

    def post(self, payload: Mapping[str, Json]) -> int:
        """Post one message; return the status of the yes. As `Bot`, a refusal's `answer` is Slack's error."""
        response = self._client.send_dict(dict(payload))
        if response.body.strip() != "ok":
            # A proxy or a gateway has spoken in Slack's place.
            text = f"HTTP {response.status_code}, but not the vendor's answer: {excerpt(response.body, (self._url,)) or 'empty'}"
            raise RetryableError(text, status_code=response.status_code, ambiguous=True)
        return response.status_code

    def probe(self) -> None:
        """Post a message without a text, which Slack refuses with `no_text` where the address is good: nothing is posted.

        Raises:
            RetryableError, PermanentError: anything else came back.
        """
        try:
            response = self._client.send_dict({"text": ""})
        except PermanentError as refusal:
            if refusal.answer.strip() in {"no_text", "invalid_payload"}:
                return
            raise
        raise RetryableError(f"HTTP {response.status_code} to a message without text: somebody else answers in Slack's place")


class _WebClient(WebClient):
    """Left alone it follows redirects with the token in hand, obeys proxies of the environment and opens a connection per message.

    So the method by which slack_sdk 3.47 opens a connection is replaced. It is private: the tests say if it is no longer called.
    """

    def __init__(self, token: SecretStr, api_url: str, network: Network) -> None:
        seconds = ceil(sum(network.timeouts))
        super().__init__(token.get_secret_value(), api_url, timeout=seconds, logger=_silent_logger(), retry_handlers=[])
        self._secrets, self._network = (token,), network

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, object]:
        response = self._network.post(url, body=_body(req), headers=dict(req.header_items()), secrets=self._secrets)
        # slack_sdk would take a proxy's page for a no of Slack's, and any yes but 200 for one.
        read_answer(response, Answer, secrets=self._secrets)
        return {"status": HTTPStatus.OK, "headers": response.headers, "body": response.body}


class _WebhookClient(WebhookClient):
    """As `_WebClient`."""

    def __init__(self, url: SecretStr, network: Network, post: _Post) -> None:
        seconds = ceil(sum(network.timeouts))
        super().__init__(url.get_secret_value(), timeout=seconds, logger=_silent_logger(), retry_handlers=[])
        self._secrets, self._post = (url,), post

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        response = self._post(url, body=_body(req), headers=dict(req.header_items()), secrets=self._secrets)
        return WebhookResponse(url=url, status_code=response.status, body=response.body, headers=dict(response.headers))


def _silent_logger() -> logging.Logger:
    """slack_sdk logs what vendors answer as it came, and puts a text for its debugging together per request, unless told not to."""
    logger = logging.getLogger("slack_sdk.silent")
    logger.setLevel(logging.CRITICAL + 1)
    return logger


def _body(request: Request) -> bytes:
    return request.data if isinstance(request.data, bytes) else b""


def _pages(first: SlackResponse) -> Iterator[Answer]:
    """The answer and, by slack_sdk's own iteration, those that follow it.

    Raises:
        PermanentError: there are more than are read, and what nobody has looked at may hold what is sought.
    """
    cursor = ""
    for answer in map(_answer, islice(first, _PAGES)):
        cursor = answer.response_metadata.next_cursor
        yield answer
    if cursor:
        raise PermanentError(f"it is not on the first {_PAGES} pages, and there are more")


def _answer(response: SlackResponse) -> Answer:
    return Answer.model_validate(response.data)


@contextmanager
def _translate_refusals(method: str) -> Iterator[None]:
    try:
        yield
    except SlackApiError as error:
        raise _refusal(method, _answer(error.response).error, error.response.headers) from None


def _refusal(method: str, error: str, headers: Mapping[str, str]) -> DeliveryError:
    text = f"{method}: {excerpt(error)}"
    if error in _PASSING_ERRORS or error in _UNCERTAIN_ERRORS:
        ambiguous = error in _UNCERTAIN_ERRORS
        return RetryableError(text, status_code=HTTPStatus.OK, retry_after=retry_after(headers), ambiguous=ambiguous)
    return PermanentError(text, status_code=HTTPStatus.OK, answer=error)
