"""Whether the other end can be reached, where it offers nothing that could be asked without doing something."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import SecretStr

from notifiers.http import Network
from notifiers.notifier import Called

SOON = timedelta(days=14)
"""Renewals by ACME come thirty days before the end: what is left with less has failed several times."""


def reached(url: SecretStr, network: Network, now: datetime, *, allow_private: bool) -> Called:
    """Connect, encrypted where the address says so, and send nothing.

    Raises:
        RetryableError, PermanentError: as `Network.reach` and `reach_public`.
    """
    reach = network.reach if allow_private else network.reach_public
    until = reach(url.get_secret_value())
    proves = "name, connection" + (", certificate" if until else "")
    return with_certificate(Called(is_fine=True, said="it can be reached; nothing was sent", proves=proves), until, now)


def with_certificate(called: Called, until: datetime | None, now: datetime) -> Called:
    """What was called, with a word on the certificate where it ends soon; no certificate, no word."""
    if until is None:
        return called
    days = (until - now) // timedelta(days=1)
    said = f"{called.said}; its certificate is good for {days} days"
    if until - now >= SOON or not called.is_fine:
        return replace(called, said=said)
    warning = f"its certificate ends in {days} days, on {until:%Y-%m-%d}"
    return replace(called, said=said, warning=warning, way_out="renew the certificate at the other end")
