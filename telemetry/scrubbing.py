"""Takes out of texts what must not leave: secrets always, and what names people unless that is allowed.

Secrets are found by their values, which the settings know, and by their shapes; people by the shapes of addresses and numbers. A name
in plain words has no shape: what may hold one is not handed on at all (`reporting`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network

SECRET, E_MAIL, PHONE, CARD = "[secret]", "[e-mail]", "[phone]", "[card]"
_DEEPEST = 20

# What people wrote into the database: SQLAlchemy's account of a statement, and PostgreSQL's of the row that it refused.
_STATEMENT = re.compile(r"\n\[(?:SQL|parameters): .*?(?:\n\(Background on this error[^\n]*|\Z)|\nDETAIL: [^\n]*", re.DOTALL)
_PATHS = re.compile(
    r"(/webhooks/(?:sentry/legacy|glitchtip|jira)/|/first-admin/|hooks\.slack\.com/(?:services|workflows|triggers)/)[^\s?#\"'<>]+"
)
_USER_INFO = re.compile(r"://[^/\s@\"']+@")
_PARAMETERS = re.compile(r"([?&][\w.~\-\[\]%]+)=[^&\s#\"'<>]+")
_NAMED = re.compile(
    r"\b((?:api[_-]?key|access[_-]?key|routing[_-]?key|integration[_-]?key|\w*secret|\w*token|passw(?:or)?d|passphrase|authorization|cookie)"
    r"[\"']?\s*[=:]\s*[\"']?)(?:(?:bearer|basic|token)\s+)?[^\s\"'&,;]+",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"\b(bearer|basic)\s+[\w\-.~+/=]{8,}", re.IGNORECASE)
_SHAPES = re.compile(
    r"\bx(?:ox[a-z]|app)-[\w-]{8,}|\bsntry[su]_[\w=+/-]{8,}|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\bey[JK][\w-]{8,}\.[\w-]+\.[\w-]*|\b[spr]k_(?:live|test)_\w{8,}|\bATATT[\w=-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_LONG = re.compile(r"\b(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{32,}\b")
_MAIL = re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_CARD = re.compile(r"(?<![\w.-])[3-6]\d{3}(?:[ -]?\d){9,15}(?![\w-])")
_PHONE = re.compile(r"\+\d[\d ().-]{6,18}\d|(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])")
_CALLED_SECRET = re.compile(r"passw|secret|token|authorization|cookie|api_?key|routing_?key|dsn|credential|signature", re.IGNORECASE)

Text = Callable[[str], str]


class Scrubber:
    """Knows the secrets of one service."""

    def __init__(self, secrets: Iterable[str] = (), *, names_people: bool = False) -> None:
        """`names_people`: what names people may stay."""
        # The longest first: one may hold another.
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._names_people = names_people

    def text(self, text: str) -> str:
        """One text without them."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, SECRET)
        # Most lines have nothing of it, and each look costs as much as a line: what cannot be there is not looked for.
        if "=" in text or ":" in text or "/" in text:
            text = _without_addressed(text)
        if len(text) >= _SHORTEST_SHAPE:
            text = _SHAPES.sub(SECRET, text)
            text = _CREDENTIALS.sub(rf"\1 {SECRET}", text)
            text = _LONG.sub(SECRET, text)
        return text if self._names_people else _without_people(text)

    def tree(self, value: object, depth: int = 0) -> object:
        """All texts of a value; what stands under a name that secrets have is one."""
        match value:
            case str():
                return self.text(value)
            case dict() if depth < _DEEPEST:
                return {self._name(key): self._member(str(key), inner, depth) for key, inner in value.items()}
            case list() | tuple() if depth < _DEEPEST:
                return [self.tree(inner, depth + 1) for inner in value]
            case dict() | list() | tuple():
                return "[too deep]"
        return value

    def address(self, address: str) -> str:
        """That of a client; without names of people only its network."""
        if self._names_people:
            return address
        try:
            found = ip_address(address)
        except ValueError:
            return ""
        return str(ip_network(f"{found}/{24 if found.version == 4 else 48}", strict=False).network_address)

    def _name(self, key: object) -> object:
        return self.text(key) if isinstance(key, str) else key

    def _member(self, name: str, value: object, depth: int) -> object:
        if value and isinstance(value, str | bytes) and _CALLED_SECRET.search(name):
            return SECRET
        if name in _IDS:
            return value
        return self.tree(value, depth + 1)


_SHORTEST_SHAPE = 12
_IDS = frozenset({"event_id", "trace_id", "span_id", "parent_span_id", "profiler_id", "profile_id", "replay_id", "release", "public_key"})
"""Long and random, and no secrets."""


def _without_addressed(text: str) -> str:
    if "\n" in text:
        text = _STATEMENT.sub("", text)
    if "/" in text:
        text = _PATHS.sub(r"\1[token]", text)
        text = _USER_INFO.sub(f"://{SECRET}@", text)
    if "=" in text:
        text = _PARAMETERS.sub(rf"\1={SECRET}", text)
    return _NAMED.sub(rf"\1{SECRET}", text)


def _without_people(text: str) -> str:
    if "@" in text:
        text = _MAIL.sub(E_MAIL, text)
    if len(text) >= _SHORTEST_SHAPE - 2 and _DIGITS.search(text):
        text = _CARD.sub(_card, text)
        text = _PHONE.sub(PHONE, text)
    return text


_DIGITS = re.compile(r"\d{3}")


def _card(found: re.Match[str]) -> str:
    """What can be one: the last digit checks the others (ISO/IEC 7812-1)."""
    digits = [int(one) for one in found[0] if one.isdigit()]
    doubled = [sum(divmod(2 * one, 10)) for one in digits[-2::-2]]
    return CARD if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else found[0]
