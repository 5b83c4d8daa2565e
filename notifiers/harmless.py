"""Asks a receiver's vendor whether a message could be sent, and sends none: a call that opens, posts and wakes nothing.

What each kind asks, and what that proves, is said in docs/doctor.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from threading import Thread

from notifiers.configuration import open_receiver
from notifiers.errors import DeliveryError, PermanentError
from notifiers.http import Network, Timeouts
from notifiers.notifier import Called, Clock, Probe, ReceiverOptions
from notifiers.preview import PreviewNotifier
from notifiers.registry import VendorSettings
from routing.rules import Receiver

__all__ = ["Called", "call"]

WITHIN_SECONDS = 8.0
TIMEOUTS = Timeouts(connect_seconds=3.0, read_seconds=6.5)
"""A mail server that tests its callers' patience greets after six seconds (postscreen)."""

_TRY_AGAIN = "try again; if it stays, look at the vendor's status page and at the way from this machine to the vendor"
_WAYS_OUT: Mapping[str, str] = {
    "slack": "copy the Bot User OAuth Token (xoxb-…) from the app's page in Slack into SLACK_BOT_TOKEN",
    "email": "compare user, password, host and port in SMTP_URL with what the mail server's operator gave you",
    "pagerduty": "copy the Integration Key of Events API v2 from the service's page in PagerDuty into the receiver's routing_key",
    "jira": "make a new token for the account, and set JIRA_TOKEN (on Cloud JIRA_USER, too)",
    "sms": "compare TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN with Twilio's console",
    "webhook": "compare the receiver's url with the endpoint",
    "sentry": "make a new token on the integration's page in Sentry, and set SENTRY_API_TOKEN",
}
"""By kind what to do where the vendor does not know us."""


def call(
    receiver: Receiver, settings: VendorSettings, clock: Clock, *, within_seconds: float = WITHIN_SECONDS, network: Network | None = None
) -> Called:
    """Ask, and say what came of it. Raises nothing; what takes longer than that is left to end by itself.

    `network` is one for several calls: what a vendor lists is read once for those of the same moment.
    """
    ended: list[Called] = []
    door = network or Network(TIMEOUTS)
    work = Thread(target=lambda: ended.append(_called(receiver, settings, clock, door)), name="harmless call", daemon=True)
    work.start()
    work.join(within_seconds)
    return ended[0] if ended else Called(is_fine=False, said=f"no answer within {within_seconds:g} s", way_out=_TRY_AGAIN)


def _called(receiver: Receiver, settings: VendorSettings, clock: Clock, network: Network) -> Called:
    try:
        return _probed(receiver, settings, clock, network)
    except DeliveryError as error:
        is_limited = error.status_code == HTTPStatus.TOO_MANY_REQUESTS or "ratelimited" in str(error)
        return Called(is_fine=False, is_limited=is_limited, said=str(error), way_out=_way_out(receiver.kind, error))
    except Exception as error:  # noqa: BLE001 - the top of its thread; the text of what nobody foresaw may hold a secret
        return Called(is_fine=False, said=f"the call failed inside: {type(error).__name__}", way_out="report this as a fault of the router")


def _probed(receiver: Receiver, settings: VendorSettings, clock: Clock, network: Network) -> Called:
    options = receiver.options
    assert isinstance(options, ReceiverOptions)  # noqa: S101 - the registry holds nothing else; routing must not know that
    missing = options.missing_credential(settings)
    if missing:
        named = receiver.unset.get(missing, missing)
        return Called(is_fine=False, is_set=False, said=f"{named} is not set, so it only previews", way_out=f"set {named}")
    notifier = open_receiver(receiver, settings, network=network, clock=clock)
    if isinstance(notifier, Probe):
        return notifier.probe_account() if receiver.destination else notifier.probe()
    assert isinstance(notifier, PreviewNotifier)  # noqa: S101 - each kind that reaches somebody can be asked; a test holds it
    return Called(is_fine=True, said="it only records, by its kind")


def _way_out(kind: str, error: DeliveryError) -> str:
    if "could not be resolved" in str(error):
        return "see to the spelling of the host, and to the DNS of this machine"
    if "certificate" in str(error):
        return "renew the certificate at the other end, or trust its issuer on this machine"
    if error.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return "ask less often: the vendor's limit is used up now, and messages wait for it, too"
    return _WAYS_OUT.get(kind, "") if isinstance(error, PermanentError) else _TRY_AGAIN
