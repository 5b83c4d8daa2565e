"""What drawn messages are put together from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from routing.alert import Json
from routing.sentry_details import is_web_address


def joined(parts: Iterable[Markup]) -> Markup:
    """One after the other."""
    return Markup().join(parts)


def linked(url: str, words: str) -> Markup:
    """A link to the web; what would lead elsewhere is text."""
    if not is_web_address(url):
        return Markup("{}").format(words or url)
    return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(url, words or url)


def table(rows: Iterable[tuple[str, Markup]]) -> Markup:
    """Names and what they stand for."""
    return Markup('<dl class="drawn-facts mb-2">{}</dl>').format(
        joined(Markup("<dt>{}</dt><dd>{}</dd>").format(name, shown) for name, shown in rows)
    )


def value(content: Json) -> Markup:
    """Whatever a vendor shows of a value."""
    if isinstance(content, Mapping):
        return table((str(name), value(inner)) for name, inner in content.items())
    if isinstance(content, Sequence) and not isinstance(content, str):
        return Markup(", ").join(map(value, content))
    words = "" if content is None else str(content)
    return Markup("<pre>{}</pre>").format(words) if "\n" in words else Markup("{}").format(words)
