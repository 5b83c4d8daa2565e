"""Which addresses a URL that a user gave may lead to: those of the public internet.

Asks the resolver, and nothing else of the network.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias
from urllib.parse import urlsplit

from notifiers.errors import PermanentError, RetryableError

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""The addresses of a host, as numbers; raises what socket.getaddrinfo raises."""

_IPV4_INSIDE = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
"""NAT64 (RFC 6052) and the old IPv4-compatible addresses: the last 32 bits are an IPv4 address."""


def resolve(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    return [str(address[0]) for _, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def public_address(host: str, port: int, *, resolve: Resolve = resolve) -> str:
    """The address to call for a host, as a number; a name is resolved once, so that a second answer cannot swap it.

    Raises:
        PermanentError: any address of the host is private, loopback, link-local or otherwise not public.
        RetryableError: the name could not be resolved.
    """
    try:
        addresses = resolve(host, port)
    except UnicodeError:
        raise PermanentError("the host name cannot be used") from None
    except OSError:
        raise RetryableError("no connection: the host name could not be resolved") from None
    if not addresses or not all(is_public(address) for address in addresses):
        raise PermanentError("the host has a private address; if that is meant, set `allow_private: true` on the receiver")
    return addresses[0]


def is_web_address(url: str) -> bool:
    """Whether it can be called at all: http or https, a host, and no user and password, which would be sent nowhere."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Whether an address, and any IPv4 address that is wrapped in it, is of the public internet."""
    return all(part.is_global and not part.is_multicast for part in _layers(ip_address(address)))


def _layers(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        yield address.ipv4_mapped
        return
    yield address
    if isinstance(address, IPv6Address) and address.sixtofour:
        yield address.sixtofour
    if any(address in network for network in _IPV4_INSIDE):
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
