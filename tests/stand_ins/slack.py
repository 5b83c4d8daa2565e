"""Slack's Web API and incoming webhooks: keeps channels and messages, and holds each message to Slack's documented limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from werkzeug.wrappers import Request, Response

from routing.alert import Json
from tests.notifiers import specs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TOKEN = "xoxb-2210535565-2233445566-q1W2e3R4t5Y6u7I8o9P0aSdF"
WEBHOOK_PATH = "/services/T0ACME001/B0ROUTER1/hG7fD5sA3qW1eR9tY7uI5oP3"
ALL_SCOPES = frozenset({"chat:write", "channels:read", "channels:history", "usergroups:read"})

WHO = {"user": "router", "team": "acme", "team_id": "T0ACME001", "user_id": "U0ROUTER1", "bot_id": "B0ROUTER1"}

Body: TypeAlias = Mapping[str, Json]


@dataclass(slots=True, kw_only=True)
class Slack:
    """One workspace with one app."""

    channels: Mapping[str, str] = field(default_factory=lambda: {"C0ERRORS1": "errors", "C0OTHER01": "other"})
    """Id to name. The webhook posts to the first one."""
    messages: dict[str, list[Body]] = field(default_factory=dict)
    """By channel id, oldest first."""
    whispers: list[Body] = field(default_factory=list)
    """What one person alone has seen."""
    user_groups: Mapping[tuple[str, str], list[str]] = field(default_factory=lambda: {("S0ONCALL1", "on-call"): ["U1"]})
    """By id and handle the members."""
    scopes: frozenset[str] = ALL_SCOPES
    now: float = 1795428560.0
    page_size: int = 200
    refuses_layouts: bool = False
    refuses_metadata: bool = False
    refuses: str = ""
    """The error with which every message is refused."""
    archived: set[str] = field(default_factory=set)
    """Ids of channels."""
    without_bot: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    """Ids of channels, which a bot sees only where it is in them."""
    is_revoked: bool = False
    is_too_much: bool = False
    loses_answers: bool = False
    """Takes the message, but what comes back is a gateway's error."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        response = self._webhook(request) if request.path == WEBHOOK_PATH else self._method(request)
        return response(environ, start_response)

    def _method(self, request: Request) -> Response:
        if request.path.startswith("/services/"):
            return Response("no_service", status=404)
        methods: Mapping[str, tuple[str, Callable[[Request], Body]]] = {
            "/api/auth.test": ("", lambda _: {"url": "https://acme.slack.com/", **WHO}),
            "/api/conversations.info": ("channels:read", self._info),
            "/api/chat.postMessage": ("chat:write", self._post_message),
            "/api/chat.update": ("chat:write", self._update),
            "/api/conversations.history": ("channels:history", self._history),
            "/api/conversations.replies": ("channels:history", self._replies),
            "/api/conversations.list": ("channels:read", self._list),
            "/api/chat.postEphemeral": ("chat:write", self._post_ephemeral),
            "/api/usergroups.list": ("usergroups:read", self._user_groups),
        }
        scope, method = methods.get(request.path, ("", lambda _: _no("unknown_method")))
        if self.is_too_much:
            return Response(json.dumps(_no("ratelimited")), status=429, headers={"Retry-After": "7"}, content_type="application/json")
        if self.is_revoked or request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _json(_no("token_revoked" if self.is_revoked else "invalid_auth"))
        if scope and scope not in self.scopes:
            return _json({**_no("missing_scope"), "needed": scope})
        answer = method(request)
        if self.loses_answers and "ts" in answer:
            return Response("upstream went away", status=502)
        return _json({"ok": True, **answer}, {"X-OAuth-Scopes": ",".join(sorted(self.scopes))})

    def _post_message(self, request: Request) -> Body:
        if request.mimetype != "application/json":
            return _no("invalid_post_type")
        body: Body = json.loads(request.get_data())
        named = [id_ for id_, name in self.channels.items() if body.get("channel") in {id_, f"#{name}"}]
        error = "is_archived" if named and named[0] in self.archived else "" if named else "channel_not_found"
        if named and named[0] in self.without_bot and "chat:write.public" not in self.scopes:
            error = "not_in_channel"
        error = error or self._error_of(body, "#/$defs/chat.postMessage")
        return _no(error) if error else self._keep(named[0], body)

    def _post_ephemeral(self, request: Request) -> Body:
        """https://docs.slack.dev/reference/methods/chat.postEphemeral: seen by one person, kept in no history."""
        body: Body = json.loads(request.get_data())
        if body.get("channel") not in self.channels:
            return _no("channel_not_found")
        if not body.get("user"):
            return _no("user_not_in_channel")
        if not 1 <= len(str(body.get("text", ""))) <= 4000 or body.keys() - {"channel", "user", "text", "parse"}:
            return _no("no_text")
        self.whispers.append(body)
        return {"message_ts": f"{int(self.now)}.999999"}

    def _user_groups(self, _: Request) -> Body:
        groups = [{"id": id_, "handle": handle, "users": users} for (id_, handle), users in self.user_groups.items()]
        return {"usergroups": groups}

    def _update(self, request: Request) -> Body:
        body: Body = json.loads(request.get_data())
        kept = self.messages.get(str(body.get("channel")), [])
        number = next((number for number, message in enumerate(kept) if message["ts"] == body.get("ts")), None)
        if number is None:
            return _no("message_not_found")
        if error := self._error_of(body, "#/$defs/chat.update"):
            return _no(error)
        kept[number] = {**kept[number], **body}
        return {"channel": body["channel"], "ts": body["ts"], "text": body.get("text")}

    def _webhook(self, request: Request) -> Response:
        body: Body = json.loads(request.get_data())
        if error := self._error_of(body, "#/$defs/incoming_webhook"):
            return Response(error, status=400)
        self._keep(next(iter(self.channels)), body)
        return Response("", status=502) if self.loses_answers else Response("ok")

    def _error_of(self, body: Body, definition: str) -> str:
        if self.refuses:
            return self.refuses
        if "metadata" in body and self.refuses_metadata:
            return "metadata_too_large"
        if body.get("blocks") and (self.refuses_layouts or fault_of(body, definition)):
            return "invalid_blocks"
        return "" if body.get("text") else "no_text"

    def _keep(self, channel: str, body: Body) -> Body:
        kept = self.messages.setdefault(channel, [])
        ts = f"{int(self.now)}.{len(kept):06d}"
        if "thread_ts" in body and body["thread_ts"] not in [message["ts"] for message in kept]:
            return _no("thread_not_found")
        kept.append({**body, "ts": ts})
        return {"channel": channel, "ts": ts, "message": {"text": body.get("text"), "ts": ts}}

    def _history(self, request: Request) -> Body:
        form = request.form
        if form["channel"] not in self.channels:
            return _no("channel_not_found")
        kept = [message for message in self.messages.get(form["channel"], []) if float(str(message["ts"])) > float(form["oldest"])]
        kept = [message for message in kept if "thread_ts" not in message or message.get("reply_broadcast")]
        return self._listed(kept, request)

    def _replies(self, request: Request) -> Body:
        form = request.form
        kept = [message for message in self.messages.get(form["channel"], []) if form["ts"] in {message["ts"], message.get("thread_ts")}]
        return self._listed(kept, request) if kept else _no("thread_not_found")

    def _listed(self, kept: Sequence[Body], request: Request) -> Body:
        form = request.form
        if form.get("include_all_metadata") not in {"true", "1"}:
            kept = [{name: value for name, value in message.items() if name != "metadata"} for message in kept]
        page, cursor = self._page(list(reversed(kept)), request)
        return {"messages": page, "has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}

    def _info(self, request: Request) -> Body:
        """https://docs.slack.dev/reference/methods/conversations.info."""
        id_ = request.form.get("channel", "")
        return {"channel": self._described(id_)} if self._sees(id_) else _no("channel_not_found")

    def _sees(self, id_: str) -> bool:
        is_hidden = id_ in self.private and (id_ in self.without_bot or "groups:read" not in self.scopes)
        return id_ in self.channels and not is_hidden

    def _described(self, id_: str) -> Body:
        told = {"is_archived": id_ in self.archived, "is_member": id_ not in self.without_bot, "is_private": id_ in self.private}
        return {"id": id_, "name": self.channels[id_], "is_channel": True, "is_im": False, **told}

    def _list(self, request: Request) -> Body:
        hides = request.form.get("exclude_archived") in {"true", "1"}
        listed = [self._described(id_) for id_ in self.channels if self._sees(id_) and not (hides and id_ in self.archived)]
        page, cursor = self._page(listed, request)
        return {"channels": page, "response_metadata": {"next_cursor": cursor}}

    def _page(self, found: Sequence[Body], request: Request) -> tuple[Sequence[Body], str]:
        begin = int(request.form.get("cursor") or 0)
        end = begin + min(self.page_size, int(request.form.get("limit", 100)))
        return found[begin:end], str(end) if end < len(found) else ""


def fault_of(body: Body, definition: str) -> str | None:
    """What Slack's documented limits, Slack's own models and, where present, the strict schema have against a message."""
    faults = (
        next(_limits(body), None),
        _models_fault(body),
        specs.schema_fault(body, "slack/message.strict.schema.json", definition) if specs.present() else None,
    )
    return next((fault for fault in faults if fault), None)


def _limits(body: Body) -> Iterator[str]:
    """https://docs.slack.dev/reference/block-kit/blocks and .../methods/chat.postMessage."""
    blocks = _mappings(body.get("blocks"))
    ids = [block["block_id"] for block in blocks]
    if not 1 <= len(str(body.get("text", ""))) <= 4000:
        yield "text is missing or longer than recommended"
    if len(blocks) > 50 or len(set(map(str, ids))) != len(ids):
        yield "over 50 blocks, or block ids that repeat"
    for text, limit in (found for block in blocks for found in _texts(block)):
        if not 1 <= len(text) <= limit:
            yield f"{len(text)} characters where 1 to {limit} are allowed: {text[:40]}"


def _texts(block: Body) -> Iterator[tuple[str, int]]:
    """Each text of a block with its limit."""
    if block["type"] == "header":
        yield _text(block["text"]), 150
    for one in _mappings(block.get("fields"), at_most=10):
        yield _text(one), 2000
    if block["type"] == "context":
        yield from ((_text(one), 3000) for one in _mappings(block["elements"], at_most=10))
    if block["type"] == "actions":
        for button in _mappings(block["elements"], at_most=25):
            yield _text(button["text"]), 75
            yield from [(str(button["url"]), 3000)] if "url" in button else [(str(button["value"]), 2000)]


def _models_fault(body: Body) -> str | None:
    try:
        for block in Block.parse_all([dict(block) for block in _mappings(body.get("blocks"))]):
            block.validate_json()
    except SlackObjectFormationError as error:
        return str(error)
    return None


def _mappings(value: Json, at_most: int = 1000) -> list[Mapping[str, Json]]:
    found = [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
    assert len(found) <= at_most, f"{len(found)} elements where {at_most} are allowed"
    return found


def _text(value: Json) -> str:
    assert isinstance(value, Mapping)
    return str(value["text"])


def _no(error: str) -> dict[str, Json]:
    return {"ok": False, "error": error}


def _json(body: Body, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(body), headers=dict(headers or {}), content_type="application/json; charset=utf-8")
