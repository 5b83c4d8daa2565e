"""Texts of alerts as any vendor takes them: one line, cut to a limit, an address, a key. Knows no message."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from routing import plain_text

MAX_LINE = 8000
"""No layout shows more of one line; what is longer (a message of 300 kB) is not even looked at."""


def key_within(key: str, limit: int) -> str:
    """A key that a vendor with such a limit takes, the same for the same key: itself, or its SHA-256 if it is too long or odd."""
    if len(key) <= limit and key.isascii() and key.isprintable():
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis where something is missing; never ends inside a combined character."""
    if len(text) <= limit:
        return text
    if limit < 1:
        return ""
    end = limit - 1
    while end > 0 and (unicodedata.combining(text[end]) or text[end] in "\u200d\ufe0f" or text[end - 1] == "\u200d"):
        end -= 1
    return text[:end].rstrip() + "…"


def tail(text: str, limit: int) -> str:
    """The last whole lines, at most `limit` characters: of a stack trace the end matters."""
    if len(text) <= limit:
        return text
    _, _, whole_lines = text[2 - limit :].partition("\n")
    return f"…\n{whole_lines}" if whole_lines else cut(text.rpartition("\n")[2], limit)


def one_line(text: str) -> str:
    """Without line breaks, control characters and bidirectional overrides, which could make a message read as something else."""
    return plain_text.one_line(text[:MAX_LINE])


def web_address(link: str | None) -> str | None:
    """The link if it is one that a vendor takes (http or https, no blanks), else None."""
    if link and len(link) <= 2000 and re.fullmatch(r"https?://[^\s<>|\"\\^`{}\x00-\x1f]+", link):
        return link
    return None
