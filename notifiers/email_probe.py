"""Whether a mail server would take a mail, asked without handing one in."""

from __future__ import annotations

from datetime import datetime

from notifiers.notifier import Called
from notifiers.reach import with_certificate
from notifiers.smtp import SmtpServer, Welcome


def called(server: SmtpServer, welcome: Welcome, recipients: int, now: datetime) -> Called:
    """What a server's welcome means for a receiver of so many people; of none where they hang on the alert."""
    said = f"{server.host} takes mail" + (f" for {recipients} of them" if recipients > 1 and not welcome.refused else "")
    parts = [
        *(["certificate"] if welcome.good_until else []),
        *(["sign-in"] if server.user else []),
        *(["sender, recipients"] if recipients else []),
    ]
    proves = ", ".join(("connection", *parts))
    fine = Called(is_fine=True, said=said, proves=proves)
    if not welcome.refused:
        return with_certificate(fine, welcome.good_until, now)
    words = "; ".join(f"{recipient}: {said}" for recipient, said in welcome.refused.items())
    way_out = "see to the spelling of the address, and to whether the server takes mail for its domain from us (relaying)"
    if len(welcome.refused) < recipients:
        return Called(is_fine=True, said=said, proves=proves, warning=f"not for everybody: {words}", way_out=way_out)
    return Called(is_fine=False, said=f"{server.host} takes no recipient: {words}", way_out=way_out)
