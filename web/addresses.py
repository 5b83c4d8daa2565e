"""Who asks, by address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from flask import request

from web.desk import desk


def client_address() -> str:
    """Of whoever asks; where proxies of PROXY_ADDRESSES have passed the request on, of whom they have it from.

    That is the last one in X-Forwarded-For that is no such proxy; what stands before it whoever asks may have written himself:
    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For.
    """
    address = request.remote_addr or ""
    passed_on = [one.strip() for line in request.headers.getlist("X-Forwarded-For") for one in line.split(",")]
    while is_proxy(address) and passed_on and _read(passed_on[-1]):
        address = passed_on.pop()
    return address


def is_passed_on() -> bool:
    """Whether somebody says that he has the request from another one."""
    return any(name in request.headers for name in ("X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via"))


def is_proxy(address: str | None) -> bool:
    """Whether it is one that the settings name."""
    found = _read(address or "")
    return found is not None and any(found in ip_network(one, strict=False) for one in desk().settings.proxy_addresses)


def _read(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    # A socket that listens to both writes ::ffff:10.0.0.7 for 10.0.0.7.
    return getattr(found, "ipv4_mapped", None) or found
