"""Whether Slack would take a message, asked without posting one: the token, its scopes, the channel, the bot's place in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from notifiers.errors import PermanentError
from notifiers.notifier import Called

if TYPE_CHECKING:
    from datetime import datetime

    from notifiers.slack_client import Bot, Channel, Identity
    from notifiers.slack_readings import Pages, Readings

WRITE, WRITE_PUBLIC = "chat:write", "chat:write.public"
_PRIVATE = "groups:read"
_LISTS: Mapping[str, str] = {"channels:read": "public_channel", _PRIVATE: "private_channel"}
"""By scope what it lets a bot list: https://docs.slack.dev/reference/methods/conversations.list."""
_HISTORIES = frozenset({"channels:history", "groups:history"})
_SCOPES = "add it on the app's page in Slack (OAuth & Permissions), and install the app again"


def probe_bot(bot: Bot, channel: str, readings: Readings, after: datetime) -> Called:
    """Ask about the token, its scopes and the channel.

    https://docs.slack.dev/reference/methods/auth.test and .../conversations.info.

    Args:
        bot: whose token it is.
        channel: its name with its sign, or its id.
        readings: of those who look for channels over the same network.
        after: how old a list of channels may be.
    """
    identity = bot.identity()
    called = _of_token(identity)
    if not called.is_fine or channel[:1] in "UW":  # somebody's id: a message to it opens a conversation
        return called
    try:
        found = _found(bot, channel, identity, readings, after)
    except PermanentError as error:
        if error.answer == "missing_scope":
            return _unseen(called, channel)
        if error.answer == "channel_not_found":
            return _absent(channel)
        raise
    if found:
        return _of_channel(found, channel, identity)
    is_hidden = channel.startswith("#") and identity.scopes and _PRIVATE not in identity.scopes
    return _unseen(called, channel) if is_hidden else _absent(channel)


def probe_token(bot: Bot) -> Called:
    """Ask about the token and its scopes alone."""
    return _of_token(bot.identity())


def _of_token(identity: Identity) -> Called:
    name = f"{identity.user} in {identity.team}"
    if identity.scopes and WRITE not in identity.scopes:
        return Called(is_fine=False, said=f"{name}: the token has no scope {WRITE}", way_out=_SCOPES)
    if identity.scopes and not identity.scopes & _HISTORIES:
        warning = "without channels:history an attempt whose answer was lost cannot be looked up, and is sent again"
        return Called(is_fine=True, said=name, proves="token, scopes", warning=warning, way_out=_SCOPES)
    return Called(is_fine=True, said=name, proves="token, scopes" if identity.scopes else "token")


def _found(bot: Bot, channel: str, identity: Identity, readings: Readings, after: datetime) -> Channel | None:
    if not channel.startswith("#"):
        return bot.channel(channel)
    kinds = [kind for scope, kind in _LISTS.items() if not identity.scopes or scope in identity.scopes]
    if not kinds:
        raise PermanentError("conversations.list: missing_scope", answer="missing_scope")

    def read() -> Pages[Channel]:
        return (page.channels for page in bot.every_channel(kinds))

    # Of a list Slack gives twenty pages a minute, and there may be a receiver for each channel.
    return readings.of(("every channel",), read, after=after).find(lambda one: one.name == channel[1:])


def _of_channel(found: Channel, channel: str, identity: Identity) -> Called:
    name = f"{identity.user} in {identity.team}, {channel}"
    if found.is_archived:
        way_out = "unarchive it in Slack, or write another channel in rules.yaml"
        return Called(is_fine=False, said=f"{name}: the channel is archived", way_out=way_out)
    if found.is_member or found.is_im or (WRITE_PUBLIC in identity.scopes and not found.is_private):
        token = _of_token(identity)
        return Called(is_fine=True, said=name, proves=f"{token.proves}, channel", warning=token.warning, way_out=token.way_out)
    way_out = f"invite it: write /invite @{identity.user} in the channel" + (
        "" if found.is_private else f", or add the scope {WRITE_PUBLIC}"
    )
    return Called(is_fine=False, said=f"{name}: the bot is not in the channel", way_out=way_out)


def _absent(channel: str) -> Called:
    way_out = "see to its spelling in rules.yaml; into a private channel invite the bot first"
    return Called(is_fine=False, said=f"{channel}: there is no such channel, or the bot does not see it", way_out=way_out)


def _unseen(called: Called, channel: str) -> Called:
    warning = f"{channel} is not seen with the token's scopes; give it channels:read and, for private channels, groups:read"
    return Called(is_fine=True, said=called.said, proves=called.proves, warning=warning, way_out=_SCOPES)
