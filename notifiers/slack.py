"""Slack: one message in one channel, by chat.postMessage with a bot token or by an incoming webhook.

Alert texts are hostile: what can be is literal (rich text, plain text), the rest is escaped and `verbatim`, so that no
title pings a channel or turns `__init__` into italics.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Protocol, Self, TypeAlias

from pydantic import BeforeValidator, SecretStr, field_validator, model_validator

from notifiers.addresses import is_web_address
from notifiers.errors import PermanentError
from notifiers.http import Network
from notifiers.message import Fact, Message, Other, as_text, compose, cut, key_within, tail
from notifiers.notifier import Clock, Notifier, Receipt, ReceiverOptions, credential, readable
from routing.alert import Json
from routing.notification import Notification, Severity

if TYPE_CHECKING:
    from notifiers.slack_client import Bot, Webhook

# https://docs.slack.dev/reference/block-kit/blocks
MAX_HEADER = 150
MAX_FIELDS = 10
# Ours, within Slack's.
MAX_TITLE = 500
MAX_FACT = 300
MAX_STACK = 900
MAX_LEAD = 500
MAX_TAG = 100
MAX_OTHER = 150
MAX_OTHERS_JSON = 2500
MAX_TEXT = 3000
"""Slack recommends 4,000 characters at most for `text`: https://docs.slack.dev/reference/methods/chat.postMessage."""
MAX_BLOCKS_JSON = 8000
"""The whole limit is not documented; `msg_blocks_too_long` was seen from 13,000 on (github.com/slackapi/bolt-js/issues/2509)."""

EVENT_TYPE = "sentry_alert"
_CLOCKS_DIFFER = timedelta(minutes=10)
_DISPENSABLE = ("tags", "trace", "facts", "others", "lead")

_EMOJI: Mapping[Severity, str] = {
    Severity.CRITICAL: ":rotating_light:",
    Severity.WARNING: ":large_yellow_circle:",
    Severity.INFO: ":large_blue_circle:",
}

_ENTITIES: Mapping[str, str] = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

# https://docs.slack.dev/reference/methods/chat.postMessage#errors
_LAYOUT_ERRORS = frozenset(
    {
        "attachment_payload_limit_exceeded",
        "invalid_attachments",
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "msg_too_long",
    }
)
_METADATA_ERRORS = frozenset({"invalid_metadata_format", "invalid_metadata_schema", "metadata_must_be_sent_from_app", "metadata_too_large"})

Block: TypeAlias = dict[str, Json]


class SlackSettings(Protocol):
    """What this kind reads of the environment."""

    @property
    def slack_bot_token(self) -> SecretStr | None:
        """`xoxb-…`, with chat:write; with channels:history, channels:read and their groups: twins an unclear attempt can be looked up."""

    @property
    def slack_api_url(self) -> str:
        """`https://slack.com/api`."""


class SlackOptions(ReceiverOptions[SlackSettings]):
    """`{kind: slack, channel: "#errors"}` for the bot, or `{kind: slack, webhook_url: ${SLACK_WEBHOOK}}`."""

    channel: str | None = None
    webhook_url: Annotated[SecretStr | None, BeforeValidator(credential)] = None
    allow_private: bool = False
    """Whether the webhook, a relay of one's own, may be in a private network or on this machine."""

    @field_validator("channel")
    @classmethod
    def _channel_or_id(cls, value: str | None) -> str | None:
        is_name = value is not None and value.startswith("#") and 1 < len(value) <= 81 and not set(value[1:]) & set(" #")
        is_id = value is not None and value[:1] in "CGDUW" and len(value) > 2 and value.isascii() and value.isalnum() and value.isupper()
        if value is None or is_name or is_id:
            return value
        raise ValueError(f'"{value}" is no channel: write a name with its sign, "#errors", in quotes, or an id, C0123ABCD')

    @field_validator("webhook_url")
    @classmethod
    def _is_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_web_address(value.get_secret_value()):
            raise ValueError(
                "is no web address that can be called; copy the whole Webhook URL from the app's page in Slack, https://hooks.slack.com/services/…"
            )
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.channel is None and "webhook_url" not in self.model_fields_set:
            raise ValueError('missing; add `channel: "#errors"`, or `webhook_url: ${NAME}` for an incoming webhook')
        if self.channel is not None and "webhook_url" in self.model_fields_set:
            raise ValueError("channel and webhook_url exclude each other: a webhook always posts to the channel it was made for")
        if self.channel is not None and "allow_private" in self.model_fields_set:
            raise ValueError("allow_private is about webhook_url; take it out: a channel is always reached through SLACK_API_URL")
        return self

    def missing_credential(self, settings: SlackSettings) -> str | None:
        """The token or the webhook's address."""
        if self.channel is None:
            return None if self.webhook_url else "webhook_url"
        return None if settings.slack_bot_token else "SLACK_BOT_TOKEN"

    def render(self, notification: Notification) -> str:
        """The JSON body."""
        return readable(self.payload(notification))

    def payload(self, notification: Notification) -> Block:
        """The body of chat.postMessage, or of an incoming webhook."""
        message = compose(notification)
        layout = {"blocks": list(blocks(message))}
        if self.channel is None:
            return {**_text(message.headline), **layout}
        return {"channel": self.channel, **_text(message.headline), "parse": "none", **layout, "metadata": _metadata(notification)}

    def open(self, settings: SlackSettings, *, network: Network, clock: Clock) -> Notifier:  # noqa: ARG002 - Slack stamps the messages
        """The notifier of the one way or of the other."""
        # Here, not above: with it comes slack_sdk, and the web process opens no notifier.
        from notifiers.slack_client import Bot, Webhook  # noqa: PLC0415

        if self.webhook_url:
            return SlackWebhookNotifier(self, Webhook(self.webhook_url, network, allow_private=self.allow_private))
        return SlackNotifier(self, Bot(settings.slack_bot_token or SecretStr(""), settings.slack_api_url, network))


class SlackNotifier:
    """Posts with a bot token, and can look for what it posted."""

    def __init__(self, options: SlackOptions, bot: Bot) -> None:
        self._options, self._bot = options, bot

    def send(self, notification: Notification) -> Receipt:
        """Post the message; if Slack refuses its layout, post it once more as text: no alert is lost to its make-up.

        The metadata stays, for `find` knows the message by it; it goes only if that is what Slack refuses.
        """
        payload = self._options.payload(notification)
        try:
            return self._post(payload)
        except PermanentError as refusal:
            if refusal.answer in _METADATA_ERRORS:
                bare = {name: value for name, value in payload.items() if name != "metadata"}
                return self._post(bare, told=f"{refusal}; sent without metadata")
            if refusal.answer in _LAYOUT_ERRORS:
                plain = {name: value for name, value in payload.items() if name != "blocks"} | _text(as_text(compose(notification)))
                return self._post(plain, told=f"{refusal}; sent as text")
            raise

    def find(self, notification: Notification) -> Receipt | None:
        """Look through what the channel got since the notification was made, for its id in the metadata."""
        wanted = _metadata(notification)
        since = (notification.created_at - _CLOCKS_DIFFER).timestamp()
        channel = self._channel_id()
        for page in self._bot.history(channel, oldest=f"{since:.6f}"):
            for message in page.messages:
                if message.metadata == wanted:
                    reference = {"channel": channel, "ts": message.ts}
                    return Receipt(payload=self._options.render(notification), excerpt="found in the channel", reference=reference)
        return None

    def _post(self, payload: Block, *, told: str = "ok") -> Receipt:
        answer = self._bot.post_message(payload)
        reference = {name: value for name, value in (("channel", answer.channel), ("ts", answer.ts)) if value}
        return Receipt(payload=readable(payload), status_code=200, excerpt=told, reference=reference)

    def _channel_id(self) -> str:
        """History is by id only; a name is looked up."""
        channel = self._options.channel or ""
        if not channel.startswith("#"):
            return channel
        for page in self._bot.channels():
            for found in page.channels:
                if found.name == channel[1:]:
                    return found.id
        raise PermanentError(f"channel {channel} is not in conversations.list")


class SlackWebhookNotifier:
    """Posts by an incoming webhook, which answers no more than `ok`: what was posted cannot be found again."""

    def __init__(self, options: SlackOptions, webhook: Webhook) -> None:
        self._options, self._webhook = options, webhook

    def send(self, notification: Notification) -> Receipt:
        """Post the message; if Slack refuses its layout, post it once more as text."""
        try:
            return self._post(self._options.payload(notification))
        except PermanentError as refusal:
            if refusal.answer.strip() not in _LAYOUT_ERRORS:
                raise
            return self._post(_text(as_text(compose(notification))), told=f"{refusal}; sent as text")

    def _post(self, payload: Block, *, told: str = "ok") -> Receipt:
        status = self._webhook.post(payload)
        return Receipt(payload=readable(payload), status_code=status, excerpt=told)


def blocks(message: Message) -> tuple[Block, ...]:
    """The Block Kit layout. Where Slack might find it too long, what can be spared goes: the tags first, a template's text last."""
    opening = (_header(message), _title(message), _lead(message), _facts(message), _stack(message), _tags(message))
    candidates = (*opening, _actions(message), _others(message), _foot(message))
    kept = [block for block in candidates if block]
    for dispensable in _DISPENSABLE:
        if len(json.dumps(kept, ensure_ascii=False)) <= MAX_BLOCKS_JSON:
            break
        kept = [block for block in kept if block["block_id"] != dispensable]
    return tuple(kept)


def _value(fact: Fact) -> str:
    value = escaped(fact.value, MAX_FACT)
    return f"<{value.replace('|', '%7C')}>" if fact.is_link else value


def escaped(text: str, limit: int) -> str:
    """As Slack's mark-up shows it literally, cut before it is escaped, at most `limit` characters after.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    if len(text) <= limit and not set(text) & set("&<>"):
        return text
    widths = accumulate(len(_ENTITIES.get(character, character)) for character in text)
    return "".join(_ENTITIES.get(character, character) for character in cut(text, bisect_right(list(widths), limit)))


def _header(message: Message) -> Block:
    words = " · ".join(filter(None, (message.heading, message.project, message.environment)))
    emoji = _EMOJI[message.severity]
    text = f"{emoji} {message.headed(words, MAX_HEADER - len(emoji) - 1)}"
    return {"type": "header", "block_id": "h", "text": {"type": "plain_text", "text": text, "emoji": True}}


def _title(message: Message) -> Block:
    title: Block = {"type": "text", "text": cut(message.title, MAX_TITLE), "style": {"bold": True}}
    if message.link:
        title |= {"type": "link", "url": message.link}
    elements = [title]
    if message.culprit:
        elements += [{"type": "text", "text": "\n"}, {"type": "text", "text": message.culprit, "style": {"code": True}}]
    return {"type": "rich_text", "block_id": "title", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _lead(message: Message) -> Block | None:
    if not message.text:
        return None
    section: Block = {"type": "rich_text_section", "elements": [{"type": "text", "text": cut(message.text, MAX_LEAD)}]}
    return {"type": "rich_text", "block_id": "lead", "elements": [section]}


def _facts(message: Message) -> Block | None:
    fields = [_mrkdwn(f"*{escaped(fact.label, MAX_FACT)}*\n{_value(fact)}") for fact in message.facts[:MAX_FIELDS]]
    return {"type": "section", "block_id": "facts", "fields": fields} if fields else None


def _stack(message: Message) -> Block | None:
    if not message.stack:
        return None
    element: Block = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": tail(message.stack, MAX_STACK)}]}
    return {"type": "rich_text", "block_id": "trace", "elements": [element]}


def _tags(message: Message) -> Block | None:
    pairs = [("release", message.release), *message.tags]
    shown = [f"{escaped(key, MAX_TAG)}: {_code(value)}" for key, value in pairs if value]
    return {"type": "context", "block_id": "tags", "elements": [_mrkdwn("  ".join(shown))]} if shown else None


def _actions(message: Message) -> Block | None:
    if not message.link:
        return None
    button: Block = {
        "type": "button",
        "action_id": "open_sentry",
        "text": {"type": "plain_text", "text": "Open in Sentry"},
        "url": message.link,
        "style": "primary",
    }
    return {"type": "actions", "block_id": "actions", "elements": [button]}


def _others(message: Message) -> Block | None:
    if not message.others:
        return None
    shown = message.others_within(MAX_OTHERS_JSON, lambda other: len(json.dumps(_other(other), ensure_ascii=False)))
    heading: Block = {"type": "text", "text": f"And {message.others_count} more", "style": {"bold": True}}
    elements: list[Json] = [{"type": "rich_text_section", "elements": [heading]}]
    if shown:
        elements.append({"type": "rich_text_list", "style": "bullet", "elements": list(map(_other, shown))})
    if rest := message.others_beside(len(shown)):
        elements.append({"type": "rich_text_section", "elements": [{"type": "text", "text": rest}]})
    return {"type": "rich_text", "block_id": "others", "elements": elements}


def _other(other: Other) -> Block:
    text = cut(other.name, MAX_OTHER)
    element: Block = {"type": "link", "url": other.link, "text": text} if other.link else {"type": "text", "text": text}
    return {"type": "rich_text_section", "elements": [element]}


def _foot(message: Message) -> Block:
    reference = f"{escaped(message.reference, MAX_TAG)} | " if message.reference else ""
    moment = message.occurred_at
    # Each reader sees it in his own time zone: https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    when = f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} {{time_secs}}|{moment.isoformat(timespec='seconds')}>"
    text = f"{reference}rule: {escaped(message.reasons, MAX_FACT)} | {when}"
    return {"type": "context", "block_id": "foot", "elements": [_mrkdwn(text)]}


def _code(text: str) -> str:
    within = escaped(text.replace("`", "'"), MAX_TAG)
    return f"`{within}`"


def _mrkdwn(text: str) -> Block:
    # Verbatim, or Slack would turn `@channel` and `#general` in an alert into what they name:
    # https://docs.slack.dev/reference/block-kit/composition-objects/text-object
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _text(text: str) -> Block:
    return {"text": escaped(text, MAX_TEXT), "unfurl_links": False, "unfurl_media": False}


def _metadata(notification: Notification) -> dict[str, Json]:
    payload = {"incident": key_within(notification.incident, 255), "notification_id": str(notification.id), "rule": notification.rule}
    return {"event_type": EVENT_TYPE, "event_payload": payload}
