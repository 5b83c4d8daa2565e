"""A message as its receiver shows it, near enough: drawn from what was sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from html.parser import HTMLParser

from markupsafe import Markup, escape

from routing.payload import Object, mapping, sequence, text
from routing.sentry_details import is_web_address
from web import drawn_slack
from web.drawn_parts import joined, linked, table, value

_KEPT = {tag: tag for tag in ("p", "table", "tr", "td", "pre", "code", "b", "strong", "ul", "li", "div", "span", "a")} | {"h1": "strong"}
"""By a mail's tag that of the page, which has one heading of its own."""
_HIDDEN = frozenset({"script", "style"})


def drawn(kind: str, payload: str | None) -> Markup | None:
    """The message; None where nobody knows how its receiver shows it, or it was cut."""
    draw = _KINDS.get(kind)
    if draw is None or not payload:
        return None
    try:
        said = json.loads(payload)
    except ValueError:
        return None
    return draw(said) if isinstance(said, Mapping) else None


def _mail(said: Object) -> Markup:
    """Its headers as a mail program lists them, and its body without colours."""
    headers = mapping(said.get("headers"))
    listed = table((name, value(headers[name])) for name in ("From", "To", "Cc", "Subject") if name in headers)
    html = text(said.get("html"))
    body = _Undressed.of(html) if html else Markup("<pre>{}</pre>").format(text(said.get("text")) or "")
    return listed + Markup("<hr>") + body


def _pagerduty(said: Object) -> Markup:
    """An alert with its details, or what becomes of it."""
    alert = mapping(said.get("payload"))
    if not alert:
        return table((name, value(said[name])) for name in ("event_action", "dedup_key") if name in said)
    head = Markup('<p class="h6">{}</p>').format(text(alert.get("summary")) or "")
    facts = table((name, value(alert[name])) for name in ("severity", "source", "component", "group", "class") if alert.get(name))
    links = joined(
        Markup("<p>{}</p>").format(linked(text(one.get("href")) or "", text(one.get("text")) or ""))
        for one in map(mapping, sequence(said.get("links")))
    )
    return head + facts + value(mapping(alert.get("custom_details"))) + links


def _jira(said: Object) -> Markup:
    """An issue with its fields; its description in Jira's own markup, as it was written."""
    fields = mapping(said.get("fields"))
    if not fields:
        return value(said)
    head = Markup('<p class="h6">{}</p>').format(text(fields.get("summary")) or "")
    others = table((name, _field(field)) for name, field in fields.items() if name not in {"summary", "description"})
    return head + others + Markup("<pre>{}</pre>").format(text(fields.get("description")) or "")


def _field(field: object) -> Markup:
    """By its name, as Jira shows what is picked from a list."""
    match field:
        case {"name": str(name)} | {"key": str(name)} | {"value": str(name)}:
            return escape(name)
        case list():
            return Markup(", ").join(map(_field, field))
    return escape(str(field))


def _sms(said: Object) -> Markup:
    return table([("To", value(said.get("To")))]) + Markup('<p class="drawn-bubble">{}</p>').format(text(said.get("Body")) or "")


class _Undressed(HTMLParser):
    """The structure of a page, without styles and all else that only a page of its own may have."""

    def __init__(self) -> None:
        super().__init__()
        self._shown, self._open = Markup(), list[str]()
        self._is_read = False
        """Whether it stands in the body, and is to be seen."""

    @classmethod
    def of(cls, html: str) -> Markup:
        """What stands in its body."""
        page = cls()
        page.feed(html)
        page.close()
        while page._open:
            page.handle_endtag(page._open[-1])
        return page._shown

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_read = tag not in _HIDDEN and (self._is_read or tag == "body")
        if tag == "br":
            self._shown += Markup("<br>")
        elif tag in _KEPT and self._is_read:
            self._open.append(tag)
            self._shown += _begin(tag, dict(attrs).get("href"))

    def handle_endtag(self, tag: str) -> None:
        self._is_read = self._is_read or tag in _HIDDEN
        if tag in self._open:
            while self._open:
                last = self._open.pop()
                self._shown += Markup(f"</{_KEPT[last]}>")  # noqa: S704 - a tag of ours
                if last == tag:
                    return

    def handle_data(self, data: str) -> None:
        if self._is_read:
            self._shown += escape(data)


def _begin(tag: str, url: str | None) -> Markup:
    if tag == "a" and is_web_address(url):
        return Markup('<a href="{}" rel="noopener noreferrer">').format(url)
    return Markup(f"<{_KEPT[tag]}>")  # noqa: S704 - a tag of ours


_KINDS: Mapping[str, Callable[[Object], Markup]] = {
    "slack": drawn_slack.message,
    "email": _mail,
    "pagerduty": _pagerduty,
    "jira": _jira,
    "sms": _sms,
}
"""The others show what they were sent: a webhook, an issue of Sentry's."""
