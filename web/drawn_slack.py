"""A message of Slack's as Slack draws it: https://docs.slack.dev/reference/block-kit/blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from markupsafe import Markup, escape

from routing.alert import Json
from routing.payload import Object, mapping, sequence, text
from web.drawn_parts import joined, linked

EMOJI: Mapping[str, str] = {
    "rotating_light": "🚨",
    "large_yellow_circle": "🟡",
    "large_blue_circle": "🔵",
    "white_check_mark": "✅",
}
"""Those that our messages have; others stay as they are written."""
_EMOJI = re.compile(r":([a-z0-9_+-]+):")
_STYLES: Mapping[str, Markup] = {
    "bold": Markup("<strong>{}</strong>"),
    "italic": Markup("<em>{}</em>"),
    "strike": Markup("<s>{}</s>"),
    "code": Markup("<code>{}</code>"),
    "block": Markup("<pre>{}</pre>"),
    "mention": Markup("@{}"),
}
_MARKS = re.compile(
    r"<!date\^[^>|]*\|(?P<date>[^>]*)>|<(?P<url>https?://[^>|\s]+)(?:\|(?P<words>[^>]*))?>|<[@#!](?P<mention>[^>]*)>"
    r"|```(?P<block>.+?)```|`(?P<code>[^`\n]+)`|(?<!\w)\*(?P<bold>[^*\n]+)\*(?!\w)|(?<!\w)_(?P<italic>[^_\n]+)_(?!\w)",
    re.DOTALL,
)


def message(said: Object) -> Markup:
    """Its blocks, or, where it has none, its text."""
    blocks = [mapping(one) for one in sequence(said.get("blocks"))]
    inner = [*(mapping(one) for held in sequence(said.get("attachments")) for one in sequence(mapping(held).get("blocks")))]
    drawn = joined(map(_block, [*blocks, *inner]))
    return drawn or Markup("<p>{}</p>").format(_marked(text(said.get("text")) or ""))


def _block(block: Object) -> Markup:
    draw = _BLOCKS.get(text(block.get("type")) or "")
    return draw(block) if draw else Markup()


def _header(block: Object) -> Markup:
    return Markup('<p class="h6">{}</p>').format(_plain(block.get("text")))


def _section(block: Object) -> Markup:
    fields = joined(Markup("<div>{}</div>").format(_words(one)) for one in sequence(block.get("fields")))
    said = Markup("<div>{}</div>").format(_words(block.get("text"))) if block.get("text") else Markup()
    return Markup('<div class="mb-2">{}{}</div>').format(
        said, Markup('<div class="drawn-fields">{}</div>').format(fields) if fields else ""
    )


def _context(block: Object) -> Markup:
    words = joined(Markup("<span>{} </span>").format(_words(one)) for one in sequence(block.get("elements")))
    return Markup('<p class="small text-body-secondary mb-1">{}</p>').format(words)


def _actions(block: Object) -> Markup:
    buttons = joined(
        Markup('<span class="drawn-button">{}</span> ').format(_plain(mapping(one).get("text"))) for one in sequence(block.get("elements"))
    )
    return Markup('<p class="mb-2">{}</p>').format(buttons)


def _rich_text(block: Object) -> Markup:
    return Markup('<div class="mb-2">{}</div>').format(joined(_rich(mapping(one)) for one in sequence(block.get("elements"))))


def _rich(part: Object) -> Markup:
    inner = joined(map(_element, map(mapping, sequence(part.get("elements")))))
    match part.get("type"):
        case "rich_text_preformatted":
            return Markup("<pre>{}</pre>").format(inner)
        case "rich_text_quote":
            return Markup("<blockquote>{}</blockquote>").format(inner)
        case "rich_text_list":
            items = joined(Markup("<li>{}</li>").format(_rich(mapping(one))) for one in sequence(part.get("elements")))
            return Markup("<ul>{}</ul>").format(items)
    return Markup('<div class="message">{}</div>').format(inner)


def _element(element: Object) -> Markup:
    said = element.get("text")
    words = said if isinstance(said, str) else ""
    match element.get("type"):
        case "link":
            shown = linked(text(element.get("url")) or "", words)
        case "emoji":
            shown = escape(_with_emoji(f":{text(element.get('name')) or ''}:"))
        case "user" | "usergroup" | "channel" | "broadcast":
            names = (text(element.get(key)) for key in ("user_id", "usergroup_id", "channel_id", "range"))
            shown = escape(f"@{next(filter(None, names), '')}")
        case _:
            shown = escape(words)
    style = mapping(element.get("style"))
    for name in ("bold", "italic", "strike", "code"):
        if style.get(name) is True:
            shown = _STYLES[name].format(shown)
    return shown


def _words(value: Json) -> Markup:
    said = mapping(value)
    return _plain(said) if said.get("type") == "plain_text" else _marked(text(said.get("text")) or "")


def _plain(value: Json) -> Markup:
    return escape(_with_emoji(text(mapping(value).get("text")) or ""))


def _marked(words: str) -> Markup:
    """Slack's mrkdwn: https://docs.slack.dev/messaging/formatting-message-text."""
    shown, done = Markup(), 0
    for found in _MARKS.finditer(words):
        shown += escape(_unescaped(words[done : found.start()])) + _mark(found)
        done = found.end()
    return Markup('<span class="message">{}</span>').format(shown + escape(_unescaped(words[done:])))


def _mark(found: re.Match[str]) -> Markup:
    if found["url"]:
        return linked(_unescaped(found["url"]), _unescaped(found["words"] or ""))
    kind = found.lastgroup or ""
    inner = _unescaped(found[kind])
    return _STYLES[kind].format(inner) if kind in _STYLES else escape(inner)


def _unescaped(words: str) -> str:
    """Of the three characters that Slack wants escaped."""
    return _with_emoji(words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def _with_emoji(words: str) -> str:
    return _EMOJI.sub(lambda found: EMOJI.get(found[1], found[0]), words)


_BLOCKS: Mapping[str, Callable[[Object], Markup]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "rich_text": _rich_text,
    "divider": lambda _: Markup("<hr>"),
}
