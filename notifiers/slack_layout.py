"""How a message looks in Slack: Block Kit, and text where there is none.

Alert texts are hostile: what can be is literal (rich text, plain text), the rest is escaped and `verbatim`, so that no
title pings a channel or turns `__init__` into italics.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TypeAlias

from notifiers.message import Message, Other
from notifiers.message_facts import Fact
from notifiers.wording import cut, tail
from routing.alert import Json
from routing.notification import Severity
from routing.slack_interactions import BUTTONS

# https://docs.slack.dev/reference/block-kit/blocks
MAX_HEADER = 150
MAX_FIELDS = 10
# Ours, within Slack's.
MAX_TITLE = 500
MAX_FACT = 300
MAX_LINK = 1500
MAX_STACK = 900
MAX_LEAD = 500
MAX_TAG = 100
MAX_OTHER = 150
MAX_OTHERS_JSON = 2500
MAX_TEXT = 3000
"""Slack recommends 4,000 characters at most for `text`: https://docs.slack.dev/reference/methods/chat.postMessage."""
MAX_BLOCKS_JSON = 8000
"""The whole limit is not documented; `msg_blocks_too_long` was seen from 13,000 on (github.com/slackapi/bolt-js/issues/2509)."""

_DISPENSABLE = ("tags", "trace", "more", "facts", "others", "lead")

_EMOJI: Mapping[Severity, str] = {
    Severity.CRITICAL: ":rotating_light:",
    Severity.WARNING: ":large_yellow_circle:",
    Severity.INFO: ":large_blue_circle:",
}

_EMOJI_OF_ENDS = ":white_check_mark:"

_ENTITIES: Mapping[str, str] = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

Block: TypeAlias = dict[str, Json]


def blocks(message: Message, *, has_buttons: bool = False) -> tuple[Block, ...]:
    """The Block Kit layout; with buttons that do something to the incident if anybody hears of it when they are pressed.

    Where Slack might find it too long, what can be spared goes: the tags first, a template's text last.
    """
    opening = (_header(message), _title(message), _lead(message), *_facts(message), _stack(message), _tags(message))
    candidates = (*opening, _actions(message, has_buttons=has_buttons), _others(message), _foot(message))
    kept = [block for block in candidates if block]
    for dispensable in _DISPENSABLE:
        if len(json.dumps(kept, ensure_ascii=False)) <= MAX_BLOCKS_JSON:
            break
        kept = [block for block in kept if block["block_id"] != dispensable]
    return tuple(kept)


def _value(fact: Fact) -> str:
    value = escaped(fact.value, MAX_FACT)
    return f"<{escaped(fact.link.replace('|', '%7C'), MAX_LINK)}|{value}>" if fact.link else value


def line_of(message: Message) -> str:
    """What a thread is told of a message: `Critical error, again: level is "error"`."""
    return f"{message.news or message.heading}: {message.reasons}"


def escaped(text: str, limit: int) -> str:
    """As Slack's mark-up shows it literally, cut before it is escaped, at most `limit` characters after.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    if len(text) <= limit and not set(text) & set("&<>"):
        return text
    widths = accumulate(len(_ENTITIES.get(character, character)) for character in text)
    return "".join(_ENTITIES.get(character, character) for character in cut(text, bisect_right(list(widths), limit)))


def _header(message: Message) -> Block:
    words = " · ".join(filter(None, (message.ending, message.heading, message.project, message.environment)))
    emoji = _EMOJI_OF_ENDS if message.ending else _EMOJI[message.severity]
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


def _facts(message: Message) -> Iterator[Block]:
    """In as many sections as it takes, up to two."""
    fields = [_mrkdwn(f"*{escaped(fact.label, MAX_FACT)}*\n{_value(fact)}") for fact in message.facts]
    for begin, name in ((0, "facts"), (MAX_FIELDS, "more")):
        if shown := fields[begin : begin + MAX_FIELDS]:
            yield {"type": "section", "block_id": name, "fields": shown}


def _stack(message: Message) -> Block | None:
    if not message.stack or message.ending:
        return None
    element: Block = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": tail(message.stack, MAX_STACK)}]}
    return {"type": "rich_text", "block_id": "trace", "elements": [element]}


def _tags(message: Message) -> Block | None:
    if message.ending:
        return None
    pairs = [("release", message.release), *message.tags]
    shown = [f"{escaped(key, MAX_TAG)}: {_code(value)}" for key, value in pairs if value]
    return {"type": "context", "block_id": "tags", "elements": [_mrkdwn("  ".join(shown))]} if shown else None


def _actions(message: Message, *, has_buttons: bool) -> Block | None:
    elements = [*_link(message), *(_buttons(message) if has_buttons and message.is_of_one and not message.ending else ())]
    return {"type": "actions", "block_id": "actions", "elements": elements} if elements else None


def _link(message: Message) -> Iterator[Block]:
    if message.link:
        yield {**_button("open_sentry", "Open in Sentry"), "url": message.link, "style": "primary"}


def _buttons(message: Message) -> Iterator[Block]:
    for action, button in BUTTONS.items():
        is_known = action == "acknowledge" and message.is_acknowledged
        if not is_known and (button.change in message.offers or not button.is_done_in_sentry):
            yield {**_button(action, button.text), "value": message.incident}


def _button(action: str, text: str) -> Block:
    return {"type": "button", "action_id": action, "text": {"type": "plain_text", "text": text}}


def _others(message: Message) -> Block | None:
    if not message.others:
        return None
    shown = message.others_within(MAX_OTHERS_JSON, lambda other: len(json.dumps(_other(other), ensure_ascii=False)))
    heading: Block = {"type": "text", "text": f"And {message.others_count} more", "style": {"bold": True}}
    elements: list[Json] = [{"type": "rich_text_section", "elements": [heading]}]
    if shown:
        elements.append({"type": "rich_text_list", "style": "bullet", "elements": list(map(_other, shown))})
    if rest := message.others_beside(len(shown)):
        linked: Block = {"type": "link", "url": message.full_list, "text": rest} if message.full_list else {"type": "text", "text": rest}
        elements.append({"type": "rich_text_section", "elements": [linked]})
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
    why = "" if message.ending else "rule: "
    text = f"{reference}{why}{escaped(message.reasons, MAX_FACT)} | {when}"
    return {"type": "context", "block_id": "foot", "elements": [_mrkdwn(text)]}


def _code(text: str) -> str:
    within = escaped(text.replace("`", "'"), MAX_TAG)
    return f"`{within}`"


def _mrkdwn(text: str) -> Block:
    # Verbatim, or Slack would turn `@channel` and `#general` in an alert into what they name:
    # https://docs.slack.dev/reference/block-kit/composition-objects/text-object
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain_text(text: str) -> Block:
    """A message without a layout."""
    return {"text": escaped(text, MAX_TEXT), "unfurl_links": False, "unfurl_media": False}
