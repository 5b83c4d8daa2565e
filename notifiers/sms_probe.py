"""Whether Twilio would send a message, asked without sending one: the account, and what it sends from."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pydantic import BaseModel

from notifiers.errors import PermanentError
from notifiers.http import Network, read_answer
from notifiers.notifier import Called

if TYPE_CHECKING:
    from notifiers.sms import Account

_STATES = {
    "suspended": "pay what Twilio says is open, or ask its support why; nothing is sent until then",
    "closed": "it cannot be opened again: make another account",
}


class _AccountNow(BaseModel):
    """https://www.twilio.com/docs/iam/api/account."""

    status: str
    type: str = ""


class _Able(BaseModel):
    sms: bool = True


class _Number(BaseModel):
    capabilities: _Able = _Able()


class _Numbers(BaseModel):
    """https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource."""

    incoming_phone_numbers: tuple[_Number, ...]


class _Service(BaseModel):
    """https://www.twilio.com/docs/messaging/api/service-resource."""

    sid: str


def probe_account(account: Account, network: Network) -> Called:
    """Ask whether the account may send at all."""
    url = f"{account.api_url}/2010-04-01/Accounts/{account.sid}.json"
    now = read_answer(network.get(url, headers=account.headers, secrets=account.secrets), _AccountNow, secrets=account.secrets)
    if now.status != "active":
        return Called(is_fine=False, said=f"the account is {now.status}", way_out=_STATES.get(now.status, "look at Twilio's console"))
    if now.type == "Trial":
        warning = "a trial account reaches only numbers that were verified in Twilio's console"
        return Called(is_fine=True, said="the account is active", proves="account", warning=warning, way_out="upgrade the account")
    return Called(is_fine=True, said="the account is active", proves="account")


def probe_sender(account: Account, network: Network) -> Called:
    """Ask about the account and about the number or the Messaging Service; a name as sender cannot be asked about."""
    called = probe_account(account, network)
    if not called.is_fine or not account.sender.startswith(("+", "MG")):
        return called
    is_there = _service_is_there(account, network) if account.sender.startswith("MG") else _number_is_there(account, network)
    if is_there:
        return Called(is_fine=True, said=called.said, proves="account, sender", warning=called.warning, way_out=called.way_out)
    way_out = "set TWILIO_FROM to a number with SMS, or to a Messaging Service, that the account has"
    return Called(is_fine=False, said=f"the account has no {account.sender} that sends SMS", way_out=way_out)


def _number_is_there(account: Account, network: Network) -> bool:
    query = urlencode({"PhoneNumber": account.sender})
    url = f"{account.api_url}/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers.json?{query}"
    found = read_answer(network.get(url, headers=account.headers, secrets=account.secrets), _Numbers, secrets=account.secrets)
    return any(one.capabilities.sms for one in found.incoming_phone_numbers)


def _service_is_there(account: Account, network: Network) -> bool:
    # Twilio has its services at a host of their own, in each region: messaging.twilio.com beside api.twilio.com.
    url = f"{account.api_url.replace('://api.', '://messaging.', 1)}/v1/Services/{account.sender}"
    try:
        read_answer(network.get(url, headers=account.headers, secrets=account.secrets), _Service, secrets=account.secrets)
    except PermanentError as error:
        if error.status_code == 404:
            return False
        raise
    return True
