"""How a message reads in Jira: wiki markup, which Cloud and Data Center share."""

from __future__ import annotations

import re
from collections.abc import Mapping

from notifiers.message import Message, Other
from notifiers.wording import cut, one_line

# Ours: even if every character must be escaped, the description stays within Jira's limit.
_MAX_TITLE = 500
_MAX_TEXT = 600
_MAX_TABLE = 5000
_MAX_OTHERS = 4000

# What the renderer takes as markup, of which some counts only at the edge of a word; and the icons (x), (!), (on).
_MARKUP = re.compile(
    r"[{}\[\]|!]|(?<![^\W_])[*_+^~?#-]|[*_+^~?#-](?![^\W_])"
    r"|\((?=(?:[!?/x+*yni-]|on|off|flag|flagoff)\))"
    r"|\\(?![^\W_]|\s)|&(?=\#?\w+;)|(?<=^h[1-6])\.|(?<=^bq)\."
)
# A backslash cannot be escaped by another one, that is a line break.
_ENTITIES: Mapping[str, str] = {"\\": "&#92;", "&": "&amp;", ".": "&#46;"}


def escaped(text: str) -> str:
    """One line as wiki markup that shows just these characters: https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa."""
    return _MARKUP.sub(lambda found: _ENTITIES.get(found[0], "\\" + found[0]), text)


def description(message: Message) -> str:
    """The whole message."""
    sections = (
        f"*{escaped(message.heading)}* in {escaped(message.place)}",
        escaped(cut(message.title, _MAX_TITLE)),
        "\n".join(map(escaped, cut(message.text, _MAX_TEXT).splitlines())),
        _table(message),
        f"[Open in Sentry|{_link(message.link)}]" if message.link else "",
        "{noformat}\n" + _literal(message.stack) + "\n{noformat}" if message.stack else "",
        _others(message),
        f"----\nWhy: {escaped(cut(message.reasons, 600))}\nIncident: {escaped(cut(one_line(message.incident), 300))}",
    )
    return "\n\n".join(filter(None, sections))


def _table(message: Message) -> str:
    table = "||Field||Value||"
    for fact in message.rows:
        row = f"\n|{escaped(fact.label)}|{escaped(fact.value)}|"
        table += row if len(table) + len(row) <= _MAX_TABLE else ""
    return table


def _others(message: Message) -> str:
    if not message.others:
        return ""
    shown = message.others_within(_MAX_OTHERS, lambda other: len(_other(other)) + 1)
    lines = (f"And {message.others_count} more:", *map(_other, shown), message.others_elsewhere(len(shown)))
    return "\n".join(filter(None, lines))


def _other(other: Other) -> str:
    link = f" [Open in Sentry|{_link(other.link)}]" if other.link else ""
    return f"* {escaped(other.name)}{link}"


def _link(address: str) -> str:
    return address.replace("[", "%5B").replace("]", "%5D")


def _literal(text: str) -> str:
    return re.sub(r"\{(?=noformat)", "{ ", text, flags=re.IGNORECASE)


def comment(message: Message, *, mark: str) -> str:
    """What is said on an issue when its incident comes back; by the mark it is known again."""
    link = f"\n[Open in Sentry|{_link(message.link)}]" if message.link else ""
    return f"*{escaped(message.heading)}* came back in {escaped(message.place)}: {escaped(cut(message.reasons, _MAX_TEXT))}{link}\n{mark}"
