"""Slack: one message for an incident in a channel, which changes with it and has its follow-ups in its thread; by a bot.

Or by an incoming webhook, which can only post: there every word on an incident is a message of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr, field_validator, model_validator

from notifiers.addresses import is_web_address
from notifiers.errors import PermanentError
from notifiers.http import Network
from notifiers.message import as_text, compose
from notifiers.notifier import Called, Clock, Notifier, Receipt, ReceiverOptions, credential, readable
from notifiers.reach import reached
from notifiers.slack_layout import MAX_TEXT, Block, blocks, escaped, line_of, plain_text
from notifiers.slack_probe import probe_bot, probe_token
from notifiers.wording import key_within
from routing.alert import Json
from routing.notification import Notification, Reason
from routing.payload import text

if TYPE_CHECKING:
    from notifiers.slack_client import Answer, Bot, Channel, Message, Webhook
    from notifiers.slack_readings import Pages, Readings

EVENT_TYPE = "sentry_alert"
_CLOCKS_DIFFER = timedelta(minutes=15)
"""Ours may have been put forward; what is looked for is known by its number, so that nothing else can be taken for it."""

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
# https://docs.slack.dev/reference/methods/chat.update#errors
_GONE_ERRORS = frozenset({"cant_update_message", "edit_window_closed", "message_not_found"})

_SLACKS_OWN = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})

LISTED_WITHIN = timedelta(seconds=8)
"""So old may a list of channels be of which it is asked what is there now."""
REOPENED_WITHIN = timedelta(hours=24)
"""What comes back so soon is shown in the message that told of it before."""


class FollowUp(StrEnum):
    """Where is told what comes after the first message."""

    THREAD = "thread"
    CHANNEL = "channel"
    BOTH = "both"
    """In the thread, and shown in the channel."""


class Reopen(StrEnum):
    """Where is told what comes back."""

    THREAD = "thread"
    """In the message that told of it before."""
    NEW = "new"


class SlackSettings(Protocol):
    """What this kind reads of the environment."""

    @property
    def slack_bot_token(self) -> SecretStr | None:
        """`xoxb-…`, with chat:write; with channels:history, channels:read and their groups: twins an unclear attempt can be looked up."""

    @property
    def slack_signing_secret(self) -> SecretStr | None:
        """Signs what buttons send; without it messages have none."""

    @property
    def slack_api_url(self) -> str:
        """`https://slack.com/api`."""


class SlackOptions(ReceiverOptions[SlackSettings]):
    """`{kind: slack, channel: "#errors"}` for the bot, or `{kind: slack, webhook_url: ${SLACK_WEBHOOK}}`."""

    address: ClassVar[tuple[str, ...]] = ("channel", "webhook_url")
    shows: ClassVar[frozenset[Reason]] = frozenset(
        {Reason.ACKNOWLEDGED, Reason.UNACKNOWLEDGED, Reason.MUTED, Reason.UPDATED, Reason.ANSWER}
    )

    channel: str | None = None
    follow_up: FollowUp = FollowUp.THREAD
    reopen: Reopen | None = None
    """None: where it was told before within a day, and after that by a new message."""
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
        if self.channel is None and (unfit := {"follow_up", "reopen"} & self.model_fields_set):
            raise ValueError(
                f"{' and '.join(sorted(unfit))} need a bot: a webhook posts, and can neither change a message nor find its thread"
            )
        if self.channel is not None and "allow_private" in self.model_fields_set:
            raise ValueError("allow_private is about webhook_url; take it out: a channel is always reached through SLACK_API_URL")
        return self

    @property
    def follows(self) -> frozenset[Reason]:
        """A webhook can show nothing in what it has posted, so it is told of ends alone."""
        return super().follows - (frozenset() if self.channel else self.shows)

    def missing_credential(self, settings: SlackSettings) -> str | None:
        """The token or the webhook's address."""
        if self.channel is None:
            return None if self.webhook_url else "webhook_url"
        return None if settings.slack_bot_token else "SLACK_BOT_TOKEN"

    def render(self, notification: Notification) -> str:
        """The JSON body."""
        return readable(self.payload(notification))

    def payload(self, notification: Notification, *, has_buttons: bool = False) -> Block:
        """The body of chat.postMessage, or of an incoming webhook; with buttons that do something only if Slack may call us."""
        if notification.reason is Reason.ANSWER:
            return self._answer(notification)
        message = compose(notification)
        layout = {"blocks": list(blocks(message, has_buttons=has_buttons))}
        if self.channel is None:
            return {**plain_text(message.headline), **layout}
        return {"channel": self.channel, **plain_text(message.headline), "parse": "none", **layout, "metadata": _metadata(notification)}

    def _answer(self, notification: Notification) -> Block:
        """The body of chat.postEphemeral, which one person sees where he has pressed a button."""
        pressed = notification.alert.payload
        where, whom = (text(pressed.get(key)) or "" for key in ("channel", "user"))
        return {"channel": where or self.channel, "user": whom, "text": escaped(notification.why, MAX_TEXT), "parse": "none"}

    def open(self, settings: SlackSettings, *, network: Network, clock: Clock) -> Notifier:
        """The notifier of the one way or of the other."""
        # Here, not above: with it comes slack_sdk, and the web process opens no notifier.
        from notifiers.slack_client import Bot, Webhook  # noqa: PLC0415
        from notifiers.slack_readings import readings_of  # noqa: PLC0415

        if self.webhook_url:
            webhook = Webhook(self.webhook_url, network, allow_private=self.allow_private)
            return SlackWebhookNotifier(self, webhook, network, clock)
        bot = Bot(settings.slack_bot_token or SecretStr(""), settings.slack_api_url, network)
        return SlackNotifier(self, bot, readings_of(network, clock), clock, has_buttons=settings.slack_signing_secret is not None)


class SlackNotifier:
    """Posts with a bot token, changes what it posted, and can look for it."""

    def __init__(self, options: SlackOptions, bot: Bot, readings: Readings, clock: Clock, *, has_buttons: bool) -> None:
        self._options, self._bot, self._readings, self._clock, self._has_buttons = options, bot, readings, clock, has_buttons

    def send(self, notification: Notification) -> Receipt:
        """Post the incident's message; where there is one, change it and say in its thread what is new."""
        payload = self._options.payload(notification, has_buttons=self._has_buttons)
        if notification.reason is Reason.ANSWER:
            self._bot.post_ephemeral(payload)
            return Receipt(payload=readable(payload), status_code=200, excerpt="ok")
        root = notification.reference
        if "ts" not in root or self._begins_anew(notification):
            return self._post(payload, notification)
        try:
            changed = self._dressed({**payload, "channel": root["channel"], "ts": root["ts"]}, notification, self._bot.update_message)
        except PermanentError as refusal:
            if refusal.answer not in _GONE_ERRORS:
                raise
            if notification.reason is Reason.UPDATED:
                return Receipt(payload=readable(payload), excerpt=f"{refusal}; nothing was changed", reference=root)
            return self._post(payload, notification, told=f"{refusal}; posted anew")
        if notification.reason is not Reason.UPDATED:
            self._follow_up(notification)
        return replace(changed, reference=root)

    def find(self, notification: Notification) -> Receipt | None:
        """Look through what the channel got since the notification was made, or the thread, for its id in the metadata."""
        if notification.reason is Reason.ANSWER:
            return None  # no history has it
        channel, root = notification.reference.get("channel") or self._channel_id(notification), notification.reference.get("ts")
        message = self._found(channel, root, notification)
        if message is None:
            return None
        is_line = message.thread_ts == root or self._options.follow_up is FollowUp.CHANNEL
        # A message that began anew is the incident's from now on.
        is_root = not root or self._begins_anew(notification) or not is_line
        reference = {"channel": channel, "ts": message.ts} if is_root else notification.reference
        return Receipt(payload=self._options.render(notification), excerpt="found in the channel", reference=reference)

    def probe(self) -> Called:
        """Ask about the token and the channel."""
        return probe_bot(self._bot, self._options.channel or "", self._readings, self._clock() - LISTED_WITHIN)

    def probe_account(self) -> Called:
        """Ask about the token."""
        return probe_token(self._bot)

    def _found(self, channel: str, root: str | None, notification: Notification) -> Message | None:
        wanted = _metadata(notification)
        # A round one, so that those who look at the same moment look at the same reading.
        seconds = _CLOCKS_DIFFER.total_seconds()
        oldest = f"{(notification.created_at.timestamp() // seconds - 1) * seconds:.6f}"

        def is_wanted(message: Message) -> bool:
            return message.metadata == wanted and message.ts != root

        def read() -> Pages[Message]:
            return (page.messages for page in self._bot.history(channel, oldest=oldest))

        found = self._readings.of((channel, oldest), read, after=notification.tried_until).find(is_wanted)
        if found or not root:
            return found
        pages = self._bot.replies(channel, root, oldest=oldest)
        return next((message for page in pages for message in page.messages if is_wanted(message)), None)

    def _begins_anew(self, notification: Notification) -> bool:
        """Whether what comes back is told by a message of its own."""
        if notification.closed_at is None or notification.is_closing:
            return False
        is_late = notification.created_at - notification.closed_at > REOPENED_WITHIN
        return self._options.reopen is Reopen.NEW or (self._options.reopen is None and is_late)

    def _post(self, payload: Block, notification: Notification, *, told: str = "ok") -> Receipt:
        return self._dressed(payload, notification, self._bot.post_message, told=told)

    def _follow_up(self, notification: Notification) -> None:
        """Say what is new: nobody is told by a change of a message."""
        root = notification.reference
        is_minor = notification.reason in self._options.shows
        follow_up = FollowUp.THREAD if is_minor else self._options.follow_up
        line: Block = {**plain_text(line_of(compose(notification))), "parse": "none", "metadata": _metadata(notification)}
        if follow_up is not FollowUp.CHANNEL:
            line |= {"thread_ts": root["ts"], "reply_broadcast": follow_up is FollowUp.BOTH}
        self._dressed({"channel": root["channel"], **line}, notification, self._bot.post_message)

    def _dressed(self, payload: Block, notification: Notification, say: Callable[[Block], Answer], *, told: str = "ok") -> Receipt:
        """Say it; if Slack refuses its layout, say it once more as text: no alert is lost to its make-up.

        The metadata stays, for `find` knows the message by it; it goes only if that is what Slack refuses.
        """
        try:
            return _receipt(payload, say(payload), told)
        except PermanentError as refusal:
            if refusal.answer in _METADATA_ERRORS:
                bare = {name: value for name, value in payload.items() if name != "metadata"}
                return _receipt(bare, say(bare), f"{refusal}; sent without metadata")
            if refusal.answer in _LAYOUT_ERRORS:
                # Without a word on blocks a message that is changed keeps those that it has.
                kept: Block = {"blocks": []} if "ts" in payload else {}
                bare = {name: value for name, value in payload.items() if name != "blocks"}
                plain = bare | kept | plain_text(as_text(compose(notification)))
                return _receipt(plain, say(plain), f"{refusal}; sent as text")
            raise

    def _channel_id(self, notification: Notification) -> str:
        """History is by id only; a name is looked up."""
        channel = self._options.channel or ""
        if not channel.startswith("#"):
            return channel

        def read() -> Pages[Channel]:
            return (page.channels for page in self._bot.channels())

        found = self._readings.of(("channels",), read, after=notification.tried_until).find(lambda one: one.name == channel[1:])
        if found:
            return found.id
        raise PermanentError(f"channel {channel} is not in conversations.list")


class SlackWebhookNotifier:
    """Posts by an incoming webhook, which answers no more than `ok`: what was posted cannot be found again."""

    def __init__(self, options: SlackOptions, webhook: Webhook, network: Network, clock: Clock) -> None:
        self._options, self._webhook, self._network, self._clock = options, webhook, network, clock

    def send(self, notification: Notification) -> Receipt:
        """Post the message; if Slack refuses its layout, post it once more as text."""
        try:
            return self._post(self._options.payload(notification))
        except PermanentError as refusal:
            if refusal.answer.strip() not in _LAYOUT_ERRORS:
                raise
            return self._post(plain_text(as_text(compose(notification))), told=f"{refusal}; sent as text")

    def probe(self) -> Called:
        """Let Slack refuse a message without a text; a relay of one's own, of which nobody knows what it does with one, is only reached."""
        url = self._options.webhook_url or SecretStr("")
        if urlsplit(url.get_secret_value()).hostname in _SLACKS_OWN:
            self._webhook.probe()
            return Called(is_fine=True, said="Slack knows the webhook", proves="address, channel")
        return reached(url, self._network, self._clock(), allow_private=self._options.allow_private)

    def probe_account(self) -> Called:
        """The same: a webhook has nothing else."""
        return self.probe()

    def _post(self, payload: Block, *, told: str = "ok") -> Receipt:
        status = self._webhook.post(payload)
        return Receipt(payload=readable(payload), status_code=status, excerpt=told)


def _metadata(notification: Notification) -> dict[str, Json]:
    payload = {"incident": key_within(notification.incident, 255), "notification_id": str(notification.id), "rule": notification.rule}
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def _receipt(payload: Block, answer: Answer, told: str) -> Receipt:
    reference = {name: value for name, value in (("channel", answer.channel_id), ("ts", answer.ts)) if value}
    return Receipt(payload=readable(payload), status_code=200, excerpt=told, reference=reference)
